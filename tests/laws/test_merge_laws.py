"""Laws of merging: grouping, order and split of rows do not change a bit of the state."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import STATISTICS, RowSums, Scored, Segments, Statistic, merge, same
from heads.statistics.measure import measure_state
from heads.statistics.state import zero_state
from tests.laws.batches import each_statistic, law, samples, split, statistics
from tests.laws.states import assert_canonical, assert_same, fingerprint

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

Kind = type[Statistic]


@each_statistic
@law
@given(data=st.data())
def test_measuring_all_rows_is_merging_the_states_of_any_split(
    kind: Kind, data: st.DataObject
) -> None:
    sample = data.draw(samples(kind))
    whole = sample.measure()
    assert_canonical(whole)
    parts = [part.measure() for part in split(data, sample, 4)]
    assert_same(whole, merge(parts))


@each_statistic
@law
@given(data=st.data())
def test_merge_is_commutative_and_associative(kind: Kind, data: st.DataObject) -> None:
    states = [part.measure() for part in split(data, data.draw(samples(kind)), 3)]
    whole = merge(states)
    assert_canonical(whole)
    for a, b, c in permutations(states):
        assert_same(whole, merge([a, b, c]), merge([merge([a, b]), c]))
    a, b, c = states
    assert_same(whole, merge([a, merge([b, c])]))


@each_statistic
@law
@given(data=st.data())
def test_zero_is_the_identity_and_the_state_of_an_empty_batch(
    kind: Kind, data: st.DataObject
) -> None:
    sample = data.draw(samples(kind))
    state, zero = sample.measure(), zero_state(sample.statistic)
    assert_canonical(zero)
    assert len(zero) == 0
    assert_same(state, merge([state]), merge([state, zero]), merge([zero, zero, state, zero]))
    assert_same(zero, merge([zero, zero]), sample.take(np.zeros(0, np.intp)).measure())


@each_statistic
@law
@given(data=st.data())
def test_key_order_and_keys_without_rows_change_nothing(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    order = rng.permutation(len(sample.segments.keys))
    unused = (("no", "string", "row"),), (("a", "missing", None),)
    assert_same(sample.measure(), sample.rekeyed(order, unused).measure())


@each_statistic
@law
@given(data=st.data())
def test_merge_changes_none_of_its_inputs(kind: Kind, data: st.DataObject) -> None:
    states = [part.measure() for part in split(data, data.draw(samples(kind)), 3)]
    states.append(zero_state(states[0].statistic))
    before = [fingerprint(state) for state in states]
    merged = merge(states)
    merge([merged, states[0]])
    merged.regroup([[()] for _ in merged.keys])
    merged.coarsened(63 if merged.shift else 0)
    assert [fingerprint(state) for state in states] == before


@each_statistic
@law
@given(data=st.data())
def test_states_of_different_parameters_are_refused(kind: Kind, data: st.DataObject) -> None:
    sample, statistic = data.draw(samples(kind)), data.draw(statistics(kind))
    if sample.statistic != statistic:
        for states in (
            [sample.measure(), zero_state(statistic)],
            [zero_state(statistic), sample.measure()],
        ):
            with pytest.raises(ValueError, match="one configuration"):
                merge(states)


@law
@given(data=st.data())
def test_states_of_different_statistics_are_refused(data: st.DataObject) -> None:
    kinds = data.draw(st.permutations(list(STATISTICS.values())))
    first, second = (data.draw(statistics(kind)) for kind in kinds[:2])
    with pytest.raises(ValueError, match="one configuration"):
        merge([zero_state(first), zero_state(first), zero_state(second)])


def test_merging_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="zero"):
        merge([])


@each_statistic
@law
@given(data=st.data())
def test_same_tells_every_difference(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    state = sample.measure()
    first, second = split(data, sample, 2)
    assert same(state, merge([first.measure(), second.measure()]))
    for part in (first.measure(), second.measure()):
        assert same(state, part) == (fingerprint(state) == fingerprint(part))


def test_same_tells_sums_apart_that_have_the_same_limbs() -> None:
    column = np.zeros((1, 1))
    first, second = (
        measure_state(
            RowSums(values=("loss",)),
            Scored(column, column, column, np.array([loss])),
            Segments.overall(1),
        )
        for loss in (1.0, 2.0**36)
    )
    assert np.array_equal(first.sums["loss"].limbs, second.sums["loss"].limbs)
    assert not same(first, second)
