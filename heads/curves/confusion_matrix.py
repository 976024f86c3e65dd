"""The confusion matrix as plain data for the report: numbers of rows, and weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import in_unit
from heads.statistics import ConfusionMatrix, State

Ints = npt.NDArray[np.int64]


def matrix(state: State, segment: int, max_classes: int = 100) -> list[list[int]] | None:
    """Returns the numbers of rows of a segment by labelled class, and then by predicted class.

    Args:
        state: a state of `ConfusionMatrix` over all folds.
        segment: the position of the segment in the keys of the state.
        max_classes: how many classes a matrix may have; beyond that there is none.

    Returns:
        A list for each class of the label, with a count for each predicted class; None if there
        are more classes than `max_classes`.
    """
    counts = state.statistic
    assert isinstance(counts, ConfusionMatrix)
    if counts.classes > max_classes:
        return None
    label, predicted, rows = _cells(state, segment)
    table = np.zeros((counts.classes, counts.classes), np.int64)
    table[label, predicted] = rows
    out: list[list[int]] = table.tolist()
    return out


def weighted_matrix(
    state: State, segment: int, max_classes: int = 100
) -> list[list[float | None]] | None:
    """Returns the weights of the rows of a segment by labelled class, and then by predicted class.

    Args:
        state: a state of `ConfusionMatrix` over all folds, in units.
        segment: the position of the segment in the keys of the state.
        max_classes: how many classes a matrix may have; beyond that there is none.

    Returns:
        A list for each class of the label, with a sum for each predicted class, which is None
        where float64 cannot hold it; None if there are more classes than `max_classes`, or no
        weights.
    """
    counts = state.statistic
    assert isinstance(counts, ConfusionMatrix)
    if counts.classes > max_classes or "weight" not in state.sums:
        return None
    rows = state.segment == segment
    with np.errstate(over="ignore"):
        weight = state["weight"][rows] / in_unit(state, 1.0)[segment]
    table = np.zeros((counts.classes, counts.classes))
    table[state.group[rows], state.cell[rows].astype(np.int64)] = weight
    return [[cell if math.isfinite(cell) else None for cell in row] for row in table.tolist()]


def most_confused(
    state: State, segment: int, names: Sequence[str], limit: int = 20
) -> list[dict[str, str | int | float]]:
    """Returns the pairs of label and wrong prediction that most rows of a segment have.

    Args:
        state: a state of `ConfusionMatrix` over all folds.
        segment: the position of the segment in the keys of the state.
        names: the names of the classes, by id.
        limit: how many pairs are returned at most.

    Returns:
        For each pair, the names of the classes as `label` and `predicted`, the number of `rows`,
        and `share_of_label`, their share of all rows with that label. Pairs of more rows come
        first, and pairs of equally many rows in the order of class ids.
    """
    label, predicted, rows = _cells(state, segment)
    labelled = np.bincount(label, rows, len(names))
    wrong = np.flatnonzero(label != predicted)
    # The table is sorted by label and predicted class, and a stable sort keeps that.
    first = wrong[np.argsort(-rows[wrong], kind="stable")][:limit]
    return [
        {
            "label": names[label[at]],
            "predicted": names[predicted[at]],
            "rows": int(rows[at]),
            "share_of_label": float(rows[at] / labelled[label[at]]),
        }
        for at in first.tolist()
    ]


def _cells(state: State, segment: int) -> tuple[Ints, Ints, Ints]:
    """Returns the cells of a segment that have rows: their labels, predicted classes and rows."""
    place = np.flatnonzero((state.segment == segment) & (state.counts["rows"] > 0))
    return state.group[place], state.cell[place].astype(np.int64), state.counts["rows"][place]
