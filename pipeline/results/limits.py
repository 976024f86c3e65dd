"""Holds figures with intervals against limits."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.results.readings import Floats

Ends = Callable[[Floats], tuple[Floats, Floats]]
"""The lower and upper ends of intervals, float64 `[s]`, at confidence levels `[s]`."""

SMALLEST_P = 1e-12
"""A p-value is not found below this one: levels nearer to 1 lose their digits."""

# By each step the range of the logarithm halves, until it is as narrow as float64 tells.
_STEPS = 48


def p_beyond(ends: Ends, value: Floats, limit: Floats, level: float, *, floor: bool) -> Floats:
    """Returns the one-sided p-values of figures that are beyond their limits.

    It is (1 - level) / 2 of the level at which an end of the interval meets the limit: the upper
    end, for a figure below a floor. So p is less than (1 - level) / 2 where the whole interval of
    that level is beyond. For a figure on the right side of its limit it is 1 less that of the other
    end, and more than 1/2.

    Args:
        ends: the ends of the intervals, by level.
        value: float64 `[s]`, the figures.
        limit: float64 `[s]`, the limits.
        level: the level at which there must be an interval; where there is none at another, it is
            taken for one that is open.
        floor: whether the figures are to be at least the limits; if not, at most.

    Returns:
        float64 `[s]`, at least `SMALLEST_P`; NaN where there is no interval.
    """
    beyond = value < limit if floor else value > limit
    # Whether the end that meets the limit is the upper one.
    is_upper = beyond == floor
    low, high = np.full((2, len(value)), np.log(SMALLEST_P))
    high[:] = np.log(0.5)
    missing = np.isnan(ends(np.full(len(value), level))).any(axis=0)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        lower, upper = ends(1 - 2 * np.exp(middle))
        # Of a higher level, which is a smaller p, the interval is wider.
        reached = ~np.where(is_upper, upper < limit, lower > limit)
        low, high = np.where(reached, middle, low), np.where(reached, high, middle)
    p = np.exp(high)
    return np.where(missing | np.isnan(value), np.nan, np.where(beyond, p, 1 - p))
