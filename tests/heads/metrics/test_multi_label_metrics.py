"""Metrics of independent classes against scikit-learn, and where they are undefined."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    coverage_error,
    hamming_loss,
    jaccard_score,
    precision_recall_fscore_support,
    precision_score,
    recall_score,
    roc_auc_score,
)

from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored
from tests.heads.metrics.class_rows import (
    CLASSES,
    THRESHOLDS,
    Floats,
    defined,
    independent,
    make_context,
    samples,
    values,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore:No positive class found in y_true"),
    pytest.mark.filterwarnings(
        f"ignore::{UndefinedMetricWarning.__module__}.UndefinedMetricWarning"
    ),
]

RATES = ("precision", "recall", "f1")


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_rates_by_class_and_their_averages(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    cuts = {"": 0.5, **{f"/positive_threshold_{cut:g}": cut for cut in THRESHOLDS}}
    for at, cut in cuts.items():
        predicted = rows.score > cut
        expected = precision_recall_fscore_support(
            rows.label, predicted, sample_weight=weight, zero_division=np.nan
        )
        for rate, by_class in zip(RATES, expected[:3], strict=True):
            for suffix, value in zip("abcd", by_class, strict=True):
                metric_values = results[f"{rate}{at}/{suffix}"]
                assert (metric_values.reason(0) is not None) == bool(np.isnan(value)), rate
                assert metric_values.value[0] == pytest.approx(np.nan_to_num(value), abs=1e-14)
        for k, suffix in enumerate("abcd"):
            right = accuracy_score(rows.label[:, k], predicted[:, k], sample_weight=weight)
            assert defined(results, f"accuracy{at}/{suffix}") == pytest.approx(right, abs=1e-14)
    for average in ("macro", "weighted"):
        scores = precision_recall_fscore_support(
            rows.label, rows.score > 0.5, average=average, sample_weight=weight, zero_division=0
        )
        for rate, value in zip(RATES, scores[:3], strict=True):
            metric_values = results[f"{rate}/{average}"]
            assert metric_values.value[0] == pytest.approx(value, abs=1e-14)
            assert metric_values.reason(0) is None or value == 0


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_metrics_of_label_sets(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    predicted = rows.score > 0.5
    expected = {
        "exact_match": accuracy_score(rows.label, predicted, sample_weight=weight),
        "hamming_loss": hamming_loss(rows.label, predicted, sample_weight=weight),
        "coverage_error": coverage_error(rows.label, rows.score, sample_weight=weight),
        "label_cardinality": np.average(rows.label.sum(axis=1), weights=weight),
        **{
            f"label_mean/{suffix}": np.average(rows.label[:, k], weights=weight)
            for k, suffix in enumerate("abcd")
        },
    }
    for name, value in expected.items():
        assert defined(results, name) == pytest.approx(value, abs=1e-14), name


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_macro_areas(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    kinds = [len(set(rows.label[:, k].tolist())) for k in range(CLASSES)]
    positive = rows.label.any(axis=0)
    if min(kinds) == 2:
        area = roc_auc_score(rows.label, rows.score, sample_weight=weight)
        assert defined(results, "roc_auc/macro") == pytest.approx(area, abs=1e-13)
    else:
        assert results["roc_auc/macro"].reason(0) in (
            "of some class no label is positive",
            "of some class no label is zero",
        )
    if positive.all():
        area = average_precision_score(rows.label, rows.score, sample_weight=weight)
        assert defined(results, "average_precision/macro") == pytest.approx(area, abs=1e-13)
    else:
        reason = "of some class no label is positive"
        assert results["average_precision/macro"].reason(0) == reason


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_areas_by_prevalence(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    for name, score in (("roc_auc", roc_auc_score), ("average_precision", average_precision_score)):
        found = results[f"{name}/weighted"]
        positive = rows.label.any(axis=0)
        full = rows.label.all(axis=0) if name == "roc_auc" else ~positive
        if (full & positive).any() or not positive.any():
            assert found.reason(0) is not None
            continue
        expected = score(rows.label, rows.score, average="weighted", sample_weight=weight)
        assert defined(results, f"{name}/weighted") == pytest.approx(expected, abs=1e-13)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_calibration_and_loss_by_class(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    assert rows.class_loss is not None
    loss, label, probability, error = (
        np.average(part, axis=0, weights=weight)
        for part in (
            rows.class_loss,
            rows.label,
            rows.probability,
            (rows.probability - rows.label) ** 2,
        )
    )
    for k, suffix in enumerate("abcd"):
        assert defined(results, f"average_loss/{suffix}") == pytest.approx(loss[k])
        assert defined(results, f"brier_score/{suffix}") == pytest.approx(error[k], abs=1e-15)
        calibration = results[f"calibration_ratio/{suffix}"]
        assert (calibration.reason(0) is not None) == (label[k] == 0)
        if label[k]:
            assert calibration.value[0] == pytest.approx(probability[k] / label[k])
    assert defined(results, "brier_score") == pytest.approx(error.mean())
    if label.any():
        ratio = probability.sum() / label.sum()
        assert defined(results, "calibration_ratio") == pytest.approx(ratio)


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_the_highest_scores(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    rank = (-rows.score).argsort(axis=1, kind="stable").argsort(axis=1)
    predicted, flat = (rank < 2).ravel(), rows.label.ravel()
    weights = None if weight is None else np.repeat(weight, CLASSES)
    for name, score in (("precision", precision_score), ("recall", recall_score)):
        expected = score(flat, predicted, sample_weight=weights)
        assert results[f"{name}/top_2"].value[0] == pytest.approx(expected, abs=1e-14)
        assert (results[f"{name}/top_2"].reason(0) is None) == (name == "precision" or flat.any())


@pytest.mark.parametrize(("rows", "weight"), samples("multi_label"))
def test_specificity_and_threat_score(rows: Scored, weight: Floats | None) -> None:
    results = values("multi_label", rows, weighted=weight is not None)
    for at, cut in {"": 0.5, **{f"/positive_threshold_{t:g}": t for t in THRESHOLDS}}.items():
        predicted = rows.score > cut
        arguments = {"sample_weight": weight, "average": None, "zero_division": np.nan}
        by_class = {
            "specificity": recall_score(1 - rows.label, ~predicted, **arguments),
            "threat_score": jaccard_score(
                rows.label, predicted, **{**arguments, "zero_division": 0.0}
            ),
        }
        for name, expected in by_class.items():
            for suffix, value in zip("abcd", expected, strict=True):
                found = results[f"{name}{at}/{suffix}"].value[0]
                assert found == pytest.approx(np.nan_to_num(value), abs=1e-14)


def test_the_samples_have_classes_with_and_without_labels() -> None:
    positive = [rows.label.any(axis=0).all() for rows, _ in samples("multi_label")]
    assert any(positive)
    assert not all(positive)


def test_soft_labels() -> None:
    rows = independent(np.random.default_rng(1), 50, labels=(0, 1, 0.25))
    results = values("multi_label", rows, weighted=True)
    weight, predicted, positive = rows.weight, rows.score > 0.5, rows.label != 0
    assert weight is not None
    wrong = (predicted != rows.label).mean(axis=1)
    assert defined(results, "hamming_loss") == pytest.approx(np.average(wrong, weights=weight))
    mean = np.average(rows.label.sum(axis=1), weights=weight)
    assert defined(results, "label_cardinality") == pytest.approx(mean)
    exact = np.average((predicted == rows.label).all(axis=1), weights=weight)
    assert defined(results, "exact_match") == pytest.approx(exact)
    # A label that is not 0 is positive, as in the estimator's recall.
    scores = precision_recall_fscore_support(positive, predicted, sample_weight=weight)
    for rate, by_class in zip(RATES, scores[:3], strict=True):
        for suffix, value in zip("abcd", by_class, strict=True):
            assert defined(results, f"{rate}/{suffix}") == pytest.approx(value, abs=1e-14)


def test_averages_are_undefined_where_no_class_has_the_rate() -> None:
    rows = independent(np.random.default_rng(1), 20)
    nothing = replace(rows, score=np.zeros_like(rows.score))
    results = values("multi_label", nothing, weighted=False)
    assert results["precision/macro"].reason(0) == "no class is ever predicted"
    assert results["precision/weighted"].reason(0) == "no class is ever predicted"
    assert defined(results, "recall/macro") == defined(results, "f1/macro") == 0.0
    results = values("multi_label", replace(nothing, label=nothing.score), weighted=False)
    assert results["recall/macro"].reason(0) == "no label is positive"
    assert results["f1/weighted"].reason(0) == "no class occurs in labels or predictions"
    results = values("multi_label", replace(rows, label=nothing.score), weighted=False)
    assert defined(results, "precision/macro") == 0.0
    assert results["precision/weighted"].reason(0) == "no label is positive"
    assert results["hamming_loss"].reason(0) is None
    results = values("multi_label", replace(rows, weight=np.zeros(20)), weighted=True)
    for name in (
        "f1/macro",
        "recall/weighted",
        "hamming_loss",
        "label_cardinality",
        "exact_match",
        "coverage_error",
    ):
        assert results[name].reason(0) == "the weights sum to zero"


def test_areas_are_averaged_only_where_every_class_has_one() -> None:
    two_named = report_metrics(make_context("multi_label", weighted=False, named=(0, 3)))
    assert {"f1/d", "f1/macro", "label_mean/a"} <= set(two_named)
    assert not {"roc_auc/macro", "average_precision/macro", "f1/b"} & set(two_named)
