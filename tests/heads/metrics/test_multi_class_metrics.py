"""Metrics of exclusive classes against scikit-learn, and where they are undefined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    brier_score_loss,
    cohen_kappa_score,
    jaccard_score,
    matthews_corrcoef,
    multilabel_confusion_matrix,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
    top_k_accuracy_score,
)

from heads.metrics.core.metric import Values
from heads.metrics.core.registry import report_metrics
from heads.metrics.multi_class_agreement import CohenKappa, MatthewsCorrelation
from heads.statistics import ClassOutcomes, Scored, Segments
from heads.statistics.measure import measure_state
from tests.heads.metrics.class_rows import (
    CLASSES,
    THRESHOLDS,
    Floats,
    defined,
    exclusive,
    make_context,
    samples,
    values,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:y_pred contains classes not in y_true"),
    pytest.mark.filterwarnings("ignore:No positive class found in y_true"),
    pytest.mark.filterwarnings(
        f"ignore::{UndefinedMetricWarning.__module__}.UndefinedMetricWarning"
    ),
]

RATES = ("precision", "recall", "f1")


def indicators(rows: Scored) -> Floats:
    """Returns 1 for the class of each row and 0 for all others, `[n, k]`."""
    return (rows.label == np.arange(CLASSES)).astype(np.float64)


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
def test_specificity_and_threat_score(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    label, predicted = rows.classes
    tables = multilabel_confusion_matrix(
        label, predicted, labels=range(CLASSES), sample_weight=weight
    )
    with np.errstate(invalid="ignore"):
        specificity = tables[:, 0, 0] / tables[:, 0].sum(axis=1)
        threat = tables[:, 1, 1] / (tables[:, 1].sum(axis=1) + tables[:, 0, 1])
    there = np.isin(range(CLASSES), np.concatenate([label, predicted]))
    by_label = tables[:, 1].sum(axis=1)
    for rate, by_class in (("specificity", specificity), ("threat_score", threat)):
        for suffix, value in zip("abcd", by_class, strict=True):
            metric_values = results[f"{rate}/{suffix}"]
            assert (metric_values.reason(0) is not None) == bool(np.isnan(value)), rate
            assert metric_values.value[0] == pytest.approx(np.nan_to_num(value), abs=1e-14)
        filled = np.nan_to_num(by_class)
        assert results[f"{rate}/macro"].value[0] == pytest.approx(filled[there].mean())
        weighted = np.average(filled, weights=by_label)
        assert results[f"{rate}/weighted"].value[0] == pytest.approx(weighted)
    jaccard = jaccard_score(
        label, predicted, average="macro", sample_weight=weight, zero_division=0
    )
    assert defined(results, "threat_score/macro") == pytest.approx(jaccard)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_weighted_kappa(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    for weights in ("linear", "quadratic"):
        kappa = cohen_kappa_score(
            *rows.classes, labels=range(CLASSES), weights=weights, sample_weight=weight
        )
        found = results[f"cohen_kappa/{weights}"]
        assert (found.reason(0) is not None) == bool(np.isnan(kappa))
        assert found.value[0] == pytest.approx(np.nan_to_num(kappa), abs=1e-13)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_means_and_calibration_by_class(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    labels = np.average(indicators(rows), axis=0, weights=weight)
    probabilities = np.average(rows.probability, axis=0, weights=weight)
    for suffix, label, probability in zip("abcd", labels, probabilities, strict=True):
        assert defined(results, f"label_mean/{suffix}") == pytest.approx(label, abs=1e-15)
        assert defined(results, f"probability_mean/{suffix}") == pytest.approx(probability)
        calibration = results[f"calibration_ratio/{suffix}"]
        if label == 0:
            assert calibration.reason(0) == "no label is of the class"
        else:
            assert calibration.value[0] == pytest.approx(probability / label)
    brier = brier_score_loss(
        rows.classes[0], rows.probability, labels=range(CLASSES), sample_weight=weight
    )
    assert defined(results, "brier_score") == pytest.approx(brier, abs=1e-14)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_the_highest_scores(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    # Scores that are equal are told apart, as the lower class id leads.
    scores = rows.score - np.arange(CLASSES) * 1e-9
    accuracy = top_k_accuracy_score(
        rows.classes[0], scores, k=2, labels=range(CLASSES), sample_weight=weight
    )
    assert defined(results, "recall/top_2") == pytest.approx(accuracy)
    assert defined(results, "precision/top_2") == pytest.approx(accuracy / 2)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_one_class_against_the_rest_at_a_threshold(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    label, pair_weight = indicators(rows).ravel(), None
    if weight is not None:
        pair_weight = np.repeat(weight, CLASSES)
    functions = {
        "accuracy": accuracy_score,
        "precision": precision_score,
        "recall": recall_score,
        "matthews_correlation": matthews_corrcoef,
        "threat_score": jaccard_score,
    }
    for threshold in THRESHOLDS:
        predicted = rows.probability.ravel() > threshold
        for name, function in functions.items():
            found = results[f"{name}/positive_threshold_{threshold:g}"]
            expected = function(label, predicted, sample_weight=pair_weight)
            assert found.value[0] == pytest.approx(expected, abs=1e-13), name


@pytest.mark.parametrize(("rows", "weight"), samples("multi_class"))
def test_areas_of_pairs_and_means_by_prevalence(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_class", rows, weighted=weight is not None)
    label, several = indicators(rows), len(set(rows.classes[0].tolist())) > 1
    for name, score in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        micro = score(label, rows.probability, average="micro", sample_weight=weight)
        assert defined(results, name) == pytest.approx(micro, abs=1e-13)
        weighted = results[f"{name}/weighted"]
        if several or name == "average_precision":
            by_prevalence = score(label, rows.probability, average="weighted", sample_weight=weight)
            assert weighted.reason(0) is None
            assert weighted.value[0] == pytest.approx(by_prevalence, abs=1e-13)
        else:
            assert weighted.reason(0) == "of some class no label is zero"
    macro = results["average_precision/macro"]
    if label.any(axis=0).all():
        expected = average_precision_score(label, rows.probability, sample_weight=weight)
        assert macro.value[0] == pytest.approx(expected, abs=1e-13)
    else:
        assert macro.reason(0) == "of some class no label is positive"


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
    names += ["balanced_accuracy", "cohen_kappa", "cohen_kappa/linear", "cohen_kappa/quadratic"]
    names += ["matthews_correlation", "specificity/a", "threat_score/macro"]
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
    assert {"label_mean/b", "calibration_ratio/c", "roc_auc"} <= set(two_named)
    assert not {"precision/a", "label_mean/a", "roc_auc/macro", "roc_auc/weighted"} & set(two_named)
    none_named = report_metrics(make_context("multi_class", weighted=False, named=()))
    # Areas would need a histogram of every class.
    assert not {"roc_auc", "average_precision"} & set(none_named)
    assert {"f1/positive_threshold_0.25", "brier_score", "cohen_kappa/linear"} <= set(none_named)
