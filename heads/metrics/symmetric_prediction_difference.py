"""How far the probabilities of a candidate and a baseline are apart, relative to their size."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import offers
from heads.metrics.weighted_means import WeightedMean


class SymmetricPredictionDifference(WeightedMean):
    """The weighted mean of 2 |p - q| / (p + q), p the candidate's and q the baseline's probability.

    It is 0 of a row where both are 0. It equals `SymmetricPredictionDifference` of TensorFlow Model
    Analysis.
    """

    low, high = 0.0, 2.0

    @property
    def definition(self) -> str:
        return (
            "The weighted mean of `2 * |p - q| / (p + q)`, p being the candidate's probability and"
            " q the baseline's; 0 of a row where both are 0."
        )


@offers("binary", "contrib_binary", kind="pair")
def symmetric_prediction_difference(context: MetricContext) -> Iterator[Metric]:
    yield SymmetricPredictionDifference(
        "symmetric_prediction_difference", context.difference_sums, "symmetric_difference"
    )
