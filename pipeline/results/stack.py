"""The readings of several metrics in the same slices, put under one another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.metrics.core.methods import (
    CalibrationTest,
    Jackknife,
    NoInterval,
    RecallTest,
    ThresholdTest,
)
from pipeline.confidence.degrees import FEWEST
from pipeline.confidence.intervals import (
    AT_BOUND,
    area_variance,
    correlated_size,
    effective_size,
)
from pipeline.confidence.jackknife import FEW_FOLDS, LEAST_FOLDS, FoldErrors, jackknife
from pipeline.results.estimated import Estimates, without_units
from pipeline.results.half_samples import errors_of_halves
from pipeline.results.readings import Floats, Ints, Mask, Readings, Reasons, first_reasons

NOT_LARGEST = "kept for the largest slices alone, see confidence.max_slices"
NO_FOLDS = "measured without folds"
IN_ONE_FOLD = "nearly all of the rows that it is an average of are in a single fold"


class Stack:
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
        degrees: float64 `[metrics * s]`, the degrees of freedom of errors from folds.
        area_factor: float64 `[metrics * s]`, the factors of the metrics (`Metric.area_factor`).
        size: float64 `[metrics * s]`, the effective labels of the scarcer kind of such an area.
        unmet: for each reason, where there are fewer rows than the metric requires for an interval:
            bool `[metrics * s]`.
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
            for distances in zip(*(r.distances for r in self.readings), strict=True)
        )
        self.area_factor = self.repeat(lambda reading: reading.metric.area_factor).astype(
            np.float64
        )
        self.degrees, self.size = np.full((2, len(self.value)), np.nan)
        self.unmet: dict[str, Mask] = {}
        for reading, rows in self.by_metric():
            if reading.support is not None:
                self.degrees[rows], self.size[rows] = reading.support.degrees, reading.support.size
            if reading.unmet is not None:
                assert reading.metric.requirement is not None
                reason = reading.metric.requirement.reason
                self.unmet.setdefault(reason, np.zeros(len(self.value), bool))[rows] = reading.unmet

    def by_metric(self) -> Iterator[tuple[Readings, slice]]:
        """Yields the readings of each metric, and which of the `metrics * s` rows are theirs."""
        for at, reading in enumerate(self.readings):
            yield reading, slice(at * self.slices, (at + 1) * self.slices)

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

    def errors(self) -> FoldErrors:
        """Returns the standard errors of the values, and why there are none.

        To the squared error of an area under a curve `area_variance` is added. There is none
        where counts say that it would not hold.
        """
        error = np.where(
            self.area_factor > 0,
            np.hypot(self.from_folds.standard_error, np.sqrt(self.area_variance)),
            self.from_folds.standard_error,
        )
        return self.with_counts(replace(self.from_folds, standard_error=error), self.degrees)

    @property
    def from_folds(self) -> FoldErrors:
        """The standard errors as folds show them, and why there are none."""
        return self._from_folds[0]

    @property
    def shift(self) -> Floats:
        """What is subtracted from values for the centres of intervals, `[metrics * s]`."""
        return self._from_folds[1]

    @property
    def centre(self) -> Floats:
        """The centres of intervals `[metrics * s]`: the values, but of the best of many less."""
        # The centre for a share that is almost nothing is no less than a quarter of it.
        centre = np.maximum(self.value - self.shift, self.value / 4)
        return np.where(self.shift == 0, self.value, centre)

    @cached_property
    def _from_folds(self) -> tuple[FoldErrors, Floats]:
        return self.with_halves(jackknife(self.replicates, self.present, self.defined))

    def with_halves(
        self, errors: FoldErrors, subtracted: Stack | None = None
    ) -> tuple[FoldErrors, Floats]:
        """Returns the errors of the jackknife, replaced where the method of a metric is another.

        Args:
            errors: the errors of the jackknife `[metrics * s]`.
            subtracted: for errors of paired differences, the readings that are subtracted.

        Returns:
            The errors; and float64 `[metrics * s]`, what is to be subtracted from the values for
            the centres of their intervals.
        """
        error, shift = errors.standard_error.copy(), np.zeros(len(self.value))
        reasons = {text: where.copy() for text, where in errors.reasons.items()}
        for number, (reading, rows) in enumerate(self.by_metric()):
            method = reading.metric.method
            if isinstance(method, Jackknife) or reading.present is None:
                continue
            error[rows] = np.nan
            for where in reasons.values():
                where[rows] = False
            found: Mapping[str, Mask] = {}
            if isinstance(method, NoInterval):
                found = {method.reason: np.ones(self.slices, bool)}
            elif isinstance(method, CalibrationTest):
                folds_there = reading.present.sum(axis=1)
                found = {FEW_FOLDS: folds_there < LEAST_FOLDS}
            elif isinstance(method, ThresholdTest | RecallTest):
                folds = np.zeros(self.slices) if reading.curves is None else reading.curves.folds
                found = {FEW_FOLDS: folds < LEAST_FOLDS}
            elif reading.halves is not None:
                other = None if subtracted is None else subtracted.readings[number].halves
                from_halves, shift[rows] = errors_of_halves(reading.halves, other)
                error[rows], found = from_halves.standard_error, from_halves.reasons
            for text, where in found.items():
                reasons.setdefault(text, np.zeros(len(error), bool))[rows] = where
        return FoldErrors(error, reasons), shift

    @property
    def area_variance(self) -> Floats:
        """What folds do not show of the squared errors `[metrics * s]` of areas of few labels."""
        return area_variance(self.value, self.size, self.area_factor)

    def with_counts(self, errors: FoldErrors, degrees: Floats) -> FoldErrors:
        """Returns the errors, without those of which counts say that they would not hold.

        Args:
            errors: the standard errors.
            degrees: float64 `[metrics * s]`, their degrees of freedom.
        """
        reasons = {**self.unmet, **errors.reasons, IN_ONE_FOLD: degrees < FEWEST}
        none = ~(degrees >= FEWEST)
        for where in self.unmet.values():
            none = none | where
        error = np.where(none, np.nan, errors.standard_error)
        return replace(errors, standard_error=error, reasons=reasons)

    def shares(self, values: Floats) -> Floats:
        """Returns proportions `[metrics * s]` as shares of their highest value."""
        highest = self.repeat(lambda reading: reading.metric.high)
        return values / np.where(np.isinf(highest), 1.0, highest)

    @cached_property
    def share_size(self) -> Floats:
        """The effective rows `[metrics * s]` that proportions are shares of; NaN for others."""
        proportion, *trials = self.trials()
        return np.where(proportion, effective_size(*trials), np.nan)

    def independent_size(self, error: Floats) -> Floats:
        """Returns `share_size`, reduced for rows that depend on each other.

        Args:
            error: float64 `[metrics * s]`, the standard errors of the values.
        """
        size = correlated_size(self.share_size, self.shares(self.value), self.shares(error))
        return np.where(np.isnan(self.share_size), np.nan, size)

    def no_interval_reason(self, errors: FoldErrors, lower: Floats) -> Reasons:
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
        self,
        errors: FoldErrors,
        error: Floats,
        degrees: Floats,
        lower: Floats,
        upper: Floats,
        p_worse: Floats | None = None,
        p_value: Floats | None = None,
    ) -> dict[str, Estimates]:
        """Returns the estimates of each metric, by its name, in no units any more.

        Args:
            errors: the standard errors, and why there are none.
            error: float64 `[metrics * s]`, the standard errors to show; NaN where there is none.
            degrees: float64 `[metrics * s]`, the degrees of freedom of the standard errors.
            lower: float64 `[metrics * s]`, the lower ends of the intervals; NaN where there is
                none.
            upper: float64 `[metrics * s]`, the upper ends.
            p_worse: float64 `[metrics * s]`, the p-values that a candidate is worse; None for none.
            p_value: float64 `[metrics * s]`, the p-values that a slice differs from overall; None
                for none.
        """
        why = self.no_interval_reason(errors, lower)
        nothing = np.full(len(lower), np.nan)
        degrees = np.where(np.isnan(error), np.nan, degrees)
        rounded = ((self.below > 0) | (self.above > 0)) & ~np.isnan(self.value)
        lowest, highest = (
            np.where(rounded, bound, np.nan)
            for bound in (self.value - self.below, self.value + self.above)
        )
        together = Estimates(
            self.value,
            self.reasons,
            error,
            degrees,
            lower,
            upper,
            why,
            nothing if p_worse is None else p_worse,
            lowest,
            highest,
            nothing if p_value is None else p_value,
        )
        if self.exponent.any():
            together = without_units(together, self.exponent)
        columns = [getattr(together, field.name) for field in fields(together)]
        return {
            name: Estimates(*(column[rows] for column in columns))
            for name, (_, rows) in zip(self.names, self.by_metric(), strict=True)
        }
