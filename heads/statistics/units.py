"""Units of weights: powers of two in which float64 can hold the sums of any finite weights."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import RADIX, Ints
from heads.statistics.kept import kept_with_state
from heads.statistics.state import State

APART = 972
"""Where the sums of weights of a slice are up to 2**972 apart, products of two of them, and sums of
squares, neither overflow nor vanish."""
FAR_APART = 2020
"""Where they are up to 2**2020 apart, neither they nor their sum overflow or vanish."""

# If the sums of weights have no bits outside of these limbs, they are less than `APART` apart, and
# need no unit.
_SAFE_LIMBS = range(-13, 14)
# In its unit, the weight of a table row is below 2**999, so that millions of them do not overflow.
_MOST = 999
# Units are a little above the middle of the weights, for the same reason.
_ABOVE_MIDDLE = 11
# In every unit, 1 is a normal float64.
_MOST_EXPONENT = 1000


def in_units(state: State) -> State:
    """Returns the state with a unit for each segment, in which float64 can hold its weights.

    The unit lies between the smallest and the largest weight of any table row. Weights need no unit
    if they are as they mostly are.
    """
    if "weight" not in state.sums:
        return state
    weight = state.sums["weight"]
    width = weight.limbs.shape[1]
    if not width or (weight.low in _SAFE_LIMBS and weight.low + width - 1 in _SAFE_LIMBS):
        return state
    lowest, highest = _range(state)
    between = np.maximum(((lowest + highest) >> 1) + _ABOVE_MIDDLE, highest - _MOST)
    return replace(state, exponents=between.clip(-_MOST_EXPONENT, _MOST_EXPONENT))


def apart(state: State, most: int) -> npt.NDArray[np.bool_]:
    """Returns in which segments weights of table rows are more than `2**most` apart, bool `[s]`.

    Args:
        state: a state as `in_units` returns it.
        most: `APART` or `FAR_APART`.
    """
    if state.exponents is None:
        return np.zeros(len(state.keys), bool)
    lowest, highest = _range(state)
    return highest - lowest > most


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
