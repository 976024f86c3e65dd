"""Rates at a threshold where another rate is as demanded, and those thresholds.

The scores of a cell of the histogram and of all higher cells are predicted positive, for each cell
that has a weight; with shift 0 a cell is a score that occurs with a weight. The thresholds are
numbers that these scores are above, and no others. A rate also meets a demand that it misses by at
most 1e-12, and values that differ by at most that count as equal: rounding of sums of weights makes
smaller differences, rows make larger ones.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import ClassVar, Literal
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.context import MetricContext
from heads.metrics.core.crossings import (
    precision_at_recall,
    recall_at_rate,
    specificity_at_recall,
)
from heads.metrics.core.curve_rates import (
    SLACK,
    Best,
    HiddenBest,
    Rates,
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
from heads.metrics.core.methods import (
    AT_AN_END,
    FEW_ALLOWED,
    FEW_BEYOND,
    FEW_MISSED,
    Halves,
    Method,
    NoInterval,
    RateName,
    RecallTest,
    Requirement,
    ThresholdTest,
)
from heads.metrics.core.metric import Bounds, Floats, Metric
from heads.metrics.core.number_names import distinct_names
from heads.metrics.core.registry import offers
from heads.metrics.core.score_curve import CurveMetric, Reasons, ScoreCurve
from heads.metrics.core.support import Negatives, Positives
from heads.statistics.cuts import ScoreSpace

# A rate and its thresholds are read from the same point.
_KEPT: WeakKeyDictionary[ScoreCurve, dict[OperatingPoint, Best]] = WeakKeyDictionary()
_KEPT_HIDDEN: WeakKeyDictionary[ScoreCurve, dict[OperatingPoint, HiddenBest]] = WeakKeyDictionary()

UNKNOWN = "scores are rounded too far to tell whether a threshold is as demanded"


@dataclass(frozen=True)
class OperatingPoint(CurveMetric):
    """The best value of a rate at the thresholds where another rate is as demanded.

    Attributes:
        demand: the value that the other rate must reach or may not exceed.
        nothing_will_do: whether predicting nothing positive meets the demand where no threshold
            does.
        of_nothing: the value of the rate if nothing is predicted positive.
    """

    demand: float = field(kw_only=True)

    nothing_will_do: ClassVar[bool] = False
    of_nothing: ClassVar[float] = 0.0
    higher_is_better = True
    low, high = 0.0, 1.0

    @property
    @abstractmethod
    def demanded(self) -> tuple[RateName, float]:
        """The rate that is demanded, as tests of thresholds name it, and its value."""

    @property
    def method(self) -> Method:
        return Halves() if 0 < self.demanded[1] < 1 else NoInterval(AT_AN_END)

    @abstractmethod
    def choose(self, curve_rates: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        """Returns the rate to make high, and whether the other is as demanded, both `[r, c]`."""

    def reasons(self, curve: ScoreCurve, point: Best) -> Reasons:
        """Returns where and why the rate is undefined."""
        none = {"no label is positive": curve.positives == 0}
        if self.nothing_will_do:
            return {**none, "no label is zero": curve.negatives == 0}
        return {**none, **self.without_threshold(curve, point, "no threshold is as demanded")}

    def without_threshold(self, curve: ScoreCurve, point: Best, reason: str) -> Reasons:
        """Returns where there is no threshold for a reason, or where that cannot be told."""
        hidden = np.zeros(len(point.exists), np.bool_)
        if not point.exists.all() and curve.rounded.any():
            hidden = ~point.exists & (self.hidden(curve).highest > -np.inf)
        return {reason: ~point.exists & ~hidden, UNKNOWN: hidden}

    def hidden(self, curve: ScoreCurve) -> HiddenBest:
        """What may be hidden within the cells of a curve, kept as long as the curve."""
        kept = _KEPT_HIDDEN.setdefault(curve, {})
        if self not in kept:
            curve_rates = highest_rates(curve)
            value, meets = self.choose(curve_rates)
            kept[self] = hidden_best(self.best(curve), value, meets & curve_rates.occurs)
        return kept[self]

    def best(self, curve: ScoreCurve) -> Best:
        """The highest value at the thresholds that meet the demand, kept as long as the curve."""
        kept = _KEPT.setdefault(curve, {})
        if self not in kept:
            curve_rates = rates(curve)
            value, meets = self.choose(curve_rates)
            kept[self] = best(value, meets & curve_rates.occurs)
        return kept[self]

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        point = self.best(curve)
        value = np.where(point.exists, point.value, self.of_nothing)
        return where_defined(value, self.reasons(curve, point))

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        point = self.best(curve)
        lowest = np.where(point.exists, point.value, self.of_nothing)
        return lowest, np.maximum(lowest, self.hidden(curve).highest)


class PrecisionAtRecall(OperatingPoint):
    """The highest precision at a threshold where the recall is at least the one of the name.

    The points are those of scikit-learn's `precision_recall_curve`, without its last point.
    """

    @property
    def demanded(self) -> tuple[RateName, float]:
        return "recall", self.demand

    def of_halves(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        reasons = {"no label is positive": curve.positives == 0}
        return where_defined(precision_at_recall(curve, self.demand), reasons)

    def choose(self, curve_rates: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return curve_rates.precision, curve_rates.recall >= self.demand - SLACK


class RecallAtPrecision(OperatingPoint):
    """The highest recall at a threshold where the precision is at least the one of the name.

    It is undefined where no threshold has that precision; predicting nothing has no precision. The
    points are those of scikit-learn's `precision_recall_curve`, without its last point.
    """

    @property
    def demanded(self) -> tuple[RateName, float]:
        return "precision", self.demand

    @property
    def method(self) -> Method:
        return RecallTest(self.demand) if 0 < self.demand < 1 else NoInterval(AT_AN_END)

    def choose(self, curve_rates: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return curve_rates.recall, curve_rates.precision >= self.demand - SLACK


class SensitivityAtSpecificity(OperatingPoint):
    """The highest recall at a threshold where the specificity is at least the one of the name.

    It is 0 where only predicting nothing has that specificity. The points are those of
    scikit-learn's `roc_curve`.
    """

    nothing_will_do = True

    @property
    def demanded(self) -> tuple[RateName, float]:
        return "false_positive_rate", 1 - self.demand

    @property
    def requirement(self) -> Requirement:
        rows = Negatives(self.labels, self.group)
        return Requirement(rows, self.demanded[1], FEW_BEYOND, FEW_ALLOWED)

    def of_halves(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        reasons = {
            "no label is positive": curve.positives == 0,
            "no label is zero": curve.negatives == 0,
        }
        return where_defined(recall_at_rate(curve, self.demanded[1]), reasons)

    def choose(self, curve_rates: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return curve_rates.recall, 1 - curve_rates.false_positive_rate >= self.demand - SLACK


class RecallAtFalsePositiveRate(SensitivityAtSpecificity):
    """The highest recall at a threshold where the false positive rate is at most that of the name.

    It is 0 where only predicting nothing has a rate so low. The points are those of scikit-learn's
    `roc_curve`.
    """

    @property
    def demanded(self) -> tuple[RateName, float]:
        return "false_positive_rate", self.demand

    def choose(self, curve_rates: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        return curve_rates.recall, curve_rates.false_positive_rate <= self.demand + SLACK


class SpecificityAtSensitivity(OperatingPoint):
    """The highest specificity at a threshold where the recall is at least the one of the name.

    The points are those of scikit-learn's `roc_curve`. Predicting nothing has a recall of 0 and a
    specificity of 1.
    """

    nothing_will_do = True
    of_nothing = 1.0

    @property
    def demanded(self) -> tuple[RateName, float]:
        return "recall", self.demand

    @property
    def requirement(self) -> Requirement:
        rows = Positives(self.labels, self.group)
        return Requirement(rows, 1 - self.demand, FEW_BEYOND, FEW_MISSED)

    def of_halves(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        reasons = {
            "no label is positive": curve.positives == 0,
            "no label is zero": curve.negatives == 0,
        }
        return where_defined(specificity_at_recall(curve, self.demand), reasons)

    def choose(self, curve_rates: Rates) -> tuple[Floats, npt.NDArray[np.bool_]]:
        specificity = 1 - curve_rates.false_positive_rate
        # A demand that predicting nothing meets is met as well only by thresholds as good.
        least = self.demand - SLACK
        meets = (curve_rates.recall >= least) & ((least > 0) | (specificity >= 1 - SLACK))
        return specificity, meets


@dataclass(frozen=True)
class ThresholdAt(CurveMetric):
    """The threshold on the probability at which a rate is the highest while another is as demanded.

    Where several thresholds are equally good, it is the highest. Rows of a probability above it are
    predicted positive. It is undefined where no float64 between 0 and 1 selects these rows alone.

    Attributes:
        point: the metric of that rate.
        space: how probabilities relate to the stored scores.
    """

    point: OperatingPoint = field(kw_only=True)
    space: ScoreSpace = field(kw_only=True)

    low, high = 0.0, 1.0
    scale: ClassVar[Literal["probability", "logit"]] = "probability"
    untold: ClassVar[str] = NO_PROBABILITY

    @property
    def method(self) -> Method:
        rate, demand = self.point.demanded
        return ThresholdTest(rate, demand) if 0 < demand < 1 else NoInterval(AT_AN_END)

    def from_score(self, score: Floats) -> Floats:
        return as_probability(score, self.space)

    @property
    def definition(self) -> str:
        return (
            f"The threshold on the {self.scale} at which `{self.point.name}` is reached; the"
            f" highest of several. A {self.scale} `>` this threshold is predicted positive."
        )

    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        point = self.point.best(curve)
        thresholds = thresholds_at(curve, point, self.space)
        value: Floats = getattr(thresholds, self.scale)
        reasons = {
            **self.point.reasons(curve, point),
            **self.point.without_threshold(curve, point, "only predicting nothing is as demanded"),
            self.untold: np.isnan(value),
        }
        return where_defined(value, reasons)

    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        return threshold_bounds(curve, self.point.hidden(curve).possible, self.space, self.scale)


class LogitThresholdAt(ThresholdAt):
    """The threshold on the logit at which a rate is the highest while another is as demanded.

    It selects the same rows as that on the probability, which may not exist beside it.
    """

    low, high = -math.inf, math.inf
    scale = "logit"
    untold = NO_LOGIT

    def from_score(self, score: Floats) -> Floats:
        return as_logit(score, self.space)


@offers("binary", "contrib_binary", kind="report")
def operating_points(context: MetricContext) -> Iterator[Metric]:
    fine, coarse, labels = context.score_histogram, context.coarse_histogram, context.label_counts
    kinds: dict[str, tuple[str, type[OperatingPoint], tuple[float, ...]]] = {
        "recall": ("precision", PrecisionAtRecall, context.at.recall),
        "precision": ("recall", RecallAtPrecision, context.at.precision),
        "specificity": ("sensitivity", SensitivityAtSpecificity, context.at.specificity),
        "false_positive_rate": (
            "recall",
            RecallAtFalsePositiveRate,
            context.at.false_positive_rate,
        ),
        "sensitivity": ("specificity", SpecificityAtSensitivity, context.at.sensitivity),
    }
    for demanded, (rate, kind, demands) in kinds.items():
        for demand, shown in zip(demands, distinct_names(demands), strict=True):
            name = f"{rate}_at_{demanded}_{shown}"
            point = kind(name, fine, coarse, labels=labels, demand=demand)
            yield point
            name, space = f"threshold_at_{demanded}_{shown}", context.space
            yield ThresholdAt(name, fine, coarse, labels=labels, point=point, space=space)
            name = f"logit_{name}"
            yield LogitThresholdAt(name, fine, coarse, labels=labels, point=point, space=space)
