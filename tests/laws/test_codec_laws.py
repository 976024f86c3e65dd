"""Laws of the codec: decoding gives the state back, and equal states have equal bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Statistic, merge
from heads.statistics.codec import decode, encode
from heads.statistics.state import zero_state
from tests.laws.batches import each_statistic, law, samples, split
from tests.laws.states import assert_same

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

Kind = type[Statistic]


@each_statistic
@law
@given(data=st.data())
def test_decoding_gives_the_state_back(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    whole = sample.measure()
    some = whole.take(range(len(whole.keys) // 2))
    together = whole.regroup([[OVERALL]] * len(whole.keys))
    for state in (whole, some, together, zero_state(sample.statistic)):
        back = decode(encode(state))
        assert back.statistic == state.statistic
        assert type(back.statistic) is kind
        assert_same(state, back)


@each_statistic
@law
@given(data=st.data())
def test_decoded_states_merge_like_those_they_came_from(kind: Kind, data: st.DataObject) -> None:
    sample = data.draw(samples(kind))
    parts = split(data, sample, 3)
    assert_same(sample.measure(), merge([decode(encode(part.measure())) for part in parts]))
