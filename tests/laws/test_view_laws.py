"""Laws of views: a view of a state equals the state measured from the rows it stands for."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import (
    OVERALL,
    RowSums,
    Scored,
    ScoreHistogram,
    Segments,
    State,
    Statistic,
    merge,
)
from heads.statistics.codec import decode, encode
from heads.statistics.fold_views import fold_views, without_weights
from heads.statistics.measure import measure_state
from tests.laws.batches import Sample, each_statistic, law, samples, split
from tests.laws.states import assert_canonical, assert_same, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

Kind = type[Statistic]


def fold_of(sample: Sample) -> npt.NDArray[np.int64]:
    """Returns the fold of each row."""
    fold = sample.segments.fold
    if fold is None or sample.statistic.folds == 1:
        return np.zeros(len(sample), np.int64)
    return fold


def only(state: State, rows: npt.NDArray[np.bool_], key: int, segment: int) -> State:
    """Returns the table rows of a segment that are in the mask `rows`, as a state."""
    chosen = np.flatnonzero(rows & (state.segment == segment))
    return State(
        state.statistic,
        (state.keys[key],) if len(chosen) else (),
        np.zeros(len(chosen), np.int64),
        state.group[chosen],
        state.cell[chosen],
        {name: column[chosen] for name, column in state.counts.items()},
        {name: column.take(chosen) for name, column in state.sums.items()},
        state.shift,
    )


def cells(state: State, segment: int) -> list[tuple[int, int]]:
    mask = state.segment == segment
    return list(zip(state.group[mask].tolist(), state.cell[mask].tolist(), strict=True))


@each_statistic
@law
@given(data=st.data())
def test_all_folds_together_equal_measuring_without_folds(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    whole = fold_views(sample.measure()).whole
    assert_canonical(whole)
    assert_same(whole, sample.measured_as(sample.statistic.without_folds()))


@each_statistic
@law
@given(data=st.data())
def test_without_one_fold_equals_measuring_the_other_rows(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    plain, folds = sample.statistic.without_folds(), sample.statistic.folds
    views = fold_views(sample.measure())
    whole, without = views.whole, views.without
    assert without.statistic == plain
    assert without.keys == tuple(key for key in whole.keys for _ in range(folds))
    assert without.shift == whole.shift
    fold = fold_of(sample)
    for left_out in range(folds):
        others = replace(sample.take(np.flatnonzero(fold != left_out)), statistic=plain)
        for segment, key in enumerate(whole.keys):
            place = segment * folds + left_out
            assert cells(without, place) == cells(whole, segment)
            filled = without.counts["rows"] > 0
            measured = others.of([key]).measure().coarsened(without.shift)
            if not len(measured):
                measured = replace(measured, shift=without.shift)
            assert fingerprint(only(without, filled, place, place)) == fingerprint(measured)
            # Cells in which only the left-out fold has rows are empty in all columns.
            empty = only(without, ~filled, place, place)
            assert not any(column.any() for column in empty.counts.values())
            for column in empty.sums.values():
                assert column.limbs.shape == column.specials.shape == (len(empty), 0)
    assert all(column.is_canonical() for column in without.sums.values())


@each_statistic
@law
@given(data=st.data())
def test_which_folds_have_rows(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    views = fold_views(sample.measure())
    fold, keys = fold_of(sample), sample.segments.keys
    pairs = {(keys[i], f) for i, f in zip(sample.segments.index, fold.tolist(), strict=True)}
    expected = [
        [(key, f) in pairs for f in range(sample.statistic.folds)] for key in views.whole.keys
    ]
    assert views.present.tolist() == expected


@each_statistic
@law
@given(data=st.data())
def test_views_do_not_depend_on_how_the_state_came_about(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    parts = [decode(encode(part.measure())) for part in split(data, sample, 3)]
    views, merged_views = fold_views(sample.measure()), fold_views(merge(parts))
    assert fingerprint(views.whole) == fingerprint(merged_views.whole)
    assert fingerprint(views.without) == fingerprint(merged_views.without)
    # Views of coarser segments are coarser segments of views.
    together = sample.measure().regroup([[OVERALL]] * len(views.whole.keys))
    assert_same(
        fold_views(together).whole, views.whole.regroup([[OVERALL]] * len(views.whole.keys))
    )


@each_statistic
@law
@given(data=st.data())
def test_without_weights_equals_measuring_without_them(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    statistic = sample.statistic
    if not statistic.weighted:
        return
    if statistic.values and not statistic.keep_unweighted:
        with pytest.raises(ValueError, match="`keep_unweighted`"):
            without_weights(sample.measure())
        statistic = replace(statistic, keep_unweighted=True)
    state = sample.measured_as(statistic)
    twin = without_weights(state)
    assert_canonical(twin)
    plain = replace(sample, scored=replace(sample.scored, weight=None))
    assert_same(twin, plain.measured_as(statistic.without_weights()))
    # The two kinds of views may be taken in any order.
    views, twin_views = fold_views(state), fold_views(twin)
    assert fingerprint(without_weights(views.whole)) == fingerprint(twin_views.whole)
    assert fingerprint(without_weights(views.without)) == fingerprint(twin_views.without)


@law
@given(data=st.data())
def test_the_whole_of_a_coarsened_histogram(data: st.DataObject) -> None:
    state = data.draw(samples(ScoreHistogram)).measure()
    shift = data.draw(st.integers(0, 63))
    if len(state):
        coarse = fold_views(state.coarsened(shift)).whole
        assert_same(coarse, fold_views(state).whole.coarsened(shift))


def test_digits_that_cancel_in_the_whole_are_there_without_a_fold() -> None:
    loss = np.array([2.0**-300, -(2.0**-300), 1.0])
    column = np.zeros((3, 1))
    scored = Scored(column, column, column, loss)
    segments = Segments(np.zeros(3, np.int64), (OVERALL,), fold=np.arange(3))
    statistic = RowSums(values=("loss",), folds=3)
    views = fold_views(measure_state(statistic, scored, segments))
    assert views.whole["loss"].tolist() == [1.0]
    assert views.without["loss"].tolist() == [1.0, 1.0, 0.0]
    limbs = views.without.sums["loss"].limbs
    assert limbs[0].tolist() != limbs[1].tolist() != limbs[2].tolist()
    rest = [np.delete(loss, fold) for fold in range(3)]
    measured = [
        measure_state(
            replace(statistic, folds=1),
            Scored(column[1:], column[1:], column[1:], part),
            Segments.overall(2),
        )
        for part in rest
    ]
    for fold, state in enumerate(measured):
        sums = views.without.sums["loss"].take(np.array([fold]))
        assert (sums.low, sums.limbs.tolist()) == (
            state.sums["loss"].low,
            state.sums["loss"].limbs.tolist(),
        )
