"""Computes estimates: the values of metrics in some slices, with their errors and intervals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.confidence.intervals import (
    AT_BOUND,
    FEW,
    binomial_interval,
    correlated_size,
    effective_size,
    interval,
    is_rare,
)
from pipeline.confidence.jackknife import JackknifeErrors, jackknife, paired_jackknife
from pipeline.confidence.significance import p_worse, welch
from pipeline.results.readings import Floats, Ints, Mask, Readings, Reasons, first_reasons

NOT_LARGEST = "kept for the largest slices alone, see confidence.max_slices"
NO_FOLDS = "measured without folds"
DIFFERENCE_TOO_LARGE = "the difference is too large for float64"
TOO_FEW = f"a share of fewer than {FEW} rows"
TOO_LARGE = "the sum of the weights is too large for float64"
END_TOO_LARGE = "an end of the interval is too large for float64"


@dataclass(frozen=True, eq=False)
class Estimates:
    """The estimates of one metric in some slices; all arrays are `[s]`.

    Attributes:
        value: float64, the values; NaN where undefined.
        reasons: texts, why a value is undefined; None where it is defined.
        standard_error: float64, the standard errors in the unit of the metric; NaN where there is
            none.
        lower: float64, the lower ends of the intervals; NaN where there is none.
        upper: float64, the upper ends of the intervals; NaN where there is none.
        no_interval_reason: texts, why there is no interval; None where there is one.
        p_worse: float64, for a difference the one-sided p-value that the candidate is worse; NaN
            where there is none.
        lowest: float64, what the values are not below, however scores were rounded; NaN where the
            value is exact or undefined.
        highest: float64, what the values are not above.
    """

    value: Floats
    reasons: Reasons
    standard_error: Floats
    lower: Floats
    upper: Floats
    no_interval_reason: Reasons
    p_worse: Floats
    lowest: Floats
    highest: Floats


class _Stack:
    """The readings of several metrics in the same slices, put under one another.

    Attributes:
        names: the names of the metrics.
        readings: their readings, in the order of `names`.
        slices: the number of slices, `s`.
        replicates: float64 `[metrics * s, f]`, the values without each fold.
        defined: bool `[metrics * s, f]`, whether the replicates are defined.
        present: bool `[metrics * s, f]`, whether the folds have rows.
        value: float64 `[metrics * s]`, the values; NaN where undefined.
        reasons: texts `[metrics * s]`, why a value is undefined.
        top_slice: bool `[metrics * s]`, whether the rows of a slice are kept by fold.
        by_fold: bool `[metrics * s]`, whether the metric was measured by fold at all.
        exponent: int64 `[metrics * s]`, the exponent of the unit of the values and replicates.
        below: float64 `[metrics * s]`, how far below the value the lowest bound is: 0 where the
            value is exact, as it is wherever there are units.
        above: float64 `[metrics * s]`, how far above the value the highest bound is.

    Args:
        readings: the readings, by name of the metric; at least one, and all of the same slices.
    """

    def __init__(self, readings: Mapping[str, Readings]) -> None:
        self.names = list(readings)
        self.readings = list(readings.values())
        self.slices = len(self.readings[0].value)
        folds = max(
            1 if reading.present is None else reading.present.shape[1] for reading in self.readings
        )
        columns = zip(*(reading.without(folds) for reading in self.readings), strict=True)
        self.replicates, self.defined, self.present = map(np.concatenate, columns)
        self.value = np.concatenate([reading.value for reading in self.readings])
        self.reasons = np.concatenate([reading.reasons for reading in self.readings])
        self.top_slice = np.concatenate([reading.top_slice for reading in self.readings])
        self.by_fold = self.repeat(lambda reading: reading.present is not None)
        self.exponent = np.concatenate([reading.exponent for reading in self.readings])
        self.below, self.above = (
            np.concatenate(distances)
            for distances in zip(*map(_distances, self.readings), strict=True)
        )

    def use_units(self, exponent: Ints) -> None:
        """Brings the values and the replicates to other units.

        Args:
            exponent: int64 `[metrics * s]`, the exponents of the new units.
        """
        change = self.exponent - exponent
        if change.any():
            self.value = np.ldexp(self.value, change)
            self.replicates = np.ldexp(self.replicates, change[:, np.newaxis])
        self.exponent = exponent

    def repeat(self, get: Callable[[Readings], object]) -> npt.NDArray[Any]:
        """Returns a property of every metric, repeated for its slices: `[metrics * s]`.

        Args:
            get: returns the property, given the readings of a metric.
        """
        return np.repeat(np.array([get(reading) for reading in self.readings]), self.slices)

    def trials(self) -> tuple[Mask, Floats, Floats, Floats]:
        """Returns which metrics are proportions, and of which rows.

        Returns:
            Four arrays `[metrics * s]`: whether the metric is a proportion; and the number of rows
            that it is a proportion of, the sum of their weights and the sum of their squared
            weights, which are NaN for other metrics. Without weights all three are the number of
            rows.
        """
        columns: list[list[Floats]] = [[], [], []]
        for reading in self.readings:
            trials = reading.values.trials
            rows = np.full(self.slices, np.nan) if trials is None else trials.rows
            weights = (rows, rows)
            if trials is not None and trials.weight is not None:
                assert trials.weight_squared is not None
                weights = (trials.weight, trials.weight_squared)
            for column, sums in zip(columns, (rows, *weights), strict=True):
                column.append(sums)
        rows, weight, squared = map(np.concatenate, columns)
        return self.repeat(lambda reading: reading.values.trials is not None), rows, weight, squared

    def few_trials(self) -> Mask:
        """Tells which values are proportions of so few rows that their error says little."""
        proportion, *trials = self.trials()
        return proportion & (effective_size(*trials) < FEW)

    def no_interval_reason(self, errors: JackknifeErrors, lower: Floats) -> Reasons:
        """Returns why there is no interval; None where there is one.

        Where the value itself is undefined, this is the reason for that.

        Args:
            errors: the standard errors, and why there are none.
            lower: float64 `[metrics * s]`, the lower ends of the intervals; NaN where there is
                none.
        """
        texts = {NO_FOLDS: ~self.by_fold, NOT_LARGEST: ~self.top_slice, **errors.reasons}
        why = first_reasons(texts, len(lower))
        why[~why.astype(bool)] = AT_BOUND
        why = np.where(~self.reasons.astype(bool), why, self.reasons)
        why[~np.isnan(lower)] = None
        return why

    def estimates(
        self, errors: JackknifeErrors, error: Floats, lower: Floats, upper: Floats, p_worse: Floats
    ) -> dict[str, Estimates]:
        """Returns the estimates of each metric, by its name, in no units any more.

        Args:
            errors: the standard errors, and why there are none.
            error: float64 `[metrics * s]`, the standard errors to show; NaN where there is none.
            lower: float64 `[metrics * s]`, the lower ends of the intervals; NaN where there is
                none.
            upper: float64 `[metrics * s]`, the upper ends.
            p_worse: float64 `[metrics * s]`, the p-values.
        """
        why = self.no_interval_reason(errors, lower)
        rounded = ((self.below > 0) | (self.above > 0)) & ~np.isnan(self.value)
        lowest, highest = (
            np.where(rounded, bound, np.nan)
            for bound in (self.value - self.below, self.value + self.above)
        )
        together = Estimates(
            self.value,
            self.reasons,
            error,
            lower,
            upper,
            why,
            p_worse,
            lowest,
            highest,
        )
        if self.exponent.any():
            together = _without_units(together, self.exponent)
        columns = [getattr(together, field.name) for field in fields(together)]
        ranges = [slice(i * self.slices, (i + 1) * self.slices) for i in range(len(self.readings))]
        return {
            name: Estimates(*(column[rows] for column in columns))
            for name, rows in zip(self.names, ranges, strict=True)
        }


def _without_units(estimates: Estimates, exponent: Ints) -> Estimates:
    """Returns estimates as numbers, where float64 can hold them.

    Args:
        estimates: the estimates in units.
        exponent: int64 `[s]`, the exponents of the units.
    """
    value, error, lower, upper = (
        np.ldexp(column, exponent)
        for column in (
            estimates.value,
            estimates.standard_error,
            estimates.lower,
            estimates.upper,
        )
    )
    too_large, end_too_large = np.isinf(value), np.isinf(lower) | np.isinf(upper)
    no_interval = too_large | end_too_large
    reason = np.where(end_too_large, END_TOO_LARGE, estimates.no_interval_reason)
    return Estimates(
        np.where(too_large, np.nan, value),
        np.where(too_large, TOO_LARGE, estimates.reasons),
        np.where(too_large | np.isinf(error), np.nan, error),
        np.where(no_interval, np.nan, lower),
        np.where(no_interval, np.nan, upper),
        np.where(too_large, TOO_LARGE, reason),
        np.where(too_large, np.nan, estimates.p_worse),
        estimates.lowest,
        estimates.highest,
    )


def _distances(reading: Readings) -> tuple[Floats, Floats]:
    """Returns how far the bounds of a metric are below and above its values, both `[s]`."""
    value = reading.values.value
    if reading.bounds is None:
        return np.zeros(len(value)), np.zeros(len(value))
    lowest, highest = reading.bounds
    return value - lowest, highest - value


def estimate(readings: Mapping[str, Readings], level: float) -> dict[str, Estimates]:
    """Returns the values of metrics in some slices, with their errors and intervals.

    The intervals are t intervals (`interval`). A proportion with few successes or failures has the
    exact binomial interval instead (`binomial_interval`).

    Args:
        readings: the readings by name of the metric, all of the same slices.
        level: the confidence level, in (0, 1).
    """
    if not readings:
        return {}
    stack = _Stack(readings)
    value = stack.value
    errors = jackknife(stack.replicates, stack.present, stack.defined)
    error = errors.standard_error
    error = np.where(np.isnan(value) | np.isinf(error), np.nan, error)
    lows = stack.repeat(lambda reading: reading.metric.low)
    highs = stack.repeat(lambda reading: reading.metric.high)
    lower, upper = np.full(len(value), np.nan), np.full(len(value), np.nan)
    for low, high in {(reading.metric.low, reading.metric.high) for reading in stack.readings}:
        mask = (lows == low) & (highs == high)
        lower[mask], upper[mask] = interval(
            value[mask], error[mask], errors.degrees[mask], level, low, high
        )
    proportion, rows, weight, squared = stack.trials()
    size = correlated_size(effective_size(rows, weight, squared), value, error)
    rare = np.flatnonzero(proportion & stack.top_slice & stack.by_fold & is_rare(value, size))
    ends = binomial_interval(value[rare], size[rare], level)
    known = ~np.isnan(ends[0])
    lower[rare[known]] = np.minimum(ends[0], value[rare])[known]
    upper[rare[known]] = np.maximum(ends[1], value[rare])[known]
    # Of the values that rounding leaves possible, each has its interval.
    lower = np.maximum(lower - stack.below, lows)
    upper = np.minimum(upper + stack.above, highs)
    no_p = np.full(len(value), np.nan)
    return stack.estimates(errors, error, lower, upper, no_p)


def difference(
    candidate: Mapping[str, Readings],
    baseline: Mapping[str, Readings],
    level: float,
    paired: Mask | None = None,
) -> dict[str, Estimates]:
    """Returns the metrics of the candidate minus those of the baseline.

    Args:
        candidate: the readings of the candidate, by name of the metric.
        baseline: the readings of the baseline, by name of the metric. Metrics that only one of the
            two models has, and those whose difference says nothing, are left out.
        level: the confidence level, in (0, 1).
        paired: bool `[s]`, whether both have the same rows in the same folds; None if this is so in
            all slices. Elsewhere the errors of both are combined as those of independent rows.
    """
    names = [name for name, reading in candidate.items() if name in baseline]
    if not names:
        return {}
    new, old = (_Stack({name: side[name] for name in names}) for side in (candidate, baseline))
    new.reasons = np.where(~new.reasons.astype(bool), old.reasons, new.reasons)
    units = np.maximum(new.exponent, old.exponent)
    for stack in (new, old):
        stack.use_units(units)
    with np.errstate(over="ignore"):
        value = new.value - old.value
    new.reasons[np.isinf(value)] = DIFFERENCE_TOO_LARGE
    value = np.where(np.isinf(value), np.nan, value)
    new.below, new.above = new.below + old.above, new.above + old.below
    new.top_slice = new.top_slice & old.top_slice
    if paired is None or paired.any():
        errors = paired_jackknife(
            new.replicates, old.replicates, new.present, new.defined & old.defined
        )
    else:
        errors = jackknife(new.replicates, new.present, new.defined)
    error, degrees = errors.standard_error, errors.degrees.astype(np.float64)
    if paired is not None:
        unpaired = np.tile(~paired, len(names))
        new_errors, old_errors = (
            jackknife(stack.replicates, stack.present, stack.defined) for stack in (new, old)
        )
        independent = welch(
            new_errors.standard_error,
            new_errors.degrees,
            old_errors.standard_error,
            old_errors.degrees,
        )
        error = np.where(unpaired, independent[0], error)
        error[np.isinf(error)] = np.nan
        degrees = np.where(unpaired, independent[1], degrees)
        reasons = {text: unpaired & where for text, where in new_errors.reasons.items()}
        for text, where in old_errors.reasons.items():
            reasons[text] = reasons[text] | (unpaired & where)
        of_paired = {text: ~unpaired & where for text, where in errors.reasons.items()}
        reasons = {text: where | of_paired[text] for text, where in reasons.items()}
        errors = replace(errors, reasons=reasons)
    few = new.few_trials() | old.few_trials()
    error = np.where(np.isnan(value) | np.isinf(error) | few | ~new.top_slice, np.nan, error)
    errors = replace(errors, reasons={TOO_FEW: few, **errors.reasons})
    lower, upper = interval(value, error, degrees, level)
    lower, upper = lower - new.below, upper + new.above
    p = np.full(len(value), np.nan)
    better = new.repeat(lambda reading: reading.metric.higher_is_better)
    for direction in (True, False):
        mask = better == direction
        # The difference that speaks least for it, of those that rounding leaves possible.
        least = value + new.above if direction else value - new.below
        p[mask] = p_worse(least[mask], error[mask], degrees[mask], direction)
    new.value = value
    return new.estimates(errors, error, lower, upper, p)
