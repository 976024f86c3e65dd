"""Counts of labels and predictions by class, which the rates of a class are computed from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import BinomialCounts, Floats, weight_column
from heads.statistics import ClassOutcomes, State, ThresholdCounts
from heads.statistics.confusion import LABELLED, RIGHTLY, WRONGLY
from heads.statistics.kept import kept_with_state
from heads.statistics.threshold_counts import LABEL_KINDS, ONE, SOFT, ZERO

RateName = Literal["precision", "recall", "f1", "specificity", "threat_score"]


@dataclass(frozen=True, eq=False)
class ClassCounts:
    """Counts of labels and predictions by class: summed weights, or numbers of rows.

    Attributes:
        true_positive: `[s, k]`, rows that have the class as label and as prediction.
        false_positive: `[s, k]`, rows that have the class as prediction but not as label.
        labelled: `[s, k]`, rows that have the class as label.
        others: `[s, k]`, rows that do not have the class as label.
        averaged: bool `[s, k]`, whether averages include the class. Of exclusive classes they
            include those that are a label or a prediction in any row, even in a row of weight 0;
            of independent classes they include all.
    """

    true_positive: Floats
    false_positive: Floats
    labelled: Floats
    others: Floats
    averaged: npt.NDArray[np.bool_]

    @property
    def predicted(self) -> Floats:
        """The rows `[s, k]` that have the class as prediction."""
        return self.true_positive + self.false_positive

    def of(self, group: int) -> ClassCounts:
        """Returns the counts of a single class; its arrays have the shape `[s]`."""
        return ClassCounts(
            self.true_positive[:, group],
            self.false_positive[:, group],
            self.labelled[:, group],
            self.others[:, group],
            self.averaged[:, group],
        )


@dataclass(frozen=True)
class Rate:
    """A quotient of two counts of a class.

    Attributes:
        text: the formula, for users to read.
        share: the function that returns numerator and denominator.
        undefined: the reason why the rate is undefined where the denominator is 0.
        undefined_everywhere: the reason why the averages over classes are undefined where the
            denominator is 0 for every class.
        proportion: whether the rate is a share of rows, so that it has a binomial interval.
    """

    text: str
    share: Callable[[ClassCounts], tuple[Floats, Floats]]
    undefined: str
    undefined_everywhere: str
    proportion: bool = True


RATES: dict[RateName, Rate] = {
    "precision": Rate(
        "TP / (TP + FP)",
        lambda counts: (counts.true_positive, counts.predicted),
        "the class is never predicted",
        "no class is ever predicted",
    ),
    "recall": Rate(
        "TP / (TP + FN)",
        lambda counts: (counts.true_positive, counts.labelled),
        "no label is of the class",
        "no label is positive",
    ),
    "f1": Rate(
        "2 * TP / (2 * TP + FP + FN)",
        lambda counts: (2 * counts.true_positive, counts.labelled + counts.predicted),
        "the class occurs neither in labels nor in predictions",
        "no class occurs in labels or predictions",
        proportion=False,
    ),
    "specificity": Rate(
        "TN / (TN + FP)",
        # Sums that are rounded may differ by less than nothing.
        lambda counts: (np.maximum(counts.others - counts.false_positive, 0.0), counts.others),
        "every label is of the class",
        "no label is zero",
    ),
    "threat_score": Rate(
        "TP / (TP + FP + FN)",
        lambda counts: (counts.true_positive, counts.labelled + counts.false_positive),
        "the class occurs neither in labels nor in predictions",
        "no class occurs in labels or predictions",
    ),
}


def class_counts(state: State, column: str | None = None, cut: float = 0.0) -> ClassCounts:
    """Returns the counts of each class in each segment.

    Args:
        state: a state of `ClassOutcomes` for exclusive classes, or a state of `ThresholdCounts`
            that is kept by class for independent classes.
        column: the column of the state to count; by default "weight", or "rows" without weights.
        cut: the cut of the score above which an independent class is predicted. An independent
            class is a label of a row where the value of its label is not 0.
    """
    return _class_counts(state, column or weight_column(state), cut)


# The metrics of all classes are computed from the same few counts, which may be large.
@kept_with_state(last=4)
def _class_counts(state: State, column: str, cut: float) -> ClassCounts:
    statistic = state.statistic
    table = state.dense(column, statistic.groups, statistic.cells)
    if isinstance(statistic, ClassOutcomes):
        right, wrong, labelled = (_column(table, cell) for cell in (RIGHTLY, WRONGLY, LABELLED))
        rows = state.dense("rows", statistic.groups, statistic.cells)
        return ClassCounts(
            right,
            wrong,
            labelled,
            others_of(labelled),
            rows[:, :, : RIGHTLY + 1].sum(axis=2) > 0,
        )
    assert isinstance(statistic, ThresholdCounts)
    table = table.reshape(len(table), statistic.classes, LABEL_KINDS, statistic.cells)
    first = statistic.cuts.index(cut) + 2
    above = np.ascontiguousarray(table[..., first:]).sum(axis=-1)
    below = np.ascontiguousarray(table[..., :first]).sum(axis=-1)
    hit, missed = (part[..., ONE] + part[..., SOFT] for part in (above, below))
    others = above[..., ZERO] + below[..., ZERO]
    all_classes = np.ones(hit.shape, np.bool_)
    return ClassCounts(hit, above[..., ZERO], hit + missed, others, all_classes)


def others_of(values: Floats) -> Floats:
    """Returns for each class the sum of the values `[s, k]` of all other classes, `[s, k]`.

    It adds values from both sides, since a difference to the total would lose digits.
    """
    before, after = np.zeros_like(values), np.zeros_like(values)
    np.cumsum(values[:, :-1], axis=1, out=before[:, 1:])
    np.cumsum(values[:, :0:-1], axis=1, out=after[:, -2::-1])
    return before + after


def _column(table: Floats, cell: int) -> Floats:
    return np.ascontiguousarray(table[:, :, cell])


def trials(state: State, denominator: Callable[[str], Floats]) -> BinomialCounts | None:
    """Returns the counts that a proportion is a share of.

    Args:
        state: the state.
        denominator: the function that returns the denominator `[s]` for a column of the state.

    Returns:
        The counts; None if the state has weights but not their squares.
    """
    if "weight" not in state.sums:
        return BinomialCounts(denominator("rows"))
    if "weight_squared" not in state.sums:
        return None
    return BinomialCounts(denominator("rows"), denominator("weight"), denominator("weight_squared"))
