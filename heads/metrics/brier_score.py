"""The Brier score."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.base import Metric, Scope
from heads.metrics.registry import offers
from heads.metrics.weighted_means import WeightedMean


@offers("binary", "contrib_binary", report_only=True)
def brier_score(scope: Scope) -> Iterator[Metric]:
    """The weighted mean of (probability - label) squared; scikit-learn's `brier_score_loss`.

    G. W. Brier, "Verification of forecasts expressed in terms of probability", 1950, in the form
    for the positive class alone.
    """
    yield WeightedMean("brier_score", scope.class_sums, "squared_error")
