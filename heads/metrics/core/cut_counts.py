"""Counts above and below a cut of the score, which thresholded metrics are computed from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import BinomialCounts, Floats, Metric, weight_column
from heads.metrics.core.support import EveryRow, Support
from heads.statistics import State, ThresholdCounts
from heads.statistics.kept import kept_with_state
from heads.statistics.threshold_counts import LABEL_KINDS, ONE


@dataclass(frozen=True, eq=False)
class CutCounts:
    """Counts by prediction and kind of label: summed weights, or numbers of rows.

    A label that is not 0 is positive.

    Attributes:
        above: `[s, 3]`, what is predicted positive, by kind of label.
        below: `[s, 3]`, what is predicted negative, by kind of label.
    """

    above: Floats
    below: Floats

    @cached_property
    def true_positive(self) -> Floats:
        """The positive labels `[s]` that are predicted positive."""
        total: Floats = self.above[:, ONE:].sum(axis=1)
        return total

    @cached_property
    def false_positive(self) -> Floats:
        """The zero labels `[s]` that are predicted positive."""
        return self.above[:, 0]

    @cached_property
    def false_negative(self) -> Floats:
        """The positive labels `[s]` that are predicted negative."""
        total: Floats = self.below[:, ONE:].sum(axis=1)
        return total

    @cached_property
    def true_negative(self) -> Floats:
        """The zero labels `[s]` that are predicted negative."""
        return self.below[:, 0]


@dataclass(frozen=True)
class CutMetric(Metric):
    """A metric that is computed from the counts above and below a cut of the score.

    Attributes:
        cut: a cut of its `ThresholdCounts`; a score above it is predicted positive.
        group: the id of the class it describes; None for all row-class pairs together.
    """

    cut: float
    group: int | None = None

    def counts(self, state: State, column: str | None = None) -> CutCounts:
        """Returns the counts of each segment; a NaN score is predicted negative.

        Args:
            state: a state of its `ThresholdCounts`.
            column: the column of the state to count; by default "weight", or "rows" without
                weights.
        """
        column = column or weight_column(state)
        return _cut_counts(state, column, self.cut, self.group)

    @property
    def support(self) -> Support:
        return EveryRow(self.statistic, self.group)

    def trials(
        self, state: State, denominator: Callable[[CutCounts], Floats]
    ) -> BinomialCounts | None:
        """Returns the counts that a proportion is a share of.

        Args:
            state: a state of its `ThresholdCounts`.
            denominator: the function that returns the denominator `[s]` of the proportion, such as
                `lambda counts: counts.above.sum(axis=1)`.

        Returns:
            The counts; None if the state has weights but not their squares.
        """
        rows = denominator(self.counts(state, "rows"))
        if "weight" not in state.sums:
            return BinomialCounts(rows)
        if "weight_squared" not in state.sums:
            return None
        columns = ("weight", "weight_squared")
        return BinomialCounts(rows, *(denominator(self.counts(state, name)) for name in columns))


@dataclass(frozen=True)
class CutSupport(Support):
    """The rows of the scarcest of some sums of counts above and below a cut.

    Attributes:
        cut: the cut.
        group: the id of the class; None for all row-class pairs together.
        sums_of: the functions that return the parts `[s]`, such as the positive labels.
    """

    cut: float
    group: int | None
    sums_of: tuple[Callable[[CutCounts], Floats], ...]

    def parts(self, state: State, column: str) -> Floats:
        counts = _cut_counts(state, column, self.cut, self.group)
        return np.stack([sum_of(counts) for sum_of in self.sums_of], axis=1)


@kept_with_state(last=2)
def _table(state: State, column: str) -> Floats:
    """Returns a column as a table `[s, classes, 3, cells]` by class, kind of label and cell."""
    counts = state.statistic
    assert isinstance(counts, ThresholdCounts)
    dense = state.dense(column, counts.groups, counts.cells)
    return dense.reshape(len(dense), counts.groups // LABEL_KINDS, LABEL_KINDS, counts.cells)


@kept_with_state(last=16)
def _cut_counts(state: State, column: str, cut: float, group: int | None) -> CutCounts:
    counts = state.statistic
    assert isinstance(counts, ThresholdCounts)
    table = _table(state, column)
    by_label = table.sum(axis=1) if group is None else table[:, group]
    first = counts.cuts.index(cut) + 2
    # Contiguous, so that no digit depends on how many segments there are.
    above = np.ascontiguousarray(by_label[..., first:]).sum(axis=-1)
    return CutCounts(above, np.ascontiguousarray(by_label[..., :first]).sum(axis=-1))


def cuts_and_suffixes(context: MetricContext) -> Iterator[tuple[float, str]]:
    """Yields the cuts of the thresholded metrics of a head, and the endings of their names.

    The cut of the likelier class comes first, and its ending is empty.
    """
    yield context.space.class_one(), ""
    for threshold in context.all_thresholds:
        yield threshold.above(context.space), f"/{threshold.name}"
