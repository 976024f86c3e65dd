"""scikit-learn, given the stored scores in float64, agrees with the reports on the real data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn import metrics

from pipeline.config.load import load_config, parse_config
from pipeline.evaluate import TABLE, evaluate
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.readers.rows import Rows
from tests.pipeline.tables import evaluator_of

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
EXACT = {"rel": 1e-12, "abs": 1e-12}


# Data sets by the name of their configuration: their folder, and their head.
DATA = {
    "binary": ("breast_cancer", "cancer"),
    "multi_class": ("digits", "digits"),
    "multi_label": ("diabetes", "attributes"),
}
Floats = npt.NDArray[np.float64]
# scikit-learn warns of what is null, or 0 by its convention.
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.UndefinedMetricWarning")


@cache
def rows_of(name: str) -> pa.Table:
    """The rows of a data set, with weights."""
    table = pq.read_table(CONFIGS / "data" / DATA[name][0] / "parquet")
    if "weight" not in table.column_names:
        weight = np.random.default_rng(0).gamma(2, 1, len(table))
        table = table.append_column("weight", pa.array(weight))
    return table


def weighted_plan(name: str) -> Plan:
    """The plan of a configuration whose rows have weights."""
    text = (CONFIGS / f"{name}.yaml").read_text()
    if "weight:" not in text:
        text = re.sub(r"^( +)(type: .*)$", r"\1\2\n\1weight: weight", text, flags=re.MULTILINE)
    return make_plan(parse_config(text, name))


@cache
def weighted_report(name: str) -> dict[str, Any]:
    """The head of a data set, weighted; every metric has its value without weights beside it."""
    found = evaluate(rows_of(name), weighted_plan(name)).report
    head: dict[str, Any] = found["heads"][DATA[name][1]]
    return head


@cache
def report(name: str) -> dict[str, Any]:
    config = load_config(CONFIGS / f"{name}.yaml")
    assert config.input is not None
    inputs = [str(CONFIGS.parent / pattern) for pattern in config.input]
    return evaluate(inputs, make_plan(config)).report


def slices(name: str) -> list[int]:
    """The numbers of the slices of a report."""
    # Every process that collects tests needs them, and few compute the report.
    batch = rows_of(name).combine_chunks().to_batches()[0]
    table = evaluator_of(weighted_plan(name), Rows(batch, np.arange(len(batch)), TABLE, {})).table
    return list(range(1 + sum(len(spec.keys) for spec in table.specs)))


def entry_and_rows(name: str, number: int) -> tuple[dict[str, Any], pa.Table]:
    entry = weighted_report(name)["slices"][number]
    table = rows_of(name)
    for condition in entry["slice"]:
        table = table.filter(pa.compute.equal(table[condition["column"]], condition["value"]))
    assert entry["examples"] == len(table)
    return entry, table


def assert_equal(
    entry: dict[str, Any], expect: Callable[[Floats | None], dict[str, Any]], weight: Floats
) -> None:
    """With and without weights, for every metric that scikit-learn defines."""
    for weights in (weight, None):
        expected = expect(weights)
        for name, value in expected.items():
            metric = entry["metrics"][name]
            if weights is None:
                metric = metric["unweighted"]
            found = metric["value"]
            if "rounded" in metric:
                # More scores than cells; the bounds hold but for rounding.
                lower, upper = metric["rounded"]
                assert lower - 1e-12 <= value <= upper + 1e-12, name
                assert lower <= found <= upper, name
                assert entry["slice"] or upper <= lower + 1e-2, name
            elif found is None:
                # What scikit-learn has no number for either, or 0 by convention.
                assert not np.isfinite(value) or value == 0, name
            else:
                assert found == pytest.approx(value, **EXACT), name


def of_two_classes(y: Floats, called: Floats, w: Floats | None) -> dict[str, Any]:
    """Metrics of decisions."""
    more = {"sample_weight": w, "zero_division": 0.0}
    positive, negative = metrics.class_likelihood_ratios(y, called, sample_weight=w)
    ((tn, fp), (fn, tp)) = metrics.confusion_matrix(y, called, sample_weight=w, labels=[0, 1])
    precision = metrics.precision_score(y, called, **more)
    recall = metrics.recall_score(y, called, **more)
    return {
        "accuracy": metrics.accuracy_score(y, called, sample_weight=w),
        "precision": precision,
        "recall": recall,
        "f1": metrics.f1_score(y, called, **more),
        "f2": metrics.fbeta_score(y, called, beta=2, **more),
        "f0.5": metrics.fbeta_score(y, called, beta=0.5, **more),
        "threat_score": metrics.jaccard_score(y, called, **more),
        "specificity": metrics.recall_score(y, called, pos_label=0, **more),
        "negative_predictive_value": metrics.precision_score(y, called, pos_label=0, **more),
        "balanced_accuracy": metrics.balanced_accuracy_score(y, called, sample_weight=w),
        "informedness": metrics.balanced_accuracy_score(y, called, sample_weight=w, adjusted=True),
        "cohen_kappa": metrics.cohen_kappa_score(y, called, sample_weight=w),
        "matthews_correlation": metrics.matthews_corrcoef(y, called, sample_weight=w),
        "fowlkes_mallows_index": np.sqrt(precision * recall),
        "positive_likelihood_ratio": positive,
        "negative_likelihood_ratio": negative,
        "true_positives": tp,
        "false_positives": fp,
        "true_negatives": tn,
        "false_negatives": fn,
        "predicted_positive_rate": np.average(called, weights=w),
    }


def of_curves(y: Floats, x: Floats, w: Floats | None) -> dict[str, Any]:
    """Metrics of scores."""
    fall_out, recall, _ = metrics.roc_curve(y, x, sample_weight=w, drop_intermediate=False)
    precision, recalls, _ = metrics.precision_recall_curve(y, x, sample_weight=w)
    # Its last point is of no score.
    precision, recalls = precision[:-1], recalls[:-1]
    with np.errstate(all="ignore"):
        f1 = np.nan_to_num(2 * precision * recalls / (precision + recalls))
    return {
        "roc_auc": metrics.roc_auc_score(y, x, sample_weight=w),
        "average_precision": metrics.average_precision_score(y, x, sample_weight=w),
        "kolmogorov_smirnov": (recall - fall_out).max(),
        "best_f1": f1.max(),
        "precision_at_recall_0.9": precision[recalls >= 0.9].max(),
        "recall_at_precision_0.9": recalls[precision >= 0.9].max(initial=0.0),
        "recall_at_false_positive_rate_0.01": recall[fall_out <= 0.01].max(),
        "sensitivity_at_specificity_0.95": recall[1 - fall_out >= 0.95].max(),
    }


@pytest.mark.parametrize("number", slices("binary"))
def test_binary(number: int) -> None:
    entry, rows = entry_and_rows("binary", number)
    x, y, w = (rows[name].to_numpy().astype(float) for name in ("logit", "label", "weight"))
    p = 1 / (1 + np.exp(-x))

    def expect(w: Floats | None) -> dict[str, Any]:
        expected = {
            "average_loss": metrics.log_loss(y, p, sample_weight=w, labels=[0, 1]),
            "brier_score": metrics.brier_score_loss(y, p, sample_weight=w),
            "prediction/mean": np.average(p, weights=w),
            "label/mean": np.average(y, weights=w),
            "prevalence": np.average(y, weights=w),
            "calibration_ratio": np.average(p, weights=w) / np.average(y, weights=w),
            **of_curves(y, x, w),
            **of_two_classes(y, x > 0, w),
        }
        for t in (0.25, 0.5, 0.75):
            at_threshold = of_two_classes(y, p > t, w)
            expected |= {
                f"{name}/positive_threshold_{t}": at_threshold[name] for name in at_threshold
            }
        return expected

    assert_equal(entry, expect, w)
    for name in ("roc_auc", "average_precision"):
        # Few scores, each in a cell of its own.
        assert "rounded" not in entry["metrics"][name]


@pytest.mark.parametrize("number", slices("multi_class"))
def test_multi_class(number: int) -> None:
    entry, rows = entry_and_rows("multi_class", number)
    logits = np.array(rows["logits"].to_pylist(), float)
    y, w = rows["label"].to_numpy(), rows["weight"].to_numpy()
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    called = logits.argmax(axis=1)
    names = weighted_report("multi_class")["classes"]

    def expect(w: Floats | None) -> dict[str, Any]:
        weights = {"sample_weight": w}
        expected = {
            "accuracy": metrics.accuracy_score(y, called, **weights),
            "average_loss": metrics.log_loss(y, p, labels=range(10), **weights),
            "balanced_accuracy": metrics.balanced_accuracy_score(y, called, **weights),
            "cohen_kappa": metrics.cohen_kappa_score(y, called, **weights),
            "matthews_correlation": metrics.matthews_corrcoef(y, called, **weights),
        }
        for k in (3, 5):
            top = metrics.top_k_accuracy_score(y, logits, k=k, labels=range(10), **weights)
            expected[f"accuracy/top_{k}"] = top
        for name in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{name}_score")
            for average in ("macro", "weighted"):
                expected[f"{name}/{average}"] = score(y, called, average=average, **weights)
            per_class = score(y, called, average=None, labels=range(10), **weights)
            expected |= {f"{name}/{names[k]}": per_class[k] for k in range(10)}
        areas = []
        for k in range(10):
            areas.append(metrics.roc_auc_score(y == k, p[:, k], **weights))
            expected[f"roc_auc/{names[k]}"] = areas[-1]
            area = metrics.average_precision_score(y == k, p[:, k], **weights)
            expected[f"average_precision/{names[k]}"] = area
        macro = entry["metrics"]["roc_auc/macro"]
        found = macro if w is not None else macro["unweighted"]
        assert found["value"] == pytest.approx(np.mean(areas), abs=1e-2)
        return expected

    assert set(y) == set(range(10))
    assert_equal(entry, expect, w)
    if not entry["slice"]:
        # Examples are counted whatever they weigh.
        assert entry["confusion_matrix"] == metrics.confusion_matrix(y, called).tolist()


@pytest.mark.parametrize("number", slices("multi_label"))
def test_multi_label(number: int) -> None:
    entry, rows = entry_and_rows("multi_label", number)
    logits = np.array(rows["logits"].to_pylist(), float)
    y = np.array(rows["labels"].to_pylist(), float)
    w = rows["weight"].to_numpy().astype(float)
    p = 1 / (1 + np.exp(-logits))
    called = logits > 0
    classes = weighted_report("multi_label")["classes"]

    def expect(w: Floats | None) -> dict[str, Any]:
        weights = {"sample_weight": w}
        flat = {"sample_weight": None if w is None else np.repeat(w, y.shape[1])}
        expected = {
            "average_loss": metrics.log_loss(y.ravel(), p.ravel(), labels=[0, 1], **flat),
            "roc_auc": metrics.roc_auc_score(y.ravel(), logits.ravel(), **flat),
            "average_precision": metrics.average_precision_score(y.ravel(), logits.ravel(), **flat),
            "exact_match": metrics.accuracy_score(y, called, **weights),
            "hamming_loss": metrics.hamming_loss(y, called, **weights),
            "coverage_error": metrics.coverage_error(y, logits, **weights),
            "label_cardinality": np.average(y.sum(axis=1), weights=w),
            "accuracy": metrics.accuracy_score(y.ravel(), called.ravel(), **flat),
            "matthews_correlation": metrics.matthews_corrcoef(y.ravel(), called.ravel(), **flat),
        }
        for name in ("precision", "recall", "f1"):
            score = getattr(metrics, f"{name}_score")
            expected[name] = score(y, called, average="micro", **weights)
            for average in ("macro", "weighted"):
                expected[f"{name}/{average}"] = score(y, called, average=average, **weights)
            per_class = score(y, called, average=None, **weights)
            for k in range(1, 4):
                expected[f"{name}/{classes[k]}"] = per_class[k]
                # The logit is stored with few digits: no probability is 0.5.
                expected[f"{name}/positive_threshold_0.5/{classes[k]}"] = per_class[k]
        for k in range(1, 4):
            pair = y[:, k], logits[:, k]
            expected[f"roc_auc/{classes[k]}"] = metrics.roc_auc_score(*pair, **weights)
            area = metrics.average_precision_score(*pair, **weights)
            expected[f"average_precision/{classes[k]}"] = area
            expected[f"accuracy/{classes[k]}"] = metrics.accuracy_score(
                y[:, k], called[:, k], **weights
            )
            expected[f"probability_mean/{classes[k]}"] = np.average(p[:, k], weights=w)
            expected[f"label_mean/{classes[k]}"] = np.average(y[:, k], weights=w)
        return expected

    assert_equal(entry, expect, w)


@pytest.mark.parametrize("name", DATA)
def test_the_configuration_as_it_is_has_the_same_values(name: str) -> None:
    head = report(name)["heads"][DATA[name][1]]
    # All of them are compared.
    assert slices(name) == list(range(len(weighted_report(name)["slices"])))
    for entry, other in zip(head["slices"], weighted_report(name)["slices"], strict=True):
        assert entry["slice"] == other["slice"]
        for metric, value in entry["metrics"].items():
            expected = other["metrics"][metric]
            if not head["weighted"]:
                expected = expected["unweighted"]
            assert value["value"] == expected["value"], metric


@pytest.mark.parametrize(
    ("parquet", "other"),
    [("binary", "binary_tfrecord"), ("multi_class", "multi_class_tfrecord")],
)
def test_both_formats_give_one_report(parquet: str, other: str) -> None:
    found, expected = (without_intervals(report(name)["heads"]) for name in (parquet, other))
    assert found.keys() == expected.keys()
    for name, head in expected.items():
        by_slice = {json.dumps(entry["slice"]): entry for entry in found[name].pop("slices")}
        # One of the configurations has more slices than the other, and a baseline.
        for entry in head.pop("slices"):
            same = by_slice[json.dumps(entry["slice"])]
            assert {key: same[key] for key in entry} == entry
        assert found[name]["slices_folded"][: len(head["slices_folded"])] == head["slices_folded"]
        for key in ("classes", "headline", "slices_left_out", "type", "weighted"):
            assert found[name][key] == head[key]


def without_intervals(data: Any) -> Any:
    """A report without what depends on the names of files."""
    if isinstance(data, list):
        return [without_intervals(item) for item in data]
    if not isinstance(data, dict):
        return data
    left_out = {"lower", "upper", "standard_error", "degrees_of_freedom", "no_interval"}
    return {name: without_intervals(value) for name, value in data.items() if name not in left_out}


def test_directory_columns_are_slices() -> None:
    found = report("directory_columns")["heads"]["cancer"]["slices"]
    sites = [c["value"] for entry in found for c in entry["slice"]]
    assert sites == ["A", "B", "C"]
