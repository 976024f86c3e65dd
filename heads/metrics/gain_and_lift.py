"""Cumulative gain and lift by decile of the score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import rates, where_defined
from heads.metrics.core.methods import Halves, Method
from heads.metrics.core.metric import Bounds, Floats, Metric, divide
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve
from heads.metrics.core.support import Positives, Support


@dataclass(frozen=True)
class DecileMetric(CurveMetric):
    """A metric of tenths of the weight in the order of the score.

    Attributes:
        decile: the number of the tenth, from 1 to 10; the first has the highest scores.
    """

    decile: int = field(kw_only=True)

    @property
    def method(self) -> Method:
        return Halves()

    @property
    def share_of(self) -> Support:
        return Positives(self.labels, self.group)

    @abstractmethod
    def of_deciles(self, curve: ScoreCurve) -> Floats:
        """Returns the value `[r]`; 0 without positive labels."""

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        reasons = {"no label is positive": curve.positives == 0}
        return where_defined(self.of_deciles(curve), reasons)


class Gain(DecileMetric):
    """The share of positive labels that are among the top D tenths of the weight by score.

    The labels in a cell of the histogram are spread over it evenly. Ties in random order give the
    same on average. With shift 0 a cell is a single score.
    """

    higher_is_better = True
    low, high = 0.0, 1.0

    def of_deciles(self, curve: ScoreCurve) -> Floats:
        return _deciles(curve)[:, self.decile]

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        reached = _bounds(curve)
        return reached.lowest[:, self.decile], reached.highest[:, self.decile]


class Lift(DecileMetric):
    """The share of positive labels within the D-th tenth of the weight by score, over that of all.

    Random scores give 1, which is also the mean of the ten lifts. The labels in a cell of the
    histogram are spread over it evenly. The lift of the top D tenths together is `gain * 10 / D`.
    """

    low, high = 0.0, 10.0

    def of_deciles(self, curve: ScoreCurve) -> Floats:
        reached = _deciles(curve)
        # Rounding may take the flat part of the curve a little below 0.
        return np.maximum(reached[:, self.decile] - reached[:, self.decile - 1], 0.0) * 10

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        reached = _bounds(curve)
        return (
            np.maximum(reached.lowest_between[:, self.decile - 1], 0.0) * 10,
            reached.highest_between[:, self.decile - 1] * 10,
        )


class FirstLift(Lift):
    """The share of positive labels within the first tenth of the weight by score, over that of all.

    The labels in a cell of the histogram are spread over it evenly.
    """

    higher_is_better = True


def gains(curve: ScoreCurve, parts: tuple[int, ...], total_parts: int) -> Floats:
    """Returns the share of the positive labels among the top parts of the weight.

    Args:
        curve: the curve of `r` segments.
        parts: `m` numbers of parts, counted from the top.
        total_parts: the number of parts into which the whole weight is divided.

    Returns:
        The shares `[r, m]`.
    """
    seen, hits, _ = _sums(curve)
    return _gains(seen, hits, parts, total_parts)


def _gains(seen: Floats, hits: Floats, parts: tuple[int, ...], total_parts: int) -> Floats:
    """Returns the gains of a curve, given the sums that `_sums` returns."""
    wanted = np.array(parts) * seen[:, -1:] / total_parts
    rows = zip(wanted, seen, hits, strict=True)
    reached = np.array([np.interp(*row) for row in rows]).reshape(wanted.shape)
    # Where the weight of a cell vanishes beside the whole, no part of it is not none.
    reached[:, np.array(parts) == 0] = 0.0
    return divide(reached, hits[:, -1:])


def _sums(curve: ScoreCurve) -> tuple[Floats, Floats, npt.NDArray[np.int32]]:
    """Returns sums over the cells from above, which begin with 0.

    Returns:
        The weight of all labels and that of positive ones, both `[r, c + 1]` and divided by the
        powers of two that bring their last sums near to 1, for the ratio of the two may be beyond
        the range of float64; and the exponent `[r, 1]` that a sum of all labels in its unit has in
        the unit of positive ones.
    """
    hits, others = rates(curve).from_nothing
    seen = hits + others
    exponents = [np.frexp(sums[:, -1:])[1] for sums in (seen, hits)]
    return (
        np.ldexp(seen, -exponents[0]),
        np.ldexp(hits, -exponents[1]),
        exponents[0] - exponents[1],
    )


@dataclass(frozen=True, eq=False)
class GainBounds:
    """The bounds of the gains of a curve, whatever the order within its cells.

    Attributes:
        lowest: `[r, m]`, the lowest gain of each part.
        highest: `[r, m]`, the highest gain of each part.
        lowest_between: `[r, m - 1]`, the least that the gain grows from each part to the next.
        highest_between: `[r, m - 1]`, the most that it grows.
    """

    lowest: Floats
    highest: Floats
    lowest_between: Floats
    highest_between: Floats


def gain_bounds(curve: ScoreCurve, parts: tuple[int, ...], total_parts: int) -> GainBounds:
    """Returns the bounds of the gains of a curve.

    Of a part `e` of the weight of a cell, with a weight `a` of positive and `b` of zero labels, at
    least `e - b` is positive and at most `a`. In a cell with a single score the labels are spread
    evenly, whatever their order.

    Args:
        curve: the curve of `r` segments.
        parts: `m` rising numbers of parts, counted from the top.
        total_parts: the number of parts into which the whole weight is divided.
    """
    seen, hits, exponent = _sums(curve)
    known = _gains(seen, hits, parts, total_parts)
    wanted = np.array(parts) * seen[:, -1:] / total_parts
    # The cell in which each part ends; a part that ends where a cell does is known.
    cell = np.array([np.searchsorted(*row) for row in zip(seen, wanted, strict=True)], np.intp)
    cell = np.clip(cell.reshape(wanted.shape), 1, seen.shape[1] - 1)
    before, weight, positive = (
        np.take_along_axis(values, places, axis=1)
        for values, places in ((hits, cell - 1), (seen, cell - 1), (hits, cell))
    )
    positive = positive - before
    size = np.take_along_axis(seen, cell, axis=1) - weight
    zero = np.maximum(size - np.ldexp(positive, -exponent), 0.0)
    rounded = np.take_along_axis(curve.rounded[:, ::-1], cell - 1, axis=1)

    def share(part: Floats) -> tuple[Floats, Floats]:
        """Returns the least and the most positive weight in a part of the cells."""
        with np.errstate(over="ignore"):
            least = np.ldexp(np.maximum(part - zero, 0.0), exponent)
            most = np.ldexp(part, exponent)
        return np.minimum(least, positive), np.minimum(most, positive)

    ends = (before + inside for inside in share(np.clip(wanted - weight, 0.0, size)))
    total = hits[:, -1:]
    lowest, highest = (np.where(rounded, divide(end, total), known) for end in ends)
    lowest, highest = np.minimum(lowest, known), np.maximum(highest, known)
    least = lowest[:, 1:] - highest[:, :-1]
    most = highest[:, 1:] - lowest[:, :-1]
    within = (cell[:, 1:] == cell[:, :-1]) & rounded[:, 1:]
    steps = (divide(inside, total) for inside in share(np.diff(wanted, prepend=0.0)))
    inner_least, inner_most = (step[:, 1:] for step in steps)
    return GainBounds(
        lowest,
        highest,
        np.where(within, np.maximum(least, inner_least), least),
        np.where(within, np.minimum(most, inner_most), most),
    )


# Nineteen metrics are read from the same few numbers of a curve.
_DECILES = tuple(range(11))
_KEPT: WeakKeyDictionary[ScoreCurve, Floats] = WeakKeyDictionary()
_KEPT_BOUNDS: WeakKeyDictionary[ScoreCurve, GainBounds] = WeakKeyDictionary()


def _deciles(curve: ScoreCurve) -> Floats:
    """The gains of 0, 1, ..., 10 tenths `[r, 11]`, kept as long as the curve is."""
    if curve not in _KEPT:
        _KEPT[curve] = gains(curve, _DECILES, 10)
    return _KEPT[curve]


def _bounds(curve: ScoreCurve) -> GainBounds:
    """The bounds of the gains of 0, 1, ..., 10 tenths, kept as long as the curve is."""
    if curve not in _KEPT_BOUNDS:
        _KEPT_BOUNDS[curve] = gain_bounds(curve, _DECILES, 10)
    return _KEPT_BOUNDS[curve]


@offers("binary", "contrib_binary", kind="report")
def gain_and_lift(context: MetricContext) -> Iterator[Metric]:
    fine, coarse, labels = context.score_histogram, context.coarse_histogram, context.label_counts
    for decile in range(1, 11):
        if decile < 10:
            yield Gain(f"gain/decile_{decile}", fine, coarse, labels=labels, decile=decile)
        lift = FirstLift if decile == 1 else Lift
        yield lift(f"lift/decile_{decile}", fine, coarse, labels=labels, decile=decile)
