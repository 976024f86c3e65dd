"""Words of scores: they are in order, and as fine near 1 as near 0."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics.score_cells import (
    Floats,
    Words,
    highest_scores,
    logit_bits,
    lowest_scores,
    ordered,
    probability_bits,
)
from tests.laws.batches import law

near_one = st.one_of(
    st.floats(0, 0.5).map(lambda distance: 1.0 - distance),
    st.integers(0, 300).map(lambda steps: 1.0 - steps * 2.0**-53),
    st.floats(0, 52).map(lambda power: 1.0 - 2.0**-power),
)
probabilities = st.floats(0, 1) | near_one | st.sampled_from([0.0, -0.0, 5e-324, 0.5, 1.0])
logits = st.floats(allow_nan=False, allow_infinity=False)
shifts = st.integers(0, 62)


def words(scores: list[float], *, of_probabilities: bool) -> Words:
    array = np.array(scores)
    return ordered(probability_bits(array) if of_probabilities else logit_bits(array))


def ends(cells: Words, shift: int, *, of_probabilities: bool) -> tuple[Floats, Floats]:
    return (
        lowest_scores(cells, shift, probabilities=of_probabilities),
        highest_scores(cells, shift, probabilities=of_probabilities),
    )


@law
@given(st.lists(probabilities, min_size=2, max_size=30))
def test_words_of_probabilities_are_in_their_order(scores: list[float]) -> None:
    found = words(scores, of_probabilities=True)
    assert (np.argsort(found, kind="stable") == np.argsort(scores, kind="stable")).all()
    assert len(set(found.tolist())) == len({score + 0.0 for score in scores})


@law
@given(st.lists(probabilities, min_size=1, max_size=30))
def test_without_a_shift_a_word_is_its_score(scores: list[float]) -> None:
    found = words(scores, of_probabilities=True)
    for end in ends(found, 0, of_probabilities=True):
        assert end.tolist() == [score + 0.0 for score in scores]


@law
@given(st.data(), shifts, st.booleans())
def test_the_ends_of_a_cell_are_in_it_and_their_neighbours_are_not(
    data: st.DataObject, shift: int, of_probabilities: bool
) -> None:
    score = data.draw(probabilities if of_probabilities else logits)
    (cell,) = words([score], of_probabilities=of_probabilities) >> np.uint64(shift)
    low, high = (
        float(end[0]) for end in ends(np.array([cell]), shift, of_probabilities=of_probabilities)
    )
    assert low <= score <= high
    inside = words([low, high], of_probabilities=of_probabilities) >> np.uint64(shift)
    assert inside.tolist() == [cell, cell]
    top = 1.0 if of_probabilities else float(np.finfo(np.float64).max)
    bottom = 0.0 if of_probabilities else -top
    for neighbour, outermost in (
        (math.nextafter(low, -math.inf), low == bottom),
        (math.nextafter(high, math.inf), high == top),
    ):
        if not outermost:
            (outside,) = words([neighbour], of_probabilities=of_probabilities) >> np.uint64(shift)
            assert outside != cell


@law
@given(near_one, st.integers(0, 44))
def test_cells_near_one_are_narrow_beside_the_distance_to_one(score: float, shift: int) -> None:
    cells = words([score], of_probabilities=True) >> np.uint64(shift)
    low, high = (Fraction(float(end[0])) for end in ends(cells, shift, of_probabilities=True))
    distance = 1 - Fraction(score)
    if score > 0.5:
        assert high - low <= 2 * distance * Fraction(2) ** (shift - 52)


@pytest.mark.parametrize("score", [0.0, 1.0])
@pytest.mark.parametrize("shift", range(62))
def test_the_cells_of_0_and_1_hold_nothing_else(score: float, shift: int) -> None:
    cells = words([score], of_probabilities=True) >> np.uint64(shift)
    assert ends(cells, shift, of_probabilities=True) == (score, score)
