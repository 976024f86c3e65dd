"""Compares slices with overall: differences and ratios, with intervals and p-values."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import fields, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from heads.metrics.core.methods import FEW as FEW_OUTSIDE
from heads.metrics.core.methods import CalibrationTest, Halves, RecallTest, ThresholdTest
from heads.metrics.core.metric import BinomialCounts, Metric, Values
from pipeline.confidence.intervals import FEW, interval, quantile
from pipeline.confidence.jackknife import FEW_FOLDS, FoldErrors
from pipeline.confidence.significance import p_differs
from pipeline.results.differences import (
    DIFFERENCE_TOO_LARGE,
    TOO_FEW,
    area_factor,
    paired_errors,
    relative_readings,
    share_variance_of,
)
from pipeline.results.estimated import Estimates
from pipeline.results.half_samples import HalfReadings
from pipeline.results.readings import Floats, Mask, Readings, Reasons, first_reasons
from pipeline.results.stack import Stack
from pipeline.results.state_views import SupportReadings
from pipeline.results.tested_ends import Tested, read_ends

SMALL = "the slice has fewer rows than min_slice_size"
NEARLY_OVERALL = "too few rows of overall are outside the slice"
UNHELD = "no interval of it against overall held in simulation"
SIGNED = "a metric that may be below 0 has no ratio"
OVERALL_ZERO = "overall is 0"
OVERALL_NEAR_ZERO = "overall may be 0, for its scores are rounded"
RATIO_TOO_LARGE = "the ratio is too large for float64"


class OverallMetric(NamedTuple):
    """A metric of overall, with which slices are compared.

    Attributes:
        reading: its readings in the only slice overall, without curves and sums in bins.
        ends: the value and the ends of its interval, for a metric whose interval is where
            tests reject; None for others.
    """

    reading: Readings
    ends: Tested | None


class AgainstOverall(NamedTuple):
    """A metric of some slices, compared with overall.

    Attributes:
        difference: the metric in the slices less that in overall.
        ratio: the metric in the slices divided by that in overall.
    """

    difference: Estimates
    ratio: Estimates


def overall_metrics(readings: Mapping[str, Readings], level: float) -> dict[str, OverallMetric]:
    """Returns the metrics of overall that slices can be compared with, by name.

    Sums over rows are left out, for a slice has fewer rows than overall, and metrics of which a
    difference says nothing.

    Args:
        readings: the readings of overall alone, by name of the metric.
        level: the confidence level, in (0, 1).
    """
    return {
        name: OverallMetric(
            replace(reading, curves=None, bins=None),
            read_ends(reading, level) if _is_tested(reading.metric) else None,
        )
        for name, reading in readings.items()
        if reading.metric.comparable and not reading.metric.total
    }


def against_overall(
    slices: Mapping[str, Readings], overall: Mapping[str, OverallMetric], level: float, small: Mask
) -> dict[str, AgainstOverall]:
    """Returns the metrics of some slices compared with those of overall.

    Args:
        slices: the readings of the slices, by name of the metric.
        overall: the metrics of overall. What it does not have is left out.
        level: the confidence level, in (0, 1).
        small: bool `[s]`, which slices have fewer rows than `min_slice_size`, and no intervals.
    """
    chosen = {name: reading for name, reading in slices.items() if name in overall}
    repeated = {
        name: OverallMetric(_repeated(overall[name].reading, len(small)), overall[name].ends)
        for name in chosen
    }
    return compare_parts(chosen, repeated, level, small)


def compare_parts(
    parts: Mapping[str, Readings], wholes: Mapping[str, OverallMetric], level: float, small: Mask
) -> dict[str, AgainstOverall]:
    """Returns metrics of parts of some rows compared with those of all the rows.

    A part and the whole share rows and folds: the errors are those of the differences without each
    fold. The interval of a ratio is that of a difference of logarithms, by the delta method.

    Args:
        parts: the readings of the parts, by name of the metric.
        wholes: the metrics of the wholes that the parts are of, in the same order.
        level: the confidence level, in (0, 1).
        small: bool `[s]`, which parts have no intervals, for they are small.
    """
    if not parts:
        return {}
    compared = _Compared(parts, wholes, level, small)
    differences, ratios = compared.differences(), compared.ratios()
    return {name: AgainstOverall(differences[name], ratios[name]) for name in parts}


class _Compared:
    """The readings of slices and of overall, put under one another.

    Attributes:
        new: the readings of the slices.
        old: the readings of overall, for each slice once.
        refused: why there is no interval, whatever the errors are: by reason bool `[metrics * s]`.
        degrees: float64 `[metrics * s]`, the degrees of freedom of the errors.

    Args:
        slices: the readings of the slices.
        overall: the metrics of overall, for each slice once.
        level: the confidence level, in (0, 1).
        small: bool `[s]`, which slices have fewer rows than `min_slice_size`.
    """

    def __init__(
        self,
        slices: Mapping[str, Readings],
        overall: Mapping[str, OverallMetric],
        level: float,
        small: Mask,
    ) -> None:
        self._level = level
        self._ends = [overall[name].ends for name in slices]
        self.new = Stack(slices)
        self.old = Stack({name: overall[name].reading for name in slices})
        new, old = self.new, self.old
        new.reasons = np.where(~new.reasons.astype(bool), old.reasons, new.reasons)
        self.degrees = np.fmin(new.degrees, old.degrees)
        new_errors, old_errors = new.errors(), old.errors()
        few = new.independent_size(new_errors.standard_error) < FEW
        few |= old.independent_size(old_errors.standard_error) < FEW
        # A share that nothing varies in has what `share_variance_of` adds; other figures have not.
        no_share = np.isnan(new.share_size)
        self.refused = {
            UNHELD: new.repeat(lambda reading: _is_unheld(reading.metric)),
            SMALL: np.tile(small, len(new.names)),
            **{
                text: where & (no_share | (text == FEW_FOLDS))
                for text, where in new_errors.reasons.items()
            },
            NEARLY_OVERALL: self._few_outside(),
            TOO_FEW: few,
        }
        self._none = ~new.top_slice | ~new.by_fold
        for where in self.refused.values():
            self._none = self._none | where
        self._factor = area_factor(new, old)
        self._added = share_variance_of(new), share_variance_of(old)
        # Where a slice has no rows, only overall differs without the fold.
        kept = new.present.any(axis=1, keepdims=True)
        new.present = new.present | (kept & old.present)

    def _few_outside(self) -> Mask:
        """Returns where too few rows are outside the slice: nothing tells how much they vary."""
        few = np.zeros(len(self.new.value), bool)
        for number, (reading, part) in enumerate(self.new.by_metric()):
            rows, all_rows = reading.rows, self.old.readings[number].rows
            if rows is not None and all_rows is not None:
                requirement = reading.metric.requirement
                # The counts are sums, times a share, with a rounding error.
                least = (FEW_OUTSIDE if requirement is None else requirement.least) - 1e-6
                few[part] = all_rows - rows < least
        return few

    def differences(self) -> dict[str, Estimates]:
        """Returns the metrics of the slices less those of overall."""
        new, old = self.new, self.old
        value = new.value - old.value
        errors = paired_errors(
            new, old, self._factor, self._added[0] + self._added[1], self.degrees
        )
        error = self._shown(errors)
        # The best of many thresholds is too good by more in a slice, which has fewer rows.
        centre = new.centre - old.centre
        lower, upper = interval(centre, error, self.degrees, self._level)
        lower, upper = np.minimum(lower, value), np.maximum(upper, value)
        tested_error = error.copy()
        for metric, ends, other, part in self._tested:
            tested = ends.less(other, metric.low, metric.high)
            lower[part], upper[part] = tested.lower, tested.upper
            # By this error the p-value agrees with the interval.
            towards = np.where(tested.value < 0, tested.upper, tested.lower)
            quantiles = quantile(self.degrees[part], self._level)
            tested_error[part] = np.abs(towards - tested.value) / quantiles
        below, above = new.below + old.above, new.above + old.below
        # The difference nearest to 0, of those that rounding leaves possible.
        least = np.clip(0.0, centre - below, centre + above)
        p = p_differs(least, np.where(self._none, np.nan, tested_error), self.degrees)
        reasons = new.reasons.copy()
        reasons[np.isinf(value)] = DIFFERENCE_TOO_LARGE
        interval_ends = lower - below, upper + above
        return self._estimates(value, reasons, errors, error, interval_ends, (below, above), p)

    def ratios(self) -> dict[str, Estimates]:
        """Returns the metrics of the slices divided by those of overall."""
        new, old = self.new, self.old
        value, lowest, highest = (
            above / below
            for above, below in (
                (new.value, old.value),
                (new.value - new.below, old.value + old.above),
                (new.value + new.above, old.value - old.below),
            )
        )
        texts = {
            SIGNED: new.repeat(lambda reading: reading.metric.low) < 0,
            OVERALL_ZERO: old.value == 0,
            OVERALL_NEAR_ZERO: old.value <= old.below,
            RATIO_TOO_LARGE: np.isinf(highest),
        }
        reasons = np.where(new.reasons.astype(bool), new.reasons, first_reasons(texts, len(value)))
        added = self._added[0] / new.value**2 + self._added[1] / old.value**2
        relative_new, relative_old = (Stack(relative_readings(stack)) for stack in (new, old))
        relative_new.present = new.present
        errors = paired_errors(relative_new, relative_old, self._factor, added, self.degrees)
        error = self._shown(errors)
        centre = new.centre / old.centre
        lower, upper = interval(centre, error * centre, self.degrees, self._level, low=0.0)
        lower, upper = np.minimum(lower, value), np.maximum(upper, value)
        for metric, ends, other, part in self._tested:
            tested = ends.over(other, metric.high)
            lower[part], upper[part] = tested.lower, tested.upper
        interval_ends = lower * (lowest / value), upper * (highest / value)
        distances = value - lowest, highest - value
        return self._estimates(value, reasons, errors, error * value, interval_ends, distances)

    @cached_property
    def _tested(self) -> list[tuple[Metric, Tested, Tested, slice]]:
        """The metrics whose intervals are where tests reject, with the ends in slices and overall.

        Each comes with the places of its slices in the arrays `[metrics * s]`.
        """
        found = []
        for (reading, part), other in zip(self.new.by_metric(), self._ends, strict=True):
            ends = None if other is None else read_ends(reading, self._level)
            if ends is not None and other is not None:
                found.append((reading.metric, ends, other, part))
        return found

    def _shown(self, errors: FoldErrors) -> Floats:
        """Returns the standard errors `[metrics * s]`, without those that are not to be shown."""
        error = errors.standard_error
        return np.where(self._none | np.isinf(error), np.nan, error)

    def _estimates(
        self,
        value: Floats,
        reasons: Reasons,
        errors: FoldErrors,
        error: Floats,
        ends: tuple[Floats, Floats],
        distances: tuple[Floats, Floats],
        p_value: Floats | None = None,
    ) -> dict[str, Estimates]:
        """Returns the estimates of each metric, by its name.

        Args:
            value: float64 `[metrics * s]`, the differences or ratios.
            reasons: texts `[metrics * s]`, why they are undefined.
            errors: their standard errors, and why there are none.
            error: float64 `[metrics * s]`, the standard errors to show.
            ends: the ends of the intervals, both float64 `[metrics * s]`.
            distances: how far the bounds of the values are below and above them, likewise.
            p_value: float64 `[metrics * s]`, the p-values; None for none.
        """
        undefined = reasons.astype(bool)
        value, error = (np.where(undefined, np.nan, column) for column in (value, error))
        lower, upper = (np.where(undefined | self._none, np.nan, end) for end in ends)
        shown = copy(self.new)
        shown.value, shown.reasons = value, reasons
        shown.below, shown.above = distances
        reasons_of_none = dict(self.refused)
        for text, where in errors.reasons.items():
            reasons_of_none[text] = self.refused.get(text, False) | (where & ~self._none)
        errors = replace(errors, reasons=reasons_of_none)
        p_value = None if p_value is None else np.where(undefined, np.nan, p_value)
        return shown.estimates(errors, error, self.degrees, lower, upper, p_value=p_value)


def _is_tested(metric: Metric) -> bool:
    return isinstance(metric.method, ThresholdTest | RecallTest)


def _is_unheld(metric: Metric) -> bool:
    """Whether intervals of a metric against overall held in fewer than 93 % of simulated samples.

    Calibration errors and largest distances are too high by chance, the more in fewer rows.
    """
    method = metric.method
    return isinstance(method, CalibrationTest) or (isinstance(method, Halves) and method.distance)


_REPEATED = (Readings, Values, BinomialCounts, SupportReadings, HalfReadings)


def _repeated(part: Any, number: int) -> Any:
    """Returns the readings of one slice, or a part of them, as those of several equal slices."""
    if isinstance(part, np.ndarray):
        return np.tile(part, (number, *(1 for _ in part.shape[1:])))
    if isinstance(part, tuple):
        return tuple(_repeated(item, number) for item in part)
    if isinstance(part, Mapping):
        return {name: _repeated(item, number) for name, item in part.items()}
    if isinstance(part, _REPEATED):
        columns = {field.name: getattr(part, field.name) for field in fields(part)}
        return replace(part, **{name: _repeated(item, number) for name, item in columns.items()})
    return part
