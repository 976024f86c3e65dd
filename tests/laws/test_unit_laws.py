"""Laws of weights: a power of two that all of them are multiplied by is a factor of every sum."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import State, Statistic
from heads.statistics.codec import decode, encode
from heads.statistics.units import in_units
from tests.laws.batches import Sample, each_statistic, law, samples
from tests.laws.states import assert_canonical, assert_same

pytestmark = pytest.mark.filterwarnings("ignore:(overflow|invalid value):RuntimeWarning")

Kind = type[Statistic]


def with_weights(sample: Sample, seed: int, power: int) -> Sample:
    """Returns the sample with weights that are multiplied by a power of two without rounding."""
    scored = sample.scored
    if scored.weight is None:
        return sample
    small = np.random.default_rng(seed).integers(0, 9, len(scored)).astype(np.float64)
    weight = np.ldexp(small, power)
    baseline = None if scored.baseline is None else replace(scored.baseline, weight=weight)
    return replace(sample, scored=replace(scored, weight=weight, baseline=baseline))


def sums_of(state: State, name: str) -> list[Fraction | str]:
    """Returns the exact sums of a column by table row; NaN and infinities as text."""
    sums = state.sums[name]
    unit = Fraction(2) ** (36 * sums.low - 26)
    special = sums.to_float()
    out: list[Fraction | str] = []
    for row, digits in enumerate(sums.limbs.tolist()):
        if sums.specials.shape[1] and sums.specials[row].any():
            out.append(str(special[row]))
        else:
            out.append(unit * sum(digit << (36 * j) for j, digit in enumerate(digits)))
    return out


@each_statistic
@law
@given(data=st.data())
def test_a_power_of_two_of_the_weights_is_a_factor_of_the_sums(
    kind: Kind, data: st.DataObject
) -> None:
    sample, seed = data.draw(samples(kind)), data.draw(st.integers(0, 99))
    power = data.draw(st.sampled_from([-1074, -900, 510, 1020]))
    plain, scaled = (with_weights(sample, seed, k).measure() for k in (0, power))
    assert_canonical(scaled)
    assert_same(scaled, decode(encode(scaled)))
    for name in plain.sums:
        factor = Fraction(2) ** (power * plain.statistic.weight_power(name))
        expected = [s if isinstance(s, str) else s * factor for s in sums_of(plain, name)]
        assert sums_of(scaled, name) == expected, name
    # In units they differ by powers of two alone, for all table rows of a segment the same.
    here, there = in_units(plain), in_units(scaled)
    for name in {"weight", "weight_squared"} & plain.sums.keys():
        ratios: dict[int, set[float]] = {}
        pairs = zip(plain.segment.tolist(), here[name].tolist(), there[name].tolist(), strict=True)
        for segment, first, second in pairs:
            if first:
                ratios.setdefault(segment, set()).add(second / first)
        assert all(len(found) == 1 for found in ratios.values()), name
        powers = {abs(float(np.frexp(ratio)[0])) for found in ratios.values() for ratio in found}
        assert powers <= {0.5}
