"""Computes the differences of metrics of two models in some slices, with intervals and p-values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from heads.metrics.core.methods import CalibrationTest, RecallTest, ThresholdTest
from heads.metrics.core.metric import Metric
from pipeline.confidence.intervals import FEW, Level, interval, quantile, share_variance
from pipeline.confidence.jackknife import FoldErrors, paired_jackknife
from pipeline.confidence.significance import p_worse, welch
from pipeline.results.estimated import Estimates
from pipeline.results.readings import Floats, Mask, Readings
from pipeline.results.stack import Stack
from pipeline.results.tested_ends import Tested, read_ends

DIFFERENCE_TOO_LARGE = "the difference is too large for float64"
TOO_FEW = f"a share of fewer than {FEW} rows"


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
    names = [
        name
        for name, reading in candidate.items()
        if name in baseline and reading.metric.comparable
    ]
    if not names:
        return {}
    new, old = ({name: side[name] for name in names} for side in (candidate, baseline))
    return DifferenceEstimator(new, old, paired).estimates(level)


class DifferenceEstimator:
    """Estimates differences of metrics in some slices, with intervals at any confidence level.

    Args:
        candidate: the readings of the candidate, by name of the metric; at least one.
        baseline: the readings of the baseline, of the same metrics.
        paired: as for `difference`.

    Attributes:
        value: float64 `[metrics * s]`, the differences in units; NaN where undefined.
        exponent: int64 `[metrics * s]`, the exponents of the units of differences and ends.
    """

    def __init__(
        self,
        candidate: Mapping[str, Readings],
        baseline: Mapping[str, Readings],
        paired: Mask | None,
    ) -> None:
        self._new, self._old = new, old = Stack(candidate), Stack(baseline)
        units = np.maximum(new.exponent, old.exponent)
        for stack in (new, old):
            stack.use_units(units)
        with np.errstate(over="ignore"):
            value = new.value - old.value
        take_limits(new, old)
        new.reasons[np.isinf(value)] = DIFFERENCE_TOO_LARGE
        self.value = value = np.where(np.isinf(value), np.nan, value)
        self.exponent = units
        new.below, new.above = new.below + old.above, new.above + old.below
        sides = new.errors(), old.errors()
        errors, self._degrees = difference_errors(new, old, sides, paired)
        error = errors.standard_error
        few = of_few_rows(new, old, sides)
        none = np.isnan(value) | np.isinf(error) | few | ~new.top_slice
        self._error = np.where(none, np.nan, error)
        self._errors = replace(errors, reasons={TOO_FEW: few, **errors.reasons})

    def ends(self, level: Level) -> tuple[Floats, Floats]:
        """Returns the lower and upper ends of the intervals, both float64 `[metrics * s]`.

        Ends are in units, and NaN where there is no interval.

        Args:
            level: the confidence level, in (0, 1): a number or float64 `[metrics * s]`.
        """
        return self._ends(level, self._tested(level))

    def _ends(self, level: Level, tested: Iterable[tuple[Tested, slice]]) -> tuple[Floats, Floats]:
        lower, upper = interval(self.value, self._error, self._degrees, level)
        for found, part in tested:
            lower[part], upper[part] = found.lower, found.upper
        return lower - self._new.below, upper + self._new.above

    def estimates(self, level: float) -> dict[str, Estimates]:
        """Returns the estimates of each metric, by its name."""
        new, value, degrees = self._new, self.value, self._degrees.copy()
        # An error by which the p-value of a tested figure agrees with its interval.
        error = self._error.copy()
        tested = list(self._tested(level))
        for found, part in tested:
            towards = np.where(found.value < 0, found.upper, found.lower)
            degrees[part] = np.fmin(new.degrees, self._old.degrees)[part]
            error[part] = np.abs(towards - found.value) / quantile(degrees[part], level)
        p = np.full(len(value), np.nan)
        better = new.repeat(lambda reading: reading.metric.higher_is_better)
        for direction in (True, False):
            mask = better == direction
            # The difference that speaks least for it, of those that rounding leaves possible.
            least = value + new.above if direction else value - new.below
            p[mask] = p_worse(least[mask], error[mask], degrees[mask], direction)
        lower, upper = self._ends(level, tested)
        new.value = value
        return new.estimates(self._errors, self._error, degrees, lower, upper, p)

    def _tested(self, level: Level) -> Iterator[tuple[Tested, slice]]:
        """Yields the differences whose ends tests give, and which of `metrics * s` are theirs."""
        for metric, first, second, part in tested_sides(self._new, self._old, level):
            yield first.less(second, metric.low, metric.high), part


def take_limits(new: Stack, old: Stack) -> None:
    """Gives readings what keeps those of the other side from having a value or an interval."""
    new.reasons = np.where(~new.reasons.astype(bool), old.reasons, new.reasons)
    new.top_slice = new.top_slice & old.top_slice
    new.by_fold = new.by_fold & old.by_fold
    for reason, where in old.unmet.items():
        new.unmet[reason] = new.unmet.get(reason, False) | where


def of_few_rows(new: Stack, old: Stack, sides: tuple[FoldErrors, FoldErrors]) -> Mask:
    """Returns where a side is a share of too few independent rows, bool `[metrics * s]`."""
    few: Mask = new.independent_size(sides[0].standard_error) < FEW
    return few | (old.independent_size(sides[1].standard_error) < FEW)


def tested_sides(
    new: Stack, old: Stack, level: Level
) -> Iterator[tuple[Metric, Tested, Tested, slice]]:
    """Yields the metrics whose ends tests give, with both sides, and which rows are theirs."""
    levels = np.broadcast_to(level, new.value.shape)
    for number, (reading, part) in enumerate(new.by_metric()):
        if not isinstance(reading.metric.method, ThresholdTest | RecallTest | CalibrationTest):
            continue
        first, second = (read_ends(stack.readings[number], levels[part]) for stack in (new, old))
        if first is not None and second is not None:
            yield reading.metric, first, second, part


def difference_errors(
    new: Stack,
    old: Stack,
    sides: tuple[FoldErrors, FoldErrors],
    paired: Mask | None,
    *,
    relative: bool = False,
) -> tuple[FoldErrors, Floats]:
    """Returns the standard errors of differences, and their degrees of freedom.

    What the best of many thresholds is too good by, falls out of a difference.

    Args:
        new: the readings of the candidate.
        old: the readings of the baseline.
        sides: the standard errors of the candidate and of the baseline.
        paired: as for `difference`.
        relative: whether to return the errors of differences of logarithms, by the delta method.
    """
    degrees = np.fmin(new.degrees, old.degrees)
    stacks, added = [new, old], [share_variance_of(stack) for stack in (new, old)]
    of_sides = [side.standard_error for side in sides]
    if relative:
        stacks = [Stack(relative_readings(stack)) for stack in stacks]
        added = [square / stack.value**2 for square, stack in zip(added, (new, old), strict=True)]
        of_sides = [e / stack.value for e, stack in zip(of_sides, (new, old), strict=True)]
    if paired is None or paired.any():
        errors = paired_errors(
            stacks[0], stacks[1], area_factor(new, old), added[0] + added[1], degrees
        )
        if paired is None:
            return errors, degrees
    else:
        errors = sides[0]
    unpaired = np.tile(~paired, len(new.names))
    independent = welch(of_sides[0], new.degrees, of_sides[1], old.degrees)
    error = np.where(unpaired, independent[0], errors.standard_error)
    error[np.isinf(error)] = np.nan
    reasons = {text: unpaired & where for text, where in sides[0].reasons.items()}
    for text, where in sides[1].reasons.items():
        reasons[text] = reasons[text] | (unpaired & where)
    for text, where in errors.reasons.items():
        reasons[text] = reasons[text] | (~unpaired & where)
    errors = FoldErrors(error, reasons)
    return errors, np.where(unpaired, independent[1], degrees)


def relative_readings(stack: Stack) -> dict[str, Readings]:
    """Returns the readings of a stack whose replicates are divided by the value.

    So their errors are those of logarithms, by the delta method.
    """
    found = {}
    for name, (reading, part) in zip(stack.names, stack.by_metric(), strict=True):
        value = stack.value[part]
        unit = np.where(value > 0, value, 1.0)
        replicates, halves = reading.replicates, reading.halves
        if replicates is not None:
            folds = len(replicates.value) // len(value)
            divided = replicates.value / np.repeat(unit, folds)
            replicates = replace(replicates, value=divided)
        if halves is not None:
            divided = halves.halves / unit[:, np.newaxis]
            halves = replace(halves, whole=halves.whole / unit, halves=divided)
        found[name] = replace(reading, replicates=replicates, halves=halves)
    return found


def paired_errors(
    new: Stack, old: Stack, factor: Floats, added: Floats, degrees: Floats
) -> FoldErrors:
    """Returns the standard errors of differences of values of the same folds.

    Args:
        new: the readings from which others are subtracted.
        old: the readings that are subtracted.
        factor: float64 `[metrics * s]`, by what an error from folds is multiplied (`area_factor`).
        added: float64 `[metrics * s]`, what is added to its square (`share_variance_of`).
        degrees: float64 `[metrics * s]`, the degrees of freedom of the errors.
    """
    errors = paired_jackknife(
        new.replicates, old.replicates, new.present, new.defined & old.defined
    )
    errors, _ = new.with_halves(errors, old)
    error = np.hypot(errors.standard_error * factor, np.sqrt(added))
    return new.with_counts(replace(errors, standard_error=error), degrees)


def share_variance_of(stack: Stack) -> Floats:
    """Returns what is added to the squared errors `[metrics * s]` of paired differences."""
    highest = 1 / stack.shares(np.ones(len(stack.value)))
    added: Floats = share_variance(stack.share_size) * highest**2
    return added


def area_factor(new: Stack, old: Stack) -> Floats:
    """Returns by what the errors of paired differences from folds are multiplied, `[metrics * s]`.

    Folds show as much too little of the error of a difference of areas as of those of both areas.
    """
    squares = [np.nan_to_num(stack.from_folds.standard_error) ** 2 for stack in (new, old)]
    added = [
        np.where(square > 0, stack.area_variance, 0.0)
        for square, stack in zip(squares, (new, old), strict=True)
    ]
    shown = squares[0] + squares[1]
    known = (new.area_factor > 0) & (shown > 0)
    return np.where(known, np.sqrt(1 + (added[0] + added[1]) / np.where(known, shown, 1.0)), 1.0)
