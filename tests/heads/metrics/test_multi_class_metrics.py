"""Metrics of exclusive classes against scikit-learn, and where they are undefined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    balanced_accuracy_score,
    cohen_kappa_score,
    matthews_corrcoef,
    precision_recall_fscore_support,
    roc_auc_score,
)

from heads.metrics.core.metric import Values
from heads.metrics.core.registry import report_metrics
from heads.metrics.multi_class_agreement import CohenKappa, MatthewsCorrelation
from heads.statistics import ClassOutcomes, Scored, Segments
from heads.statistics.measure import measure_state
from tests.heads.metrics.class_rows import (
    CLASSES,
    Floats,
    defined,
    exclusive,
    make_context,
    samples,
    values,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true"),
    pytest.mark.filterwarnings(
        f"ignore::{UndefinedMetricWarning.__module__}.UndefinedMetricWarning"
    ),
]

RATES = ("precision", "recall", "f1")


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_rates_by_class_and_their_averages(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    label, predicted = rows.classes
    expected = precision_recall_fscore_support(
        label, predicted, labels=range(CLASSES), sample_weight=weight, zero_division=np.nan
    )
    for rate, by_class in zip(RATES, expected[:3], strict=True):
        for suffix, value in zip("abcd", by_class, strict=True):
            metric_values = results[f"{rate}/{suffix}"]
            assert (metric_values.reason(0) is not None) == bool(np.isnan(value)), rate
            assert metric_values.value[0] == pytest.approx(np.nan_to_num(value), abs=1e-14)
    for average in ("macro", "weighted"):
        scores = precision_recall_fscore_support(
            label, predicted, average=average, sample_weight=weight, zero_division=0
        )
        for rate, value in zip(RATES, scores[:3], strict=True):
            assert defined(results, f"{rate}/{average}") == pytest.approx(value, abs=1e-14)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_agreement(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    label, predicted = rows.classes
    balanced = balanced_accuracy_score(label, predicted, sample_weight=weight)
    assert defined(results, "balanced_accuracy") == pytest.approx(balanced, abs=1e-14)
    kappa = cohen_kappa_score(label, predicted, sample_weight=weight)
    assert results["cohen_kappa"].value[0] == pytest.approx(np.nan_to_num(kappa), abs=1e-13)
    assert (results["cohen_kappa"].reason(0) is not None) == bool(np.isnan(kappa))
    correlation = results["matthews_correlation"]
    expected = matthews_corrcoef(label, predicted, sample_weight=weight)
    assert correlation.value[0] == pytest.approx(expected, abs=1e-13)
    single_class = min(len(set(label.tolist())), len(set(predicted.tolist()))) == 1
    assert (correlation.reason(0) is not None) == single_class


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_the_macro_area_is_that_of_one_class_against_the_others(
    rows: Scored, weight: Floats | None
) -> None:
    area = values("multi_class", rows, weighted=weight is not None)["roc_auc/macro"]
    label, _ = rows.classes
    if len(set(label.tolist())) < CLASSES:
        assert area.reason(0) == "of some class no label is positive"
        return
    expected = np.mean(
        [
            roc_auc_score(label == k, rows.probability[:, k], sample_weight=weight)
            for k in range(CLASSES)
        ]
    )
    assert area.reason(0) is None
    assert area.value[0] == pytest.approx(expected, abs=1e-13)
    if weight is None:
        expected = roc_auc_score(label, rows.probability, multi_class="ovr", average="macro")
        assert area.value[0] == pytest.approx(expected, abs=1e-13)


def test_a_perfect_model_has_exactly_one() -> None:
    rows = exclusive(np.random.default_rng(0), 60, (0, 1, 2, 3), (0, 1, 2, 3))
    label = rows.classes[1].astype(np.float64)[:, np.newaxis]
    results = values("multi_class", replace(rows, label=label), weighted=True)
    names = [f"{rate}/{which}" for rate in RATES for which in ("a", "b", "macro", "weighted")]
    names += ["balanced_accuracy", "cohen_kappa", "matthews_correlation"]
    assert {name: defined(results, name) for name in names} == dict.fromkeys(names, 1.0)


def agreement(table: list[list[float]]) -> tuple[Values, Values]:
    """Returns kappa and correlation of rows whose weights are given by label and prediction."""
    weight = np.array(table)
    label, predicted = np.indices(weight.shape).reshape(2, -1)
    n, classes = weight.size, len(weight)
    zero = np.zeros((n, classes))
    scored = Scored(
        *(zero, zero, label[:, np.newaxis].astype(float)), np.zeros(n), weight.ravel(), predicted
    )
    state = measure_state(
        ClassOutcomes(classes=classes, weighted=True), scored, Segments.overall(n)
    )
    kappa = CohenKappa("kappa", state.statistic).compute(state)
    return kappa, MatthewsCorrelation("correlation", state.statistic).compute(state)


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e200])
def test_rare_classes_keep_their_digits_at_any_scale_of_weights(scale: float) -> None:
    # Of two classes with false negatives, false positives and true positives of weight 1 each.
    kappa, correlation = agreement([[1e15 * scale, scale], [scale, scale]])
    assert kappa.value[0] == pytest.approx(0.5, abs=1e-14)
    assert correlation.value[0] == pytest.approx(0.5, abs=1e-14)


def test_labels_or_predictions_of_one_class() -> None:
    kappa, correlation = agreement([[5.0, 0.0], [0.0, 0.0]])
    assert kappa.reason(0) == "all labels and predictions are of one class"
    assert correlation.reason(0) == "all labels are of one class"
    kappa, correlation = agreement([[5.0, 0.0], [2.0, 0.0]])
    assert (kappa.reason(0), kappa.value[0]) == (None, 0.0)
    assert correlation.reason(0) == "all predictions are of one class"
    kappa, correlation = agreement([[0.0, 0.0], [0.0, 0.0]])
    assert kappa.reason(0) == correlation.reason(0) == "the weights sum to zero"


def test_a_class_of_rows_without_weight_is_averaged_over_as_in_scikit_learn() -> None:
    rows = exclusive(np.random.default_rng(0), 40, (0, 1, 2, 3), (0, 1, 2, 3))
    label, predicted = rows.classes
    weight = np.where((label == 3) | (predicted == 3), 0.0, 1.0)
    results = values("multi_class", replace(rows, weight=weight), weighted=True)
    for average in ("macro", "weighted"):
        scores = precision_recall_fscore_support(
            label, predicted, average=average, sample_weight=weight, zero_division=0
        )
        for rate, value in zip(RATES, scores[:3], strict=True):
            assert defined(results, f"{rate}/{average}") == pytest.approx(value, abs=1e-14)


def test_which_metrics_there_are() -> None:
    all_named = report_metrics(make_context("multi_class", weighted=False))
    assert not [name for name in all_named if name.endswith("/micro")]
    two_named = report_metrics(make_context("multi_class", weighted=False, named=(1, 2)))
    assert {"precision/b", "f1/c", "f1/macro"} <= set(two_named)
    assert not {"precision/a", "roc_auc/macro"} & set(two_named)
