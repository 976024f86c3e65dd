"""Values of metrics at points of curves in half-samples of the folds, and their errors."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.core.fold_curve import FoldCurves
from heads.metrics.core.methods import Halves
from heads.metrics.core.score_curve import CurveMetric, ScoreCurve, joined
from pipeline.confidence.halves import BIAS_FACTOR, half_sample_errors, half_samples
from pipeline.confidence.jackknife import FoldErrors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# How many weights of half-samples are computed together: few enough to stay in the cache.
_TOGETHER = 1 << 17


class HalfCurves:
    """The curves of half-samples of the folds of some slices; many metrics are read from them.

    A curve is that of all folds, and then those of the half-samples, of one slice after another.

    Attributes:
        folds: int64 `[s]`, the number of folds with a weight; 0 in slices that are not kept by
            fold.
        number: how many half-samples there are.

    Args:
        curves: the labels of the slices by fold.
    """

    def __init__(self, curves: FoldCurves) -> None:
        self.folds = curves.folds
        self._kept = [
            (place, curve) for place, curve in enumerate(curves.by_slice) if curve is not None
        ]
        columns = max((curve.coarse.positive.shape[1] for _, curve in self._kept), default=1)
        self._samples = half_samples(columns)
        self.number = len(self._samples)

    @cached_property
    def halves(self) -> list[tuple[list[int], ScoreCurve]]:
        """The curves of half-samples, each with the slices that it is of."""
        return self._of(self._samples)

    @cached_property
    def others(self) -> list[tuple[list[int], ScoreCurve]]:
        """The curves of the other halves of the half-samples."""
        return self._of(~self._samples)

    def _of(self, samples: Mask) -> list[tuple[list[int], ScoreCurve]]:
        most = max((len(curve.coarse.score) for _, curve in self._kept), default=0)
        together = max(1, _TOGETHER // ((self.number + 1) * max(most, 1)))
        groups = (
            self._kept[first : first + together] for first in range(0, len(self._kept), together)
        )
        return [
            ([place for place, _ in group], joined([curve.halves(samples) for _, curve in group]))
            for group in groups
        ]


@dataclass(frozen=True, eq=False)
class HalfReadings:
    """The values of one metric in half-samples of the folds of some slices.

    Attributes:
        whole: float64 `[s]`, the values over all folds, in the cells of the half-samples.
        halves: float64 `[s, r]`, the values in the half-samples; of a centred metric also those in
            their other halves.
        defined: bool `[s, r]`, where they are defined.
        folds: int64 `[s]`, the number of folds with a weight; 0 in slices that are not kept by
            fold.
        centred: whether the interval is to be centred.
    """

    whole: Floats
    halves: Floats
    defined: Mask
    folds: Ints
    centred: bool


def read_halves(metric: CurveMetric, method: Halves, curves: HalfCurves) -> HalfReadings:
    """Returns the values of a metric in half-samples.

    Args:
        metric: the metric.
        method: the method of the metric.
        curves: the curves of the half-samples.
    """
    sides = (curves.halves, curves.others) if method.centred else (curves.halves,)
    number = curves.number
    values = np.full((len(curves.folds), len(sides) * number + 1), np.nan)
    for side, parts in enumerate(sides):
        start = side * number
        for slices, curve in parts:
            value, reasons = metric.of_halves(curve)
            for undefined in reasons.values():
                value = np.where(undefined, np.nan, value)
            by_slice = value.reshape(len(slices), number + 1)
            values[slices, start + side : start + number + 1] = by_slice[:, side:]
    halves = values[:, 1:]
    return HalfReadings(values[:, 0], halves, np.isfinite(halves), curves.folds, method.centred)


def errors_of_halves(
    first: HalfReadings, second: HalfReadings | None = None
) -> tuple[FoldErrors, Floats]:
    """Returns the errors of values, or of differences of paired values, and by how much to centre.

    Args:
        first: the values of a metric.
        second: the values that are subtracted from them; None for none.

    Returns:
        The standard errors; and float64 `[s]`, what is to be subtracted from the value for the
        centre of its interval: of a difference nothing, since both are too good by about as much.
    """
    whole, halves, defined = first.whole, first.halves, first.defined
    size = _size(first)
    folds = first.folds
    if second is not None:
        whole, halves = whole - second.whole, halves - second.halves
        defined = defined & second.defined
        size = np.maximum(size, _size(second))
        folds = np.minimum(folds, second.folds)
    errors = half_sample_errors(whole, halves, defined, folds, size, both=first.centred)
    shift = np.zeros(len(whole))
    if first.centred and second is None:
        count = np.maximum(defined.sum(axis=1), 1)
        above = np.where(defined, halves - whole[:, np.newaxis], 0.0)
        shift = BIAS_FACTOR * np.ascontiguousarray(above).sum(axis=1) / count
        shift = np.where(np.isfinite(shift), shift, 0.0)
    return errors, shift


def _size(values: HalfReadings) -> Floats:
    """Returns the size `[s]` of the numbers whose rounding makes no difference."""
    size: Floats = np.where(values.defined, np.abs(values.halves), 0.0).max(axis=1, initial=0.0)
    return size
