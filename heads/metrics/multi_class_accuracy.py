"""How often the likeliest of several classes is the label."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from heads.metrics.base import Floats, Metric, Scope, Values, ratio
from heads.metrics.registry import offers
from heads.statistics import State


class MultiClassAccuracy(Metric):
    """The weighted share of rows on the diagonal of the confusion matrix."""

    def compute(self, state: State) -> Values:
        # By table row: a dense matrix of many classes would not fit in memory.
        weight = state["weight" if "weight" in state.sums else "rows"]
        hit = np.flatnonzero(state.group == state.cell.astype(np.int64))
        segments = len(state.keys)
        hits: Floats = np.bincount(state.segment[hit], weight[hit], segments).astype(np.float64)
        total: Floats = np.bincount(state.segment, weight, segments).astype(np.float64)
        return ratio(hits, total, "the weights sum to zero")


@offers("multi_class")
def multi_class_accuracy(scope: Scope) -> Iterator[Metric]:
    """Offers the accuracy."""
    yield MultiClassAccuracy("accuracy", scope.confusion_matrix)
