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
    """A metric of tenths of the weight by score.

    Attributes:
        decile: which tenth, 1 to 10; the first has the highest scores.
    """

    decile: int = field(kw_only=True)

    @abstractmethod
    def of_deciles(self, curve: ScoreCurve) -> Floats:
        """The value `[r]`; 0 without positive labels."""

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        reasons = {"no label is positive": curve.positives == 0}
        return where_defined(self.of_deciles(curve), reasons)


class Gain(DecileMetric):
    """The share of positive labels that are among the top D tenths of the weight by score.

    Labels of a cell of the histogram are spread over it evenly, which is what ties in random order
    give on average. With shift 0 a cell is one score.
    """

    higher_is_better = True
    low, high = 0.0, 1.0

    def of_deciles(self, curve: ScoreCurve) -> Floats:
        return _deciles(curve)[:, self.decile]


class Lift(DecileMetric):
    """The share of positive labels within the D-th tenth of the weight by score, over that of all.

    1 is what random scores give, and the mean of the ten. Labels of a cell of the histogram are
    spread over it evenly. The lift of D tenths together is `gain * 10 / D`.
    """

    low, high = 0.0, 10.0

    def of_deciles(self, curve: ScoreCurve) -> Floats:
        reached = _deciles(curve)
        # Rounding may take the flat part of the curve a little below 0.
        return np.maximum(reached[:, self.decile] - reached[:, self.decile - 1], 0.0) * 10


class FirstLift(Lift):
    """The share of positive labels within the first tenth of the weight by score, over that of all.

    Labels of a cell of the histogram are spread over it evenly.
    """

    higher_is_better = True


def gains(curve: ScoreCurve, parts: tuple[int, ...], of: int) -> Floats:
    """The share of positive labels among the top parts of the weight `[r, len(parts)]`.

    Args:
        curve: the curve.
        parts: how many parts from the top.
        of: how many parts there are.
    """
    hits, others = (np.pad(own, ((0, 0), (1, 0))) for own in curve.from_above)
    seen = hits + others
    wanted = np.array(parts) * seen[:, -1:] / of
    reached = [np.interp(*row) for row in zip(wanted, seen, hits, strict=True)]
    return divide(np.array(reached).reshape(wanted.shape), hits[:, -1:])


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
