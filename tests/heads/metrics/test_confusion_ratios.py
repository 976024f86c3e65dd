"""Counts and ratios of the confusion matrix: against scikit-learn, and by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from heads.metrics.confusion_ratios import RATIOS
from heads.metrics.core.registry import estimator_metrics, report_metrics
from heads.statistics import Scored, Segments
from heads.statistics.measure import measure_state
from tests.heads.metrics.samples import (
    law,
    make_context,
    random_sample,
    result,
    samples,
    scored,
    sigmoid,
)

THRESHOLDS = (0.25, 0.5, 0.9)
COINCIDING: dict[str, Callable[..., Any]] = {
    "specificity": lambda y, p, **w: sk.recall_score(y, p, pos_label=0, **w),
    "negative_predictive_value": lambda y, p, **w: sk.precision_score(y, p, pos_label=0, **w),
    "threat_score": sk.jaccard_score,
    "balanced_accuracy": sk.balanced_accuracy_score,
    "f1": sk.f1_score,
    "f0.5": lambda y, p, **w: sk.fbeta_score(y, p, beta=0.5, **w),
    "f2": lambda y, p, **w: sk.fbeta_score(y, p, beta=2, **w),
    "matthews_correlation": sk.matthews_corrcoef,
    "cohen_kappa": sk.cohen_kappa_score,
    "positive_likelihood_ratio": lambda y, p, **w: sk.class_likelihood_ratios(y, p, **w)[0],
    "negative_likelihood_ratio": lambda y, p, **w: sk.class_likelihood_ratios(y, p, **w)[1],
}


def predictions(score: np.ndarray) -> dict[str, np.ndarray]:
    """Returns the predictions at every cut, by the ending of the names of its metrics."""
    at = {f"/positive_threshold_{t:g}": sigmoid(score) > t for t in THRESHOLDS}
    return {"": score > 0, **at}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", COINCIDING)
def test_scikit_learn(name: str, seed: int, weighted: bool) -> None:
    score, label, weight = random_sample(seed, weighted=weighted)
    metrics = report_metrics(make_context(weighted=weighted))
    for suffix, predicted in predictions(score).items():
        wanted = COINCIDING[name](label, predicted, sample_weight=weight)
        actual, reason = result(metrics[name + suffix], scored(score, label, weight))
        assert reason is None
        assert actual == pytest.approx(wanted, rel=1e-12)


@law
@given(samples(), st.sampled_from(["", "/positive_threshold_0.25"]))
def test_formulas(sample: tuple[np.ndarray, np.ndarray, np.ndarray | None], suffix: str) -> None:
    score, label, weight = sample
    context = make_context(weighted=weight is not None)
    metrics = report_metrics(context)
    predicted, positive = predictions(score)[suffix], label == 1
    w = np.ones(len(score)) if weight is None else weight
    tp, fp = w[predicted & positive].sum(), w[predicted & ~positive].sum()
    fn, tn = w[~predicted & positive].sum(), w[~predicted & ~positive].sum()
    # Division of Python floats raises where NumPy would only warn of what is undefined.
    tp, fp, fn, tn = map(float, (tp, fp, fn, tn))
    wanted: dict[str, Callable[[], float]] = {
        "true_positives": lambda: tp,
        "false_positives": lambda: fp,
        "false_negatives": lambda: fn,
        "true_negatives": lambda: tn,
        "prevalence": lambda: (tp + fn) / (tp + fp + fn + tn),
        "predicted_positive_rate": lambda: (tp + fp) / (tp + fp + fn + tn),
        "specificity": lambda: tn / (tn + fp),
        "false_positive_rate": lambda: fp / (tn + fp),
        "false_negative_rate": lambda: fn / (tp + fn),
        "negative_predictive_value": lambda: tn / (tn + fn),
        "false_discovery_rate": lambda: fp / (tp + fp),
        "false_omission_rate": lambda: fn / (tn + fn),
        "threat_score": lambda: tp / (tp + fn + fp),
        "balanced_accuracy": lambda: (tp / (tp + fn) + tn / (tn + fp)) / 2,
        "f1": lambda: 2 * tp / (2 * tp + fp + fn),
        "f0.5": lambda: 1.25 * tp / (1.25 * tp + fp + 0.25 * fn),
        "f2": lambda: 5 * tp / (5 * tp + fp + 4 * fn),
        "fowlkes_mallows_index": lambda: ((tp / (tp + fp)) * (tp / (tp + fn))) ** 0.5,
        "informedness": lambda: tp / (tp + fn) + tn / (tn + fp) - 1,
        "markedness": lambda: tp / (tp + fp) + tn / (tn + fn) - 1,
        "positive_likelihood_ratio": lambda: (tp / (tp + fn)) / (fp / (tn + fp)),
        "negative_likelihood_ratio": lambda: (fn / (tp + fn)) / (tn / (tn + fp)),
        "diagnostic_odds_ratio": lambda: _both(tp, fn, fp, tn) * (tp * tn) / (fp * fn),
        "matthews_correlation": lambda: (
            (tp * tn - fp * fn) / ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)) ** 0.5
        ),
        "cohen_kappa": lambda: (
            2 * (tp * tn - fn * fp) / ((tp + fp) * (fp + tn) + (tp + fn) * (fn + tn))
        ),
        "prevalence_threshold": lambda: (
            (fp / (tn + fp)) ** 0.5 / ((tp / (tp + fn)) ** 0.5 + (fp / (tn + fp)) ** 0.5)
        ),
    }
    assert set(wanted) == {*RATIOS, "prevalence"}
    for name, formula in wanted.items():
        metric = metrics[name if name == "prevalence" else name + suffix]
        actual, reason = result(metric, scored(score, label, weight))
        try:
            value = formula()
        except ZeroDivisionError:
            assert (actual, reason is None) == (0, False), name
        else:
            assert reason is None, name
            assert actual == pytest.approx(value, rel=1e-12, abs=1e-12), name


def _both(tp: float, fn: float, fp: float, tn: float) -> float:
    """Returns 1, or raises ZeroDivisionError where all labels are of the same kind."""
    return (tp + fn) * (fp + tn) / ((tp + fn) * (fp + tn))


def test_numbers_of_other_definitions() -> None:
    # Balayla's formula, as TensorFlow Model Analysis has it.
    metrics = report_metrics(make_context())
    rows = scored([1, 1, 1, -1, -1, 1], [1, 1, 1, 1, 0, 0])
    recall, fall_out = 3 / 4, 1 / 2
    actual, _ = result(metrics["prevalence_threshold"], rows)
    assert actual == pytest.approx(((recall * fall_out) ** 0.5 - fall_out) / (recall - fall_out))


def test_a_soft_label_is_positive() -> None:
    metrics = report_metrics(make_context())
    rows = scored([1.0, -1.0, 1.0], [0.2, 0.2, 0.0])
    assert result(metrics["true_positives"], rows) == (1, None)
    assert result(metrics["false_negatives"], rows) == (1, None)
    assert result(metrics["prevalence"], rows) == (2 / 3, None)


def test_reasons_name_what_is_missing() -> None:
    metrics = report_metrics(make_context())
    zeros, ones = scored([1.0, -1.0], [0, 0]), scored([-2.0, -1.0], [1, 1])
    right = scored([-2.0, 1.0], [0, 1])
    expected = [
        ("balanced_accuracy", zeros, "no label is positive"),
        ("balanced_accuracy", ones, "no label is zero"),
        ("markedness", ones, "nothing is predicted positive"),
        ("false_discovery_rate", ones, "nothing is predicted positive"),
        ("f1", ones, None),
        ("cohen_kappa", scored([-1.0], [0]), "all labels and predictions are the same"),
        ("cohen_kappa", scored([-1.0], [1]), None),
        ("diagnostic_odds_ratio", right, "there is no false positive"),
        ("positive_likelihood_ratio", right, "there is no false positive"),
        ("negative_likelihood_ratio", right, None),
        ("f1", scored([-1.0], [0]), "no label and no prediction is positive"),
    ]
    for name, rows, reason in expected:
        assert result(metrics[name], rows) == (0, reason), name


def test_weights_of_any_magnitude() -> None:
    metrics = report_metrics(make_context(weighted=True))
    score, label, weight = random_sample(0)
    for scale in (2.0**-900, 2.0**900):
        for name in ("matthews_correlation", "cohen_kappa", "diagnostic_odds_ratio", "f2"):
            unscaled = result(metrics[name], scored(score, label, weight))
            # To the digit, for powers of two.
            assert result(metrics[name], scored(score, label, weight * scale)) == unscaled, name


def test_trials_of_proportions() -> None:
    score, label, weight = random_sample(1)
    rows = scored(score, label, weight)
    metric = report_metrics(make_context(weighted=True, folds=2))["specificity"]
    statistic = metric.statistic.without_folds()
    trials = metric.compute(measure_state(statistic, rows, Segments.overall(len(rows)))).trials
    assert trials is not None
    assert trials.weight is not None
    assert trials.weight_squared is not None
    zero = label == 0
    assert trials.rows[0] == zero.sum()
    assert trials.weight[0] == pytest.approx(weight[zero].sum())
    assert trials.weight_squared[0] == pytest.approx(np.square(weight[zero]).sum())


def test_flattened_metrics_of_several_labels() -> None:
    rng = np.random.default_rng(3)
    n = 300
    score = rng.normal(0, 2, (n, 3))
    label = (rng.random((n, 3)) < sigmoid(score)).astype(np.float64)
    weight = rng.uniform(0.1, 2, n)
    rows = Scored(score, sigmoid(score), label, np.zeros(n), weight, class_loss=score)
    metrics = report_metrics(make_context("multi_label", weighted=True))
    coinciding: dict[str, Callable[..., float]] = {
        "accuracy": sk.accuracy_score,
        "precision": sk.precision_score,
        "recall": sk.recall_score,
        "f1": sk.f1_score,
        "matthews_correlation": sk.matthews_corrcoef,
        "threat_score": sk.jaccard_score,
        "specificity": partial(sk.recall_score, pos_label=0),
    }
    for name, function in coinciding.items():
        for suffix, cut in {"": 0.5, "/positive_threshold_0.25": 0.25}.items():
            predicted = (sigmoid(score) > cut).ravel()
            wanted = function(label.ravel(), predicted, sample_weight=np.repeat(weight, 3))
            assert result(metrics[name + suffix], rows)[0] == pytest.approx(wanted, rel=1e-12)


def test_the_estimator_keeps_its_names() -> None:
    context = make_context("multi_label")
    assert "accuracy" not in estimator_metrics(context)
    assert "f1/positive_threshold_0.25" in report_metrics(context)
    assert not {"f1", "specificity"} & set(estimator_metrics(replace(context, head="binary")))
