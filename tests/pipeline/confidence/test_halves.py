"""Half-samples of the folds: that they are balanced, and errors from them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.confidence.halves import (
    HALVES_AGREE,
    UNDEFINED_IN_HALVES,
    half_sample_errors,
    half_samples,
)
from pipeline.confidence.jackknife import FEW_FOLDS, FoldErrors
from tests.pipeline.confidence.laws import law

seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("folds", range(1, 101))
def test_half_samples_are_balanced(folds: int) -> None:
    signs = np.where(half_samples(folds), 1, -1)
    order = len(signs) + 1
    assert folds <= order <= max(4, math.ceil(1.25 * folds) + 2)
    # With the row that is left out, any two folds are as often together as apart.
    whole = np.vstack([np.ones((1, folds), int), signs])
    assert (whole.T @ whole == order * np.eye(folds)).all()


def test_twenty_folds_have_nineteen_halves_of_ten() -> None:
    samples = half_samples(20)
    assert samples.shape == (19, 20)
    assert (samples.sum(axis=1) == 10).all()


def errors_of(whole: np.ndarray, halves: np.ndarray, folds: int, both: bool = False) -> FoldErrors:
    count = np.full(len(whole), folds)
    return half_sample_errors(
        whole, halves, np.isfinite(halves), count, np.abs(halves).max(axis=1), both=both
    )


@law
@given(seed=seeds, folds=st.integers(10, 40), power=st.sampled_from([-200, 0, 200]))
def test_the_error_of_a_mean_is_the_textbooks(seed: int, folds: int, power: int) -> None:
    x = np.random.default_rng(seed).normal(3, 1, (4, folds))
    samples = half_samples(folds)
    expected = np.std(x, axis=1, ddof=1) / math.sqrt(folds) * 10.0**power
    x = x * 10.0**power
    # Half-samples of more columns than folds are not all of equal size; sums are.
    halves = (x @ np.where(samples, 2, 0).T) / folds
    others = (x @ np.where(samples, 0, 2).T) / folds
    order = len(samples) + 1
    if order == folds:
        found = errors_of(x.mean(axis=1), halves, folds)
        np.testing.assert_allclose(found.standard_error, expected, rtol=1e-9)
        found = errors_of(x.mean(axis=1), np.hstack([halves, others]), folds, both=True)
        np.testing.assert_allclose(found.standard_error, expected, rtol=1e-9)
    squares = ((halves - x.mean(axis=1)[:, None]) / 10.0**power) ** 2
    formula = np.sqrt(squares.sum(axis=1) / order * folds / (folds - 1)) * 10.0**power
    np.testing.assert_allclose(
        errors_of(x.mean(axis=1), halves, folds).standard_error, formula, rtol=1e-9
    )


def test_undefined_halves_are_left_out_and_made_up_for() -> None:
    rng = np.random.default_rng(0)
    halves, whole = rng.normal(0, 1, (3, 19)), np.zeros(3)
    halves[1, :3], halves[2, :4] = np.nan, np.nan
    found = errors_of(whole, halves, 20)
    expected = math.sqrt((halves[1, 3:] ** 2).sum() * 19 / 16 / 20 * 20 / 19)
    assert found.standard_error[1] == pytest.approx(expected, rel=1e-12)
    assert [found.reason(row) for row in range(3)] == [None, None, UNDEFINED_IN_HALVES]
    assert np.isnan(found.standard_error[2])


def test_why_there_is_no_error() -> None:
    whole = np.array([0.3, 0.3, 0.3])
    halves = np.full((3, 19), 0.3)
    halves[1, 4], halves[2, 4] = np.nextafter(0.3, 1), 0.300001
    found = errors_of(whole, halves, 20)
    assert [found.reason(row) for row in range(3)] == [HALVES_AGREE, HALVES_AGREE, None]
    assert errors_of(whole[2:], halves[2:], 9).reason(0) == FEW_FOLDS
    assert errors_of(np.array([np.nan]), halves[2:], 20).reason(0) == UNDEFINED_IN_HALVES


@law
@given(seed=seeds, segments=st.integers(1, 30))
def test_a_segment_has_the_same_digits_alone_and_among_others(seed: int, segments: int) -> None:
    rng = np.random.default_rng(seed)
    halves, whole = rng.random((segments, 38)), rng.random(segments)
    together = errors_of(whole, np.asfortranarray(halves), 20, both=True)
    for row in range(segments):
        alone = errors_of(whole[row : row + 1], halves[row : row + 1].copy(), 20, both=True)
        assert alone.standard_error.tobytes() == together.standard_error[row : row + 1].tobytes()
