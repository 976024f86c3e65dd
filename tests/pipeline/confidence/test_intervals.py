"""Intervals: their definitions by SciPy, their coverage, and where there is none."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.special import expit, logit

from pipeline.confidence.intervals import (
    FEW,
    binomial_interval,
    correlated_size,
    effective_size,
    interval,
    is_rare,
)
from tests.pipeline.confidence.laws import law

INF = math.inf
SCALES = [(-INF, INF), (0.0, INF), (-INF, 2.0), (0.0, 1.0), (-1.0, 1.0)]
levels = st.sampled_from([0.5, 0.9, 0.95, 0.999])


def floats(*numbers: float) -> np.ndarray:
    return np.array(numbers, np.float64)


@law
@given(
    value=st.floats(0.001, 0.999),
    spread=st.floats(1e-9, 1),
    degrees=st.floats(1, 1000),
    level=levels,
)
def test_it_is_the_t_interval_on_the_transformed_scale(
    value: float, spread: float, degrees: float, level: float
) -> None:
    error = spread * value * (1 - value)
    t = stats.t.ppf((1 + level) / 2, degrees)
    expected = {
        (-INF, INF): (value - t * error, value + t * error),
        (0.0, INF): tuple(np.exp(np.log(value) + sign * t * error / value) for sign in (-1, 1)),
        (-INF, 2.0): tuple(
            2 - np.exp(np.log(2 - value) - sign * t * error / (2 - value)) for sign in (-1, 1)
        ),
        (0.0, 1.0): tuple(
            expit(logit(value) + sign * t * error / (value * (1 - value))) for sign in (-1, 1)
        ),
        (-1.0, 1.0): tuple(
            2 * expit(logit((value + 1) / 2) + sign * t * error * 2 / ((value + 1) * (1 - value)))
            - 1
            for sign in (-1, 1)
        ),
    }
    for scale, ends in expected.items():
        computed = interval(floats(value), floats(error), floats(degrees), level, *scale)
        np.testing.assert_allclose(np.ravel(computed), ends, rtol=1e-7, atol=1e-12)


@law
@given(
    value=st.floats(0, 1),
    error=st.floats(1e-300, 1e3),
    scale=st.sampled_from(SCALES),
    level=levels,
)
def test_it_holds_the_value_and_stays_on_the_scale(
    value: float, error: float, scale: tuple[float, float], level: float
) -> None:
    lower, upper = interval(floats(value), floats(error), np.array([19]), level, *scale)
    if np.isnan(lower[0]):
        assert np.isnan(upper[0])
        assert min(value - scale[0], scale[1] - value) < error / 50
    else:
        assert scale[0] <= lower[0] <= value <= upper[0] <= scale[1]
        assert math.isfinite(lower[0])
        assert math.isfinite(upper[0])


def test_rounding_does_not_put_the_value_outside() -> None:
    value = np.random.default_rng(0).random(1000)
    for low, high in (*SCALES, (-0.3, 1.7)):
        lower, upper = interval(value, np.full(1000, 1e-300), np.full(1000, 19), 0.95, low, high)
        assert (lower <= value).all()
        assert (upper >= value).all()
        np.testing.assert_allclose(upper - lower, 0, atol=1e-15)


@law
@given(value=st.floats(0.01, 0.99), error=st.floats(1e-6, 0.3))
def test_the_mirrored_metric_has_the_mirrored_interval(value: float, error: float) -> None:
    for (low, high), mirrored in (((0.0, 1.0), (0.0, 1.0)), ((0.0, INF), (-INF, 1.0))):
        lower, upper = interval(floats(value), floats(error), floats(19), 0.95, low, high)
        mirrored_lower, mirrored_upper = interval(
            floats(1 - value), floats(error), floats(19), 0.95, *mirrored
        )
        if np.isfinite(upper[0]):
            back = [1 - mirrored_upper[0], 1 - mirrored_lower[0]]
            np.testing.assert_allclose(back, [lower[0], upper[0]], rtol=1e-7, atol=1e-14)


def test_without_an_error_or_at_the_bound_there_is_none() -> None:
    value = floats(0.5, 0.5, 0.0, 1.0, -0.5, 1.5, np.nan, 0.5)
    error = floats(np.nan, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1)
    degrees = np.array([19, 0, 19, 19, 19, 19, 19, 19])
    lower, upper = interval(value, error, degrees, 0.95, 0.0, 1.0)
    assert np.isnan(lower).tolist() == [True] * 7 + [False]
    assert np.isnan(upper).tolist() == [True] * 7 + [False]
    lower, upper = interval(
        floats(1e-3, 0.0, -1.0), floats(10.0, 1.0, 1.0), floats(19, 19, 19), 0.95, 0.0
    )
    assert np.isnan([*lower, *upper]).all()
    lower, upper = interval(floats(0.0, -1.0), floats(1.0, 1.0), floats(19, 19), 0.95)
    assert np.isfinite([*lower, *upper]).all()


def test_each_segment_is_by_itself() -> None:
    rng = np.random.default_rng(0)
    value, error = rng.random(50), rng.random(50) / 10
    degrees = rng.integers(9, 20, 50)
    for low, high in SCALES:
        lower, upper = interval(value, error, degrees, 0.95, low, high)
        for i in range(50):
            alone = interval(
                value[i : i + 1], error[i : i + 1], degrees[i : i + 1], 0.95, low, high
            )
            np.testing.assert_array_equal(np.ravel(alone), [lower[i], upper[i]])


@law
@given(size=st.integers(1, 5000), share=st.floats(0, 1), level=levels)
def test_the_binomial_interval_is_that_of_scipy(size: int, share: float, level: float) -> None:
    successes = round(share * size)
    computed = binomial_interval(floats(successes / size), floats(size), level)
    expected = stats.binomtest(successes, size).proportion_ci(level, method="exact")
    np.testing.assert_allclose(np.ravel(computed), [expected.low, expected.high], rtol=1e-7)


def test_the_binomial_interval_of_real_sizes() -> None:
    sizes = np.linspace(0.3, 40, 200)
    for share in (0.0, 0.02, 0.37, 1.0):
        lower, upper = binomial_interval(np.full(200, share), sizes, 0.95)
        assert (lower <= share).all()
        assert (upper >= share).all()
        assert (np.diff(upper - lower) < 0).all()
        mirrored_lower, mirrored_upper = binomial_interval(np.full(200, 1 - share), sizes, 0.95)
        np.testing.assert_allclose(1 - mirrored_upper, lower, atol=1e-12)
        np.testing.assert_allclose(1 - mirrored_lower, upper, atol=1e-12)
    lower, upper = binomial_interval(floats(0.0, 1.0), floats(100, 100), 0.95)
    assert [lower[0], upper[1]] == [0.0, 1.0]


def test_no_binomial_interval_of_what_is_no_proportion() -> None:
    share = floats(np.nan, 0.5, 0.5, 0.5, -0.1, 1.1, 0.0, 0.0)
    size = floats(10, np.nan, 0.0, -1.0, 10, 10, np.nan, np.inf)
    for end in binomial_interval(share, size, 0.95):
        assert np.isnan(end).all()


def test_the_exact_interval_covers_at_least_its_level() -> None:
    for size in (5, 40, 300):
        counts = np.arange(size + 1)
        lower, upper = binomial_interval(counts / size, np.full(size + 1, float(size)), 0.95)
        for truth in (0.001, 0.01, 0.2, 0.5, 0.97):
            covered = (lower <= truth) & (truth <= upper)
            assert stats.binom.pmf(counts[covered], size, truth).sum() >= 0.95


def test_few_successes_or_failures_are_rare() -> None:
    for size in (11, 20, 49, 997, 10**6, 123456789):
        for count in range(13):
            expected = min(count, size - count) < FEW
            assert is_rare(floats(count / size), floats(size))[0] == expected
            assert is_rare(floats((size - count) / size), floats(size))[0] == expected
    assert is_rare(floats(0.5, np.nan, 0.5), floats(19.9, 50, np.nan)).tolist() == [
        True,
        False,
        False,
    ]


@law
@given(seed=st.integers(0, 2**32 - 1), rows=st.integers(1, 100))
def test_the_effective_size_of_weights(seed: int, rows: int) -> None:
    w = np.random.default_rng(seed).gamma(0.5, 1e3, rows)
    sizes = effective_size(np.array([rows]), floats(w.sum()), floats((w**2).sum()))
    assert 1 - 1e-9 <= sizes[0] <= rows * (1 + 1e-9)
    assert sizes[0] == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert effective_size(np.array([rows])).tolist() == [rows]
    equal = effective_size(np.array([rows]), floats(0.1 * rows), floats(0.01 * rows))
    assert equal[0] == pytest.approx(rows)
    assert np.isnan(effective_size(np.array([rows]), floats(0.0), floats(0.0))[0])


@pytest.mark.parametrize("scale", [1e-170, 1e-160, 1e155, 1e170])
def test_the_effective_size_is_not_known_if_squares_leave_float64(scale: float) -> None:
    w = np.full(1000, scale)
    with np.errstate(over="ignore", under="ignore"):
        squared = floats((w**2).sum())
    assert np.isnan(effective_size(np.array([1000]), floats(w.sum()), squared)[0])


def test_correlated_rows_count_for_fewer() -> None:
    # Ten copies of each of 100 rows have the error of 100 rows.
    share, copied = 0.3, math.sqrt(0.3 * 0.7 / 100)
    errors = floats(copied, copied / 100, np.nan, 0.0, np.nan)
    shares = floats(share, share, share, share, 0.0)
    computed = correlated_size(np.full(5, 1000.0), shares, errors)
    assert computed == pytest.approx([100, 1000, 1000, 1000, 1000])
    assert correlated_size(floats(1000.0), floats(1.0), floats(0.1)).tolist() == [1000.0]
