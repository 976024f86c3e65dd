"""Distinct scores: they are kept apart until a segment has too many, whatever comes in which order.

The laws of all statistics hold for them too, see tests/laws.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import DistinctScores, Key, Scored, Segments, State, merge
from heads.statistics import distinct_accumulator as accumulator_module
from heads.statistics.closed_segments import CLOSED, crowded_segments
from heads.statistics.measure import make_accumulator, measure_state
from heads.statistics.runs import order_of
from heads.statistics.score_cells import lowest_scores
from tests.laws.batches import law
from tests.laws.states import assert_canonical, assert_same

Floats = npt.NDArray[np.float64]
KEYS: tuple[Key, ...] = tuple((("g", "int", number),) for number in range(4))


def batch(scores: Sequence[float], weight: Sequence[float] | None = None) -> Scored:
    column = np.array(scores, np.float64).reshape(-1, 1)
    label = np.arange(len(column), dtype=np.float64).reshape(-1, 1) % 2
    weights = None if weight is None else np.array(weight, np.float64)
    return Scored(column, column, label, np.zeros(len(column)), weights)


def measured(statistic: DistinctScores, scores: Sequence[float], segment: Sequence[int]) -> State:
    weight = [1.0 + i for i in range(len(scores))] if statistic.weighted else None
    segments = Segments(np.array(segment, np.int64), KEYS)
    return measure_state(statistic, batch(scores, weight), segments)


def test_a_segment_of_few_scores_keeps_them_whatever_others_have() -> None:
    statistic = DistinctScores(max_cells=3, weighted=True)
    crowded = [1.0, np.nextafter(1.0, 2), np.nextafter(1.0, 0)]
    others = np.random.default_rng(0).normal(size=500).tolist()
    state = measured(statistic, [*crowded, *crowded, *others], [0] * 6 + [1] * 500)
    assert state.closed.tolist() == [False, True]
    rows = state.segment == 0
    scores = lowest_scores(state.cell[rows], 0, probabilities=False)
    assert set(scores.tolist()) == set(crowded)
    # Labels alternate, so that each score has a row of either label.
    assert state.counts["rows"][rows].tolist() == [1] * 6
    assert state.by_segment("weight")[0] == sum(range(1, 7))
    closed = state.segment == 1
    assert state.cell[closed].tolist() == [int(CLOSED)]
    assert state.counts["rows"][closed].tolist() == [1]
    assert state.by_segment("weight")[1] == 0


@pytest.mark.parametrize("most", [2, 7])
def test_a_segment_is_closed_by_one_score_more(most: int) -> None:
    statistic = DistinctScores(max_cells=most)
    scores = [float(i) for i in range(most)]
    full = measured(statistic, scores * 3, [0] * (3 * most))
    assert not full.closed.any()
    more = measured(statistic, [-1.0], [0])
    for both in ([full, more], [more, full]):
        assert merge(both).closed.tolist() == [True]
    again = merge([full, full])
    assert not again.closed.any()
    assert again.by_segment("rows").tolist() == [6 * most]


@law
@given(
    cells=st.lists(st.integers(0, 2**64 - 2), max_size=60),
    copies=st.integers(1, 4),
    most=st.integers(1, 9),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_segment_is_found_crowded_that_is_not(
    cells: list[int], copies: int, most: int, seed: int
) -> None:
    cell = np.array(cells * copies, np.uint64)
    segment = np.random.default_rng(seed).integers(0, 5, len(cell))
    distinct = [len(np.unique(cell[segment == number])) for number in range(5)]
    crowded = crowded_segments(segment, cell, 5, most)
    assert all(count > most for count in np.array(distinct)[crowded])


def test_a_segment_with_many_more_scores_is_found_crowded() -> None:
    scores = np.random.default_rng(3).random(9000).view(np.uint64)
    segment = np.repeat([0, 1, 2], [500, 2500, 6000])
    assert crowded_segments(segment, scores, 4, 512).tolist() == [False, True, True, False]


def test_scores_of_all_classes_count_together() -> None:
    statistic = DistinctScores(classes=2, max_cells=3)
    zeros = np.zeros((2, 2))
    for scores, closed in (([[1.0, 2.0], [2.0, 3.0]], False), ([[1.0, 2.0], [3.0, 4.0]], True)):
        scored = Scored(np.array(scores), zeros, zeros, np.zeros(2))
        state = measure_state(statistic, scored, Segments(np.zeros(2, np.int64), KEYS))
        assert state.closed.tolist() == [closed]


@law
@given(
    scores=st.lists(st.sampled_from([0.0, -0.0, 1.0, 1.0 + 2**-52, 2.0, 3.0, 1e300]), max_size=60),
    most=st.integers(2, 5),
    pending=st.integers(1, 20),
    data=st.data(),
)
def test_what_is_pending_and_in_parts_changes_nothing(
    scores: list[float], most: int, pending: int, data: st.DataObject
) -> None:
    statistic = DistinctScores(max_cells=most, weighted=True)
    size = len(scores)
    index = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), np.int64)
    scored = batch(scores, [1.0 + i for i in range(size)])
    expected = measure_state(statistic, scored, Segments(index, KEYS))
    cuts = sorted(data.draw(st.lists(st.integers(0, size), max_size=4)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(accumulator_module, "PENDING_ELEMENTS", pending)
        adding = make_accumulator(statistic)
        for first, last in zip([0, *cuts], [*cuts, size], strict=True):
            rows = np.arange(first, last)
            # Keys come in lists of their own, as those of passes do.
            adding.add(scored.take(rows), Segments(index[rows], list(KEYS)))
    state = adding.freeze()
    assert_canonical(state)
    assert_same(state, expected)
    for place, key in enumerate(state.keys):
        distinct = {s + 0.0 for s, at in zip(scores, index, strict=True) if KEYS[at] == key}
        assert state.closed[place] == (len(distinct) > most)


@law
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 2),
            st.integers(0, 2**64 - 1) | st.sampled_from([1 << 63, (1 << 63) + 1, 5, 6]),
        ),
        max_size=40,
    )
)
def test_rows_with_cells_of_64_bits_are_sorted(rows: list[tuple[int, int, int]]) -> None:
    segment, group = (np.array([row[at] for row in rows], np.int64) for at in (0, 1))
    cell = np.array([row[2] for row in rows], np.uint64)
    order = order_of(segment, group, cell)
    assert sorted(order.tolist()) == list(range(len(rows)))
    assert [rows[place] for place in order] == sorted(rows)
