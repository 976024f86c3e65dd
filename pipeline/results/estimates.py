"""Computes estimates: the values of metrics in some slices, with their errors and intervals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from pipeline.confidence.intervals import Level, binomial_interval, interval, is_rare
from pipeline.results.estimated import Estimates
from pipeline.results.readings import Floats, Readings
from pipeline.results.stack import Stack
from pipeline.results.tested_ends import read_ends


def estimate(readings: Mapping[str, Readings], level: float) -> dict[str, Estimates]:
    """Returns the values of metrics in some slices, with their errors and intervals.

    Args:
        readings: the readings by name of the metric, all of the same slices.
        level: the confidence level, in (0, 1).
    """
    return ValueEstimator(readings).estimates(level) if readings else {}


class ValueEstimator:
    """Estimates metrics in some slices, with intervals at any confidence level.

    The intervals are t intervals (`interval`). A proportion with few successes or failures has the
    exact binomial interval instead (`binomial_interval`), and the metrics of some methods have ends
    that tests give (`read_ends`).

    Args:
        readings: the readings by name of the metric, all of the same slices; at least one.

    Attributes:
        value: float64 `[metrics * s]`, the values in units; NaN where undefined.
        exponent: int64 `[metrics * s]`, the exponents of the units of values and ends.
    """

    def __init__(self, readings: Mapping[str, Readings]) -> None:
        self._stack = stack = Stack(readings)
        self._errors = stack.errors()
        error = self._errors.standard_error
        self._error = np.where(np.isnan(stack.value) | np.isinf(error), np.nan, error)
        self.value, self.exponent = stack.value, stack.exponent

    def ends(self, level: Level) -> tuple[Floats, Floats]:
        """Returns the lower and upper ends of the intervals, both float64 `[metrics * s]`.

        Ends are in units, NaN where there is no interval, and infinite where it is open.

        Args:
            level: the confidence level, in (0, 1): a number or float64 `[metrics * s]`.
        """
        stack, error, value = self._stack, self._error, self._stack.value
        levels = np.broadcast_to(level, value.shape)
        lows = stack.repeat(lambda reading: reading.metric.low)
        highs = stack.repeat(lambda reading: reading.metric.high)
        lower, upper = np.full(len(value), np.nan), np.full(len(value), np.nan)
        centre = stack.centre
        for low, high in {(r.metric.low, r.metric.high) for r in stack.readings}:
            mask = (lows == low) & (highs == high)
            lower[mask], upper[mask] = interval(
                centre[mask], error[mask], stack.degrees[mask], levels[mask], low, high
            )
        lower, upper = np.minimum(lower, value), np.maximum(upper, value)
        share = stack.shares(value)
        size = stack.independent_size(error)
        rare = np.flatnonzero(stack.top_slice & stack.by_fold & is_rare(share, size))
        ends = [
            end * highs[rare] for end in binomial_interval(share[rare], size[rare], levels[rare])
        ]
        known = ~np.isnan(ends[0])
        lower[rare[known]] = np.minimum(ends[0], value[rare])[known]
        upper[rare[known]] = np.maximum(ends[1], value[rare])[known]
        for reading, part in stack.by_metric():
            tested = read_ends(reading, levels[part])
            if tested is not None:
                known = ~np.isnan(tested.lower)
                lower[part] = np.where(known, tested.lower, lower[part])
                upper[part] = np.where(known, tested.upper, upper[part])
        # Of the values that rounding leaves possible, each has its interval. An open end stays so.
        lower = np.where(np.isinf(lower), lower, np.maximum(lower - stack.below, lows))
        upper = np.where(np.isinf(upper), upper, np.minimum(upper + stack.above, highs))
        return lower, upper

    def estimates(self, level: float) -> dict[str, Estimates]:
        """Returns the estimates of each metric, by its name."""
        stack = self._stack
        return stack.estimates(self._errors, self._error, stack.degrees, *self.ends(level))
