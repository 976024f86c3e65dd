"""The debiased calibration error and Spiegelhalter's test, row by row and over many samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given

from heads.metrics.core.methods import BIASED, CalibrationTest, NoInterval
from heads.metrics.core.registry import report_metrics
from tests.heads.metrics.samples import Sample, law, make_context, result, samples, scored, sigmoid

DEBIASED = "debiased_calibration_error"


def debiased(p: np.ndarray, label: np.ndarray, weight: np.ndarray) -> float:
    """The debiased squared error, bin by bin."""
    place = np.minimum((p * 10).astype(int), 9)
    total = 0.0
    for number in range(10):
        there = place == number
        w = weight[there]
        if w.sum() == 0:
            continue
        squared = (np.average(p[there], weights=w) - np.average(label[there], weights=w)) ** 2
        mean, size = np.average(label[there], weights=w), w.sum() ** 2 / (w**2).sum()
        chance = squared if there.sum() == 1 else mean * (1 - mean) / (size - 1)
        total += w.sum() / weight.sum() * (squared - chance)
    return total


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_debiased_error_is_that_of_the_bins(seed: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    score = rng.normal(-1, 2, 120)
    label = (rng.random(120) < sigmoid(2 * score + 1)).astype(np.float64)
    weight = rng.gamma(2, 1, 120) if weighted else None
    metric = report_metrics(make_context(weighted=weighted))[DEBIASED]
    wanted = debiased(sigmoid(score), label, np.ones(120) if weight is None else weight)
    found = result(metric, scored(score, label, weight))
    # The squares of weights are kept to few digits.
    assert found == (pytest.approx(math.sqrt(max(wanted, 0)), rel=1e-5), None)


def test_of_a_calibrated_model_nothing_is_left_on_average() -> None:
    rng = np.random.default_rng(0)
    metrics = report_metrics(make_context())
    squares, shown = [], []
    for _ in range(300):
        score = rng.normal(-1, 2, 150)
        label = (rng.random(150) < sigmoid(score)).astype(np.float64)
        squares.append(debiased(sigmoid(score), label, np.ones(150)))
        shown.append(result(metrics[DEBIASED], scored(score, label))[0])
    assert abs(np.mean(squares)) < 3 * np.std(squares) / math.sqrt(300)
    assert shown == pytest.approx(np.sqrt(np.maximum(squares, 0)), rel=1e-9, abs=1e-12)
    assert 0.2 < np.mean(np.array(shown) == 0) < 0.8


def test_rows_alone_in_their_bins_tell_nothing() -> None:
    metrics = report_metrics(make_context())
    assert result(metrics[DEBIASED], scored([-3.0, 0.1, 3.0], [1.0, 0.0, 0.0])) == (0, None)


@law
@given(samples())
def test_spiegelhalter_row_by_row(sample: Sample) -> None:
    score, label, given_weight = sample
    weight = np.ones(len(score)) if given_weight is None else given_weight
    p = sigmoid(score)
    parts = (label - p) * (1 - 2 * p)
    metrics, rows = report_metrics(make_context(weighted=given_weight is not None)), scored(*sample)
    excess = result(metrics["excess_brier_score"], rows)
    wanted = (weight * parts).sum() / weight.sum()
    assert excess == (pytest.approx(wanted, rel=1e-9, abs=1e-14), None)
    # It is the Brier score less p (1 - p), of labels that are 0 or 1.
    if set(label.tolist()) <= {0.0, 1.0}:
        expected = ((p - label) ** 2 - p * (1 - p)) * weight
        assert excess[0] == pytest.approx(expected.sum() / weight.sum(), rel=1e-9, abs=1e-12)
    z, reason = result(metrics["spiegelhalter_z"], rows)
    variance = ((1 - 2 * p) ** 2 * p * (1 - p)).sum()
    if given_weight is not None:
        assert (z, reason) == (0, "the rows have weights")
    elif variance > 0:
        assert (z, reason) == (pytest.approx(parts.sum() / math.sqrt(variance), rel=1e-9), None)
    else:
        assert (z, reason) == (0, "every probability is 0, 1/2 or 1")


def test_what_has_which_interval() -> None:
    metrics = report_metrics(make_context())
    for name in ("expected_calibration_error", "max_calibration_error"):
        assert metrics[name].method == NoInterval(BIASED)
    assert isinstance(metrics[DEBIASED].method, CalibrationTest)
    assert isinstance(metrics["spiegelhalter_z"].method, NoInterval)
