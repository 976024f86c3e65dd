"""Tests of cuts of the score against the exact probability on both sides of each cut."""

from __future__ import annotations

import math
from decimal import Context, Decimal
from fractions import Fraction
from typing import Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics.cuts import AUC_THRESHOLDS, ScoreSpace
from tests.heads.statistics.exactly import (
    around,
    around_single,
    nearest_single,
    sigmoid,
    single_sigmoid,
)
from tests.laws.batches import law

Kind = Literal["logits", "probabilities"]
each_kind = pytest.mark.parametrize("kind", ["logits", "probabilities"])
many = settings(law, max_examples=60)

_ENDS = (5e-324, 2.0**-1022, 1e-300, 1e-20, 2.0**-149, 2.0**-126)
thresholds = (
    st.floats(0.0, 1.0, exclude_min=True, exclude_max=True)
    | st.floats(0.0, 1.0, exclude_min=True, exclude_max=True, width=32)
    | st.integers(1, 198).map(lambda k: k / 199)
    | st.integers(1, 99).map(lambda k: k / 100)
    | st.sampled_from((*_ENDS, *around(0.5, 2), 1.0 - 2.0**-53, 1.0 - 2.0**-24, 1.0 - 2.0**-30))
)
# Thresholds that float32 does not round to 0 or 1.
single_thresholds = thresholds.filter(lambda t: 0.0 < nearest_single(Fraction(t)) < 1.0)
scores = st.floats(-800, 800) | st.floats(-2, 2)


def probability(kind: Kind, score: float) -> Fraction:
    return sigmoid(score) if kind == "logits" else Fraction(score)


def single_probability(kind: Kind, score: float) -> float:
    return single_sigmoid(score) if kind == "logits" else nearest_single(Fraction(score))


@each_kind
@many
@given(threshold=thresholds, score=scores)
def test_a_score_above_the_cut_has_a_probability_above_the_threshold(
    kind: Kind, threshold: float, score: float
) -> None:
    space = ScoreSpace(kind)
    above, at_least = space.above(threshold), space.at_least(threshold)
    for near in {*around(above, 3), *around(at_least, 3), score, -0.0, 0.0}:
        exact = probability(kind, near)
        assert (near > above) == (exact > Fraction(threshold))
        assert (near > at_least) == (exact >= Fraction(threshold))


def exact_logit(kind: Kind, score: float) -> Decimal:
    """Returns the logit of a score, to at least 40 digits; infinite for 0 and 1."""
    if kind == "logits":
        return Decimal(score)
    if not 0 < score < 1:
        return Decimal("inf" if score >= 1 else "-inf")
    context = Context(prec=80)
    rest = context.subtract(Decimal(1), Decimal(score))
    return context.ln(context.divide(Decimal(score), rest))


logit_thresholds = st.floats(-60, 60) | st.floats(allow_nan=False, allow_infinity=False)


@each_kind
@settings(law, max_examples=150)
@given(threshold=logit_thresholds | st.sampled_from([0.0, -0.0, 36.7368005696771, 40.0, -745.2]))
def test_a_score_above_the_cut_has_a_logit_above_the_threshold(
    kind: Kind, threshold: float
) -> None:
    space = ScoreSpace(kind)
    above, at_least = space.above_logit(threshold), space.at_least_logit(threshold)
    if kind == "probabilities":
        assert 0 <= above < 1
    for near in {*around(above, 3), *around(at_least, 3), -0.0, 0.0, 0.5, 1.0}:
        if math.isfinite(near) and (kind == "logits" or 0 <= near <= 1):
            exact = exact_logit(kind, near)
            assert (near > above) == (exact > Decimal(threshold)), near
            assert (near > at_least) == (exact >= Decimal(threshold)), near


@each_kind
@many
@given(threshold=single_thresholds, score=scores)
def test_the_float32_probability_decides_where_the_estimators_would(
    kind: Kind, threshold: float, score: float
) -> None:
    space = ScoreSpace(kind, float32=True)
    rounded = nearest_single(Fraction(threshold))
    above, at_least = space.above(threshold), space.at_least(threshold)
    for cut in (above, at_least):
        for near in {*around(cut, 2), *around_single(cut, 3), score, -0.0, 0.0}:
            actual = single_probability(kind, near)
            assert (near > above) == (actual > rounded)
            assert (near > at_least) == (actual >= rounded)


@each_kind
@pytest.mark.parametrize("single", [False, True])
def test_one_half_is_where_a_tie_is(kind: Kind, single: bool) -> None:
    space = ScoreSpace(kind, single)
    middle = 0.0 if kind == "logits" else 0.5
    assert not middle > space.above(0.5)
    assert middle > space.at_least(0.5)
    assert space.class_one() == middle
    if not single:
        assert space.above(0.5) == middle
        assert math.nextafter(space.at_least(0.5), math.inf) == middle


@each_kind
def test_no_float32_probability_is_above_a_threshold_that_rounds_to_one(kind: Kind) -> None:
    cut = ScoreSpace(kind, float32=True).above(1.0 - 2.0**-30)
    tops = (1.0,) if kind == "probabilities" else (0.0, 17.0, 1e3, 1e308)
    assert not any(score > cut for score in tops)


@each_kind
def test_every_float32_probability_is_at_least_a_threshold_that_rounds_to_zero(
    kind: Kind,
) -> None:
    cut = ScoreSpace(kind, float32=True).at_least(1e-50)
    bottoms = (0.0, -0.0) if kind == "probabilities" else (0.0, -104.0, -1e3, -1e308)
    assert all(score > cut for score in bottoms)


@each_kind
@pytest.mark.parametrize("single", [False, True])
@law
@given(first=single_thresholds, second=single_thresholds)
def test_cuts_rise_with_the_threshold(
    kind: Kind, single: bool, first: float, second: float
) -> None:
    space = ScoreSpace(kind, single)
    low, high = sorted((first, second))
    assert space.above(low) <= space.above(high)
    assert space.at_least(low) <= space.above(low)


def keras_bucket(single: float) -> int:
    """Returns the bucket of a float32 probability in the AUC of Keras 2.15."""
    return max(math.ceil(nearest_single(Fraction(single) * (AUC_THRESHOLDS - 1))) - 1, 0)


@each_kind
def test_buckets_are_those_of_keras(kind: Kind) -> None:
    space = ScoreSpace(kind, float32=True)
    for index in range(1, AUC_THRESHOLDS - 1):
        cut = space.bucket(index)
        for near in {*around(cut, 1), *around_single(cut, 2)}:
            bucket = keras_bucket(single_probability(kind, near))
            assert (near > cut) == (bucket >= index), (index, near)


def test_a_threshold_itself_falls_below_its_bucket_wherever_float32_rounds_so() -> None:
    # The rule is not `probability > threshold`: the product is rounded before it is compared.
    space = ScoreSpace("probabilities", float32=True)
    plain = [space.above(index / 199) for index in range(1, 199)]
    buckets = [space.bucket(index) for index in range(1, 199)]
    assert plain != buckets
    assert sorted(set(buckets)) == buckets
