"""Comparisons: SciPy as the oracle, the step-up procedure by its definition, and no p at all."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.confidence.significance import benjamini_hochberg, p_worse, welch
from tests.pipeline.confidence.laws import law

p_values = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 0.5, 1.0])


@law
@given(seed=st.integers(0, 2**32 - 1), first=st.integers(2, 30), second=st.integers(2, 30))
def test_welch_is_that_of_scipy(seed: int, first: int, second: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.normal(0, 1, first), rng.normal(0.3, 3, second)
    errors = [sample.std(ddof=1) / len(sample) ** 0.5 for sample in (x, y)]
    degrees = np.array([[first - 1], [second - 1]])
    error, together = welch(np.array(errors[:1]), degrees[0], np.array(errors[1:]), degrees[1])
    for alternative, higher in (("less", True), ("greater", False)):
        expected = stats.ttest_ind(x, y, equal_var=False, alternative=alternative)
        assert together[0] == pytest.approx(expected.df, rel=1e-9)
        p = p_worse(np.array([x.mean() - y.mean()]), error, together, higher)
        assert p[0] == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-15)


def test_welch_without_an_error() -> None:
    nan = float("nan")
    error, degrees = welch(
        np.array([nan, 1.0, 1.0]), np.array([19, 19, 9]), np.array([1.0, nan, 1.0]), np.full(3, 9)
    )
    assert np.isnan(error).tolist() == [True, True, False]
    assert np.isnan(degrees).tolist() == [True, True, False]
    assert degrees[2] == pytest.approx(18)


def test_worse_is_against_the_good_direction() -> None:
    difference, error = np.array([-0.05, 0.0, 0.05]), np.full(3, 0.01)
    higher = p_worse(difference, error, np.full(3, 19), True)
    lower = p_worse(difference, error, np.full(3, 19), False)
    assert higher[0] < 0.001
    assert lower[2] < 0.001
    np.testing.assert_allclose(higher, lower[::-1])
    np.testing.assert_allclose(higher + lower, 1)
    assert higher[1] == 0.5


def test_the_tail_keeps_its_digits() -> None:
    p = p_worse(np.array([-30.0]), np.array([1.0]), np.array([19]), True)
    assert p[0] == pytest.approx(stats.t.sf(30, 19), rel=1e-9, abs=0)
    assert 0 < p[0] < 1e-15


def test_no_p_without_an_error() -> None:
    difference = np.array([-1.0, -1.0, -1.0, np.nan, 0.0])
    error = np.array([np.nan, 0.0, 1.0, 1.0, 0.0])
    p = p_worse(difference, error, np.array([19, 19, 0, 19, 19]), True)
    assert np.isnan(p).all()


def rejected(p: list[float], q: float) -> set[int]:
    """The step-up procedure: the k smallest, for the largest k with p(k) <= k q / m."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    passed = [k for k in range(1, len(p) + 1) if p[order[k - 1]] * (len(p) / k) <= q]
    return set(order[: max(passed, default=0)])


@law
@given(p=st.lists(p_values, max_size=30), q=st.sampled_from([0.01, 0.05, 0.1, 0.5]))
def test_adjusted_values_decide_as_the_step_up_procedure(p: list[float], q: float) -> None:
    adjusted = benjamini_hochberg(np.array(p, np.float64))
    assert set(np.flatnonzero(adjusted <= q).tolist()) == rejected(p, q)


@law
@given(p=st.lists(p_values, min_size=1, max_size=30), gaps=st.integers(0, 2**30 - 1))
def test_adjusted_values_are_those_of_scipy_without_the_missing(p: list[float], gaps: int) -> None:
    values = np.array(p)
    missing = np.array([gaps >> i & 1 for i in range(len(p))], bool)
    values[missing] = np.nan
    adjusted = benjamini_hochberg(values)
    assert np.isnan(adjusted).tolist() == missing.tolist()
    known = adjusted[~missing]
    if len(known):
        expected = stats.false_discovery_control(values[~missing])
        np.testing.assert_allclose(known, expected, rtol=1e-12)
        assert (known >= values[~missing]).all()
        assert (known <= 1).all()
        order = np.argsort(values[~missing], kind="stable")
        assert (np.diff(known[order]) >= 0).all()


def test_equal_p_values_are_adjusted_alike() -> None:
    adjusted = benjamini_hochberg(np.array([0.02, 0.5, 0.02, 0.02]))
    np.testing.assert_allclose(adjusted, [0.08 / 3, 0.5, 0.08 / 3, 0.08 / 3])
    assert len(set(adjusted[[0, 2, 3]].tolist())) == 1
    assert benjamini_hochberg(np.array([])).shape == (0,)
