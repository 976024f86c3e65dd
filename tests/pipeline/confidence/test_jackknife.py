"""The jackknife: the textbook's error of a mean, a loop in fractions, and why there is none."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.confidence.jackknife import (
    AGREE,
    FEW_FOLDS,
    LEAST_FOLDS,
    TOO_LARGE,
    UNDEFINED,
    FoldErrors,
    jackknife,
    paired_jackknife,
)
from tests.pipeline.confidence.laws import law

Array = npt.NDArray[np.float64]
seeds = st.integers(0, 2**32 - 1)


def everywhere(replicates: Array) -> FoldErrors:
    return jackknife(replicates, np.ones(replicates.shape, bool), np.ones(replicates.shape, bool))


def by_fractions(replicates: list[float]) -> float:
    exact = [Fraction(value) for value in replicates]
    folds = len(exact)
    mean = sum(exact) / folds
    squares = sum(((value - mean) ** 2 for value in exact), Fraction())
    # By its largest square, so that the rest is within the range of floats.
    size = max(abs(value) for value in exact)
    return float(size) * math.sqrt(Fraction(folds - 1, folds) * squares / size**2)


@law
@given(seed=seeds, folds=st.integers(10, 40), power=st.sampled_from([-290, -12, 0, 12, 290]))
def test_it_is_the_formula_over_the_present_folds(seed: int, folds: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    replicates = (rng.normal(rng.choice([0.0, 1e6]), 1, (7, folds)) + 1e-3) * 10.0**power
    present = rng.random((7, folds)) < 0.9
    replicates[~present] = rng.choice([np.nan, np.inf, 3.0], (~present).sum())
    errors = jackknife(replicates, present, present | (rng.random((7, folds)) < 0.5))
    for segment in range(7):
        kept = replicates[segment][present[segment]].tolist()
        if len(kept) < LEAST_FOLDS:
            assert errors.reason(segment) == FEW_FOLDS
            assert np.isnan(errors.standard_error[segment])
        else:
            assert errors.reason(segment) is None
            expected = by_fractions(kept)
            assert errors.standard_error[segment] == pytest.approx(expected, rel=1e-9, abs=0)


@law
@given(seed=seeds)
def test_of_a_mean_it_is_the_textbook_error(seed: int) -> None:
    x = np.random.default_rng(seed).normal(5, 2, 20)
    errors = everywhere(((x.sum() - x) / 19)[None])
    assert errors.standard_error[0] == pytest.approx(x.std(ddof=1) / math.sqrt(20), rel=1e-9)


@law
@given(seed=seeds, segments=st.integers(1, 40), fortran=st.booleans())
def test_a_segment_has_the_same_digits_alone_and_among_others(
    seed: int, segments: int, fortran: bool
) -> None:
    rng = np.random.default_rng(seed)
    replicates = rng.normal(0.3, 1e-3, (segments, 20))
    present = rng.random((segments, 20)) < 0.95
    order = np.asfortranarray if fortran else np.ascontiguousarray
    together = jackknife(order(replicates), order(present), order(present))
    for segment in range(segments):
        row = slice(segment, segment + 1)
        alone = jackknife(replicates[row].copy(), present[row].copy(), present[row].copy())
        assert alone.standard_error.tobytes() == together.standard_error[row].tobytes()


def test_every_reason_and_their_order() -> None:
    replicates = np.random.default_rng(0).random((6, 20))
    present = np.ones((6, 20), bool)
    defined = np.ones((6, 20), bool)
    defined[1, 7] = False
    replicates[2, 0] = np.inf
    replicates[3] = 0.1
    present[4, 9:], defined[4] = False, False
    present[5, 10:] = False
    errors = jackknife(replicates, present, defined)
    reasons = [errors.reason(segment) for segment in range(6)]
    assert reasons == [None, UNDEFINED, UNDEFINED, AGREE, FEW_FOLDS, None]
    assert np.isnan(errors.standard_error).tolist() == [reason is not None for reason in reasons]
    assert np.sum(list(errors.reasons.values()), axis=0).tolist() == [0, 1, 1, 1, 1, 0]


def test_no_data_at_all_and_no_segments() -> None:
    none = np.zeros((2, 20), bool)
    errors = jackknife(np.full((2, 20), np.nan), none, none)
    assert errors.reason(0) == FEW_FOLDS
    empty = np.zeros((0, 20))
    assert everywhere(empty).standard_error.shape == (0,)


@pytest.mark.parametrize("value", [0.0, 0.1, -1 / 3, 1e300, 5e-324, 1e-300])
def test_replicates_that_differ_by_rounding_alone_agree(value: float) -> None:
    replicates = np.full((2, 20), value)
    replicates[1, ::3] = np.nextafter(value, 1.0) if abs(value) > 1e-200 else value
    errors = everywhere(replicates)
    assert [errors.reason(0), errors.reason(1)] == [AGREE, AGREE]


def test_a_small_spread_is_an_error() -> None:
    replicates = np.full((1, 20), 0.5)
    replicates[0, 3] += 1e-13
    assert everywhere(replicates).standard_error[0] == pytest.approx(
        by_fractions(replicates[0].tolist()), rel=1e-9
    )


@law
@given(seed=seeds)
def test_a_pair_has_the_error_of_its_difference(seed: int) -> None:
    rng = np.random.default_rng(seed)
    common = rng.normal(0.7, 0.1, (3, 20))
    candidate, baseline = (common + rng.normal(0, 1e-3, (3, 20)) for _ in range(2))
    present = rng.random((3, 20)) < 0.9
    errors = paired_jackknife(candidate, baseline, present, present)
    expected = jackknife(candidate - baseline, present, present)
    np.testing.assert_allclose(errors.standard_error, expected.standard_error, rtol=1e-12)
    apart = jackknife(candidate, present, present)
    assert (errors.standard_error < apart.standard_error / 5).all()


def test_equal_models_differ_by_nothing_and_not_by_noise() -> None:
    rng = np.random.default_rng(1)
    baseline = rng.normal(0.7, 0.1, (2, 20))
    candidate = baseline.copy()
    candidate[0, ::2] = np.nextafter(candidate[0, ::2], 1)
    candidate[1, 5] = np.inf
    all_folds = np.ones((2, 20), bool)
    errors = paired_jackknife(candidate, baseline, all_folds, all_folds)
    assert [errors.reason(0), errors.reason(1)] == [AGREE, UNDEFINED]
    # The same differences by themselves would look like an error.
    assert jackknife((candidate - baseline)[:1], all_folds[:1], all_folds[:1]).reason(0) is None
    candidate[1], baseline[1] = np.inf, np.inf
    assert paired_jackknife(candidate, baseline, all_folds, all_folds).reason(1) == UNDEFINED


def test_an_error_that_float64_cannot_hold_is_none() -> None:
    replicates = np.where(np.arange(20) % 2, 0.0, 1.7e308)[np.newaxis]
    errors = everywhere(np.concatenate([replicates, replicates / 64]))
    assert np.isnan(errors.standard_error[0])
    assert (errors.reason(0), errors.reason(1)) == (TOO_LARGE, None)
    assert errors.standard_error[1] == everywhere(replicates / 2**20).standard_error[0] * 2**14
