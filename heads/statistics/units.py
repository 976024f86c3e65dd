"""Units of weights: powers of two in which float64 can hold the sums of any finite weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import RADIX, Ints
from heads.statistics.kept import kept_with_state
from heads.statistics.state import State

FAR_APART = 2020
"""Where the weights of a segment are up to 2**2020 apart, neither they nor their sum overflow or
vanish in its unit."""

# If the sums of weights have no bits outside of these limbs, they need no unit: neither they nor
# their squares are near to the ends of float64.
_SAFE_LIMBS = range(-13, 14)
# In its unit, the smallest weight of a table row is a normal float64, and the largest so far from
# the largest float64 that millions of them do not overflow.
_LEAST, _MOST = -1021, 999
# In every unit, 1 is a normal float64.
_MOST_EXPONENT = 1000


def in_units(state: State) -> State:
    """Returns the state with a unit for each segment, in which float64 can hold its weights.

    The unit is the power of two above the largest weight of any table row, or less where the
    smallest would vanish beside it. Weights need no unit if they are as they mostly are.
    """
    if "weight" not in state.sums:
        return state
    weight = state.sums["weight"]
    width = weight.limbs.shape[1]
    if not width or (weight.low in _SAFE_LIMBS and weight.low + width - 1 in _SAFE_LIMBS):
        return state
    lowest, highest = _range(state)
    unit = np.maximum(np.minimum(highest, lowest - _LEAST), highest - _MOST)
    return replace(state, exponents=unit.clip(-_MOST_EXPONENT, _MOST_EXPONENT))


def exponents_of(state: State) -> Ints:
    """Returns the exponents `[s]` of the units of a state."""
    if state.exponents is None:
        return np.zeros(len(state.keys), np.int64)
    return state.exponents


def exponents_of_largest(state: State) -> Ints:
    """Returns the exponents `[s]` of the powers of two above the largest weight of any table row.

    In such a unit no square of a weight overflows; the squares of the smallest may vanish.
    """
    exponents: Ints = _range(state)[1].clip(-_MOST_EXPONENT, _MOST_EXPONENT)
    return exponents


def too_far_apart(state: State) -> npt.NDArray[np.bool_]:
    """Returns in which segments of a state in units weights are further apart than `FAR_APART`."""
    if state.exponents is None:
        return np.zeros(len(state.keys), bool)
    lowest, highest = _range(state)
    return highest - lowest > FAR_APART


@kept_with_state(last=1)
def _range(state: State) -> tuple[Ints, Ints]:
    """Returns the exponents of the smallest and largest weight of any table row, both `[s]`."""
    factor, exponent = state.sums["weight"].to_wide()
    used = np.flatnonzero(np.isfinite(factor) & (factor != 0))
    size = exponent[used] + np.frexp(factor[used])[1]
    segment = state.segment[used]
    far = RADIX << 10
    lowest, highest = (np.full(len(state.keys), start) for start in (far, -far))
    np.minimum.at(lowest, segment, size)
    np.maximum.at(highest, segment, size)
    weightless = highest < lowest
    lowest[weightless] = highest[weightless] = 0
    return lowest, highest
