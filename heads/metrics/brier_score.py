"""The Brier score."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import offers
from heads.metrics.weighted_means import WeightedMean


class BrierScore(WeightedMean):
    """The weighted mean of (probability - label) squared; scikit-learn's `brier_score_loss`.

    G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950, in the form
    for the positive class alone.
    """

    higher_is_better = False
    low, high = 0.0, 1.0
    headline = True

    @property
    def definition(self) -> str:
        return "The weighted mean of (probability - label) squared."


@offers("binary", "contrib_binary", kind="report")
def brier_score(context: MetricContext) -> Iterator[Metric]:
    yield BrierScore("brier_score", context.threshold_counts, "squared_error")
