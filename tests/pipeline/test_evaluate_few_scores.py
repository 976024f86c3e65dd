"""Slices of few distinct scores are exact, whatever other slices hold."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from heads.metrics.core.score_curve import CurveMetric
from heads.metrics.macro_roc_auc import MacroArea
from heads.statistics import DistinctScores
from pipeline.evaluate import Evaluation, evaluate
from tests.pipeline.tables import plan_of, slices_of

SLICES, ROWS = 30, 60
CONFIG = """
slices: [g]
confidence: {folds: FOLDS, max_slices: LARGEST}
heads:
  h:
    type: binary
    probability: p
    label: y
    weight: w
    at: {recall: [0.8], precision: [0.9], specificity: [0.95], false_positive_rate: [0.1]}
"""
KINDS = [(0, 0), (0, 5), (10, 0), (10, 10)]


@cache
def table() -> pa.Table:
    """Rows of slices whose probabilities crowd at both ends, and of a slice of many scores."""
    rng = np.random.default_rng(3)
    few = SLICES * ROWS
    g = np.concatenate([np.repeat(np.arange(SLICES), ROWS), np.full(3000, SLICES)])
    y = rng.random(len(g)) < 0.4
    far = 10.0 ** -rng.uniform(0, 15, len(g))
    p = np.where(y ^ (rng.random(len(g)) < 0.2), 1 - far, far)
    p[few:] = rng.random(3000)
    # Some scores come again, and some are the ends.
    p[:few:7], p[3:few:11] = 1.0, 0.0
    q = rng.dirichlet([0.05] * 3, len(g))
    columns = {"g": g, "p": p, "y": y.astype(int), "w": rng.gamma(1, 1, len(g)), "q": list(q)}
    labels = [np.flatnonzero(row).tolist() for row in rng.random((len(g), 3)) < 0.4]
    return pa.table({**columns, "k": rng.integers(0, 3, len(g)), "v": labels})


@cache
def found(folds: int, largest: int) -> Evaluation:
    text = CONFIG.replace("FOLDS", str(folds)).replace("LARGEST", str(largest))
    return evaluate(table(), plan_of(text))


def rows_of(number: int) -> tuple[Any, Any, Any]:
    chosen = table()["g"].to_numpy() == number
    return tuple(table()[name].to_numpy()[chosen] for name in ("y", "p", "w"))


@pytest.mark.parametrize(("folds", "largest"), KINDS)
def test_areas_and_points_are_those_of_the_rows(folds: int, largest: int) -> None:
    slices = slices_of(found(folds, largest))
    for number in range(SLICES):
        label, score, weight = rows_of(number)
        metrics = slices["g", "int", number]["metrics"]
        assert not any("rounded" in metric for metric in metrics.values())
        fall_out, recall, _ = sk.roc_curve(
            label, score, sample_weight=weight, drop_intermediate=False
        )
        precision, sensitivity, _ = sk.precision_recall_curve(label, score, sample_weight=weight)
        f1 = 2 * precision * sensitivity / np.maximum(precision + sensitivity, 1e-300)
        expected = {
            "roc_auc": sk.roc_auc_score(label, score, sample_weight=weight),
            "average_precision": sk.average_precision_score(label, score, sample_weight=weight),
            "kolmogorov_smirnov": np.abs(recall - fall_out).max(),
            "best_f1": f1.max(),
            "sensitivity_at_specificity_0.95": recall[fall_out <= 0.05].max(),
            "recall_at_false_positive_rate_0.1": recall[fall_out <= 0.1].max(),
            "precision_at_recall_0.8": precision[sensitivity >= 0.8].max(),
        }
        values = {name: metrics[name]["value"] for name in expected}
        assert values == pytest.approx(expected, abs=1e-12), number
        threshold = metrics["threshold_at_best_f1"].get("value")
        if threshold is not None:
            assert sk.f1_score(label, score > threshold, sample_weight=weight) == pytest.approx(
                f1.max(), abs=1e-9
            )


@pytest.mark.parametrize(("folds", "largest"), KINDS)
def test_a_slice_is_as_if_it_were_alone(folds: int, largest: int) -> None:
    slices = slices_of(found(folds, largest))
    text = CONFIG.replace("FOLDS", "0").replace("LARGEST", "0").replace("slices: [g]", "")
    for number in (0, 7):
        alone = evaluate(table().filter(pa.array(table()["g"].to_numpy() == number)), plan_of(text))
        expected = slices_of(alone)[None]["metrics"]
        metrics = slices["g", "int", number]["metrics"]
        values = {name: metric.get("value") for name, metric in metrics.items() if name in expected}
        assert values == {name: metric.get("value") for name, metric in expected.items()}


def test_intervals_are_those_of_a_run_without_other_slices() -> None:
    alone = table().filter(pa.array(table()["g"].to_numpy() < 2))
    text = CONFIG.replace("FOLDS", "10, key: r").replace("LARGEST", "100")

    def keyed(rows: pa.Table) -> Evaluation:
        return evaluate(rows, plan_of(text))

    numbered = table().append_column("r", pa.array(range(len(table()))))
    expected = slices_of(keyed(numbered.slice(0, len(alone))))
    together = slices_of(keyed(numbered))
    compared = 0
    for number in (0, 1):
        for name, few in expected["g", "int", number]["metrics"].items():
            many = together["g", "int", number]["metrics"][name]
            assert few.get("value") == many.get("value"), name
            ends = [(few.get(end), many.get(end)) for end in ("lower", "upper")]
            if few.get("value") is None or any(None in pair for pair in ends):
                continue
            # Errors are of the coarse cells, which other slices make wider.
            width = ends[1][0] - ends[0][0]
            assert all(abs(end - other) <= 0.3 * width + 1e-9 for end, other in ends), name
            compared += 1
    assert compared > 60


@pytest.mark.parametrize("scores", [512, 513])
def test_so_many_scores_are_kept_apart(scores: int) -> None:
    rng = np.random.default_rng(1)
    few = 1 - 10.0 ** -rng.uniform(0, 15, 20_000)
    p = np.concatenate([np.tile(np.unique(few)[:scores], 2), few])
    g = np.concatenate([np.zeros(2 * scores, int), np.arange(20_000) % 40 + 1])
    y = rng.integers(0, 2, len(p))
    rows = pa.table({"p": p, "y": y, "g": g})
    heads = "heads: {h: {type: binary, probability: p, label: y, metrics: [roc_auc]}}"
    plan = plan_of(f"slices: [g]\nconfidence: {{folds: 0, max_slices: 0}}\n{heads}")
    evaluation = evaluate(rows, plan)
    closed = {
        key: bool(state.closed[place])
        for state in evaluation.states.values()
        if isinstance(state.statistic, DistinctScores)
        for place, key in enumerate(state.keys)
    }
    assert closed[(("g", "int", 0),)] == (scores == 513)
    metric = slices_of(evaluation)["g", "int", 0]["metrics"]["roc_auc"]
    exact = sk.roc_auc_score(y[: 2 * scores], p[: 2 * scores])
    assert ("rounded" in metric) == (scores == 513)
    lowest, highest = metric.get("rounded", [metric["value"] - 1e-12, metric["value"] + 1e-12])
    assert lowest <= exact <= highest


CLASSES = """
slices: [g]
confidence: {folds: FOLDS, max_slices: 3}
heads:
  m: {type: multi_class, n_classes: 3, probability: q, label: k, class_metrics: [0, 2]}
  l:
    type: multi_label
    n_classes: 3
    probability: q
    label: {column: v, form: ids}
    class_metrics: [1]
"""


@pytest.mark.parametrize("folds", [0, 10])
def test_slices_of_heads_of_several_classes_are_exact(folds: int) -> None:
    # 60 rows of three classes have more scores than the 128 cells of such a head.
    kept = pa.array(np.arange(SLICES * ROWS) % 3 == 0)
    rows = table().slice(0, SLICES * ROWS).filter(kept)
    plan = plan_of(CLASSES.replace("FOLDS", str(folds)))
    evaluation = evaluate(rows, plan)
    g, k, q = (rows[name].to_numpy() for name in ("g", "k", "q"))
    checked = 0
    for number in range(SLICES):
        chosen = g == number
        score = np.stack(q[chosen])
        for head, group, label in (
            ("m", 0, k[chosen] == 0),
            ("m", 2, k[chosen] == 2),
            ("l", 1, np.array([1 in row for row in rows["v"].to_pylist()])[chosen]),
        ):
            if label.all() or not label.any():
                continue
            metrics = slices_of(evaluation, head)["g", "int", number]["metrics"]
            metric = metrics[f"roc_auc/class{group}"]
            assert "rounded" not in metric
            assert metric["value"] == pytest.approx(
                sk.roc_auc_score(label, score[:, group]), abs=1e-12
            )
            checked += 1
    assert checked > 60


def test_every_metric_of_a_histogram_reads_them() -> None:
    plan = plan_of(CONFIG.replace("FOLDS", "10").replace("LARGEST", "1"))
    metrics = plan.heads["h"].models[0].metrics.values()
    of_curves = [metric for metric in metrics if isinstance(metric, CurveMetric | MacroArea)]
    assert len(of_curves) > 10
    assert {type(metric.measured.distinct) for metric in of_curves} == {DistinctScores}
