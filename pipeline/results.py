"""From merged states to the cells of the report, one partition at a time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from heads.statistics import OVERALL, ConfusionMatrix, Key, LossSums, ScoreHistogram, State
from pipeline.plan import Plan, StateKey


@dataclass(frozen=True)
class Cell:
    """What was computed for one slice from one state.

    Attributes:
        head: name of the head.
        key: the slice.
        examples: rows of the slice; None if this state does not count them.
        metrics: value by name of the metric, or why it is undefined.
        matrix: rows by class of the label and predicted class, overall of a multi-class head; else
            None.
    """

    head: str
    key: Key
    examples: int | None
    metrics: Mapping[str, float | str]
    matrix: tuple[tuple[int, ...], ...] | None = None


def histogram_shifts(states: Iterable[tuple[StateKey, State]]) -> dict[tuple[str, int], int]:
    """The shift of each score histogram over all its rows, by head and statistic."""
    return {
        (key.head, key.statistic): state.shift
        for key, state in states
        if key.partition == 0 and isinstance(state.statistic, ScoreHistogram)
    }


def level(key: StateKey, state: State, shifts: Mapping[tuple[str, int], int]) -> State:
    """A merged state at the shift that all rows ask for.

    The shift of a partition of slices depends on how its rows fell into bundles with others; it is
    at most that of all rows together, which does not.

    Args:
        key: which state it is.
        state: the merged state.
        shifts: the shifts of all histograms.
    """
    return state.coarsened(shifts.get((key.head, key.statistic), 0))


def compute(plan: Plan, key: StateKey, state: State) -> list[Cell]:
    """The metrics that read one state, in every slice it holds.

    Args:
        plan: the plan of the run.
        key: which state it is.
        state: the merged state, brought to its final shift.
    """
    head = plan.heads[key.head]
    own = [metric for metric in head.metrics.values() if metric.statistic == state.statistic]
    with np.errstate(all="ignore"):
        values = {metric.name: metric.compute(state) for metric in own}
    rows = state.dense("rows", state.statistic.groups).sum(axis=(1, 2)) if _counts(state) else None
    matrix = _matrix(state) if key.partition == 0 else None
    return [
        Cell(
            key.head,
            segment,
            None if rows is None else int(rows[position]),
            {
                name: value.reason(position) or _finite(float(value.value[position]))
                for name, value in values.items()
            },
            matrix,
        )
        for position, segment in enumerate(state.keys)
    ]


def _counts(state: State) -> bool:
    return isinstance(state.statistic, LossSums)


def _finite(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "the value is not a number" if math.isnan(value) else "the value is infinite"


def _matrix(state: State) -> tuple[tuple[int, ...], ...] | None:
    counts = state.statistic
    if not isinstance(counts, ConfusionMatrix):
        return None
    if OVERALL not in state.keys:
        return None
    dense = state.dense("rows", counts.classes, counts.classes)[state.keys.index(OVERALL)]
    return tuple(tuple(int(count) for count in row) for row in dense)
