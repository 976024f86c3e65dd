"""Rates where another rate is as demanded, and the thresholds there.

A score of at least a threshold is predicted positive, and the thresholds are the scores that occur
with a weight, by cell of the histogram: with shift 0 exactly those scores, else the lowest of each
cell. A rate meets a demand that it falls short of by 1e-12 at most, and values that differ by so
little are equal: less than that is rounding of sums of weights, more a difference of rows.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.context import MetricContext
from heads.metrics.core.curve_rates import (
    SLACK,
    Best,
    Rates,
    best,
    probability,
    rates,
    where_defined,
)
from heads.metrics.core.metric import Floats, Metric
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve
from heads.statistics.cuts import ScoreSpace

# A rate and its threshold are read from the same point.
_KEPT: WeakKeyDictionary[ScoreCurve, dict[OperatingPoint, Best]] = WeakKeyDictionary()


@dataclass(frozen=True)
class OperatingPoint(CurveMetric):
    """A rate where another one is as demanded.

    Attributes:
        demand: what the other rate must be.
        nothing_will_do: whether predicting nothing, with a recall of 0, meets every demand.
    """

    demand: float = field(kw_only=True)

    nothing_will_do: ClassVar[bool] = False
    higher_is_better = True
    low, high = 0.0, 1.0

    @abstractmethod
    def choose(self, own: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """The rate to be high and whether the other one is as demanded, each `[r, c]`."""

    def reasons(self, curve: ScoreCurve, found: Best) -> Reasons:
        """Why the rate is undefined."""
        none = {"no label is positive": curve.positives == 0}
        if self.nothing_will_do:
            return {**none, "no label is zero": curve.negatives == 0}
        return {**none, "no threshold is as demanded": ~found.found}

    def best(self, curve: ScoreCurve) -> Best:
        """The highest value at the thresholds that meet the demand, kept as long as the curve."""
        kept = _KEPT.setdefault(curve, {})
        if self not in kept:
            own = rates(curve)
            value, meets = self.choose(own)
            kept[self] = best(value, meets & own.occurs)
        return kept[self]

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        found = self.best(curve)
        # Predicting nothing meets some demands: its recall is 0.
        value = np.where(found.found, found.value, 0.0)
        return where_defined(value, self.reasons(curve, found))


class PrecisionAtRecall(OperatingPoint):
    """The highest precision at a threshold where the recall is at least the one of the name.

    That of the points of scikit-learn's `precision_recall_curve`, without its last one.
    """

    def choose(self, own: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return own.precision, own.recall >= self.demand - SLACK


class RecallAtPrecision(OperatingPoint):
    """The highest recall at a threshold where the precision is at least the one of the name.

    Undefined where no threshold has that precision; predicting nothing has none. The points are
    those of scikit-learn's `precision_recall_curve`, without its last one.
    """

    def choose(self, own: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return own.recall, own.precision >= self.demand - SLACK


class SensitivityAtSpecificity(OperatingPoint):
    """The highest recall at a threshold where the specificity is at least the one of the name.

    It is 0 where only predicting nothing has that specificity. The points are those of
    scikit-learn's `roc_curve`.
    """

    nothing_will_do = True

    def choose(self, own: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return own.recall, 1 - own.false_positive_rate >= self.demand - SLACK


class RecallAtFalsePositiveRate(SensitivityAtSpecificity):
    """The highest recall at a threshold where the false positive rate is at most that of the name.

    It is 0 where only predicting nothing has a rate so low. The points are those of scikit-learn's
    `roc_curve`.
    """

    def choose(self, own: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return own.recall, own.false_positive_rate <= self.demand + SLACK


@dataclass(frozen=True)
class ThresholdAt(CurveMetric):
    """The threshold, as a probability, at which a rate is the highest while another is as demanded.

    The highest one where several are as good. With logits it is the sigmoid of the score: rows of
    at least that probability are predicted positive.

    Attributes:
        point: the metric of that rate.
        space: how probabilities relate to scores.
    """

    point: OperatingPoint = field(kw_only=True)
    space: ScoreSpace = field(kw_only=True)

    low, high = 0.0, 1.0

    @property
    def definition(self) -> str:
        return (
            f"The threshold, as a probability, at which `{self.point.name}` is reached; the highest"
            " of several. A row of at least this probability is predicted positive."
        )

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        found = self.point.best(curve)
        reasons = {
            **self.point.reasons(curve, found),
            "only predicting nothing is as demanded": ~found.found,
        }
        return where_defined(probability(curve, found, self.space), reasons)


@offers("binary", "contrib_binary", kind="report")
def operating_points(context: MetricContext) -> Iterator[Metric]:
    fine, coarse = context.score_histogram, context.coarse_histogram
    kinds: dict[str, tuple[str, type[OperatingPoint], tuple[float, ...]]] = {
        "recall": ("precision", PrecisionAtRecall, context.at.recall),
        "precision": ("recall", RecallAtPrecision, context.at.precision),
        "specificity": ("sensitivity", SensitivityAtSpecificity, context.at.specificity),
        "false_positive_rate": (
            "recall",
            RecallAtFalsePositiveRate,
            context.at.false_positive_rate,
        ),
    }
    for other, (rate, kind, demands) in kinds.items():
        for demand in demands:
            point = kind(f"{rate}_at_{other}_{demand:g}", fine, coarse, demand=demand)
            yield point
            name = f"threshold_at_{other}_{demand:g}"
            yield ThresholdAt(name, fine, coarse, point=point, space=context.space)
