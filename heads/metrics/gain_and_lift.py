"""Cumulative gain and lift by decile of the score."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from weakref import WeakKeyDictionary

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import where_defined
from heads.metrics.core.metric import Floats, Metric, divide
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve


@dataclass(frozen=True)
class DecileMetric(CurveMetric):
    """A metric of tenths of the weight in the order of the score.

    Attributes:
        decile: the number of the tenth, from 1 to 10; the first has the highest scores.
    """

    decile: int = field(kw_only=True)

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
    hits, others = (np.pad(sums, ((0, 0), (1, 0))) for sums in curve.from_above)
    # Their ratio may be beyond the range of float64; divided by powers of two, it is near 1.
    seen, hits = (_divided(sums) for sums in (hits + others, hits))
    wanted = np.array(parts) * seen[:, -1:] / total_parts
    rows = zip(wanted, seen, hits, strict=True)
    reached = np.array([np.interp(*row) for row in rows]).reshape(wanted.shape)
    # Where the weight of a cell vanishes beside the whole, no part of it is not none.
    reached[:, np.array(parts) == 0] = 0.0
    return divide(reached, hits[:, -1:])


def _divided(sums: Floats) -> Floats:
    """Returns rising sums `[r, c]`, divided by the power of two that brings the last near to 1."""
    _, exponent = np.frexp(sums[:, -1:])
    divided: Floats = np.ldexp(sums, -exponent)
    return divided


# Nineteen metrics are read from the same few numbers of a curve.
_KEPT: WeakKeyDictionary[ScoreCurve, Floats] = WeakKeyDictionary()


def _deciles(curve: ScoreCurve) -> Floats:
    """The gains of 0, 1, ..., 10 tenths `[r, 11]`, kept as long as the curve is."""
    if curve not in _KEPT:
        _KEPT[curve] = gains(curve, tuple(range(11)), 10)
    return _KEPT[curve]


@offers("binary", "contrib_binary", kind="report")
def gain_and_lift(context: MetricContext) -> Iterator[Metric]:
    fine, coarse = context.score_histogram, context.coarse_histogram
    for decile in range(1, 11):
        if decile < 10:
            yield Gain(f"gain/decile_{decile}", fine, coarse, decile=decile)
        lift = FirstLift if decile == 1 else Lift
        yield lift(f"lift/decile_{decile}", fine, coarse, decile=decile)
