"""How often the likeliest of several classes is the label."""

from __future__ import annotations

from collections.abc import Iterator

from heads.metrics.base import Metric, Scope, Values, mass, ratio
from heads.metrics.registry import offers
from heads.statistics import State


class MultiClassAccuracy(Metric):
    """The weighted share of rows whose predicted class is the label's."""

    def compute(self, state: State) -> Values:
        weight = mass(state, 1, 2)[:, 0]
        return ratio(weight[:, 1], weight.sum(axis=1), "the weights sum to zero")


@offers("multi_class")
def multi_class_accuracy(scope: Scope) -> Iterator[Metric]:
    yield MultiClassAccuracy("accuracy", scope.hits)
