"""Calibration: against scikit-learn and definitions row by row."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from sklearn.calibration import calibration_curve
from sklearn.metrics import log_loss

from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored
from heads.statistics.cuts import ScoreSpace
from tests.heads.metrics.samples import (
    Sample,
    law,
    make_context,
    random_sample,
    result,
    samples,
    scored,
    sigmoid,
)

PROBABILITIES = ScoreSpace("probabilities")


def probabilities(p: list[float], label: list[float], weight: list[float] | None = None) -> Scored:
    score = np.array(p).reshape(-1, 1)
    y = np.array(label).reshape(-1, 1)
    return Scored(score, score, y, np.zeros(len(p)), None if weight is None else np.array(weight))


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("head", ["binary", "contrib_binary"])
def test_normalised_entropy_is_log_loss_over_that_of_the_mean(head: str, weighted: bool) -> None:
    score, label, weight = random_sample(0, weighted=weighted)
    mean = np.average(label, weights=weight)
    wanted = log_loss(label, sigmoid(score), sample_weight=weight) / log_loss(
        label, np.full(len(label), mean), sample_weight=weight
    )
    metric = report_metrics(make_context(head, weighted=weighted))["normalised_entropy"]
    actual, reason = result(metric, scored(score, label, weight))
    assert (actual, reason) == (pytest.approx(wanted, rel=1e-12), None)


def test_soft_labels_have_a_mean() -> None:
    rows = scored([0.0, 0.0], [0.25, 0.75])
    metrics = report_metrics(make_context())
    # Probability and mean label are both one half.
    assert result(metrics["normalised_entropy"], rows) == (pytest.approx(1.0), None)
    assert result(metrics["calibration_ratio"], rows) == (pytest.approx(1.0), None)
    assert result(metrics["expected_calibration_error"], rows) == (0, None)


@law
@given(samples())
def test_row_by_row(sample: Sample) -> None:
    score, label, given_weight = sample
    weight = np.ones(len(score)) if given_weight is None else given_weight
    p = sigmoid(score)
    place = np.minimum((p * 10).astype(int), 9)
    off = {
        b: math.fsum(weight[place == b] * (p - label)[place == b])
        for b in sorted(set(place.tolist()))
    }
    wanted = {
        "expected_calibration_error": sum(map(abs, off.values())) / weight.sum(),
        "max_calibration_error": max(abs(v) / weight[place == b].sum() for b, v in off.items()),
    }
    if label.any():
        wanted["calibration_ratio"] = (weight * p).sum() / (weight * label).sum()
    metrics, rows = report_metrics(make_context(weighted=given_weight is not None)), scored(*sample)
    for name, value in wanted.items():
        assert result(metrics[name], rows) == (
            pytest.approx(value, rel=1e-12, abs=1e-15),
            None,
        ), name


def test_bins_of_scikit_learn() -> None:
    score, label, _ = random_sample(2, n=2000)
    # Off the edges, which scikit-learn puts into the lower bin.
    score = score + 0.03
    p = sigmoid(score)
    observed, predicted = calibration_curve(label, p, n_bins=10)
    count = np.histogram(p, np.linspace(0, 1, 11))[0]
    count = count[count > 0]
    metrics, rows = report_metrics(make_context()), scored(score, label)
    wanted = (np.abs(observed - predicted) * count).sum() / 2000
    assert result(metrics["expected_calibration_error"], rows)[0] == pytest.approx(wanted)
    wanted = np.abs(observed - predicted).max()
    assert result(metrics["max_calibration_error"], rows)[0] == pytest.approx(wanted)


def test_a_bin_holds_its_lower_edge() -> None:
    metrics = report_metrics(make_context(space=PROBABILITIES))
    # In the same bin their errors would cancel out.
    rows = probabilities([0.3, 0.3 - 1e-9], [0.0, 0.6])
    actual, _ = result(metrics["expected_calibration_error"], rows)
    assert actual == pytest.approx(0.3)
    rows = probabilities([0.0, 0.05, 1.0, 0.9], [0, 1, 1, 1])
    actual, _ = result(metrics["expected_calibration_error"], rows)
    assert actual == pytest.approx((0.95 + 0.1) / 4)
    assert result(metrics["max_calibration_error"], rows)[0] == pytest.approx(0.95 / 2)


def test_reasons() -> None:
    metrics = report_metrics(make_context(weighted=True))
    weightless = scored([1.0, 2.0], [0, 1], [0.0, 0.0])
    for name in ("normalised_entropy", "expected_calibration_error", "max_calibration_error"):
        assert result(metrics[name], weightless) == (0, "the weights sum to zero")
    assert result(metrics["calibration_ratio"], weightless) == (0, "the labels sum to zero")
    for label in (0, 1):
        same = scored([1.0, 2.0], [label, label], [1.0, 3.0])
        assert result(metrics["normalised_entropy"], same) == (0, "all labels are the same")
