"""Values of metrics at points of curves in half-samples of the folds, and their errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.fold_curve import FoldCurve
from heads.metrics.core.methods import Halves
from heads.metrics.core.score_curve import CurveMetric, ScoreCurve
from pipeline.confidence.halves import BIAS_FACTOR, half_sample_errors, half_samples
from pipeline.confidence.jackknife import FoldErrors

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

# Many metrics are read from the same curves of half-samples: of the ones, and of the other halves.
_KEPT: WeakKeyDictionary[FoldCurve, dict[bool, ScoreCurve]] = WeakKeyDictionary()


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


def read_halves(
    metric: CurveMetric, method: Halves, curves: Sequence[FoldCurve | None]
) -> HalfReadings:
    """Returns the values of a metric in half-samples.

    Args:
        metric: the metric.
        method: the method of the metric.
        curves: the labels of each slice by fold; None for slices that are not kept by fold.
    """
    folds = [curve.coarse.positive.shape[1] for curve in curves if curve is not None]
    samples = half_samples(max(folds, default=1))
    sides = (False, True) if method.centred else (False,)
    number = len(samples)
    values = np.full((len(curves), len(sides) * number + 1), np.nan)
    for at, curve in enumerate(curves):
        if curve is None:
            continue
        for side in sides:
            value, reasons = metric.of_halves(_half_curve(curve, samples, other=side))
            for undefined in reasons.values():
                value = np.where(undefined, np.nan, value)
            start = side * number
            values[at, start + side : start + number + 1] = value[int(side) :]
    halves = values[:, 1:]
    counts = np.array([0 if curve is None else curve.folds for curve in curves], np.int64)
    return HalfReadings(values[:, 0], halves, np.isfinite(halves), counts, method.centred)


def _half_curve(curve: FoldCurve, samples: Mask, *, other: bool) -> ScoreCurve:
    """Returns the curve of all folds, then those of half-samples or of their other halves."""
    kept = _KEPT.setdefault(curve, {})
    if other not in kept:
        kept[other] = curve.halves(~samples if other else samples)
    return kept[other]


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
