"""Laws of regrouping: states of coarser segments, and of some segments, need no rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Key, ScoreHistogram, Statistic, merge
from heads.statistics.codec import decode, encode
from heads.statistics.state import zero_state
from tests.laws.batches import KEYS, each_statistic, law, samples, split
from tests.laws.states import assert_canonical, assert_same

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

Kind = type[Statistic]

COARSER: tuple[Key, ...] = (
    OVERALL,
    (("part", "int", 1),),
    (("part", "int", 2),),
    (("part", "missing", None),),
)


@each_statistic
@law
@given(data=st.data())
def test_all_segments_together_equal_all_rows(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    state = sample.measure()
    assert_same(sample.under(OVERALL).measure(), state.regroup([[OVERALL]] * len(state.keys)))


@each_statistic
@law
@given(data=st.data())
def test_regrouping_equals_measuring_the_coarser_segments(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    targets = {key: data.draw(st.sets(st.sampled_from(COARSER))) for key in KEYS}
    state = sample.measure()
    regrouped = state.regroup([sorted(targets[key], key=repr) for key in state.keys])
    assert_canonical(regrouped)
    parts = [zero_state(sample.statistic)]
    for coarse in COARSER:
        fine = [key for key, coarser in targets.items() if coarse in coarser]
        parts.append(sample.of(fine).under(coarse).measure())
    # Bits that were removed stay removed, even if the remaining segments would not need that.
    assert_same(regrouped, merge(parts).coarsened(regrouped.shift))


@each_statistic
@law
@given(data=st.data())
def test_regrouping_twice_equals_once(kind: Kind, data: st.DataObject) -> None:
    state = data.draw(samples(kind)).measure()
    targets = {key: data.draw(st.sampled_from(COARSER[1:])) for key in state.keys}
    middle = state.regroup([[targets[key]] for key in state.keys])
    once = state.regroup([[OVERALL]] * len(state.keys))
    assert_same(once, middle.regroup([[OVERALL]] * len(middle.keys)))
    assert_same(state, state.regroup([[key] for key in state.keys]))


@each_statistic
@law
@given(data=st.data())
def test_regrouping_and_merging_swap(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    targets = {key: data.draw(st.sampled_from(COARSER)) for key in KEYS}
    states = [part.measure() for part in split(data, sample, 3)]
    later = merge(states)
    assert_same(
        later.regroup([[targets[key]] for key in later.keys]),
        merge([state.regroup([[targets[key]] for key in state.keys]) for state in states]),
    )


@each_statistic
@law
@given(data=st.data())
def test_taking_segments_equals_measuring_them_alone(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    state = sample.measure()
    positions = data.draw(st.lists(st.sampled_from(range(len(state.keys) or 1)), unique=True))
    positions = positions[: len(state.keys)]
    wanted = [state.keys[i] for i in positions]
    taken = state.take(positions)
    assert_canonical(taken)
    assert_same(taken, sample.of(wanted).measure().coarsened(taken.shift))
    rest = [i for i in range(len(state.keys)) if i not in positions]
    assert_same(state, merge([taken, state.take(rest)]), state.take([*rest, *positions]))
    assert_same(state.take([]), zero_state(sample.statistic))


@each_statistic
@law
@given(data=st.data())
def test_segments_brought_to_the_shift_of_all_rows_do_not_depend_on_batches(
    kind: Kind, data: st.DataObject
) -> None:
    sample = data.draw(samples(kind))
    wanted = set(data.draw(st.lists(st.sampled_from(KEYS), max_size=3)))
    shift = sample.measure().shift
    parts = [zero_state(sample.statistic)]
    for part in split(data, sample, 4):
        state = part.measure()
        parts.append(state.take([i for i, key in enumerate(state.keys) if key in wanted]))
    assert_same(merge(parts).coarsened(shift), sample.of(list(wanted)).measure().coarsened(shift))


@law
@given(data=st.data())
def test_coarsening_and_merging_swap(data: st.DataObject) -> None:
    sample = data.draw(samples(ScoreHistogram))
    first, second = (part.measure() for part in split(data, sample, 2))
    shift, more = data.draw(st.integers(0, 63)), data.draw(st.integers(0, 63))
    assert_canonical(first.coarsened(shift))
    assert_same(first.coarsened(shift), decode(encode(first.coarsened(shift))))
    assert_same(first.coarsened(shift).coarsened(more), first.coarsened(max(shift, more)))
    if len(first):
        assert_same(
            merge([first.coarsened(shift), second]), merge([first, second]).coarsened(shift)
        )
