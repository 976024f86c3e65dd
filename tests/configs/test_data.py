"""The shipped data sets: what they hold, in both formats, and that their script makes them."""

from __future__ import annotations

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits
from sklearn.metrics import accuracy_score, roc_auc_score

from pipeline.readers.tfrecord.examples import example_columns, read_examples

DATA = Path(__file__).resolve().parents[2] / "configs" / "data"
ROWS = {"breast_cancer": 569, "digits": 1797, "diabetes": 442}
SHARDS = {"breast_cancer": 4, "digits": 3, "diabetes": 2}
SUFFIX = {"breast_cancer": ".tfrecord.gz", "digits": ".tfrecord", "diabetes": ".tfrecord"}
TYPES = {
    "breast_cancer": {
        "id": "int64",
        "split": "string",
        "label": "int64",
        "diagnosis": "string",
        "logit": "float",
        "probability": "double",
        "probabilities": "list<element: float>",
        "baseline_logit": "float",
        "weight": "float",
        "size": "string",
        "texture": "string",
    },
    "digits": {
        "id": "int64",
        "label": "int64",
        "name": "string",
        "logits": "list<element: float>",
        "ink": "string",
    },
    "diabetes": {
        "id": "int64",
        "labels": "list<element: int64>",
        "label_ids": "list<element: int64>",
        "label_names": "list<element: string>",
        "logits": "list<element: float>",
        "weight": "float",
        "age_group": "string",
    },
}
SITES = {"A": range(250), "B": range(250, 430), "C": range(430, 569)}
DIGITS = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
ATTRIBUTES = ["male", "high_bmi", "high_blood_pressure", "fast_progression"]

each_set = pytest.mark.parametrize("name", list(ROWS))


def shard_names(count: int, suffix: str) -> list[str]:
    return [f"part-{k:05d}-of-{count:05d}{suffix}" for k in range(count)]


def parquet_files(name: str) -> list[Path]:
    return [DATA / name / "parquet" / f for f in shard_names(SHARDS[name], ".parquet")]


def tfrecord_files(name: str) -> list[Path]:
    return [DATA / name / "tfrecord" / f for f in shard_names(SHARDS[name], SUFFIX[name])]


def site_files() -> list[Path]:
    folder = DATA / "breast_cancer" / "by_site"
    return [folder / f"site={site}" / "part-00000-of-00001.parquet" for site in SITES]


def read_table(files: list[Path]) -> pa.Table:
    # ParquetFile adds no column from the folder's name
    return pa.concat_tables(
        [pq.ParquetFile(f, page_checksum_verification=True).read() for f in files]
    )


def compression_of(path: Path) -> Literal["gzip"] | None:
    return "gzip" if path.suffix == ".gz" else None


def read_records(path: Path, columns: list[str]) -> pa.Table:
    with path.open("rb") as stream:
        read = read_examples(stream, str(path), columns, compression=compression_of(path))
        return pa.Table.from_batches([batch for batch, _ in read])


def matrix(column: pa.ChunkedArray) -> np.ndarray[Any, Any]:
    return np.stack(column.to_numpy())


@pytest.fixture(scope="module")
def tables() -> dict[str, pa.Table]:
    return {name: read_table(parquet_files(name)) for name in ROWS}


@pytest.fixture(scope="module")
def make() -> Callable[[Path], None]:
    function: Callable[[Path], None] = runpy.run_path(str(DATA / "make_data.py"))["make"]
    return function


@pytest.fixture(scope="module")
def made_again(make: Callable[[Path], None], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("data")
    make(folder)
    return folder


def test_the_files_are_these_and_no_others() -> None:
    expected = {DATA / "README.md", DATA / "make_data.py", *site_files()}
    for name in ROWS:
        expected |= {*parquet_files(name), *tfrecord_files(name)}
    found = {f for f in DATA.rglob("*") if f.is_file() and "__pycache__" not in f.parts}
    assert found == expected
    assert sum(f.stat().st_size for f in found) < 600_000


@each_set
def test_rows_columns_and_types(name: str, tables: dict[str, pa.Table]) -> None:
    for path in parquet_files(name):
        schema = pq.read_schema(path)
        assert {f.name: str(f.type).replace("item:", "element:") for f in schema} == TYPES[name]
    table = tables[name]
    assert table["id"].to_pylist() == list(range(ROWS[name]))
    assert [column.null_count for column in table.columns] == [0] * len(TYPES[name])


@each_set
def test_shards_are_about_equal(name: str) -> None:
    rows = [pq.read_metadata(path).num_rows for path in parquet_files(name)]
    assert max(rows) - min(rows) <= 1


@each_set
def test_both_formats_hold_the_same_rows(name: str) -> None:
    for parquet, tfrecord in zip(parquet_files(name), tfrecord_files(name), strict=True):
        expected = read_table([parquet])
        found = read_records(tfrecord, expected.column_names)
        for column, kind in TYPES[name].items():
            values = expected[column]
            if kind == "double":
                values = values.cast(pa.float32())
            lists = [v if isinstance(v, list) else [v] for v in values.to_pylist()]
            if "string" in kind:
                lists = [[word.encode() for word in words] for words in lists]
            # an empty list is written as a feature without a kind, which reads as null
            assert [v or [] for v in found[column].to_pylist()] == lists, column


@each_set
def test_records_hold_no_other_feature(name: str) -> None:
    for path in tfrecord_files(name):
        with path.open("rb") as stream:
            found = example_columns(stream, str(path), compression=compression_of(path))
        assert found.keys() == TYPES[name].keys()


def test_gzip_members_carry_no_time() -> None:
    for path in tfrecord_files("breast_cancer"):
        head = path.read_bytes()[:10]
        assert head[:3] == b"\x1f\x8b\x08"
        assert head[3:8] == bytes(5)  # no flags (so no file name), time 0


def test_sites_hold_the_same_rows(tables: dict[str, pa.Table]) -> None:
    assert read_table(site_files()).equals(tables["breast_cancer"])
    for path, ids in zip(site_files(), SITES.values(), strict=True):
        assert read_table([path])["id"].to_pylist() == list(ids)


def test_parquet_layout() -> None:
    for path in [f for name in ROWS for f in parquet_files(name)] + site_files():
        metadata = pq.read_metadata(path)
        assert metadata.num_row_groups > 1
        for g in range(metadata.num_row_groups):
            for c in range(metadata.num_columns):
                chunk = metadata.row_group(g).column(c)
                assert chunk.compression == "ZSTD"
                assert chunk.has_dictionary_page == (chunk.physical_type == "BYTE_ARRAY")


def test_every_page_has_a_checksum(tmp_path: Path) -> None:
    source = parquet_files("digits")[0]
    metadata = pq.read_metadata(source)
    names = [metadata.row_group(0).column(c).path_in_schema for c in range(metadata.num_columns)]
    scores = metadata.row_group(0).column(names.index("logits.list.element"))
    damaged = bytearray(source.read_bytes())
    damaged[scores.data_page_offset + scores.total_compressed_size - 9] ^= 1
    path = tmp_path / "damaged.parquet"
    path.write_bytes(damaged)
    with pytest.raises(OSError, match="CRC checksum"):
        read_table([path])


def test_breast_cancer_is_the_source(tables: dict[str, pa.Table]) -> None:
    table = tables["breast_cancer"]
    source = load_breast_cancer()
    label = table["label"].to_numpy()
    words = [str(source.target_names[k]) for k in source.target]
    assert table["diagnosis"].to_pylist() == words
    assert [("benign", "malignant")[k] for k in label] == words
    radius, texture = source.data[:, 0], source.data[:, 1]
    assert table["size"].to_pylist() == [
        "small" if r < 12 else "medium" if r < 16 else "large" for r in radius
    ]
    assert table["texture"].to_pylist() == ["smooth" if t < 18 else "rough" for t in texture]
    holdout = [k for k, split in enumerate(table["split"].to_pylist()) if split == "holdout"]
    assert holdout == list(range(6, 569, 7))
    assert set(table["split"].to_pylist()) == {"test", "holdout"}


def test_breast_cancer_scores_agree(tables: dict[str, pa.Table]) -> None:
    table = tables["breast_cancer"]
    probability = table["probability"].to_numpy()
    both = matrix(table["probabilities"])
    logit = table["logit"].to_numpy().astype(np.float64)
    np.testing.assert_allclose(1 / (1 + np.exp(-logit)), probability, rtol=2e-6)
    np.testing.assert_array_equal(both[:, 1], probability.astype(np.float32))
    np.testing.assert_allclose(both.sum(axis=1), 1, rtol=1e-6)
    assert both.shape == (569, 2)


@pytest.mark.parametrize(
    ("name", "groups", "cells"),
    [("breast_cancer", ["size", "texture"], 6), ("diabetes", ["age_group"], 3)],
)
def test_weights_give_every_cell_the_same_total(
    name: str, groups: list[str], cells: int, tables: dict[str, pa.Table]
) -> None:
    table = tables[name]
    totals = table.group_by(groups).aggregate([("weight", "sum")])["weight_sum"].to_numpy()
    np.testing.assert_allclose(totals, np.full(cells, ROWS[name] / cells), rtol=1e-6)
    assert table["weight"].to_numpy().min() > 0


def test_digits_are_the_source(tables: dict[str, pa.Table]) -> None:
    table = tables["digits"]
    source = load_digits()
    label = table["label"].to_pylist()
    assert label == source.target.tolist()
    assert table["name"].to_pylist() == [DIGITS[k] for k in label]
    assert table["ink"].to_pylist() == [
        "light" if s < 280 else "medium" if s < 340 else "heavy" for s in source.data.sum(axis=1)
    ]
    logits = matrix(table["logits"])
    assert logits.shape == (1797, 10)
    np.testing.assert_allclose(logits.sum(axis=1), 0, atol=1e-5)


def test_diabetes_is_the_source(tables: dict[str, pa.Table]) -> None:
    table = tables["diabetes"]
    source = load_diabetes(scaled=False)
    age, sex, bmi, pressure = source.data[:, :4].T
    present = np.stack([sex == 2, bmi >= 30, pressure >= 107, source.target > 140.5], axis=1)
    np.testing.assert_array_equal(matrix(table["labels"]), present)
    ids = [[k for k in range(4) if row[k]] for row in present]
    assert table["label_ids"].to_pylist() == ids
    assert table["label_names"].to_pylist() == [[ATTRIBUTES[k] for k in row] for row in ids]
    assert ids.count([]) == 97
    assert table["age_group"].to_pylist() == [
        "under 40" if a < 40 else "40 to 59" if a < 60 else "60 and over" for a in age
    ]
    assert matrix(table["logits"]).shape == (442, 4)


def test_models_are_neither_trivial_nor_perfect(tables: dict[str, pa.Table]) -> None:
    cancer = tables["breast_cancer"]
    label, logit = cancer["label"].to_numpy(), cancer["logit"].to_numpy()
    assert accuracy_score(label, logit > 0) == pytest.approx(0.946, abs=0.004)
    assert roc_auc_score(label, logit) == pytest.approx(0.985, abs=0.002)
    baseline = cancer["baseline_logit"].to_numpy()
    assert accuracy_score(label, baseline > 0) == pytest.approx(0.761, abs=0.004)
    assert roc_auc_score(label, baseline) == pytest.approx(0.831, abs=0.002)
    digits = tables["digits"]
    best = matrix(digits["logits"]).argmax(axis=1)
    assert accuracy_score(digits["label"].to_numpy(), best) == pytest.approx(0.904, abs=0.004)
    labels, logits = matrix(tables["diabetes"]["labels"]), matrix(tables["diabetes"]["logits"])
    aucs = roc_auc_score(labels, logits, average=None)
    np.testing.assert_allclose(aucs, [0.734, 0.750, 0.756, 0.792], atol=0.002)
    assert accuracy_score(labels, logits > 0) == pytest.approx(0.290, abs=0.01)


@each_set
def test_the_script_makes_the_same_rows(
    name: str, tables: dict[str, pa.Table], made_again: Path
) -> None:
    again = read_table([made_again / f.relative_to(DATA) for f in parquet_files(name)])
    assert again.schema == tables[name].schema
    for column, kind in TYPES[name].items():
        old, new = tables[name][column], again[column]
        if "float" not in kind and kind != "double":
            assert new.equals(old), column
            continue
        if kind.startswith("list"):
            old, new = old.combine_chunks().flatten(), new.combine_chunks().flatten()
        # A solver stops within its tolerance: another processor may differ in the last digits
        np.testing.assert_allclose(new.to_numpy(), old.to_numpy(), rtol=1e-3, atol=1e-4)


def test_the_script_makes_the_same_bytes_twice(
    make: Callable[[Path], None], made_again: Path, tmp_path: Path
) -> None:
    make(tmp_path)
    files = sorted(f.relative_to(made_again) for f in made_again.rglob("part-*"))
    committed = sorted(f.relative_to(DATA) for f in DATA.rglob("part-*"))
    assert files == committed
    for path in files:
        assert (made_again / path).read_bytes() == (tmp_path / path).read_bytes(), path
