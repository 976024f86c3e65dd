"""Computes relative changes of metrics from one model to another, with intervals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from pipeline.confidence.intervals import Level, interval
from pipeline.results.differences import (
    TOO_FEW,
    difference_errors,
    of_few_rows,
    take_limits,
    tested_sides,
)
from pipeline.results.estimated import Estimates
from pipeline.results.readings import Floats, Mask, Readings, first_reasons
from pipeline.results.stack import Stack

SIGNED = "a metric that may be below 0 has no relative change"
BASELINE_ZERO = "the baseline is 0"
BASELINE_NEAR_ZERO = "the baseline may be 0, for its scores are rounded"
CHANGE_TOO_LARGE = "the relative change is too large for float64"


class RelativeEstimator:
    """Estimates relative changes of metrics in some slices, with intervals at any level.

    A relative change is candidate / baseline - 1. Its interval is that of the ratio, which is a t
    interval of its logarithm, by the delta method.

    Args:
        candidate: the readings of the candidate, by name of the metric; at least one.
        baseline: the readings of the baseline, of the same metrics.
        paired: bool `[s]`, whether both have the same rows in the same folds; None if this is so in
            all slices.

    Attributes:
        value: float64 `[metrics * s]`, the relative changes; NaN where undefined.
        exponent: int64 `[metrics * s]`, zeros: they have no units.
    """

    def __init__(
        self,
        candidate: Mapping[str, Readings],
        baseline: Mapping[str, Readings],
        paired: Mask | None,
    ) -> None:
        self._new, self._old = new, old = Stack(candidate), Stack(baseline)
        take_limits(new, old)
        with np.errstate(all="ignore"):
            ratio, self._lowest, self._highest = (
                np.ldexp(above / below, new.exponent - old.exponent)
                for above, below in (
                    (new.value, old.value),
                    (new.value - new.below, old.value + old.above),
                    (new.value + new.above, old.value - old.below),
                )
            )
            sides = new.errors(), old.errors()
            errors, self._degrees = difference_errors(new, old, sides, paired, relative=True)
            self._centre = np.ldexp(new.centre / old.centre, new.exponent - old.exponent)
        texts = {
            SIGNED: new.repeat(lambda reading: reading.metric.low) < 0,
            BASELINE_ZERO: old.value == 0,
            BASELINE_NEAR_ZERO: old.value <= old.below,
            CHANGE_TOO_LARGE: np.isinf(self._highest),
        }
        new.reasons = np.where(
            new.reasons.astype(bool), new.reasons, first_reasons(texts, len(ratio))
        )
        self._ratio = np.where(new.reasons.astype(bool), np.nan, ratio)
        self.value, self.exponent = self._ratio - 1, np.zeros_like(new.exponent)
        few = of_few_rows(new, old, sides)
        error = errors.standard_error
        none = np.isnan(self._ratio) | np.isinf(error) | few | ~new.top_slice | ~new.by_fold
        self._error = np.where(none, np.nan, error)
        self._errors = replace(errors, reasons={TOO_FEW: few, **errors.reasons})

    def ends(self, level: Level) -> tuple[Floats, Floats]:
        """Returns the lower and upper ends of the intervals, both float64 `[metrics * s]`.

        Ends are NaN where there is no interval.

        Args:
            level: the confidence level, in (0, 1): a number or float64 `[metrics * s]`.
        """
        ratio = self._ratio
        with np.errstate(all="ignore"):
            lower, upper = interval(
                self._centre, self._error * self._centre, self._degrees, level, low=0.0
            )
            lower, upper = np.minimum(lower, ratio), np.maximum(upper, ratio)
            for metric, first, second, part in tested_sides(self._new, self._old, level):
                tested = first.over(second, metric.high)
                lower[part], upper[part] = tested.lower, tested.upper
            # Of the ratios that rounding leaves possible, each has its interval.
            lower, upper = lower * (self._lowest / ratio), upper * (self._highest / ratio)
        return lower - 1, upper - 1

    def estimates(self, level: float) -> dict[str, Estimates]:
        """Returns the estimates of each metric, by its name."""
        new, ratio = self._new, self._ratio
        lower, upper = self.ends(level)
        new.value = self.value
        new.below, new.above = ratio - self._lowest, self._highest - ratio
        new.exponent = self.exponent
        error = self._error * ratio
        return new.estimates(self._errors, error, self._degrees, lower, upper)
