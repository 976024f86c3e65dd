"""Metrics of how often a candidate and a baseline predict differently, and which is then right."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from heads.metrics.core.class_counts import trials
from heads.metrics.core.context import MetricContext
from heads.metrics.core.cut_counts import cuts_and_suffixes
from heads.metrics.core.metric import Floats, Metric, Values, ratio, weight_column
from heads.metrics.core.registry import offers
from heads.statistics import ClassFlips, State
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO

# Cells of `Flips`, 2 * candidate + baseline: the prediction stays or goes to negative or positive.
_BOTH_NEGATIVE, _TO_NEGATIVE, _TO_POSITIVE, _BOTH_POSITIVE = 0, 1, 2, 3
# Cells of `ClassFlips`, 2 * candidate + baseline: which of two models that differ is right.
_NEITHER, _BASELINE, _CANDIDATE = 0, 1, 2
_ANY_LABEL = (ZERO, ONE, SOFT)


@dataclass(frozen=True)
class Flip(Metric):
    """The weighted share of rows that two models predict differently in a certain way.

    Attributes:
        pair: the index of the pair of cuts of its `Flips`; without meaning for exclusive classes.
    """

    pair: int = 0

    low, high = 0.0, 1.0
    cells: ClassVar[tuple[tuple[int, int], ...]]
    """The pairs of kind of label and cell of a `Flips` that count as flipped."""
    class_cells: ClassVar[tuple[int, ...]] = ()
    """The cells of a `ClassFlips` that count as flipped."""

    def counts(self, state: State, column: str) -> tuple[Floats, Floats]:
        """Returns the sums `[s]` of a column of the state over what flips, and over everything."""
        statistic = state.statistic
        table = state.dense(column, statistic.groups, statistic.cells)
        if isinstance(statistic, ClassFlips):
            chosen = table[:, 0, self.class_cells]
            return np.ascontiguousarray(chosen).sum(axis=1), table[:, 0].sum(axis=1)
        first = self.pair * LABEL_KINDS
        by_label = np.ascontiguousarray(table[:, first : first + LABEL_KINDS])
        chosen = np.stack([by_label[:, kind, cell] for kind, cell in self.cells], axis=1)
        return np.ascontiguousarray(chosen).sum(axis=1), by_label.sum(axis=2).sum(axis=1)

    def compute(self, state: State) -> Values:
        flipped, total = self.counts(state, weight_column(state))
        whole = trials(state, lambda column: self.counts(state, column)[1])
        return ratio(flipped, total, "the weights sum to zero", whole)


class FlipRate(Flip):
    """The weighted share of rows that the candidate predicts otherwise than the baseline.

    Of a multi-label head this, as every flip rate, is the share of row-class pairs.
    """

    cells = tuple((kind, to) for kind in _ANY_LABEL for to in (_TO_NEGATIVE, _TO_POSITIVE))
    class_cells = (_NEITHER, _BASELINE, _CANDIDATE)


class PositiveToNegativeRate(Flip):
    """The weighted share of rows that only the baseline predicts to be positive."""

    cells = tuple((kind, _TO_NEGATIVE) for kind in _ANY_LABEL)


class NegativeToPositiveRate(Flip):
    """The weighted share of rows that only the candidate predicts to be positive."""

    cells = tuple((kind, _TO_POSITIVE) for kind in _ANY_LABEL)


class PositiveToPositiveRate(Flip):
    """The weighted share of rows that both models predict to be positive."""

    cells = tuple((kind, _BOTH_POSITIVE) for kind in _ANY_LABEL)


class NegativeToNegativeRate(Flip):
    """The weighted share of rows that neither model predicts to be positive."""

    cells = tuple((kind, _BOTH_NEGATIVE) for kind in _ANY_LABEL)


class CorrectToWrongRate(Flip):
    """The weighted share of all rows that the baseline predicts right and the candidate wrong.

    No prediction is right where a label is between 0 and 1.
    """

    higher_is_better = False
    cells = ((ONE, _TO_NEGATIVE), (ZERO, _TO_POSITIVE))
    class_cells = (_BASELINE,)


class WrongToCorrectRate(Flip):
    """The weighted share of all rows that the baseline predicts wrong and the candidate right.

    No prediction is right where a label is between 0 and 1.
    """

    higher_is_better = True
    cells = ((ONE, _TO_POSITIVE), (ZERO, _TO_NEGATIVE))
    class_cells = (_CANDIDATE,)


OF_CLASSES: dict[str, type[Flip]] = {
    "flip_rate": FlipRate,
    "correct_to_wrong_rate": CorrectToWrongRate,
    "wrong_to_correct_rate": WrongToCorrectRate,
}
"""The flip rates of exclusive classes, by name."""
AT_CUTS: dict[str, type[Flip]] = {
    **OF_CLASSES,
    "positive_to_negative_rate": PositiveToNegativeRate,
    "negative_to_positive_rate": NegativeToPositiveRate,
    "positive_to_positive_rate": PositiveToPositiveRate,
    "negative_to_negative_rate": NegativeToNegativeRate,
}
"""The flip rates at a cut of the score, by name."""


@offers("binary", "contrib_binary", "multi_label", kind="pair")
def flips_at_cuts(context: MetricContext) -> Iterator[Metric]:
    for pair, (_, suffix) in enumerate(cuts_and_suffixes(context)):
        for name, flip in AT_CUTS.items():
            yield flip(f"{name}{suffix}", context.flips, pair)


@offers("multi_class", kind="pair")
def flips_of_classes(context: MetricContext) -> Iterator[Metric]:
    for name, flip in OF_CLASSES.items():
        yield flip(name, context.class_flips)
