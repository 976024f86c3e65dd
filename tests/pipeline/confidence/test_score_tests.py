"""Intervals of thresholds by tests, against loops over rows and thresholds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from heads.metrics.core.fold_curve import FoldCurve, FoldTables
from heads.metrics.core.methods import RateName
from heads.metrics.core.metric import Floats
from pipeline.confidence.score_tests import recall_ends, threshold_ends
from tests.heads.metrics.fold_rows import curve_of, rows_of
from tests.pipeline.confidence.by_rows import RATES, recall_ends_by_rows, threshold_ends_by_rows
from tests.pipeline.confidence.laws import law

seeds = st.integers(0, 2**32 - 1)

Ends = tuple[float, float] | None


def tables_of(curve: FoldCurve) -> FoldTables:
    """A slice beside another of other cells."""
    return FoldTables([curve_of(rows_of(9, rows=400, places=3)), curve])


def of_second(found: tuple[Floats, Floats]) -> Ends:
    """The ends of the second of two slices, None if there are none."""
    lower, upper = (float(ends[1]) for ends in found)
    assert math.isnan(lower) == math.isnan(upper)
    return None if math.isnan(lower) else (lower, upper)


def ends_of_threshold(curve: FoldCurve, rate: RateName, demand: float, quantile: float) -> Ends:
    return of_second(threshold_ends(tables_of(curve), rate, demand, np.full(2, quantile)))


def ends_of_recall(curve: FoldCurve, precision: float, quantile: float) -> Ends:
    return of_second(recall_ends(tables_of(curve), precision, np.full(2, quantile)))


@pytest.mark.slow
@law
@given(
    seed=seeds,
    rate=st.sampled_from(RATES),
    demand=st.sampled_from([0.1, 0.3, 0.5, 0.8, 0.9]),
    quantile=st.floats(0.3, 4),
)
@example(seed=3, rate="recall", demand=0.1, quantile=2.0)
def test_ends_are_where_tests_reject(
    seed: int, rate: RateName, demand: float, quantile: float
) -> None:
    score, label, weight, fold = rows_of(seed, rows=150)
    if seed % 2:
        # No positive label is above the highest scores.
        label = np.where(score > 1.5, 0.0, label)
    rows = score, label, weight, fold
    # Where nothing is as demanded there is no interval.
    found = ends_of_threshold(curve_of(rows), rate, demand, quantile)
    if found is None:
        with pytest.raises(ValueError, match="empty"):
            threshold_ends_by_rows(rows, rate, demand, quantile)
    else:
        assert found == threshold_ends_by_rows(rows, rate, demand, quantile)


@pytest.mark.parametrize("rate", RATES)
def test_a_wider_quantile_gives_a_wider_interval(rate: RateName) -> None:
    curve = curve_of(rows_of(5, rows=800, places=3))
    ends = [ends_of_threshold(curve, rate, 0.6, quantile) for quantile in (0.5, 1, 2, 3, 1e6)]
    assert all(end is not None for end in ends)
    lower, upper = np.array(ends, np.float64).T
    assert (np.diff(lower) <= 0).all()
    assert (np.diff(upper) >= 0).all()
    assert (lower[-1], upper[-1]) == (-math.inf, math.inf)


def test_there_is_no_interval_without_labels_of_a_kind_or_a_threshold() -> None:
    score, label, weight, fold = rows_of(2)
    zeros = curve_of((score, 0 * label, weight, fold))
    ones = curve_of((score, 0 * label + 1, weight, fold))
    assert ends_of_threshold(zeros, "precision", 0.5, 2.0) is None
    assert ends_of_threshold(zeros, "recall", 0.5, 2.0) is None
    assert ends_of_threshold(ones, "false_positive_rate", 0.5, 2.0) is None
    # The highest score is of a zero label.
    label = np.where(score == score.max(), 0.0, label)
    assert (
        ends_of_threshold(curve_of((score, label, weight, fold)), "precision", 0.999, 2.0) is None
    )


@law
@given(
    seed=seeds,
    precision=st.sampled_from([0.3, 0.5, 0.7, 0.9]),
    quantile=st.floats(0.3, 4),
    ties=st.booleans(),
)
def test_the_ends_of_a_recall_are_where_tests_reject(
    seed: int, precision: float, quantile: float, ties: bool
) -> None:
    score, label, weight, fold = rows_of(seed, rows=150, places=0 if ties else 2)
    if seed % 2:
        label = np.where(score > 1.5, 0.0, label)
    rows = score, label, weight, fold
    found = ends_of_recall(curve_of(rows), precision, quantile)
    if found is None:
        with pytest.raises(ValueError, match="empty"):
            recall_ends_by_rows(rows, precision, quantile)
    else:
        assert found == pytest.approx(recall_ends_by_rows(rows, precision, quantile), rel=1e-9)


def test_a_recall_at_a_precision_that_chance_may_reach_is_open_below() -> None:
    rng = np.random.default_rng(1)
    score = rng.normal(0, 1, 400).round(2)
    label = (rng.random(400) < 0.3).astype(np.float64)
    label[score > np.sort(score)[-4]] = 1
    curve = curve_of((score, label, np.ones(400), rng.integers(0, 10, 400)))
    found = ends_of_recall(curve, 0.9, 2.1)
    assert found is not None
    lower, upper = found
    assert lower == -math.inf
    assert 0 < upper < 0.3
    assert (
        ends_of_recall(curve_of((score, 0 * label, label + 1, score.astype(int))), 0.9, 2) is None
    )
