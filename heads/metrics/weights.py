"""The weight of a slice, and of the labels of a class in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, Values, weight_column
from heads.metrics.core.registry import offers
from heads.metrics.core.support import EveryRow, Negatives, Positives, Support
from heads.statistics import State


@dataclass(frozen=True)
class Weight(Metric):
    """The sum of the weights of some rows; without weights their number.

    Attributes:
        rows: the rows.
        described: what they are, in words.
    """

    rows: Support
    described: str

    low = 0.0
    total = True

    @property
    def definition(self) -> str:
        return f"The sum of the weights of {self.described}; without weights, how many there are."

    @property
    def support(self) -> Support:
        return self.rows

    def compute(self, state: State) -> Values:
        return Values(self.rows.parts(state, weight_column(state))[:, 0], {})


@offers("binary", "contrib_binary", kind="report")
def weights_by_label(context: MetricContext) -> Iterator[Metric]:
    counts = context.threshold_counts
    yield Weight("weight", counts, EveryRow(counts), "all rows")
    yield Weight("weight/positive", counts, Positives(counts), "the labels that are not 0")
    yield Weight("weight/negative", counts, Negatives(counts), "the labels that are 0")


@offers("multi_class", "multi_label", kind="report")
def weights_by_class(context: MetricContext) -> Iterator[Metric]:
    yield Weight("weight", context.row_sums, EveryRow(context.row_sums), "all rows")
    exclusive = context.head == "multi_class"
    counts = context.class_outcomes if exclusive else context.threshold_counts
    for group, suffix in zip(context.named_classes, context.class_suffixes, strict=True):
        labels = Positives(counts, group)
        yield Weight(f"weight/{suffix}", counts, labels, "the rows whose labels have the class")


@offers("regression", "poisson", "logistic_regression", kind="report")
def weight_of_numbers(context: MetricContext) -> Iterator[Metric]:
    yield Weight("weight", context.label_sums, EveryRow(context.label_sums), "all rows")
