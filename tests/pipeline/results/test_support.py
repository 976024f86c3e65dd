"""The rows that metrics are averages of: squared weights by fold, against sums over rows."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from heads.metrics.core.methods import FEW_OF_A_CLASS
from heads.metrics.core.registry import report_metrics
from heads.metrics.core.support import kish_size
from pipeline.evaluate import evaluate
from pipeline.extract.folds import folds_by_key
from pipeline.results.stack import IN_ONE_FOLD, NO_FOLDS
from tests.pipeline.tables import plan_of, slices_of

Floats = npt.NDArray[np.float64]
ROWS, FOLDS = 900, 20
KEYED = "confidence: {key: id}\n"


@cache
def columns() -> dict[str, Any]:
    """Scores of a binary head and of three classes, labels of both, weights, and keys."""
    rng = np.random.default_rng(11)
    s = rng.normal(-0.5, 2, ROWS).round(1)
    c = rng.normal(0, 1, (ROWS, 3)).round(1)
    return {
        "s": s,
        "y": (rng.random(ROWS) < 1 / (1 + np.exp(-s))).astype(np.int64),
        "c": c,
        "k": np.argmax(c + rng.gumbel(0, 1, c.shape) - [0, 1, 2], axis=1),
        "m": (rng.random(c.shape) < [0.5, 0.3, 0.1]).astype(np.int64),
        "w": np.exp2(rng.integers(-3, 4, ROWS)),
        # Some keys have many rows.
        "id": np.minimum(rng.integers(0, 500, ROWS), rng.integers(0, 500, ROWS)),
    }


@cache
def fold() -> npt.NDArray[np.int64]:
    return np.asarray(folds_by_key(pa.array(columns()["id"]), FOLDS), np.int64)


def found(head: str, **changed: Any) -> dict[str, Any]:
    """The metrics of a head over all rows."""
    values = {**columns(), **changed}
    lists = {name: pa.array(list(values[name])) for name in ("c", "m")}
    metrics: dict[str, Any] = slices_of(
        evaluate(pa.table({**values, **lists}), plan_of(f"{KEYED}heads: {{h: {{{head}}}}}"))
    )[None]["metrics"]
    return metrics


def degrees(mass: Floats) -> float:
    """The degrees of freedom of rows whose squared weights, or what stands for them, are given."""
    by_fold = np.bincount(fold(), mass, FOLDS)
    return float(by_fold.sum() ** 2 / (by_fold**2).sum() - 1)


def scarcest(w: Floats, *parts: Any) -> Floats:
    """The squared weights of the part with the smallest effective size, 0 for other rows."""
    sizes = [w[part].sum() ** 2 / (w[part] ** 2).sum() for part in parts]
    return np.asarray(w**2 * parts[int(np.argmin(sizes))], np.float64)


def share(w: Floats, part: Any) -> Floats:
    """The squares of the weights that rows have in the average of a part."""
    return np.asarray((w * part / w[part].sum()) ** 2, np.float64)


def holds(metrics: Mapping[str, Any], expected: Mapping[str, Floats]) -> None:
    for name, mass in expected.items():
        known = metrics[name].get("degrees_of_freedom")
        assert known == pytest.approx(degrees(mass), rel=1e-6), name


@pytest.mark.parametrize("kind", ["binary", "contrib_binary"])
@pytest.mark.parametrize("weighted", [True, False])
def test_the_parts_of_binary_metrics(kind: str, weighted: bool) -> None:
    data = columns()
    metrics = found(
        f"type: {kind}, logits: s, label: y, thresholds: [0.7], at: {{precision: [0.5]}}"
        + (", weight: w" if weighted else "")
    )
    w = data["w"] if weighted else np.ones(ROWS)
    y, p = data["y"] > 0, data["s"] > 0
    high = 1 / (1 + np.exp(-data["s"])) > 0.7
    every = np.ones(ROWS, bool)
    expected = {
        **dict.fromkeys(("average_loss", "brier_score", "prediction/mean"), w**2),
        **dict.fromkeys(("label/mean", "accuracy", "prevalence", "best_f1", "gain/decile_2"), w**2),
        "precision": scarcest(w, p),
        "precision/positive_threshold_0.7": scarcest(w, high),
        "negative_predictive_value": scarcest(w, ~p),
        **dict.fromkeys(("recall", "calibration_ratio", "average_precision"), scarcest(w, y)),
        **dict.fromkeys(("auc_precision_recall", "false_negative_rate"), scarcest(w, y)),
        **dict.fromkeys(("roc_auc", "auc", "normalised_entropy"), scarcest(w, y, ~y)),
        **dict.fromkeys(("informedness", "cohen_kappa"), scarcest(w, y, ~y)),
        "specificity": scarcest(w, ~y),
        "f1": scarcest(w, y | p),
        "true_positives": scarcest(w, y & p),
        "matthews_correlation/positive_threshold_0.7": scarcest(w, y, ~y, high, ~high),
        "positive_likelihood_ratio": scarcest(w, y, ~y, p & ~y),
        "diagnostic_odds_ratio": scarcest(w, y & p, y & ~p, ~y & p, ~y & ~p),
        "predicted_positive_rate": scarcest(w, every),
    }
    holds(metrics, expected)


def test_the_parts_of_the_metrics_of_exclusive_classes() -> None:
    data = columns()
    metrics = found(
        "type: multi_class, n_classes: 3, logits: c, label: k, weight: w,"
        " class_metrics: [0, 1, 2], top_k: [2]"
    )
    w, label, predicted = data["w"], data["k"], np.argmax(data["c"], axis=1)
    classes = range(3)
    total = [w[label == k].sum() for k in classes]
    scarcer = [scarcest(w, label == k, label != k) for k in classes]
    sizes = [
        min(w[part].sum() ** 2 / (w[part] ** 2).sum() for part in (label == k, label != k))
        for k in classes
    ]
    expected = {
        **dict.fromkeys(("accuracy", "average_loss", "accuracy/top_2", "cohen_kappa"), w**2),
        "precision/class1": scarcest(w, predicted == 1),
        "recall/class2": scarcest(w, label == 2),
        "roc_auc/class0": scarcest(w, label == 0, label != 0),
        "average_precision/class0": scarcest(w, label == 0),
        "recall/macro": sum(share(w, label == k) for k in classes),
        "balanced_accuracy": sum(share(w, label == k) for k in classes),
        "precision/macro": sum(share(w, predicted == k) for k in classes),
        "precision/weighted": sum(total[k] ** 2 * share(w, predicted == k) for k in classes),
        "recall/weighted": w**2,
        "roc_auc/macro": sum(scarcer[k] / scarcer[k].sum() / sizes[k] for k in classes),
    }
    holds(metrics, {name: np.asarray(mass) for name, mass in expected.items()})


def test_the_parts_of_the_metrics_of_independent_classes() -> None:
    data = columns()
    metrics = found(
        "type: multi_label, n_classes: 3, logits: c, label: {column: m, form: multi_hot},"
        " weight: w, class_metrics: [0, 1, 2], thresholds: [0.6]"
    )
    w, label, predicted = data["w"], data["m"] > 0, data["c"] > 0
    pairs = (w**2)[:, np.newaxis]
    sizes = [w[part].sum() ** 2 / (w[part] ** 2).sum() for part in label.T]
    expected = {
        **dict.fromkeys(("average_loss", "exact_match", "hamming_loss", "coverage_error"), w**2),
        "precision": (pairs * predicted).sum(axis=1),
        "recall/positive_threshold_0.6": (pairs * label).sum(axis=1),
        "roc_auc": (pairs * label).sum(axis=1),
        "roc_auc/class2": scarcest(w, label[:, 2]),
        "auc/class2": scarcest(w, label[:, 2]),
        "accuracy/class1": w**2,
        "precision/class1": scarcest(w, predicted[:, 1]),
        "probability_mean/class1": w**2,
        "average_precision/macro": sum(
            scarcest(w, part) / (w[part] ** 2).sum() / size
            for part, size in zip(label.T, sizes, strict=True)
        ),
    }
    holds(metrics, {name: np.asarray(mass) for name, mass in expected.items()})


@pytest.mark.parametrize(
    "head",
    [
        "type: binary, logits: s, label: y, weight: w",
        "type: multi_class, n_classes: 3, logits: c, label: k, weight: w, class_metrics: [0, 1, 2]",
        "type: multi_label, n_classes: 3, logits: c, label: {column: m, form: multi_hot}",
    ],
)
def test_every_metric_has_a_support_that_is_measured_by_fold(head: str) -> None:
    plan = plan_of(f"{KEYED}heads: {{h: {{{head}}}}}").heads["h"]
    for metric in report_metrics(plan.context).values():
        assert metric.support.statistic.folds == FOLDS
        assert not plan.context.weighted or metric.support.statistic.squares
        assert metric.support.statistic in {measured.statistic for measured in plan.measured}


def test_areas_of_many_classes_have_degrees_though_their_rates_have_no_folds() -> None:
    rng = np.random.default_rng(8)
    c = rng.normal(0, 1, (ROWS, 101)).round(1)
    k = np.where(rng.random(ROWS) < 0.5, 0, rng.integers(0, 101, ROWS))
    head = "type: multi_class, n_classes: 101, logits: c, label: k, weight: w, class_metrics: [0]"
    metrics, w = found(head, c=c, k=k), columns()["w"]
    holds(metrics, {"roc_auc/class0": scarcest(w, k == 0, k != 0), "accuracy": w**2})
    assert metrics["recall/class0"]["no_interval"] == NO_FOLDS


def test_an_area_of_fewer_than_ten_of_a_class_has_no_interval() -> None:
    s = np.linspace(-3, 3, ROWS)
    for positives in (9, 10):
        y = np.isin(np.arange(ROWS), np.linspace(0, ROWS - 1, positives).astype(int)).astype(int)
        metrics = found("type: binary, logits: s, label: y", s=s, y=y)
        for name in ("roc_auc", "auc"):
            assert (metrics[name].get("no_interval") == FEW_OF_A_CLASS) == (positives < 10)
            assert ("standard_error" in metrics[name]) == (positives == 10)
        assert "lower" in metrics["average_loss"]
        # Of weighted rows the effective number counts.
        w = np.where(y > 0, np.where(np.cumsum(y) == 1, 0.2, 1.0), 1.0)
        metrics = found("type: binary, logits: s, label: y, weight: w", s=s, y=y, w=w)
        assert metrics["roc_auc"]["no_interval"] == FEW_OF_A_CLASS


def test_rows_that_weigh_in_a_single_fold_give_no_interval() -> None:
    w = np.where(fold() == 3, 1e6, 1.0)
    metrics = found("type: binary, logits: s, label: y, weight: w", w=w)
    assert metrics["average_loss"]["no_interval"] == IN_ONE_FOLD
    assert "standard_error" not in metrics["average_loss"]
    assert metrics["average_loss"]["unweighted"]["lower"] > 0


@pytest.mark.parametrize("scale", [2.0**-700, 2.0**-300, 2.0**300, 2.0**700])
def test_no_degree_depends_on_the_unit_of_weights(scale: float) -> None:
    head = "type: binary, logits: s, label: y, weight: w, metrics: [average_loss, recall, roc_auc]"
    expected, scaled = found(head), found(head, w=columns()["w"] * scale)
    for name in ("average_loss", "recall", "roc_auc"):
        for key in ("standard_error", "degrees_of_freedom", "lower"):
            assert scaled[name][key] == expected[name][key], (name, key)


def test_effective_sizes() -> None:
    weight = np.random.default_rng(2).gamma(0.5, 1, (4, 20, 3))
    weight[3] = 0
    sizes = kish_size(weight, weight**2)
    expected = weight.sum(axis=1)[:3] ** 2 / (weight**2).sum(axis=1)[:3]
    np.testing.assert_allclose(sizes[:3], expected, rtol=1e-12)
    assert (sizes[3] == 0).all()
