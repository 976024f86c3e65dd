"""Accuracy, precision and recall: exact counts at a cut of the score."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from heads.metrics.base import Floats, Metric, Scope, Values, mass, ratio
from heads.metrics.registry import offers
from heads.statistics import State, ThresholdCounts
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, ZERO


@dataclass(frozen=True)
class CutMetric(Metric):
    """A metric of the counts above and below one cut.

    Attributes:
        cut: a cut of its `ThresholdCounts`; a score above it is predicted positive.
    """

    cut: float

    def above_and_below(self, state: State) -> tuple[Floats, Floats]:
        """The weight predicted positive and negative by kind of label, each `[s, 3]`.

        All classes together; a NaN score is predicted negative.
        """
        counts = self.statistic
        assert isinstance(counts, ThresholdCounts)
        weight = mass(state, counts.groups, counts.cells)
        weight = weight.reshape(len(weight), -1, LABEL_KINDS, counts.cells).sum(axis=1)
        first = counts.cuts.index(self.cut) + 2
        return weight[..., first:].sum(axis=-1), weight[..., :first].sum(axis=-1)


class Accuracy(CutMetric):
    """The weighted share of labels that equal the prediction; a soft label never does."""

    def compute(self, state: State) -> Values:
        above, below = self.above_and_below(state)
        total = above.sum(axis=1) + below.sum(axis=1)
        return ratio(above[:, ONE] + below[:, ZERO], total, "the weights sum to zero")


class Precision(CutMetric):
    """TP / (TP + FP); a label that is not 0 counts as positive."""

    def compute(self, state: State) -> Values:
        above, _ = self.above_and_below(state)
        positive = above[:, ONE:].sum(axis=1)
        return ratio(positive, above.sum(axis=1), "nothing is predicted positive")


class Recall(CutMetric):
    """TP / (TP + FN); a label that is not 0 counts as positive."""

    def compute(self, state: State) -> Values:
        above, below = self.above_and_below(state)
        positive = above[:, ONE:].sum(axis=1)
        return ratio(positive, positive + below[:, ONE:].sum(axis=1), "no label is positive")


@offers("binary")
def at_the_likelier_class(scope: Scope) -> Iterator[Metric]:
    cut = scope.space.class_one()
    yield Accuracy("accuracy", scope.threshold_counts, cut)
    yield Precision("precision", scope.threshold_counts, cut)
    yield Recall("recall", scope.threshold_counts, cut)


@offers("binary", "multi_label")
def at_thresholds(scope: Scope) -> Iterator[Metric]:
    for threshold in scope.thresholds:
        cut = scope.space.above(threshold)
        suffix = f"positive_threshold_{threshold:g}"
        yield Accuracy(f"accuracy/{suffix}", scope.threshold_counts, cut)
        yield Precision(f"precision/{suffix}", scope.threshold_counts, cut)
        yield Recall(f"recall/{suffix}", scope.threshold_counts, cut)
