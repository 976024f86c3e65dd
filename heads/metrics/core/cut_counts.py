"""Counts above and below one cut of the score: what thresholded metrics are computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import BinomialCounts, Floats, Metric
from heads.statistics import State, ThresholdCounts
from heads.statistics.threshold_counts import LABEL_KINDS, ONE


@dataclass(frozen=True, eq=False)
class CutCounts:
    """Weights, or rows without weights, by prediction and kind of label.

    Attributes:
        above: `[s, 3]`, predicted positive, by kind of label.
        below: `[s, 3]`, predicted negative.
    """

    above: Floats
    below: Floats

    @cached_property
    def true_positive(self) -> Floats:
        """`[s]`; a label that is not 0 is positive."""
        total: Floats = self.above[:, ONE:].sum(axis=1)
        return total

    @cached_property
    def false_positive(self) -> Floats:
        """`[s]`."""
        return self.above[:, 0]

    @cached_property
    def false_negative(self) -> Floats:
        """`[s]`; a label that is not 0 is positive."""
        total: Floats = self.below[:, ONE:].sum(axis=1)
        return total

    @cached_property
    def true_negative(self) -> Floats:
        """`[s]`."""
        return self.below[:, 0]


@dataclass(frozen=True)
class CutMetric(Metric):
    """A metric of the counts above and below one cut.

    Attributes:
        cut: a cut of its `ThresholdCounts`; a score above it is predicted positive.
        group: the class it is of; None for all row-class pairs together.
    """

    cut: float
    group: int | None = None

    def counts(self, state: State, column: str | None = None) -> CutCounts:
        """The counts of each segment; a NaN score is predicted negative.

        Args:
            state: the state.
            column: which column, by default the weights, or the rows without weights.
        """
        column = column or ("weight" if "weight" in state.sums else "rows")
        return _cut_counts(state, column, self.cut, self.group)

    def trials(self, state: State, of: Callable[[CutCounts], Floats]) -> BinomialCounts | None:
        """What a proportion is a share of; None where squared weights are not kept.

        Args:
            state: the state.
            of: what is added up: `lambda counts: counts.above.sum(axis=1)`.
        """
        rows = of(self.counts(state, "rows"))
        if "weight" not in state.sums:
            return BinomialCounts(rows)
        if "weight_squared" not in state.sums:
            return None
        return BinomialCounts(
            rows, *(of(self.counts(state, name)) for name in ("weight", "weight_squared"))
        )


@lru_cache(maxsize=4)
def _table(state: State, column: str) -> Floats:
    """A column by class, kind of label and interval `[s, classes, 3, cells]`."""
    counts = state.statistic
    assert isinstance(counts, ThresholdCounts)
    dense = state.dense(column, counts.groups, counts.cells)
    return dense.reshape(len(dense), counts.groups // LABEL_KINDS, LABEL_KINDS, counts.cells)


@lru_cache(maxsize=64)
def _cut_counts(state: State, column: str, cut: float, group: int | None) -> CutCounts:
    counts = state.statistic
    assert isinstance(counts, ThresholdCounts)
    table = _table(state, column)
    own = table.sum(axis=1) if group is None else table[:, group]
    first = counts.cuts.index(cut) + 2
    # Contiguous, so that no digit depends on how many segments there are.
    above = np.ascontiguousarray(own[..., first:]).sum(axis=-1)
    return CutCounts(above, np.ascontiguousarray(own[..., :first]).sum(axis=-1))


def cuts_and_suffixes(context: MetricContext) -> Iterator[tuple[float, str]]:
    """The cuts that a head has thresholded metrics at, and what their names end with.

    That of the likelier class comes first, where names end with nothing.
    """
    yield context.space.class_one(), ""
    for threshold in context.thresholds:
        yield context.space.above(threshold), f"/positive_threshold_{threshold:g}"
