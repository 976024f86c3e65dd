"""The estimator's accuracy, precision and recall, from exact counts at a cut of the score."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.core.confusion_formulas import positive, predicted_positive
from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import CutMetric, CutSupport, cuts_and_suffixes
from heads.metrics.core.metric import Metric, Values, ratio
from heads.metrics.core.registry import offers
from heads.metrics.core.support import Support
from heads.statistics import State
from heads.statistics.threshold_counts import ONE, ZERO


class Share(CutMetric):
    """A share, from 0 to 1, of which a higher value is better."""

    higher_is_better = True
    low, high = 0.0, 1.0


class Accuracy(Share):
    """The weighted share of labels that equal the prediction; a soft label never does."""

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        total = counts.above.sum(axis=1) + counts.below.sum(axis=1)
        right = counts.above[:, ONE] + counts.below[:, ZERO]
        trials = self.trials(
            state, lambda counts: counts.above.sum(axis=1) + counts.below.sum(axis=1)
        )
        return ratio(right, total, "the weights sum to zero", trials)


class Precision(Share):
    """TP / (TP + FP); a label that is not 0 counts as positive."""

    @property
    def support(self) -> Support:
        return CutSupport(self.statistic, self.cut, self.group, (predicted_positive,))

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        predicted = counts.above.sum(axis=1)
        trials = self.trials(state, lambda counts: counts.above.sum(axis=1))
        return ratio(counts.true_positive, predicted, "nothing is predicted positive", trials)


class Recall(Share):
    """TP / (TP + FN); a label that is not 0 counts as positive."""

    @property
    def support(self) -> Support:
        return CutSupport(self.statistic, self.cut, self.group, (positive,))

    def compute(self, state: State) -> Values:
        counts = self.counts(state)
        positive = counts.true_positive + counts.false_negative
        trials = self.trials(state, lambda counts: counts.true_positive + counts.false_negative)
        return ratio(counts.true_positive, positive, "no label is positive", trials)


RATES: dict[str, type[Share]] = {"accuracy": Accuracy, "precision": Precision, "recall": Recall}


@offers("binary")
def at_the_likelier_class(context: MetricContext) -> Iterator[Metric]:
    for name, rate in RATES.items():
        yield rate(name, context.threshold_counts, context.space.class_one())


@offers("binary", "multi_label")
def at_thresholds(context: MetricContext) -> Iterator[Metric]:
    for cut, suffix in cuts_and_suffixes(context):
        if suffix:
            for name, rate in RATES.items():
                yield rate(f"{name}{suffix}", context.threshold_counts, cut)
