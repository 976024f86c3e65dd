"""Labels by cell of the score: what curves, and metrics of every score, are computed from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

import numpy as np
import numpy.typing as npt

from heads.metrics.base import Floats, Metric, Values
from heads.statistics import ScoreHistogram, State, Statistic
from heads.statistics.score_histogram import cell_floors

Reasons = Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """The weights of labels by cell of the score: of one segment, or of it without one fold each.

    The scores of a cell are taken for its lowest one; with a shift of 0 there is no other.

    Attributes:
        positive: `[r, c]`, labels that are not 0; cells ascend.
        negative: `[r, c]`, labels that are 0.
        score: `[c]`, the lowest score of each cell, as it is stored.
        exact: whether every cell is one score.
    """

    positive: Floats
    negative: Floats
    score: Floats
    exact: bool

    @property
    def positives(self) -> Floats:
        """`[r]`, the weight of all labels that are not 0."""
        total: Floats = self.positive.sum(axis=1)
        return total

    @property
    def negatives(self) -> Floats:
        """`[r]`, the weight of all labels that are 0."""
        total: Floats = self.negative.sum(axis=1)
        return total

    def from_above(self) -> tuple[Floats, Floats]:
        """TP and FP `[r, c]` if the scores of a cell and those above are predicted positive.

        The highest cell comes first.
        """
        return (
            np.cumsum(self.positive[:, ::-1], axis=1),
            np.cumsum(self.negative[:, ::-1], axis=1),
        )


@dataclass(frozen=True)
class CurveMetric(Metric):
    """A metric of the labels in order of their scores.

    Attributes:
        coarse_histogram: the coarser twin of its `ScoreHistogram`.
        group: the class it is of; None for all row-class pairs together.
    """

    coarse_histogram: Statistic
    group: int | None = None

    @property
    def coarse(self) -> Statistic | None:
        return self.coarse_histogram

    @abstractmethod
    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        """The values `[r]` of one curve, and why which are undefined."""

    def compute(self, state: State) -> Values:
        parts = [self.of_curve(curve) for curve in score_curves(state, self.group)]
        if not parts:
            return Values(np.zeros(0), {})
        reasons = {text: np.concatenate([why[text] for _, why in parts]) for text in parts[0][1]}
        return Values(np.concatenate([value for value, _ in parts]), reasons)


@lru_cache(maxsize=4)
def score_curves(state: State, group: int | None) -> tuple[ScoreCurve, ...]:
    """The curves of the segments; those of one segment without each fold are one curve.

    Kept, since many metrics are read from the same ones.
    """
    assert isinstance(state.statistic, ScoreHistogram)
    weight = state["weight" if "weight" in state.sums else "rows"]
    bounds = np.searchsorted(state.segment, np.arange(len(state.keys) + 1))
    return tuple(
        _curve(state, weight, int(bounds[first]), int(bounds[last]), last - first, group)
        for first, last in _runs(state.keys)
    )


def _runs(keys: tuple[object, ...]) -> Iterator[tuple[int, int]]:
    """Where segments of the same key begin and end."""
    at = 0
    for _, run in groupby(keys):
        length = len(list(run))
        yield at, at + length
        at += length


def _curve(
    state: State, weight: Floats, first: int, last: int, replicas: int, group: int | None
) -> ScoreCurve:
    rows = slice(first, first + (last - first) // replicas)
    groups, cells = state.group[rows], state.cell[rows]
    own = weight[first:last].reshape(replicas, -1)
    if group is not None:
        keep = groups // 2 == group
        groups, cells, own = groups[keep], cells[keep], own[:, keep]
    cells, cell = np.unique(cells, return_inverse=True)
    by_label = []
    for label in (1, 0):
        mine = groups % 2 == label
        table = np.zeros((len(cells), replicas))
        np.add.at(table, cell[mine], own[:, mine].T)
        by_label.append(np.ascontiguousarray(table.T))
    floors = cell_floors(cells, state.shift)
    return ScoreCurve(by_label[0], by_label[1], floors, exact=state.shift == 0)
