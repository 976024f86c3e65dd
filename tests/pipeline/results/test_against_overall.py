"""Slices compared with overall, against scikit-learn without each fold in turn."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics as sk

from pipeline.confidence.jackknife import FEW_FOLDS
from pipeline.evaluate import Evaluation, evaluate
from pipeline.evaluation import plan as plan_module
from pipeline.extract.folds import folds_by_key
from pipeline.report.metrics_parquet import metrics_table
from pipeline.report.report_json import report_bytes
from pipeline.results import against_overall
from pipeline.results.stack import NO_FOLDS
from tests.pipeline.tables import plan_of, slices_of

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FOLDS = 20
ROWS = 900
CONFIG = """
slices: [g, {column: all}, {column: few}]
against_overall: true
confidence: {key: id}
heads:
  h: {type: binary, probability: p, label: y, weight: w,
      metrics: [average_loss, accuracy, roc_auc, excess_brier_score, true_positives, best_f1,
                debiased_calibration_error,
                threshold_at_recall_0.8],
      at: {recall: [0.8]}}
"""


@cache
def rows() -> pa.Table:
    rng = np.random.default_rng(4)
    z = rng.normal(0, 1.5, ROWS)
    keys = np.arange(ROWS)
    fold = folds_by_key(pa.array(keys), FOLDS)
    group = rng.choice(["a", "b"], ROWS, p=[0.8, 0.2]).astype(object)
    # This slice has rows in 12 of the folds alone.
    group[(fold < 12) & (rng.random(ROWS) < 0.4)] = "c"
    return pa.table(
        {
            "p": (1 / (1 + np.exp(-z - (group == "b")))).round(2).clip(0.01, 0.99),
            "y": (rng.random(ROWS) < 1 / (1 + np.exp(-z))).astype(np.int64),
            "w": rng.gamma(4, 1, ROWS).round(2) + 0.01,
            "g": group.tolist(),
            "all": np.ones(ROWS, np.int64),
            "few": np.where(keys % 100 == 0, 1, 2),
            "id": keys,
        }
    )


@cache
def evaluation(more: str = "") -> Evaluation:
    return evaluate(rows(), plan_of(CONFIG + more))


def found(metric: str, group: str = "b", column: str = "g") -> Any:
    kind = "string" if column == "g" else "int"
    entry = slices_of(evaluation())[column, kind, group]
    return entry["metrics"][metric]["against_overall"]


def value_of(metric: str, chosen: Mask) -> float:
    table = rows().filter(pa.array(chosen))
    y, p, w = (table[name].to_numpy() for name in ("y", "p", "w"))
    scored: dict[str, Callable[[], float]] = {
        "average_loss": lambda: sk.log_loss(y, p, sample_weight=w),
        "accuracy": lambda: sk.accuracy_score(y, p > 0.5, sample_weight=w),
        "roc_auc": lambda: sk.roc_auc_score(y, p, sample_weight=w),
    }
    return scored[metric]()


def jackknife(values: Floats) -> float:
    count = len(values)
    return float(np.sqrt((count - 1) / count * ((values - values.mean()) ** 2).sum()))


def kish(weight: Floats) -> float:
    return float(weight.sum() ** 2 / (weight**2).sum())


@pytest.mark.parametrize("group", ["a", "b", "c"])
@pytest.mark.parametrize("metric", ["average_loss", "accuracy", "roc_auc"])
def test_errors_are_those_without_each_fold(metric: str, group: str) -> None:
    fold = folds_by_key(pa.array(np.arange(ROWS)), FOLDS)
    weight, label = rows()["w"].to_numpy(), rows()["y"].to_numpy()
    parts = np.array([g == group for g in rows()["g"].to_pylist()]), np.ones(ROWS, bool)
    value = [value_of(metric, part) for part in parts]
    without = [
        np.array([value_of(metric, part & (fold != f)) for f in range(FOLDS)]) for part in parts
    ]
    degrees, added, factor = [], [0.0, 0.0], 1.0
    for number, part in enumerate(parts):
        counted = part
        if metric == "roc_auc":
            kinds = part & (label == 0), part & (label == 1)
            counted = min(kinds, key=lambda kind: kish(weight[kind]))
        mass = np.bincount(fold[counted], weight[counted] ** 2, FOLDS)
        degrees.append(mass.sum() ** 2 / (mass**2).sum() - 1)
        if metric == "accuracy":
            added[number] = 1 / kish(weight[part]) ** 2
        if metric == "roc_auc":
            added[number] = value[number] * (1 - value[number]) / 2 / kish(weight[counted]) ** 2
    if metric == "roc_auc":
        # Only the folds in which the slice has rows are in the error of its own.
        present = np.bincount(fold[parts[0]], minlength=FOLDS) > 0
        shown = jackknife(without[0][present]) ** 2 + jackknife(without[1]) ** 2
        factor, added = float(np.sqrt(1 + sum(added) / shown)), [0.0, 0.0]
    t = stats.t.ppf(0.975, min(degrees))

    difference = found(metric, group)["difference"]
    error = np.hypot(factor * jackknife(without[0] - without[1]), np.sqrt(sum(added)))
    assert difference["value"] == pytest.approx(value[0] - value[1], abs=1e-12)
    assert difference["standard_error"] == pytest.approx(error, rel=1e-9)
    assert difference["degrees_of_freedom"] == pytest.approx(min(degrees), rel=1e-6)
    ends = value[0] - value[1] - t * error, value[0] - value[1] + t * error
    assert (difference["lower"], difference["upper"]) == pytest.approx(ends, rel=1e-6)
    p = 2 * stats.t.sf(abs(value[0] - value[1]) / error, min(degrees))
    assert difference["p_value"] == pytest.approx(p, rel=1e-6)

    ratio = found(metric, group)["ratio"]
    relative = jackknife(without[0] / value[0] - without[1] / value[1])
    shares = added[0] / value[0] ** 2 + added[1] / value[1] ** 2
    error = np.hypot(factor * relative, np.sqrt(shares))
    quotient = value[0] / value[1]
    assert ratio["value"] == pytest.approx(quotient, rel=1e-12)
    assert ratio["standard_error"] == pytest.approx(quotient * error, rel=1e-9)
    ends = quotient * np.exp(-t * error), quotient * np.exp(t * error)
    assert (ratio["lower"], ratio["upper"]) == pytest.approx(ends, rel=1e-6)
    assert "p_value" not in ratio


def test_a_slice_that_is_overall_does_not_differ() -> None:
    no_interval = {"no_interval": against_overall.NEARLY_OVERALL}
    for metric in ("average_loss", "accuracy", "roc_auc", "best_f1", "threshold_at_recall_0.8"):
        pair = found(metric, 1, "all")
        assert pair["difference"] == {"value": 0.0} | no_interval
        assert pair["ratio"] == {"value": 1.0} | no_interval


def test_what_has_no_ratio_or_no_comparison() -> None:
    signed = found("excess_brier_score")
    assert signed["difference"]["lower"] < signed["difference"]["upper"]
    assert signed["ratio"] == {"value": None, "reason": against_overall.SIGNED}
    calibration = found("debiased_calibration_error", "a")["difference"]
    assert calibration["no_interval"] == against_overall.UNHELD
    entries = slices_of(evaluation())
    assert "against_overall" not in entries["g", "string", "b"]["metrics"]["true_positives"]
    assert not any("against_overall" in metric for metric in entries[None]["metrics"].values())
    plain = evaluate(rows(), plan_of(CONFIG.replace("against_overall: true", "")))
    for entry in slices_of(plain).values():
        assert not any("against_overall" in metric for metric in entry["metrics"].values())


def test_figures_at_points_of_curves_have_intervals() -> None:
    for metric in ("best_f1", "threshold_at_recall_0.8"):
        for kind, equal in (("difference", 0), ("ratio", 1)):
            compared = found(metric, "a")[kind]
            assert compared["lower"] <= compared["value"] <= compared["upper"]
            assert compared["lower"] < equal < compared["upper"], (metric, kind)
    # By its p-value, the interval of a threshold holds 0.
    assert 0.05 < found("threshold_at_recall_0.8", "a")["difference"]["p_value"] < 1


def test_why_there_is_no_interval() -> None:
    for compared in found("average_loss", 1, "few").values():
        assert compared["no_interval"] == FEW_FOLDS
    small = evaluation("min_slice_size: 100\n")
    entry = slices_of(small)["few", "int", 1]
    assert entry["small"]
    for kind in ("difference", "ratio"):
        compared = entry["metrics"]["average_loss"]["against_overall"][kind]
        assert compared["no_interval"] == against_overall.SMALL
        assert compared.keys() == {"value", "no_interval"}
    without = evaluate(rows(), plan_of(CONFIG.replace("key: id", "folds: 0")))
    for entry in slices_of(without).values():
        for metric in entry["metrics"].values():
            for compared in metric.get("against_overall", {}).values():
                assert compared.get("no_interval", NO_FOLDS) == NO_FOLDS


def test_undefined_metrics_and_zeros() -> None:
    table = pa.table(
        {
            "p": [0.9, 0.9, 0.2, 0.2] * 60,
            "y": [0, 0, 0, 0] * 30 + [0, 0, 0, 1] * 30,
            "g": ["none"] * 120 + ["some"] * 120,
            "id": range(240),
        }
    )
    head = "{type: binary, probability: p, label: y, metrics: [roc_auc, precision, recall]}"
    text = f"slices: [g]\nagainst_overall: true\nconfidence: {{key: id}}\nheads: {{h: {head}}}"
    metrics = slices_of(evaluate(table, plan_of(text)))["g", "string", "none"]["metrics"]
    undefined = {"value": None, "reason": metrics["roc_auc"]["reason"]}
    assert metrics["roc_auc"]["against_overall"] == {"difference": undefined, "ratio": undefined}
    # Precision is 0 in overall.
    precision = metrics["precision"]["against_overall"]
    assert precision["difference"]["value"] == 0.0
    assert precision["ratio"] == {"value": None, "reason": against_overall.OVERALL_ZERO}


def test_partitions_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan_module, "PARTITION_BYTES", 1)
    plan = plan_of(CONFIG)
    apart = evaluate(rows(), plan)
    assert len(apart.results) == len(slices_of(apart)) > len(evaluation().results)
    assert report_bytes(apart.report) == report_bytes(evaluation().report)
    tables = (metrics_table(plan, e.results).to_pylist() for e in (apart, evaluation()))
    first, second = (sorted(map(repr, table)) for table in tables)
    assert first == second
