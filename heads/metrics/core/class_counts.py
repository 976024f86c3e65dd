"""What is labelled with each class, and predicted to be of it: what rates by class come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import BinomialCounts, Floats
from heads.statistics import ClassOutcomes, State, ThresholdCounts
from heads.statistics.confusion import LABELLED, RIGHTLY, WRONGLY
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO

RateName = Literal["precision", "recall", "f1"]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Weights, or rows without weights, by class.

    Attributes:
        true_positive: `[s, k]`, labelled with the class and predicted to be of it.
        false_positive: `[s, k]`, predicted to be of the class and not labelled with it.
        labelled: `[s, k]`, labelled with the class.
        averaged: bool `[s, k]`, which classes averages are over: of exclusive ones those that occur
            in labels or predictions, in rows of whatever weight; of independent ones all.
    """

    true_positive: Floats
    false_positive: Floats
    labelled: Floats
    averaged: npt.NDArray[np.bool_]

    @property
    def predicted(self) -> Floats:
        """`[s, k]`, predicted to be of the class."""
        return self.true_positive + self.false_positive

    def of(self, group: int) -> ClassCounts:
        """The counts of one class, each `[s]`."""
        return ClassCounts(
            self.true_positive[:, group],
            self.false_positive[:, group],
            self.labelled[:, group],
            self.averaged[:, group],
        )


@dataclass(frozen=True)
class Rate:
    """A quotient of the counts of a class.

    Attributes:
        text: what it is, in words.
        share: its numerator and denominator.
        undefined: why it is undefined where the denominator is 0.
        undefined_everywhere: why averages are undefined where it is 0 for every class.
        proportion: whether it is a share of rows.
    """

    text: str
    share: Callable[[ClassCounts], tuple[Floats, Floats]]
    undefined: str
    undefined_everywhere: str
    proportion: bool = True


RATES: dict[RateName, Rate] = {
    "precision": Rate(
        "TP / (TP + FP)",
        lambda own: (own.true_positive, own.predicted),
        "the class is never predicted",
        "no class is ever predicted",
    ),
    "recall": Rate(
        "TP / (TP + FN)",
        lambda own: (own.true_positive, own.labelled),
        "no label is of the class",
        "no label is positive",
    ),
    "f1": Rate(
        "2 * TP / (2 * TP + FP + FN)",
        lambda own: (2 * own.true_positive, own.labelled + own.predicted),
        "the class occurs neither in labels nor in predictions",
        "no class occurs in labels or predictions",
        proportion=False,
    ),
}


def weight_column(state: State) -> str:
    """What a state counts by: its weights, or its rows without weights."""
    return "weight" if "weight" in state.sums else "rows"


def class_counts(state: State, column: str | None = None, cut: float = 0.0) -> ClassCounts:
    """The counts of each class in each segment.

    Args:
        state: a state of `ClassOutcomes`, or of `ThresholdCounts` told apart by class.
        column: which column, by default the weights, or the rows without weights.
        cut: for independent classes the cut of the score above which a class is predicted; a label
            that is not 0 counts as one with the class.
    """
    return _class_counts(state, column or weight_column(state), cut)


# The metrics of all classes are read from the same few of these, which may be large.
@lru_cache(maxsize=16)
def _class_counts(state: State, column: str, cut: float) -> ClassCounts:
    statistic = state.statistic
    table = state.dense(column, statistic.groups, statistic.cells)
    if isinstance(statistic, ClassOutcomes):
        right, wrong, labelled = (_column(table, cell) for cell in (RIGHTLY, WRONGLY, LABELLED))
        rows = state.dense("rows", statistic.groups, statistic.cells)
        return ClassCounts(right, wrong, labelled, rows.sum(axis=2) > 0)
    assert isinstance(statistic, ThresholdCounts)
    table = table.reshape(len(table), statistic.classes, LABEL_KINDS, statistic.cells)
    first = statistic.cuts.index(cut) + 2
    above = np.ascontiguousarray(table[..., first:]).sum(axis=-1)
    below = np.ascontiguousarray(table[..., :first]).sum(axis=-1)
    hit, missed = (part[..., ONE] + part[..., SOFT] for part in (above, below))
    every = np.ones(hit.shape, np.bool_)
    return ClassCounts(hit, above[..., ZERO], hit + missed, every)


def _column(table: Floats, cell: int) -> Floats:
    return np.ascontiguousarray(table[:, :, cell])


def trials(state: State, of: Callable[[str], Floats]) -> BinomialCounts | None:
    """What a proportion is a share of; None where squared weights are not kept.

    Args:
        state: the state.
        of: the denominator `[s]` in terms of a column of the state.
    """
    if "weight" not in state.sums:
        return BinomialCounts(of("rows"))
    if "weight_squared" not in state.sums:
        return None
    return BinomialCounts(of("rows"), of("weight"), of("weight_squared"))
