"""Degrees of freedom of folds that do not weigh the same."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.confidence.degrees import degrees_of_freedom
from tests.pipeline.confidence.laws import law


@law
@given(seed=st.integers(0, 2**32 - 1), power=st.sampled_from([-300, -20, 0, 20, 300]))
def test_they_are_the_formula_in_fractions(seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    mass = rng.lognormal(0, 2, (5, 20)) * 10.0**power
    mass[rng.random(mass.shape) < 0.2] = 0
    for row, degrees in zip(mass, degrees_of_freedom(mass), strict=True):
        exact = [Fraction(value) for value in row]
        expected = sum(exact) ** 2 / sum(value**2 for value in exact) - 1
        assert degrees == pytest.approx(float(expected), rel=1e-12)
        assert 0 <= degrees <= np.count_nonzero(row) - 1


def test_equal_folds_have_all_but_one_and_a_single_fold_has_none() -> None:
    mass = np.zeros((5, 20))
    mass[0], mass[1, 3], mass[2, :11], mass[3, 5] = 0.1, 7.0, 1e-300, np.nan
    degrees = degrees_of_freedom(mass)
    assert degrees[[0, 1, 2, 4]].tolist() == [19, 0, 10, 0]
    assert np.isnan(degrees[3])


@law
@given(seed=st.integers(0, 2**32 - 1), segments=st.integers(1, 40))
def test_a_segment_has_the_same_digits_alone_and_among_others(seed: int, segments: int) -> None:
    mass = np.random.default_rng(seed).lognormal(0, 3, (segments, 20))
    together = degrees_of_freedom(np.asfortranarray(mass))
    for segment in range(segments):
        alone = degrees_of_freedom(mass[segment : segment + 1].copy())
        assert alone.tobytes() == together[segment : segment + 1].tobytes()


def test_a_variance_from_unequal_folds_varies_as_one_with_so_many_degrees() -> None:
    # The mean of squares of normals whose variances are the masses, beside its expectation.
    mass = np.array([5.0, 3.0, 1.0, 1.0, 1.0, 1.0, 0.5, 0.5])
    squares = np.random.default_rng(0).chisquare(1, (200_000, len(mass))) @ mass / mass.sum()
    # One degree is spent on the mean.
    degrees = degrees_of_freedom(mass[np.newaxis])[0] + 1
    assert squares.var() == pytest.approx(stats.chi2(degrees).var() / degrees**2, rel=0.02)
