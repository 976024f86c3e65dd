"""Labels by cell of the score: what curves, and metrics of every score, are computed from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Floats, Metric, Values
from heads.statistics import ScoreHistogram, State, Statistic
from heads.statistics.score_histogram import cell_floors

# Cells that are computed together: few enough to stay in the cache.
_TOGETHER = 1 << 17

Reasons = Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """The weights of labels by cell of the score, in one segment or several.

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

    @cached_property
    def positives(self) -> Floats:
        """`[r]`, the weight of all labels that are not 0."""
        return ordered_sum(self.positive)

    @cached_property
    def negatives(self) -> Floats:
        """`[r]`, the weight of all labels that are 0."""
        return ordered_sum(self.negative)

    @cached_property
    def from_above(self) -> tuple[Floats, Floats]:
        """TP and FP `[r, c]` if the scores of a cell and those above are predicted positive.

        The highest cell comes first.
        """
        return (
            np.cumsum(self.positive[:, ::-1], axis=1),
            np.cumsum(self.negative[:, ::-1], axis=1),
        )


def ordered_sum(values: Floats) -> Floats:
    """The sums `[r]` over the cells `[r, c]`, from left to right.

    So that empty cells, which other segments are computed with, change no digit.
    """
    if not values.shape[1]:
        return np.zeros(len(values))
    total: Floats = np.cumsum(values, axis=1)[:, -1]
    return total


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
    """The curves of the segments, in order; a curve may be of several segments.

    Kept, since many metrics are read from the same ones.
    """
    counts = state.statistic
    assert isinstance(counts, ScoreHistogram)
    weight = state["weight" if "weight" in state.sums else "rows"]
    bounds = np.searchsorted(state.segment, np.arange(len(state.keys) + 1))
    # Segments of few cells are computed together, others one by one.
    together = max(1, _TOGETHER // counts.max_cells)
    edges = [*range(0, len(state.keys), together), len(state.keys)]
    return tuple(
        _curve(state, weight, slice(int(bounds[first]), int(bounds[last])), (first, last), group)
        for first, last in pairwise(edges)
    )


def _curve(
    state: State, weight: Floats, rows: slice, segments: tuple[int, int], group: int | None
) -> ScoreCurve:
    segment, groups = state.segment[rows] - segments[0], state.group[rows]
    cells, own = state.cell[rows], weight[rows]
    if group is not None:
        keep = groups // 2 == group
        segment, groups, cells, own = segment[keep], groups[keep], cells[keep], own[keep]
    cells, cell = np.unique(cells, return_inverse=True)
    shape = (segments[1] - segments[0], len(cells))
    by_label = []
    for label in (1, 0):
        mine = groups % 2 == label
        place = segment[mine] * len(cells) + cell[mine]
        table = np.bincount(place, own[mine], shape[0] * shape[1]).reshape(shape)
        by_label.append(table.astype(np.float64, copy=False))
    floors = cell_floors(cells, state.shift)
    return ScoreCurve(by_label[0], by_label[1], floors, exact=state.shift == 0)
