"""Make the data sets of this folder: out-of-fold predictions on scikit-learn's bundled data.

Run it as `python configs/data/make_data.py`; README.md beside it says what the files hold.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

# A script is given its own folder to import from, not the project's
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example

ROW_GROUP_ROWS = 100
SITES = {"A": (0, 250), "B": (250, 430), "C": (430, 569)}  # first id, past the last id
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
ATTRIBUTES = ("male", "high_bmi", "high_blood_pressure", "fast_progression")

FLOATS = pa.list_(pa.float32())
INTS = pa.list_(pa.int64())
BREAST_CANCER = pa.schema(
    {
        "id": pa.int64(),
        "split": pa.string(),
        "label": pa.int64(),
        "diagnosis": pa.string(),
        "logit": pa.float32(),
        "probability": pa.float64(),
        "probabilities": FLOATS,
        "baseline_logit": pa.float32(),
        "weight": pa.float32(),
        "size": pa.string(),
        "texture": pa.string(),
    }
)
HANDWRITTEN_DIGITS = pa.schema(
    {
        "id": pa.int64(),
        "label": pa.int64(),
        "name": pa.string(),
        "logits": FLOATS,
        "ink": pa.string(),
    }
)
DIABETES = pa.schema(
    {
        "id": pa.int64(),
        "labels": INTS,
        "label_ids": INTS,
        "label_names": pa.list_(pa.string()),
        "logits": FLOATS,
        "weight": pa.float32(),
        "age_group": pa.string(),
    }
)


def out_of_fold(
    features: NDArray[np.float64], target: NDArray[Any], method: str = "decision_function"
) -> NDArray[np.float64]:
    """Score every row by a logistic regression fitted on the four folds that do not hold it."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=5000))
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    with threadpool_limits(1):  # fits this small are several times slower on several threads
        return np.asarray(cross_val_predict(model, features, target, cv=folds, method=method))


def interval(
    values: NDArray[np.float64], cuts: tuple[float, ...], names: tuple[str, ...]
) -> NDArray[np.str_]:
    """Name the interval each value falls into; a value equal to a cut lies above it."""
    return np.array(names)[np.digitize(values, cuts)]


def inverse_frequency(*groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """Weigh rows so that every cell of the crossed groups has the same total and the mean is 1."""
    _, cell, counts = np.unique(
        np.stack(groups, axis=1), axis=0, return_inverse=True, return_counts=True
    )
    return np.asarray(cell.size / (counts.size * counts[cell]))


def breast_cancer() -> pa.Table:
    """Binary: is a mass malignant, told from the mean measurements of its cell nuclei."""
    source = load_breast_cancer()
    measured = dict(zip(source.feature_names, source.data.T, strict=True))
    means = source.data[:, :10]
    few = np.stack([measured["mean texture"], measured["mean smoothness"]], axis=1)
    label = 1 - source.target  # the source calls benign 1
    probabilities = out_of_fold(means, label, "predict_proba")
    size = interval(measured["mean radius"], (12, 16), ("small", "medium", "large"))
    texture = interval(measured["mean texture"], (18,), ("smooth", "rough"))
    row = np.arange(label.size)
    columns = {
        "id": row,
        "split": np.where(row % 7 == 6, "holdout", "test"),
        "label": label,
        "diagnosis": np.array(["benign", "malignant"])[label],
        "logit": out_of_fold(means, label),
        "probability": probabilities[:, 1],
        "probabilities": list(probabilities),
        "baseline_logit": out_of_fold(few, label),
        "weight": inverse_frequency(size, texture),
        "size": size,
        "texture": texture,
    }
    return pa.table(columns, schema=BREAST_CANCER)


def digits() -> pa.Table:
    """Multi-class: which digit is it, told from sums of 2 x 2 pixels, so that errors remain."""
    source = load_digits()
    blocks = source.images.reshape(-1, 4, 2, 4, 2).sum(axis=(2, 4)).reshape(-1, 16)
    logits = out_of_fold(blocks, source.target)
    columns = {
        "id": np.arange(source.target.size),
        "label": source.target,
        "name": np.array(DIGITS)[source.target],
        "logits": list(logits - logits.mean(axis=1, keepdims=True)),
        "ink": interval(source.data.sum(axis=1), (280, 340), ("light", "medium", "heavy")),
    }
    return pa.table(columns, schema=HANDWRITTEN_DIGITS)


def diabetes() -> pa.Table:
    """Multi-label: which attributes does a patient have, told from age and serum measurements."""
    source = load_diabetes(scaled=False)
    measured = dict(zip(source.feature_names, source.data.T, strict=True))
    features = np.stack([measured[k] for k in ("age", "s1", "s2", "s3", "s4", "s5", "s6")], axis=1)
    present = np.stack(
        [
            measured["sex"] == 2,
            measured["bmi"] >= 30,
            measured["bp"] >= 107,
            source.target > np.median(source.target),
        ],
        axis=1,
    )
    age_group = interval(measured["age"], (40, 60), ("under 40", "40 to 59", "60 and over"))
    columns = {
        "id": np.arange(source.target.size),
        "labels": list(present.astype(np.int64)),
        "label_ids": [np.flatnonzero(row) for row in present],
        "label_names": [np.array(ATTRIBUTES)[row].tolist() for row in present],
        "logits": list(np.stack([out_of_fold(features, y) for y in present.T], axis=1)),
        "weight": inverse_frequency(age_group),
        "age_group": age_group,
    }
    return pa.table(columns, schema=DIABETES)


def shards(table: pa.Table, count: int) -> Iterator[tuple[str, pa.Table]]:
    """Cut the rows, in order, into `count` named shards that differ by one row at most."""
    for k, rows in enumerate(np.array_split(np.arange(table.num_rows), count)):
        yield f"part-{k:05d}-of-{count:05d}", table.take(rows)


def write_parquet(folder: Path, table: pa.Table, count: int) -> None:
    """Write a table as `count` Parquet files: zstd, page checksums, dictionaries for strings."""
    folder.mkdir(parents=True)
    strings = [f.name for f in table.schema if f.type == pa.string()]
    strings += [f"{f.name}.list.element" for f in table.schema if f.type == pa.list_(pa.string())]
    for name, shard in shards(table, count):
        pq.write_table(
            shard,
            folder / f"{name}.parquet",
            row_group_size=ROW_GROUP_ROWS,
            compression="zstd",
            use_dictionary=strings,
            write_page_checksum=True,
        )


def write_tfrecord(
    folder: Path, table: pa.Table, count: int, compression: Literal["gzip"] | None = None
) -> None:
    """Write a table as `count` TFRecord files of tf.train.Example; one value is a list of one."""
    folder.mkdir(parents=True)
    suffix = ".tfrecord.gz" if compression else ".tfrecord"
    for name, shard in shards(table, count):
        records = [
            encode_example({k: v if isinstance(v, list) else [v] for k, v in row.items()})
            for row in shard.to_pylist()
        ]
        write_records(folder / f"{name}{suffix}", records, compression=compression)


def make(folder: Path) -> None:
    """Write every data set below `folder`, in place of what its folders held."""
    for name in ("breast_cancer", "digits", "diabetes"):
        shutil.rmtree(folder / name, ignore_errors=True)
    table = breast_cancer()
    write_parquet(folder / "breast_cancer/parquet", table, 4)
    write_tfrecord(folder / "breast_cancer/tfrecord", table, 4, "gzip")
    for site, (first, end) in SITES.items():
        rows = table.slice(first, end - first)
        write_parquet(folder / f"breast_cancer/by_site/site={site}", rows, 1)
    table = digits()
    write_parquet(folder / "digits/parquet", table, 3)
    write_tfrecord(folder / "digits/tfrecord", table, 3)
    table = diabetes()
    write_parquet(folder / "diabetes/parquet", table, 2)
    write_tfrecord(folder / "diabetes/tfrecord", table, 2)


if __name__ == "__main__":
    make(Path(__file__).resolve().parent)
