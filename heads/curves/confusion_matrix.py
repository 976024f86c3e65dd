"""The confusion matrix as plain data for the report; rows are counted, never weighted."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heads.statistics import ConfusionMatrix, State

Ints = npt.NDArray[np.int64]


def matrix(state: State, segment: int, max_classes: int = 100) -> list[list[int]] | None:
    """The rows of a segment by class of the label, then by predicted class.

    Args:
        state: a state of `ConfusionMatrix` over all folds.
        segment: position of the segment in its keys.
        max_classes: of more classes there is no matrix, only the most confused pairs.

    Returns:
        `classes` lists of `classes` counts; None for more classes than `max_classes`.
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


def most_confused(
    state: State, segment: int, names: Sequence[str], limit: int = 20
) -> list[dict[str, str | int | float]]:
    """The pairs of different classes that most rows of a segment fall into, those of most first.

    Args:
        state: a state of `ConfusionMatrix` over all folds.
        segment: position of the segment in its keys.
        names: the name of each class.
        limit: how many pairs to give at most.

    Returns:
        For each pair the names of the class of the `label` and of the `predicted` one, the `rows`,
        and `share_of_label`, their share of all rows with that label. Pairs of equally many rows
        come in the order of class ids.
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
    """Label, predicted class and rows of the cells of a segment that have rows, in that order."""
    own = np.flatnonzero((state.segment == segment) & (state.counts["rows"] > 0))
    return state.group[own], state.cell[own].astype(np.int64), state.counts["rows"][own]
