"""scikit-learn, given the stored scores in float64, agrees with the reports on the real data."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from pipeline.config import load_config
from pipeline.evaluate import evaluate
from pipeline.plan import make_plan

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EXACT = {"rel": 1e-12, "abs": 1e-12}


@cache
def report(name: str) -> dict[str, Any]:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.input is not None
    inputs = [str(CONFIGS.parent / pattern) for pattern in config.input]
    return evaluate(inputs, make_plan(config)).report


def slices(name: str, head: str) -> list[Any]:
    return [
        pytest.param(s, id=json.dumps(s["slice"])) for s in report(name)["heads"][head]["slices"]
    ]


def rows_of(folder: str, conditions: list[dict[str, Any]]) -> pa.Table:
    table = pq.read_table(CONFIGS / "data" / folder / "parquet")
    for condition in conditions:
        table = table.filter(pa.compute.equal(table[condition["column"]], condition["value"]))
    return table


def assert_equal(found: dict[str, Any], expected: dict[str, float]) -> None:
    for name, value in expected.items():
        assert found[name]["value"] == pytest.approx(value, **EXACT), name


@pytest.mark.parametrize("entry", slices("binary", "cancer"))
def test_binary(entry: dict[str, Any]) -> None:
    rows = rows_of("breast_cancer", entry["slice"])
    x, y, w = (rows[name].to_numpy().astype(float) for name in ("logit", "label", "weight"))
    p = 1 / (1 + np.exp(-x))
    assert entry["examples"] == len(rows)
    expected = {
        "average_loss": metrics.log_loss(y, p, sample_weight=w, labels=[0, 1]),
        "brier_score": metrics.brier_score_loss(y, p, sample_weight=w),
        "roc_auc": metrics.roc_auc_score(y, x, sample_weight=w),
        "average_precision": metrics.average_precision_score(y, x, sample_weight=w),
        "accuracy": metrics.accuracy_score(y, x > 0, sample_weight=w),
        "precision": metrics.precision_score(y, x > 0, sample_weight=w),
        "recall": metrics.recall_score(y, x > 0, sample_weight=w),
        "prediction/mean": np.average(p, weights=w),
        "label/mean": np.average(y, weights=w),
    }
    for t in (0.25, 0.5, 0.75):
        suffix = f"positive_threshold_{t}"
        expected[f"accuracy/{suffix}"] = metrics.accuracy_score(y, p > t, sample_weight=w)
        expected[f"precision/{suffix}"] = metrics.precision_score(y, p > t, sample_weight=w)
        expected[f"recall/{suffix}"] = metrics.recall_score(y, p > t, sample_weight=w)
    assert_equal(entry["metrics"], expected)
    for name in ("roc_auc", "average_precision"):
        bounds = [entry["metrics"][f"{name}_{bound}"]["value"] for bound in ("lower", "upper")]
        assert bounds[0] <= entry["metrics"][name]["value"] <= bounds[1]


@pytest.mark.parametrize("entry", slices("multi_class", "digits"))
def test_multi_class(entry: dict[str, Any]) -> None:
    rows = rows_of("digits", entry["slice"])
    logits = np.array(rows["logits"].to_pylist(), float)
    y = rows["label"].to_numpy()
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert entry["examples"] == len(rows)
    assert_equal(
        entry["metrics"],
        {
            "accuracy": metrics.accuracy_score(y, logits.argmax(axis=1)),
            "average_loss": metrics.log_loss(y, p, labels=range(10)),
        },
    )
    if not entry["slice"]:
        matrix = metrics.confusion_matrix(y, logits.argmax(axis=1))
        assert entry["confusion_matrix"] == matrix.tolist()


@pytest.mark.parametrize("entry", slices("multi_label", "attributes"))
def test_multi_label(entry: dict[str, Any]) -> None:
    rows = rows_of("diabetes", entry["slice"])
    logits = np.array(rows["logits"].to_pylist(), float)
    y = np.array(rows["labels"].to_pylist(), float)
    p = 1 / (1 + np.exp(-logits))
    assert entry["examples"] == len(rows)
    expected = {
        "average_loss": metrics.log_loss(y.ravel(), p.ravel(), labels=[0, 1]),
        "roc_auc": metrics.roc_auc_score(y.ravel(), logits.ravel()),
        "average_precision": metrics.average_precision_score(y.ravel(), logits.ravel()),
        "accuracy/positive_threshold_0.5": metrics.accuracy_score(y.ravel(), p.ravel() > 0.5),
        "precision/positive_threshold_0.5": metrics.precision_score(y.ravel(), p.ravel() > 0.5),
        "recall/positive_threshold_0.5": metrics.recall_score(y.ravel(), p.ravel() > 0.5),
    }
    classes = report("multi_label")["heads"]["attributes"]["classes"]
    for k, name in enumerate(classes):
        own = y[:, k], logits[:, k]
        expected[f"roc_auc/{name}"] = metrics.roc_auc_score(*own)
        expected[f"average_precision/{name}"] = metrics.average_precision_score(*own)
        expected[f"probability_mean/{name}"] = p[:, k].mean()
    found = {name: value for name, value in expected.items() if name in entry["metrics"]}
    assert len(found) > 9
    assert_equal(entry["metrics"], found)


@pytest.mark.parametrize(
    ("one", "other"),
    [("binary", "binary_tfrecord"), ("multi_class", "multi_class_tfrecord")],
)
def test_both_formats_give_one_report(one: str, other: str) -> None:
    assert report(one)["heads"] == report(other)["heads"]


def test_directory_columns_are_slices() -> None:
    found = report("directory_columns")["heads"]["cancer"]["slices"]
    sites = [c["value"] for entry in found for c in entry["slice"]]
    assert sites == ["A", "B", "C"]
