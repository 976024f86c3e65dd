"""P-values at which the ends of intervals meet limits."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.confidence.intervals import binomial_interval, interval
from pipeline.results.limits import SMALLEST_P, p_beyond
from pipeline.results.readings import Floats

DEGREES = np.array([19.0])
numbers = st.floats(-3, 3)
errors = st.floats(0.01, 2)


def student(value: float, error: float, limit: float, *, floor: bool) -> float:
    """The p-value of Student's distribution that a value is beyond a limit."""
    distance = (value - limit) / error
    return float(stats.t.cdf(distance if floor else -distance, DEGREES[0]))


@given(numbers, errors, numbers, st.booleans())
def test_of_t_intervals_it_is_that_of_student(
    value: float, error: float, limit: float, floor: bool
) -> None:
    def ends(level: Floats) -> tuple[Floats, Floats]:
        return interval(np.array([value]), np.array([error]), DEGREES, level)

    (p,) = p_beyond(ends, np.array([value]), np.array([limit]), 0.95, floor=floor)
    expected = student(value, error, limit, floor=floor)
    assert p == pytest.approx(np.clip(expected, SMALLEST_P, 1 - SMALLEST_P), rel=1e-6, abs=1e-11)


@given(st.integers(0, 40), st.floats(0.01, 0.99))
def test_of_binomial_intervals_it_is_that_of_the_binomial(successes: int, limit: float) -> None:
    size, share = np.array([40.0]), np.array([successes / 40])

    def ends(level: Floats) -> tuple[Floats, Floats]:
        return binomial_interval(share, size, level)

    (p,) = p_beyond(ends, share, np.array([limit]), 0.95, floor=True)
    if share < limit:
        at_most = stats.binom.cdf(successes, 40, limit)
        assert p == pytest.approx(np.clip(at_most, SMALLEST_P, 0.5), rel=1e-6)
    else:
        at_least = stats.binom.sf(successes - 1, 40, limit)
        assert 1 - p == pytest.approx(np.clip(at_least, SMALLEST_P, 0.5), rel=1e-6)


@given(st.lists(st.tuples(numbers, errors, numbers), min_size=1, max_size=8), st.booleans())
def test_each_figure_has_the_p_value_that_it_has_alone(
    figures: list[tuple[float, float, float]], floor: bool
) -> None:
    value, error, limit = map(np.array, zip(*figures, strict=True))

    def found(where: slice) -> Floats:
        def ends(level: Floats) -> tuple[Floats, Floats]:
            return interval(value[where], error[where], DEGREES, level)

        return p_beyond(ends, value[where], limit[where], 0.95, floor=floor)

    alone = np.concatenate([found(slice(at, at + 1)) for at in range(len(figures))])
    np.testing.assert_array_equal(found(slice(None)), alone)


def test_there_is_none_without_an_interval() -> None:
    def ends(level: Floats) -> tuple[Floats, Floats]:
        return interval(np.array([0.5, 0.5]), np.array([np.nan, 0.1]), DEGREES, level)

    p = p_beyond(ends, np.array([0.5, 0.5]), np.array([0.6, 0.6]), 0.95, floor=True)
    assert np.isnan(p[0])
    assert 0.1 < p[1] < 0.3


def test_an_open_end_is_beyond_every_limit() -> None:
    def ends(level: Floats) -> tuple[Floats, Floats]:
        return np.full(1, -np.inf), np.full(1, np.inf)

    assert p_beyond(ends, np.array([0.5]), np.array([0.6]), 0.95, floor=True) == pytest.approx(0.5)


def test_an_interval_that_is_not_there_at_another_level_is_open() -> None:
    def ends(level: Floats) -> tuple[Floats, Floats]:
        lower, upper = interval(np.array([0.5]), np.array([0.1]), DEGREES, level)
        return lower, np.where(level > 0.99, np.nan, upper)

    (p,) = p_beyond(ends, np.array([0.5]), np.array([0.9]), 0.95, floor=True)
    assert p == pytest.approx(0.005)
