"""Computes the differences of metrics of two models in some slices, with intervals and p-values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from heads.metrics.core.methods import CalibrationTest, RecallTest, ThresholdTest
from pipeline.confidence.intervals import FEW, interval, quantile, share_variance
from pipeline.confidence.jackknife import FoldErrors, paired_jackknife
from pipeline.confidence.significance import p_worse, welch
from pipeline.results.estimated import Estimates
from pipeline.results.readings import Floats, Mask, Readings
from pipeline.results.stack import Stack
from pipeline.results.tested_ends import read_ends

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
    new, old = (Stack({name: side[name] for name in names}) for side in (candidate, baseline))
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
    new.by_fold = new.by_fold & old.by_fold
    for reason, where in old.unmet.items():
        new.unmet[reason] = new.unmet.get(reason, False) | where
    sides = new.errors(), old.errors()
    errors, degrees = _difference_errors(new, old, sides, paired)
    error = errors.standard_error
    few = new.independent_size(sides[0].standard_error) < FEW
    few = few | (old.independent_size(sides[1].standard_error) < FEW)
    error = np.where(np.isnan(value) | np.isinf(error) | few | ~new.top_slice, np.nan, error)
    errors = replace(errors, reasons={TOO_FEW: few, **errors.reasons})
    lower, upper = interval(value, error, degrees, level)
    # An error by which the p-value of a tested figure agrees with its interval.
    shown = error.copy()
    for number, (reading, part) in enumerate(new.by_metric()):
        metric = reading.metric
        if not isinstance(metric.method, ThresholdTest | RecallTest | CalibrationTest):
            continue
        first, second = (read_ends(stack.readings[number], level) for stack in (new, old))
        if first is not None and second is not None:
            tested = first.less(second, metric.low, metric.high)
            lower[part], upper[part] = tested.lower, tested.upper
            towards = np.where(tested.value < 0, tested.upper, tested.lower)
            degrees[part] = np.fmin(new.degrees, old.degrees)[part]
            error[part] = np.abs(towards - tested.value) / quantile(degrees[part], level)
    lower, upper = lower - new.below, upper + new.above
    p = np.full(len(value), np.nan)
    better = new.repeat(lambda reading: reading.metric.higher_is_better)
    for direction in (True, False):
        mask = better == direction
        # The difference that speaks least for it, of those that rounding leaves possible.
        least = value + new.above if direction else value - new.below
        p[mask] = p_worse(least[mask], error[mask], degrees[mask], direction)
    new.value = value
    return new.estimates(errors, shown, degrees, lower, upper, p)


def _difference_errors(
    new: Stack, old: Stack, sides: tuple[FoldErrors, FoldErrors], paired: Mask | None
) -> tuple[FoldErrors, Floats]:
    """Returns the standard errors of differences, and their degrees of freedom.

    What the best of many thresholds is too good by, falls out of a difference.

    Args:
        new: the readings of the candidate.
        old: the readings of the baseline.
        sides: the standard errors of the candidate and of the baseline.
        paired: as for `difference`.
    """
    degrees = np.fmin(new.degrees, old.degrees)
    if paired is None or paired.any():
        added = share_variance_of(new) + share_variance_of(old)
        errors = paired_errors(new, old, area_factor(new, old), added, degrees)
        if paired is None:
            return errors, degrees
    else:
        errors = sides[0]
    unpaired = np.tile(~paired, len(new.names))
    independent = welch(sides[0].standard_error, new.degrees, sides[1].standard_error, old.degrees)
    error = np.where(unpaired, independent[0], errors.standard_error)
    error[np.isinf(error)] = np.nan
    reasons = {text: unpaired & where for text, where in sides[0].reasons.items()}
    for text, where in sides[1].reasons.items():
        reasons[text] = reasons[text] | (unpaired & where)
    for text, where in errors.reasons.items():
        reasons[text] = reasons[text] | (~unpaired & where)
    errors = FoldErrors(error, reasons)
    return errors, np.where(unpaired, independent[1], degrees)


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
