"""The best F1 over all thresholds, and the threshold at which it is reached."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import (
    Best,
    HiddenBest,
    best,
    hidden_best,
    highest_rates,
    probability,
    rates,
    threshold_bounds,
    where_defined,
)
from heads.metrics.core.metric import Bounds, Floats, Metric
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve
from heads.statistics.cuts import ScoreSpace


class BestF1(CurveMetric):
    """The highest F1, `2 * TP / (2 * TP + FP + FN)`, at any threshold.

    A score of at least the threshold is predicted positive. The thresholds are the lowest scores of
    the cells of the histogram that have a weight. It equals the highest of scikit-learn's
    `f1_score` at these thresholds.
    """

    higher_is_better = True
    low, high = 0.0, 1.0

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        curve_rates = rates(curve)
        value = best(curve_rates.f1, curve_rates.occurs).value
        return where_defined(value, {"no label is positive": curve.positives == 0})

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        known, hidden = _best(curve)
        return known.value, hidden.highest


@dataclass(frozen=True)
class ThresholdAtBestF1(CurveMetric):
    """The threshold, as a probability, where F1 is the highest; the highest of several.

    With logits it is the sigmoid of the score. F1 values that differ by at most 1e-12 count as
    equal.

    Attributes:
        space: how probabilities relate to the stored scores.
    """

    space: ScoreSpace = field(kw_only=True)

    low, high = 0.0, 1.0

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        curve_rates = rates(curve)
        highest = best(curve_rates.f1, curve_rates.occurs)
        value = probability(curve, highest, self.space)
        return where_defined(value, {"no label is positive": curve.positives == 0})

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        return threshold_bounds(_best(curve)[1], self.space)


def _best(curve: ScoreCurve) -> tuple[Best, HiddenBest]:
    """Returns the best F1 at the lowest scores of the cells, and what may be hidden in cells."""
    curve_rates = rates(curve)
    known = best(curve_rates.f1, curve_rates.occurs)
    highest = highest_rates(curve_rates, curve).f1
    return known, hidden_best(known, highest, curve_rates.occurs, curve)


@offers("binary", "contrib_binary", kind="report")
def best_f1(context: MetricContext) -> Iterator[Metric]:
    fine, coarse = context.score_histogram, context.coarse_histogram
    yield BestF1("best_f1", fine, coarse)
    yield ThresholdAtBestF1("threshold_at_best_f1", fine, coarse, space=context.space)
