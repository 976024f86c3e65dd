"""Precision and recall of the k highest scores of each row.

They are those of TensorFlow Model Analysis with `top_k`: of all pairs of a row and a class, where
the k classes of a row that have the highest scores are predicted, and no other.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, Values, ratio, total_mass
from heads.metrics.core.registry import offers
from heads.metrics.multi_class_accuracy import TopAccuracy
from heads.statistics import State

TIES = "of equal scores the lower class id leads."


@dataclass(frozen=True)
class TopRate(Metric):
    """A rate of the pairs of rows and classes that are among the highest scores of their row.

    Attributes:
        column: the name of the sum of how many of the highest scores of a row are of labels.
        number: how many scores are the highest, `k`.
    """

    column: str
    number: int

    higher_is_better = True
    low, high = 0.0, 1.0


class TopPrecision(TopRate):
    """The weighted share of labels among the k highest scores of the rows, `TP / (k * sum(w))`."""

    @property
    def definition(self) -> str:
        return f"The weighted share of the k highest scores of each row that are of labels; {TIES}"

    def compute(self, state: State) -> Values:
        found, whole = state.by_segment(self.column), total_mass(state)
        return ratio(found, whole * self.number, "the weights sum to zero")


class TopRecall(TopRate):
    """The weighted share of the labels that are among the k highest scores of their row."""

    @property
    def definition(self) -> str:
        return (
            f"The weighted share of labels that are among the k highest scores of their row; {TIES}"
        )

    def compute(self, state: State) -> Values:
        labels = state.by_segment("labels")
        return ratio(state.by_segment(self.column), labels, "no label is positive")


@offers("multi_class", kind="report")
def top_rates_of_classes(context: MetricContext) -> Iterator[Metric]:
    for k in context.top:
        # With one label a row this is the accuracy.
        yield TopAccuracy(f"recall/top_{k}", context.row_sums, f"top_{k}")
        yield TopPrecision(f"precision/top_{k}", context.row_sums, f"top_{k}", k)


@offers("multi_label", kind="report")
def top_rates_of_labels(context: MetricContext) -> Iterator[Metric]:
    for k in context.top:
        column = f"top_labels_{k}"
        yield TopRecall(f"recall/top_{k}", context.row_sums, column, k)
        yield TopPrecision(f"precision/top_{k}", context.row_sums, column, k)
