"""How often the label is the likeliest class, or among the likeliest classes."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import BinomialCounts, Metric, Values, ratio, total_mass
from heads.metrics.core.registry import offers
from heads.metrics.weighted_means import WeightedMean
from heads.statistics import State


class RowShare(WeightedMean):
    """The weighted share of rows that have a property."""

    low, high = 0.0, 1.0

    def compute(self, state: State) -> Values:
        trials = None
        if "weight" not in state.sums:
            trials = BinomialCounts(state.by_segment("rows"))
        elif "weight_squared" in state.sums:
            trials = BinomialCounts(*map(state.by_segment, ("rows", "weight", "weight_squared")))
        reason = "the weights sum to zero"
        return ratio(state.by_segment(self.column), total_mass(state), reason, trials)


class MultiClassAccuracy(RowShare):
    """The weighted share of rows whose predicted class is the label's."""

    higher_is_better = True

    @property
    def definition(self) -> str:
        return "The weighted share of rows whose predicted class is the label's."


class TopAccuracy(RowShare):
    """The weighted share of rows whose label is among the k highest scores.

    It equals scikit-learn's `top_k_accuracy_score`, except that of classes with equal scores the
    lowest id ranks first, as it does in the prediction.
    """

    higher_is_better = True

    @property
    def definition(self) -> str:
        return (
            "The weighted share of rows whose label is among the k highest scores; of equal scores"
            " the lower class id leads."
        )


@offers("multi_class")
def multi_class_accuracy(context: MetricContext) -> Iterator[Metric]:
    yield MultiClassAccuracy("accuracy", context.row_sums, "hit")


@offers("multi_class", kind="report")
def top_accuracies(context: MetricContext) -> Iterator[Metric]:
    for k in context.top:
        yield TopAccuracy(f"accuracy/top_{k}", context.row_sums, f"top_{k}")
