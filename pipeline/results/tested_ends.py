"""Intervals whose ends are where tests reject, and differences of figures that have them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.bin_errors import Bins
from heads.metrics.core.fold_curve import FoldCurves, FoldTables
from heads.metrics.core.methods import CalibrationTest, Halves, RecallTest, ThresholdTest
from heads.metrics.core.score_curve import CurveMetric
from pipeline.confidence.calibration import calibration_ends
from pipeline.confidence.degrees import FEWEST
from pipeline.confidence.intervals import Level, quantile
from pipeline.confidence.jackknife import LEAST_FOLDS
from pipeline.confidence.newcombe import distance_ends
from pipeline.confidence.score_tests import recall_ends, threshold_ends
from pipeline.results.readings import Readings

Floats = npt.NDArray[np.float64]
Ends = tuple[Floats, Floats]


@dataclass(frozen=True, eq=False)
class Tested:
    """Values with the ends of their intervals, all float64 `[s]`.

    Attributes:
        value: the values.
        lower: the lower ends; infinite where open, NaN where there is none.
        upper: the upper ends, likewise.
    """

    value: Floats
    lower: Floats
    upper: Floats

    def less(self, other: Tested, low: float, high: float) -> Tested:
        """Returns the differences from other values, with their intervals.

        An end is as far from the difference as the ends of both from their values, by Pythagoras
        (G. Y. Zou and A. Donner, "Construction of confidence limits about effect measures", 2008).
        That is right for independent values. Those of the same rows mostly go the same way, which
        makes the interval too wide.

        Args:
            other: the values that are subtracted.
            low: the lowest value that there can be, up to which an open end reaches.
            high: the highest value.
        """
        value = self.value - other.value
        lower, other_lower = (np.maximum(part.lower, low) for part in (self, other))
        upper, other_upper = (np.minimum(part.upper, high) for part in (self, other))
        below = np.hypot(self.value - lower, other_upper - other.value)
        above = np.hypot(upper - self.value, other.value - other_lower)
        return Tested(value, value - below, value + above)

    def over(self, other: Tested, high: float) -> Tested:
        """Returns the ratios to other values, with their intervals: `less` of the logarithms.

        Args:
            other: the values that are divided by.
            high: the highest value that there can be, up to which an open end reaches.
        """
        logarithms = (
            Tested(*(np.log(getattr(part, field.name)) for field in fields(part)))
            for part in (self, other)
        )
        found = next(logarithms).less(next(logarithms), -np.inf, float(np.log(high)))
        return Tested(np.exp(found.value), np.exp(found.lower), np.exp(found.upper))


# A threshold on the probability and that on the logit have the same ends.
_KEPT: WeakKeyDictionary[FoldTables, dict[tuple[ThresholdTest, bytes], Ends]] = WeakKeyDictionary()


def _threshold_ends(curves: FoldTables, method: ThresholdTest, quantiles: Floats) -> Ends:
    """The ends of thresholds on the scale of the scores, kept as long as the curves."""
    kept = _KEPT.setdefault(curves, {})
    key = method, quantiles.tobytes()
    if key not in kept:
        kept[key] = threshold_ends(curves, method.rate, method.demand, quantiles)
    return kept[key]


def _tested_ends(curves: FoldCurves, method: ThresholdTest | RecallTest, quantiles: Floats) -> Ends:
    """Returns the ends that tests give, NaN where there are none."""
    ends = np.full((2, len(quantiles)), np.nan)
    for places, tables in curves.tables:
        if isinstance(method, RecallTest):
            ends[:, places] = recall_ends(tables, method.precision, quantiles[places])
        else:
            ends[:, places] = _threshold_ends(tables, method, quantiles[places])
    return ends[0], ends[1]


def _distance_ends(curves: FoldCurves, known: npt.NDArray[np.bool_], quantiles: Floats) -> Ends:
    """Returns the ends of the largest distance of two rates, NaN where there are none.

    Args:
        curves: the labels of the slices.
        known: bool `[s]`, in which slices to find them.
        quantiles: float64 `[s]`, the quantiles of Student's distribution for the level.
    """
    ends = np.full((2, len(quantiles)), np.nan)
    for place in np.flatnonzero(known).tolist():
        curve = curves.by_slice[place]
        found = None if curve is None else distance_ends(curve, float(quantiles[place]))
        if found is not None:
            ends[:, place] = found
    return ends[0], ends[1]


def read_ends(reading: Readings, level: Level) -> Tested | None:
    """Returns the ends of the intervals of a metric that tests or limits of proportions give.

    Args:
        reading: the readings of the metric.
        level: the confidence level, in (0, 1): a number or float64 `[s]`.

    Returns:
        The values and the ends, NaN in slices without such an interval; None if the method of the
        metric has no such ends.
    """
    method, support = reading.metric.method, reading.support
    if isinstance(method, CalibrationTest):
        return _calibration_ends(reading, method, level)
    if support is None or not isinstance(method, Halves | ThresholdTest | RecallTest):
        return None
    if isinstance(method, Halves) and not method.distance:
        return None
    curves = reading.curves
    ends = np.full((2, len(reading.value)), np.nan)
    if curves is not None:
        quantiles = quantile(support.degrees, level)
        known = (support.degrees >= FEWEST) & ~np.isnan(reading.value)
        known &= curves.folds >= LEAST_FOLDS
        if isinstance(method, Halves):
            found = _distance_ends(curves, known, quantiles)
        else:
            found = _tested_ends(curves, method, quantiles)
        ends = np.where(known, found, np.nan)
    if isinstance(method, ThresholdTest):
        assert isinstance(reading.metric, CurveMetric)
        closed = np.isfinite(ends)
        ends[closed] = reading.metric.from_score(ends[closed])
    # The value may be beyond an end by rounding, or as the highest of equally good thresholds.
    lower, upper = np.minimum(ends[0], reading.value), np.maximum(ends[1], reading.value)
    return Tested(reading.value, lower, upper)


def _calibration_ends(reading: Readings, method: CalibrationTest, level: Level) -> Tested:
    """Returns the intervals of a calibration error."""
    ends = np.full((2, len(reading.value)), np.nan)
    support, sums, present = reading.support, reading.bins, reading.present
    if support is not None and sums is not None and present is not None:
        known = reading.top_slice & (present.sum(axis=1) >= LEAST_FOLDS)
        known &= (support.degrees >= FEWEST) & ~np.isnan(reading.value)
        if reading.unmet is not None:
            known &= ~reading.unmet
        quantiles = quantile(support.degrees, level)
        levels = np.broadcast_to(level, quantiles.shape)
        for place in np.flatnonzero(known).tolist():
            of_slice = Bins(*(getattr(sums, field.name)[place] for field in fields(sums)))
            by = float(quantiles[place])
            found = calibration_ends(of_slice, by, float(levels[place]), clustered=method.clustered)
            if found is not None:
                ends[:, place] = found
    lower, upper = np.minimum(ends[0], reading.value), np.maximum(ends[1], reading.value)
    return Tested(reading.value, lower, upper)
