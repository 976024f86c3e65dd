"""Units of weights: sums are read as they are, but for a power of two that suits their segment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from heads.statistics import Key, Scored, Segments, State, ThresholdCounts
from heads.statistics.fold_views import fold_views
from heads.statistics.measure import measure_state
from heads.statistics.units import FAR_APART, in_units, too_far_apart
from tests.laws.batches import SMALLEST_NORMAL

KEYS: tuple[Key, ...] = ((("a", "int", 1),), (("a", "int", 2),))
COUNTS = ThresholdCounts(
    cuts=(0.0,), values=("loss",), weighted=True, keep_unweighted=True, squares=True
)


def measured(weight: list[float], segment: list[int], loss: float = 0.25) -> State:
    n = len(weight)
    score = np.where(np.arange(n) % 2, 1.0, -1.0)[:, np.newaxis]
    scored = Scored(score, score, np.ones((n, 1)), np.full(n, loss), np.array(weight))
    return measure_state(COUNTS, scored, Segments(np.array(segment), KEYS))


def test_usual_weights_have_no_units() -> None:
    state = measured([1.0, 1e-9, 1e9, 0.0], [0, 0, 1, 1])
    assert in_units(state) is state
    assert not too_far_apart(state).any()
    unweighted = replace(state, statistic=COUNTS.without_weights(), sums={})
    assert in_units(unweighted) is unweighted
    assert in_units(measured([0.0], [0])).exponents is None


@pytest.mark.parametrize("power", [-1060, -600, 600, 1000])
def test_a_unit_takes_a_power_of_two_out_of_weights_and_what_they_weigh(power: int) -> None:
    weight, segment = [1.0, 2.0, 5.0, 3.0], [0, 0, 1, 1]
    plain = measured(weight, segment)
    state = in_units(measured([w * 2.0**power for w in weight], segment))
    assert state.exponents is not None
    factor = np.ldexp(1.0, power - state.exponents)
    for column, by in (("weight", factor), ("loss", factor), ("weight_squared", factor**2)):
        expected = plain[column] * by[plain.segment]
        assert state[column].tolist() == expected.tolist()
        sums = plain.by_segment(column) * by
        assert state.by_segment(column).tolist() == sums.tolist()
        assert state.dense(column, 3, 3).sum(axis=(1, 2)).tolist() == sums.tolist()
    for column in ("row_loss", "rows"):
        assert state.by_segment(column).tolist() == plain.by_segment(column).tolist()


def test_every_segment_has_its_own_unit() -> None:
    state = in_units(measured([1e308, 1e308, 5e-324, 5e-324], [0, 0, 1, 1]))
    assert state.exponents is not None
    high, low = state.exponents
    assert low < 0 < high
    assert (state.by_segment("weight") > 0).all()
    assert np.isfinite(state.by_segment("weight")).all()
    squares, weights = state.by_segment("weight_squared"), state.by_segment("weight")
    assert (weights**2 / squares).tolist() == pytest.approx([2, 2])
    state = in_units(measured([1e308, 1e308, 0.0, 0.0], [0, 0, 1, 1]))
    assert state.by_segment("weight")[1] == 0


def test_sums_in_no_unit() -> None:
    state = measured([1e308, 1.5e308, 5e-324, 5e-324], [0, 0, 1, 1], loss=1e300)
    for seen in (state, in_units(state)):
        factor, exponent = seen.wide_by_segment("loss")
        weight, unit = seen.wide_by_segment("weight")
        mean = np.ldexp(factor / weight, exponent - unit)
        assert mean.tolist() == [1e300, 1e300]
        ones = seen.group == 1
        assert seen.wide_by_segment("rows", ones)[0].tolist() == [2, 2]
        none = np.zeros(len(seen), bool)
        assert seen.wide_by_segment("weight", none)[0].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("weights", "far"),
    [
        ([1.0, 2.0**-600], False),
        ([2.0**-500, 2.0**500], False),
        ([1e-300, 1e300], False),
        ([2.0**-1000, 2.0 ** (FAR_APART - 1000)], False),
        ([2.0**-1001, 2.0 ** (FAR_APART - 1000)], True),
        ([5e-324, 1e308], True),
    ],
)
def test_weights_that_are_too_far_apart(weights: list[float], far: bool) -> None:
    # Each weight is in a table row of its own.
    state = in_units(measured([*weights, 1e300, 1e300], [0, 0, 1, 1]))
    assert too_far_apart(state).tolist() == [far, False]
    smallest, largest = sorted(state["weight"][state.segment == 0].tolist())
    assert largest < 2.0**1000
    assert smallest >= SMALLEST_NORMAL or far
    # Where it does not cost the smallest, squares of the largest are safe.
    assert largest == 0.5 or smallest < 2.0**-1020


def test_views_without_a_fold_have_units_too() -> None:
    statistic = replace(COUNTS, folds=2)
    column = np.ones((4, 1))
    scored = Scored(column, column, column, np.ones(4), np.array([1e308, 1e308, 1e-308, 1e-308]))
    segments = Segments(np.zeros(4, np.int64), KEYS[:1], fold=np.array([0, 0, 1, 1]))
    views = fold_views(measure_state(statistic, scored, segments))
    without = in_units(views.without)
    weight = without.by_segment("weight")
    assert (np.isfinite(weight) & (weight > 0)).all()
    assert (without.by_segment("loss") / weight).tolist() == [1.0, 1.0]
