"""The mean label and probability of single classes, their calibration, and their mean loss."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from heads.metrics.calibration import CalibrationRatio
from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, Values, ratio
from heads.metrics.core.registry import offers
from heads.metrics.core.support import Positives, Support
from heads.metrics.multi_class_accuracy import RowShare
from heads.metrics.weighted_means import MeanLoss, MeanShare
from heads.statistics import State, Statistic


class LabelShare(RowShare):
    """The weighted share of rows whose label is the class."""

    @property
    def definition(self) -> str:
        return "The weighted share of rows whose label is the class."


class ProbabilityMean(MeanShare):
    """The weighted mean of the probability of the class, `sum(w * p) / sum(w)`."""

    @property
    def definition(self) -> str:
        return "The weighted mean of the probability of the class, `sum(w * p) / sum(w)`."


class LabelLoss(MeanLoss):
    """The weighted mean of the loss of the class, of which the loss of a row is the mean."""

    @property
    def definition(self) -> str:
        return "The weighted mean of the loss of the class; that of a row is the mean over classes."


@dataclass(frozen=True)
class ClassCalibrationRatio(Metric):
    """The sum of the probabilities of an exclusive class over the weight of its labels.

    Above 1 the model predicts the class too often, below 1 too rarely.

    Attributes:
        class_id: the id of the class.
        labels: the statistic that counts the labels by fold.
    """

    class_id: int
    labels: Statistic = field(kw_only=True)

    low = 0.0

    @property
    def support(self) -> Support:
        return Positives(self.labels, self.class_id)

    def compute(self, state: State) -> Values:
        predicted, labelled = (
            state.by_segment(f"{value}_{self.class_id}") for value in ("probability", "label")
        )
        return ratio(predicted, labelled, "no label is of the class")


@offers("multi_class", kind="report")
def means_by_class(context: MetricContext) -> Iterator[Metric]:
    sums, labels = context.class_sums, context.label_counts
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        yield LabelShare(f"label_mean/{suffix}", sums, f"label_{group}")
        yield ProbabilityMean(f"probability_mean/{suffix}", sums, f"probability_{group}")
        yield ClassCalibrationRatio(f"calibration_ratio/{suffix}", sums, group, labels=labels)


@offers("multi_label", kind="report")
def means_by_label(context: MetricContext) -> Iterator[Metric]:
    counts = context.threshold_counts
    yield CalibrationRatio("calibration_ratio", counts, "probability")
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        yield LabelLoss(f"average_loss/{suffix}", counts, "class_loss", group)
        yield MeanShare(f"label_mean/{suffix}", counts, "label", group)
        yield CalibrationRatio(f"calibration_ratio/{suffix}", counts, "probability", group)
