"""The best F1 over all thresholds, and the threshold at which it is reached."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import (
    Best,
    HiddenBest,
    as_probability,
    best,
    hidden_best,
    highest_rates,
    rates,
    where_defined,
)
from heads.metrics.core.curve_thresholds import (
    NO_LOGIT,
    NO_PROBABILITY,
    as_logit,
    threshold_bounds,
    thresholds_at,
)
from heads.metrics.core.methods import FEW_FOR_RATIOS, FEW_LABELS, Halves, Method, Requirement
from heads.metrics.core.metric import Bounds, Floats, Metric
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve
from heads.metrics.core.support import Positives
from heads.statistics.cuts import ScoreSpace


class BestF1(CurveMetric):
    """The highest F1, `2 * TP / (2 * TP + FP + FN)`, at any threshold.

    The scores of a cell of the histogram and of all higher cells are predicted positive, for each
    cell that has a weight. It equals the highest of scikit-learn's `f1_score` of these predictions.
    """

    higher_is_better = True
    low, high = 0.0, 1.0

    @property
    def method(self) -> Method:
        return Halves(centred=True)

    @property
    def requirement(self) -> Requirement:
        return Requirement(Positives(self.labels, self.group), 1.0, FEW_FOR_RATIOS, FEW_LABELS)

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        return where_defined(_best(curve).value, {"no label is positive": curve.positives == 0})

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        return _best(curve).value, _hidden(curve).highest


@dataclass(frozen=True)
class ThresholdAtBestF1(CurveMetric):
    """The threshold on the probability where F1 is the highest; the highest of several.

    Rows of a probability above it are predicted positive. F1 values that differ by at most 1e-12
    count as equal. It is undefined where no float64 between 0 and 1 selects these rows alone.

    Attributes:
        space: how probabilities relate to the stored scores.
    """

    space: ScoreSpace = field(kw_only=True)

    low, high = 0.0, 1.0
    scale: ClassVar[Literal["probability", "logit"]] = "probability"
    untold: ClassVar[str] = NO_PROBABILITY

    @property
    def definition(self) -> str:
        return (
            f"The threshold on the {self.scale} where F1 is the highest; the highest of several."
            f" A {self.scale} `>` this threshold is predicted positive."
        )

    @property
    def method(self) -> Method:
        return Halves()

    @property
    def requirement(self) -> Requirement:
        return Requirement(Positives(self.labels, self.group), 1.0, FEW_FOR_RATIOS, FEW_LABELS)

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        thresholds = thresholds_at(curve, _best(curve), self.space)
        value: Floats = getattr(thresholds, self.scale)
        reasons = {"no label is positive": curve.positives == 0, self.untold: np.isnan(value)}
        return where_defined(value, reasons)

    def of_halves(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        place = _best(curve).place[:, np.newaxis]
        lowest = np.take_along_axis(curve.score[:, ::-1], place, axis=1)[:, 0]
        return where_defined(
            self.from_score(lowest), {"no label is positive": curve.positives == 0}
        )

    def from_score(self, score: Floats) -> Floats:
        return as_probability(score, self.space)

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        return threshold_bounds(curve, _hidden(curve).possible, self.space, self.scale)


class LogitThresholdAtBestF1(ThresholdAtBestF1):
    """The threshold on the logit where F1 is the highest; the highest of several."""

    low, high = -math.inf, math.inf
    scale = "logit"
    untold = NO_LOGIT

    def from_score(self, score: Floats) -> Floats:
        return as_logit(score, self.space)


# F1 and its thresholds are read from the same point.
_KEPT: WeakKeyDictionary[ScoreCurve, Best] = WeakKeyDictionary()
_KEPT_HIDDEN: WeakKeyDictionary[ScoreCurve, HiddenBest] = WeakKeyDictionary()


def _best(curve: ScoreCurve) -> Best:
    """The best F1 at the lowest scores of the cells, kept as long as the curve."""
    if curve not in _KEPT:
        curve_rates = rates(curve)
        _KEPT[curve] = best(curve_rates.f1, curve_rates.occurs)
    return _KEPT[curve]


def _hidden(curve: ScoreCurve) -> HiddenBest:
    """What may be hidden within the cells of a curve, kept as long as the curve."""
    if curve not in _KEPT_HIDDEN:
        highest = highest_rates(curve)
        _KEPT_HIDDEN[curve] = hidden_best(_best(curve), highest.f1, highest.occurs)
    return _KEPT_HIDDEN[curve]


@offers("binary", "contrib_binary", kind="report")
def best_f1(context: MetricContext) -> Iterator[Metric]:
    fine, coarse, labels = context.score_histogram, context.coarse_histogram, context.label_counts
    yield BestF1("best_f1", fine, coarse, labels=labels)
    for name, kind in (
        ("threshold_at_best_f1", ThresholdAtBestF1),
        ("logit_threshold_at_best_f1", LogitThresholdAtBestF1),
    ):
        yield kind(name, fine, coarse, labels=labels, space=context.space)
