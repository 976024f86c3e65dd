"""Tests of the cells and the shift of the adaptive histogram against whole numbers."""

from __future__ import annotations

import math
import struct

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics import Key, Scored, ScoreHistogram, Segments, State
from heads.statistics.measure import make_accumulator, measure_state
from heads.statistics.score_cells import lowest_scores, ordered, probability_bits
from heads.statistics.score_histogram import MAX_CELLS
from tests.laws.batches import LARGEST, finite, law, score_pools

Floats = npt.NDArray[np.float64]

score_lists = score_pools | st.lists(finite, min_size=1, max_size=60)
max_cells = st.sampled_from((2, 3, 4, 7, 20, MAX_CELLS))


def measure(scores: Floats, most: int, *, batch: int | None = None) -> State:
    """Returns the histogram of scores that are added in batches."""
    adding = make_accumulator(ScoreHistogram(max_cells=most))
    for first in range(0, len(scores), batch or len(scores) or 1):
        part = scores[first : first + (batch or len(scores))]
        n = len(part)
        column = np.zeros((n, 1))
        adding.add(Scored(part.reshape(n, 1), column, column, np.zeros(n)), Segments.overall(n))
    return adding.freeze()


def order_of(score: float) -> int:
    """Returns the place of a score among all float64, as a whole number of 64 bits."""
    bits: int
    (bits,) = struct.unpack("<Q", struct.pack("<d", score + 0.0))
    return bits ^ (2**64 - 1) if bits >> 63 else bits | 1 << 63


def smallest_shift(places: set[int], most: int) -> int:
    return next(s for s in range(64) if len({place >> s for place in places}) <= most)


@settings(law, max_examples=100)
@given(scores=score_lists, most=max_cells, batch=st.integers(1, 9))
def test_shift_and_cells_equal_brute_force(scores: list[float], most: int, batch: int) -> None:
    places = [order_of(score) for score in scores]
    shift = smallest_shift(set(places), most)
    expected: dict[int, int] = {}
    for place in places:
        expected[place >> shift] = expected.get(place >> shift, 0) + 1
    for size in (len(scores), batch):
        state = measure(np.array(scores), most, batch=size)
        assert state.shift == shift
        assert state.cell.tolist() == sorted(expected)
        assert state["rows"].tolist() == [expected[cell] for cell in sorted(expected)]


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", ["narrow", "narrow and wild", "any bits", "float32", "few", "negative", "near one"]
)
@pytest.mark.parametrize("most", [16, 500, MAX_CELLS])
def test_many_scores_equal_brute_force(name: str, most: int) -> None:
    rng = np.random.default_rng(7)
    n = 20_000
    words = rng.integers(0, 2**64, n, np.uint64).view(np.float64)
    scores = {
        "narrow": 0.5 + rng.integers(0, 2**20, n) * 2.0**-52,
        "narrow and wild": np.where(
            rng.random(n) < 0.01, rng.normal(size=n) * 10.0 ** rng.integers(-300, 300, n), 0.25
        )
        + rng.integers(0, 2**12, n) * 2.0**-54,
        "any bits": words[np.isfinite(words)],
        "float32": rng.normal(size=n).astype(np.float32).astype(np.float64),
        "few": rng.choice([0.0, -0.0, 1.0, -1.0, 1e-300, 5e-324, -5e-324], n),
        "negative": -rng.lognormal(0, 20, n),
        "near one": 1.0 - rng.random(n) * 1e-9,
    }[name]
    places = np.array([order_of(score) for score in scores.tolist()], np.uint64)
    shift = next(s for s in range(64) if len(np.unique(places >> np.uint64(s))) <= most)
    cells, rows = np.unique(places >> np.uint64(shift), return_counts=True)
    for batch in (n, 3_000):
        state = measure(scores, most, batch=batch)
        assert state.shift == shift
        assert np.array_equal(state.cell, cells)
        assert np.array_equal(state.counts["rows"], rows)


@law
@given(
    classes=st.integers(1, 3),
    by_class=st.booleans(),
    most=max_cells,
    pool=score_lists,
    seed=st.integers(0, 2**32 - 1),
)
def test_all_classes_and_segments_share_one_shift(
    classes: int, by_class: bool, most: int, pool: list[float], seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 30))
    score = rng.choice(np.array(pool), (n, classes))
    label = rng.choice(np.array([0.0, -0.0, 1.0, 0.5, 5e-324]), (n, classes))
    segment = rng.integers(0, 3, n)
    keys: list[Key] = [(("segment", "int", i),) for i in range(3)]
    scored = Scored(score, np.zeros((n, classes)), label, np.zeros(n), np.full(n, 0.1))
    statistic = ScoreHistogram(classes=classes, weighted=True, max_cells=most, by_class=by_class)
    state = measure_state(statistic, scored, Segments(segment, keys))
    places = [[order_of(x) for x in row] for row in score.tolist()]
    shift = smallest_shift({place for row in places for place in row}, most)
    assert state.shift == shift
    expected: dict[tuple[int, int, int], int] = {}
    for i in range(n):
        for k in range(classes):
            at = (
                int(segment[i]),
                (k if by_class else 0) * 2 + int(label[i, k] != 0),
                places[i][k] >> shift,
            )
            expected[at] = expected.get(at, 0) + 1
    used = [keys[i] for i in sorted(set(segment.tolist()))]
    assert list(state.keys) == used
    numbers = [keys.index(key) for key in state.keys]
    table = zip(
        [numbers[i] for i in state.segment.tolist()],
        state.group.tolist(),
        state.cell.tolist(),
        strict=True,
    )
    assert list(table) == sorted(expected)
    assert state["rows"].tolist() == [expected[at] for at in sorted(expected)]
    np.testing.assert_allclose(state["weight"], state["rows"] * 0.1, rtol=1e-15)


@pytest.mark.parametrize("most", [1, 0, -5])
def test_fewer_than_two_cells_are_refused(most: int) -> None:
    with pytest.raises(ValueError, match="at least 2"):
        ScoreHistogram(max_cells=most)


def test_two_cells_are_enough_for_any_scores() -> None:
    state = measure(np.array([LARGEST, -LARGEST, 5e-324, -5e-324, 0.0, -0.0]), 2)
    assert state.shift == 63
    assert state["rows"].tolist() == [2, 4]


def test_weights_are_asked_for() -> None:
    column = np.zeros((1, 1))
    with pytest.raises(ValueError, match="weight column"):
        measure_state(
            ScoreHistogram(weighted=True),
            Scored(column, column, column, np.zeros(1)),
            Segments.overall(1),
        )


@law
@given(scores=score_lists, most=max_cells)
def test_the_floor_of_a_cell_is_its_lowest_score(scores: list[float], most: int) -> None:
    state = measure(np.array(scores), most)
    floors = lowest_scores(state.cell, state.shift, probabilities=False)
    for floor, cell in zip(floors.tolist(), state.cell.tolist(), strict=True):
        bits = cell << state.shift
        raw = bits ^ 1 << 63 if bits >> 63 else bits ^ (2**64 - 1)
        (expected,) = struct.unpack("<d", struct.pack("<Q", raw))
        expected = -LARGEST if math.isnan(expected) else expected
        assert struct.pack("<d", floor) == struct.pack("<d", expected)
    if state.shift == 0:
        assert floors.tolist() == sorted({score + 0.0 for score in scores})


@law
@given(
    classes=st.integers(2, 4),
    by_class=st.booleans(),
    most=max_cells,
    seed=st.integers(0, 2**32 - 1),
)
def test_probabilities_of_exclusive_classes(
    classes: int, by_class: bool, most: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    probability = rng.choice([0.0, 0.125, 0.5, 1 / 3, 1.0 - 2.0**-53], (n, classes))
    label = rng.integers(0, classes, n)
    scored = Scored(
        rng.normal(size=(n, classes)),
        probability,
        label[:, np.newaxis].astype(np.float64),
        np.zeros(n),
    )
    state = measure_state(
        ScoreHistogram(classes=classes, max_cells=most, by_class=by_class, of="class_probability"),
        scored,
        Segments.overall(n),
    )
    expected: dict[tuple[int, int], int] = {}
    for row in range(n):
        for k in range(classes):
            group = (k if by_class else 0) * 2 + (k == label[row])
            (word,) = ordered(probability_bits(probability[row, k : k + 1])).tolist()
            at = group, word >> state.shift
            expected[at] = expected.get(at, 0) + 1
    table = zip(state.group.tolist(), state.cell.tolist(), strict=True)
    assert list(table) == sorted(expected)
    assert state["rows"].tolist() == [expected[at] for at in sorted(expected)]
