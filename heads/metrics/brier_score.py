"""The Brier score, of labels and of exclusive classes."""

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


class ClassBrierScore(WeightedMean):
    """The weighted mean of the sum over classes of (probability - label) squared.

    The label is 1 of the class of the row and 0 of all others. Brier's form for several exclusive
    classes; scikit-learn's `brier_score_loss` with `scale_by_half=False`.
    """

    higher_is_better = False
    low, high = 0.0, 2.0
    headline = True

    @property
    def definition(self) -> str:
        return "The weighted mean of the sum over classes of (probability - label) squared, 0 to 2."


@offers("binary", "contrib_binary", "multi_label", kind="report")
def brier_score(context: MetricContext) -> Iterator[Metric]:
    yield BrierScore("brier_score", context.threshold_counts, "squared_error")


@offers("multi_label", kind="report")
def brier_scores_by_label(context: MetricContext) -> Iterator[Metric]:
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        yield BrierScore(f"brier_score/{suffix}", context.threshold_counts, "squared_error", group)


@offers("multi_class", kind="report")
def class_brier_score(context: MetricContext) -> Iterator[Metric]:
    yield ClassBrierScore("brier_score", context.row_sums, "class_brier")
