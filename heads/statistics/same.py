"""Whether two states are equal to the bit."""

from __future__ import annotations

import numpy as np

from heads.statistics.state import State


def same(left: State, right: State) -> bool:
    """Returns whether two states are equal to the bit."""
    if (left.statistic, left.keys, left.shift) != (right.statistic, right.keys, right.shift):
        return False
    pairs = [(left.segment, right.segment), (left.group, right.group), (left.cell, right.cell)]
    pairs += [(left.counts[name], right.counts[name]) for name in left.counts]
    for name, left_sum in left.sums.items():
        right_sum = right.sums[name]
        if left_sum.low != right_sum.low:
            return False
        pairs += [(left_sum.limbs, right_sum.limbs), (left_sum.specials, right_sum.specials)]
    return all(np.array_equal(a, b) for a, b in pairs)
