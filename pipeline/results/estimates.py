"""Estimates: the values of a metric in some slices, and how sure each is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
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
from pipeline.results.readings import Floats, Mask, Readings, Reasons, first_reasons

NOT_LARGEST = "kept for the largest slices alone, see confidence.max_slices"
NO_FOLDS = "measured without folds"
TOO_FEW = f"a share of fewer than {FEW} rows"


@dataclass(frozen=True, eq=False)
class Estimates:
    """A metric in the slices of one piece, all `[s]`.

    Attributes:
        value: the values, NaN where undefined.
        reasons: why a value is undefined.
        standard_error: the standard errors, NaN where there is none.
        lower: the lower ends of the intervals, NaN where there is none.
        upper: the upper ends.
        no_interval_reason: why there is no interval.
        p_worse: for a difference, the one-sided p-value that the candidate is worse; NaN where
            there is none.
    """

    value: Floats
    reasons: Reasons
    standard_error: Floats
    lower: Floats
    upper: Floats
    no_interval_reason: Reasons
    p_worse: Floats


class _Stack:
    """The readings of several metrics in the same slices, under one another: `[metrics * s]`."""

    def __init__(self, readings: Mapping[str, Readings]) -> None:
        self.names = list(readings)
        self.own = list(readings.values())
        self.slices = len(self.own[0].value)
        folds = max(1 if each.present is None else each.present.shape[1] for each in self.own)
        columns = zip(*(each.without(folds) for each in self.own), strict=True)
        self.replicates, self.defined, self.present = map(np.concatenate, columns)
        self.value = np.concatenate([each.value for each in self.own])
        self.reasons = np.concatenate([each.reasons for each in self.own])
        self.top_slice = np.concatenate([each.top_slice for each in self.own])
        self.by_fold = self.each(lambda one: one.present is not None)

    def each(self, what: Callable[[Readings], object]) -> npt.NDArray[Any]:
        """Something of each metric, repeated for its slices."""
        return np.repeat(np.array([what(one) for one in self.own]), self.slices)

    def trials(self) -> tuple[Mask, Floats, Floats, Floats]:
        """Which are proportions, and of what: rows, weight and squared weight."""
        columns: list[list[Floats]] = [[], [], []]
        for one in self.own:
            trials = one.values.trials
            rows = np.full(self.slices, np.nan) if trials is None else trials.rows
            weights = (rows, rows)
            if trials is not None and trials.weight is not None:
                assert trials.weight_squared is not None
                weights = (trials.weight, trials.weight_squared)
            for column, own in zip(columns, (rows, *weights), strict=True):
                column.append(own)
        rows, weight, squared = map(np.concatenate, columns)
        return self.each(lambda one: one.values.trials is not None), rows, weight, squared

    def few_trials(self) -> Mask:
        """Which are proportions of so few rows that their error says little."""
        proportion, *trials = self.trials()
        return proportion & (effective_size(*trials) < FEW)

    def no_interval_reason(self, errors: JackknifeErrors, lower: Floats) -> Reasons:
        """Why there is no interval."""
        texts = {NO_FOLDS: ~self.by_fold, NOT_LARGEST: ~self.top_slice, **errors.reasons}
        why = first_reasons(texts, len(lower))
        why[~why.astype(bool)] = AT_BOUND
        why = np.where(~self.reasons.astype(bool), why, self.reasons)
        why[~np.isnan(lower)] = None
        return why

    def cut(self, *columns: npt.NDArray[Any]) -> dict[str, Estimates]:
        """The estimates of each metric."""
        ranges = [slice(i * self.slices, (i + 1) * self.slices) for i in range(len(self.own))]
        return {
            name: Estimates(*(column[rows] for column in columns))
            for name, rows in zip(self.names, ranges, strict=True)
        }


def estimate(readings: Mapping[str, Readings], level: float) -> dict[str, Estimates]:
    """The values of metrics of the same slices, with their errors and intervals.

    Args:
        readings: what was read, by name of the metric.
        level: the confidence level.
    """
    if not readings:
        return {}
    stack = _Stack(readings)
    value = stack.value
    errors = jackknife(stack.replicates, stack.present, stack.defined)
    error = np.where(np.isnan(value), np.nan, errors.standard_error)
    lows, highs = stack.each(lambda one: one.metric.low), stack.each(lambda one: one.metric.high)
    lower, upper = np.full(len(value), np.nan), np.full(len(value), np.nan)
    for low, high in {(one.metric.low, one.metric.high) for one in stack.own}:
        own = (lows == low) & (highs == high)
        lower[own], upper[own] = interval(
            value[own], error[own], errors.degrees[own], level, low, high
        )
    proportion, rows, weight, squared = stack.trials()
    size = correlated_size(effective_size(rows, weight, squared), value, error)
    rare = np.flatnonzero(proportion & stack.top_slice & stack.by_fold & is_rare(value, size))
    ends = binomial_interval(value[rare], size[rare], level)
    known = ~np.isnan(ends[0])
    lower[rare[known]] = np.minimum(ends[0], value[rare])[known]
    upper[rare[known]] = np.maximum(ends[1], value[rare])[known]
    none = np.full(len(value), np.nan)
    return stack.cut(
        value, stack.reasons, error, lower, upper, stack.no_interval_reason(errors, lower), none
    )


def difference(
    candidate: Mapping[str, Readings],
    baseline: Mapping[str, Readings],
    level: float,
    paired: Mask | None = None,
) -> dict[str, Estimates]:
    """Metrics of the candidate less those of the baseline.

    Args:
        candidate: what was read of the candidate, by name of the metric.
        baseline: what was read of the baseline; metrics that one of them lacks are left out.
        level: the confidence level.
        paired: bool `[s]`, whether the rows and their folds are the same; None where they all are.
            Elsewhere the errors of both are added up as those of independent rows.
    """
    names = [n for n, each in candidate.items() if n in baseline and each.metric.comparable]
    if not names:
        return {}
    first, second = (_Stack({name: side[name] for name in names}) for side in (candidate, baseline))
    first.reasons = np.where(~first.reasons.astype(bool), second.reasons, first.reasons)
    value = first.value - second.value
    first.top_slice = first.top_slice & second.top_slice
    if paired is None or paired.any():
        errors = paired_jackknife(
            first.replicates, second.replicates, first.present, first.defined & second.defined
        )
    else:
        errors = jackknife(first.replicates, first.present, first.defined)
    error, degrees = errors.standard_error, errors.degrees.astype(np.float64)
    if paired is not None:
        apart = np.tile(~paired, len(names))
        own, other = (
            jackknife(each.replicates, each.present, each.defined) for each in (first, second)
        )
        alone = welch(own.standard_error, own.degrees, other.standard_error, other.degrees)
        error, degrees = np.where(apart, alone[0], error), np.where(apart, alone[1], degrees)
        reasons = {text: apart & where for text, where in own.reasons.items()}
        for text, where in other.reasons.items():
            reasons[text] = reasons[text] | (apart & where)
        same = {text: ~apart & where for text, where in errors.reasons.items()}
        reasons = {text: where | same[text] for text, where in reasons.items()}
        errors = replace(errors, reasons=reasons)
    few = first.few_trials() | second.few_trials()
    error = np.where(np.isnan(value) | few | ~first.top_slice, np.nan, error)
    errors = replace(errors, reasons={TOO_FEW: few, **errors.reasons})
    lower, upper = interval(value, error, degrees, level)
    p = np.full(len(value), np.nan)
    better = first.each(lambda one: one.metric.higher_is_better)
    for direction in (True, False):
        own = better == direction
        p[own] = p_worse(value[own], error[own], degrees[own], direction)
    return first.cut(
        value, first.reasons, error, lower, upper, first.no_interval_reason(errors, lower), p
    )
