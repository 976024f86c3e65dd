"""Laws of accumulators: batches and the way of storage do not change the state."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import (
    RowSums,
    Scored,
    Segments,
    State,
    Statistic,
    accumulator,
    merge,
    tables,
)
from heads.statistics.exact import MAX_ADDS, MAX_ROWS
from heads.statistics.measure import make_accumulator
from heads.statistics.state import zero_state
from tests.laws.batches import Sample, each_statistic, law, samples, split
from tests.laws.states import assert_canonical, assert_same, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

Kind = type[Statistic]


@contextmanager
def constants(**values: int) -> Iterator[None]:
    """Sets smaller limits for the accumulator, so that a few rows reach them."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in values.items():
            # The names are in two modules; a name that is in neither is an error.
            patch.setattr(accumulator if hasattr(accumulator, name) else tables, name, value)
        yield


def accumulate(sample: Sample, parts: list[Sample]) -> State:
    """Returns the state of the parts, added in order."""
    adding = make_accumulator(sample.statistic)
    for part in parts:
        adding.add(part.scored, part.segments)
    return adding.freeze()


@each_statistic
@law
@given(data=st.data())
def test_any_batching_equals_measuring_at_once(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    parts = split(data, sample, 5)
    assert_same(sample.measure(), accumulate(sample, parts))


@each_statistic
@law
@given(data=st.data())
def test_segments_not_told_apart_by_fold_are_in_fold_0(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    old = sample.segments
    by_fold = np.array(data.draw(st.lists(st.booleans(), min_size=13, max_size=13)))[
        : len(old.keys)
    ]
    fold = None if old.fold is None else old.fold * by_fold[old.index]
    expected = replace(sample, segments=replace(old, fold=fold)).measure()
    with_flags = replace(sample, segments=replace(old, by_fold=by_fold))
    assert_same(expected, with_flags.measure())
    parts = [with_flags.take(rows) for rows in np.array_split(np.arange(len(sample)), 3)]
    with constants(DENSE_BYTES=0, PENDING_ROWS=5):
        assert_same(expected, accumulate(sample, parts))


@each_statistic
@law
@given(data=st.data())
def test_passes_may_share_an_accumulator(kind: Kind, data: st.DataObject) -> None:
    # The same rows in other segments, as in the passes of an evaluation.
    first = data.draw(samples(kind))
    keys = tuple((("pass", "int", number),) for number in range(len(first.segments.keys)))
    second = replace(first, segments=replace(first.segments, keys=keys))
    adding = make_accumulator(first.statistic)
    for sample in (first, second, first, second):
        adding.add(sample.scored, sample.segments)
    expected = merge([first.measure(), second.measure()] * 2)
    assert_same(expected, adding.freeze())


@each_statistic
@law
@given(data=st.data())
def test_freezing_in_between_changes_nothing(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    adding = make_accumulator(sample.statistic)
    assert_same(adding.freeze(), zero_state(sample.statistic))
    frozen, expected = [], []
    done: list[State] = []
    for part in split(data, sample, 4):
        adding.add(part.scored, part.segments)
        done.append(part.measure())
        if data.draw(st.booleans()):
            frozen += [adding.freeze(), adding.freeze()]
            expected += [fingerprint(merge(done))] * 2
    assert_same(sample.measure(), adding.freeze())
    # States that were frozen earlier have not changed since.
    assert [fingerprint(state) for state in frozen] == expected


@each_statistic
@law
@given(data=st.data())
def test_the_sparse_path_equals_the_dense_one(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    parts = split(data, sample, 5)
    dense = sample.measure()
    # The table is never dense, or is dense until this many segments have come.
    statistic = sample.statistic
    size = statistic.folds * statistic.groups * statistic.cells * (8 + 16 * len(statistic.sums))
    segments = data.draw(st.integers(0, 3))
    with constants(DENSE_BYTES=segments * size, PENDING_ROWS=data.draw(st.integers(0, 20))):
        assert_same(dense, accumulate(sample, parts), sample.measure())


@each_statistic
@law
@given(data=st.data())
def test_carrying_and_splitting_change_nothing(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    parts = split(data, sample, 5)
    whole = sample.measure()
    with constants(MAX_ADDS=data.draw(st.integers(1, 3)), MAX_ROWS=data.draw(st.integers(1, 9))):
        assert_same(whole, accumulate(sample, parts), sample.measure())
        with constants(DENSE_BYTES=0, PENDING_ROWS=5):
            assert_same(whole, accumulate(sample, parts))


def test_limbs_hold_at_the_real_limits() -> None:
    # Each row fills its limb to the last bit, and more are added than int64 holds without carrying.
    value = 2.0**10 - 2.0**-26
    adds, rows = 2 * MAX_ADDS + 2, MAX_ROWS
    column = np.zeros((rows, 1))
    scored = Scored(column, column, column, np.full(rows, value))
    segments = Segments.overall(rows)
    adding = make_accumulator(RowSums(values=("loss",)))
    for _ in range(adds):
        adding.add(scored, segments)
    state = adding.freeze()
    assert_canonical(state)
    assert state.counts["rows"].tolist() == [adds * rows]
    units = round(value * 2**26) * adds * rows
    assert state["loss"].tolist() == [units / 2**26]
