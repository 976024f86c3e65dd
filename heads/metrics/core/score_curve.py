"""Labels by cell of the score, which curves and metrics of the ranking are computed from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Bounds, Floats, Metric, Values, weight_column
from heads.metrics.core.support import EveryRow, Support
from heads.statistics import DistinctScores, ScoreHistogram, State, Statistic
from heads.statistics.cell_index import ranked_cells
from heads.statistics.distinct_scores import distinct_scores_of
from heads.statistics.kept import kept_with_state
from heads.statistics.runs import order_of, run_starts
from heads.statistics.score_cells import highest_scores, lowest_scores

# How many cells are computed together: few enough to stay in the cache of the processor.
_TOGETHER = 1 << 17
# So many cells without weight cost less than another curve.
_LITTLE = 1 << 13

ROUNDING = 1e-12
"""The rounding of sums over the cells of a histogram is smaller than this share of them."""

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]
Reasons = Mapping[str, npt.NDArray[np.bool_]]


@dataclass(frozen=True, eq=False)
class ScoreCurve:
    """The weights of the labels in each cell of the score, for `r` segments of up to `c` cells.

    All scores of a cell are treated as its lowest score. A segment has its cells first, and without
    weight the rest of `c`.

    Attributes:
        positive: `[r, c]`, the weights of labels that are not 0, from the lowest cell to the
            highest.
        negative: `[r, c]`, the weights of labels that are 0.
        score: `[r, c]`, the lowest score of each cell, on the scale on which scores are stored.
        highest: `[r, c]`, the highest score of each cell. Where it is the lowest, the rows of the
            cell are ties; elsewhere their order is not known.
    """

    positive: Floats
    negative: Floats
    score: Floats
    highest: Floats

    @cached_property
    def rounded(self) -> npt.NDArray[np.bool_]:
        """Whether each cell may hold several scores, bool `[r, c]`."""
        several: npt.NDArray[np.bool_] = self.score != self.highest
        return several

    @cached_property
    def occurs(self) -> npt.NDArray[np.bool_]:
        """Whether each cell has a weight, bool `[r, c]`."""
        weighs: npt.NDArray[np.bool_] = (self.positive != 0) | (self.negative != 0)
        return weighs

    @cached_property
    def is_rounded(self) -> npt.NDArray[np.bool_]:
        """Whether any cell with a weight may hold several scores, bool `[r]`."""
        return np.asarray((self.occurs & self.rounded).any(axis=1))

    @cached_property
    def positives(self) -> Floats:
        """The weight `[r]` of all labels that are not 0."""
        return ordered_sum(self.positive)

    @cached_property
    def negatives(self) -> Floats:
        """The weight `[r]` of all labels that are 0."""
        return ordered_sum(self.negative)

    @cached_property
    def from_above(self) -> tuple[Floats, Floats]:
        """TP and FP, both `[r, c]`, for a threshold at each cell; the highest cell comes first.

        The scores of the cell, and of all cells above it, are predicted positive.
        """
        return (
            np.cumsum(self.positive[:, ::-1], axis=1),
            np.cumsum(self.negative[:, ::-1], axis=1),
        )

    @cached_property
    def next_lower(self) -> npt.NDArray[np.intp]:
        """How many cells are above the next lower cell with a weight, for each cell `[r, c]`.

        The highest cell comes first. Where there is no lower cell with a weight, it is `c`.
        """
        segments, cells = self.occurs.shape
        place = np.full((segments, cells + 1), cells)
        place[:, :-1] = np.where(self.occurs[:, ::-1], np.arange(cells), cells)
        lower: npt.NDArray[np.intp] = np.minimum.accumulate(place[:, :0:-1], axis=1)[:, ::-1]
        return lower

    @cached_property
    def next_score(self) -> Floats:
        """The lowest score of the next lower cell with a weight, for each cell `[r, c]`.

        The highest cell comes first. It has no meaning where there is no lower cell with a weight.
        """
        # Beyond the last cell the place is -1, which is a cell too.
        return np.take_along_axis(self.score, self.score.shape[1] - 1 - self.next_lower, axis=1)


def joined(curves: Sequence[ScoreCurve]) -> ScoreCurve:
    """Returns the curve of the segments of some curves, in order, with at least one cell."""
    rows = np.cumsum([0, *(len(curve.positive) for curve in curves)])
    width = max(1, *(curve.positive.shape[1] for curve in curves))
    tables = np.zeros((4, rows[-1], width))
    for first, curve in zip(rows, curves, strict=False):
        for table, part in zip(
            tables, (curve.positive, curve.negative, curve.score, curve.highest), strict=True
        ):
            table[first : first + len(part), : part.shape[1]] = part
    return ScoreCurve(*tables)


def ordered_sum(values: Floats) -> Floats:
    """Returns the sums `[r]` of the values `[r, c]`, added from left to right.

    In this order no digit depends on cells without weight, which a segment has if it is computed
    together with others.
    """
    if not values.shape[1]:
        return np.zeros(len(values))
    total: Floats = np.cumsum(values, axis=1)[:, -1]
    return total


@dataclass(frozen=True)
class CurveMetric(Metric):
    """A metric that is computed from the labels in the order of their scores.

    Attributes:
        coarse_histogram: the same `ScoreHistogram` as `statistic`, but with fewer cells.
        group: the id of the class it describes; None for all row-class pairs together.
        labels: the statistic that counts the labels by fold.
    """

    coarse_histogram: ScoreHistogram
    group: int | None = None
    labels: Statistic = field(kw_only=True)

    @property
    def support(self) -> Support:
        return EveryRow(self.labels, self.group)

    @property
    def coarse(self) -> Statistic | None:
        return self.coarse_histogram

    @property
    def distinct(self) -> Statistic | None:
        return distinct_scores_of(self.coarse_histogram)

    @abstractmethod
    def of_curve(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        """Returns the values `[r]` of a curve, and where and why they are undefined."""

    def of_halves(self, curve: ScoreCurve) -> tuple[Floats, Reasons]:
        """Returns the values `[r]` of half-samples, for the method `Halves`.

        By default they are those of the curve; a metric at a point of the curve interpolates where
        the point is within a cell.
        """
        return self.of_curve(curve)

    def from_score(self, score: Floats) -> Floats:
        """Returns scores `[n]` on the scale of the metric, for a threshold on them."""
        return score

    def compute(self, state: State) -> Values:
        parts = [self.of_curve(curve) for curve in score_curves(state, self.group)]
        if not parts:
            return Values(np.zeros(0), {})
        reasons = {
            text: np.concatenate([undefined[text] for _, undefined in parts])
            for text in parts[0][1]
        }
        return Values(np.concatenate([value for value, _ in parts]), reasons)

    @abstractmethod
    def bounds_of_curve(self, curve: ScoreCurve) -> Bounds:
        """Returns the lowest and the highest value that a curve may have, whatever it rounded."""

    def bounds(self, state: State, value: Floats) -> Bounds:
        lowest, highest = value.copy(), value.copy()
        first = 0
        for curve in score_curves(state, self.group):
            rows = slice(first, first + len(curve.positive))
            first = rows.stop
            if curve.is_rounded.any():
                lowest[rows], highest[rows] = self._certain(curve, value[rows])
        return lowest, highest

    def _certain(self, curve: ScoreCurve, value: Floats) -> Bounds:
        """Returns the bounds of a curve, which are its value where nothing was rounded."""
        rounded = curve.is_rounded
        lowest, highest = self.bounds_of_curve(curve)
        rounded = rounded & (lowest < highest)
        # Sums over the cells are rounded themselves, by less than this.
        slack = ROUNDING * np.maximum(1.0, np.abs(value))
        return (
            np.where(rounded, np.clip(lowest - slack, self.low, value), value),
            np.where(rounded, np.clip(highest + slack, value, self.high), value),
        )


@kept_with_state(last=2)
def score_curves(state: State, group: int | None) -> tuple[ScoreCurve, ...]:
    """The curves of the segments, in order; a curve may be of several segments.

    Kept, since many metrics are read from the same ones.
    """
    counts = state.statistic
    assert isinstance(counts, ScoreHistogram)
    weight = state[weight_column(state)]
    bounds = np.searchsorted(state.segment, np.arange(len(state.keys) + 1))
    # Segments of few cells are computed together, others one by one.
    together = max(1, _TOGETHER // counts.max_cells)
    edges = _edges(np.diff(bounds).tolist(), together)
    return tuple(
        _curve(state, weight, slice(int(bounds[first]), int(bounds[last])), (first, last), group)
        for first, last in pairwise(edges)
    )


def _edges(sizes: Sequence[int], together: int) -> list[int]:
    """Returns the first segment of each curve, and the number of all segments.

    Segments that differ much in size would mostly be empty columns in the same curve.

    Args:
        sizes: the number of elements of each segment.
        together: how many segments a curve has at most.
    """
    edges, widest, total = [0], 0, 0
    for place, size in enumerate(sizes):
        number, widest, total = place + 1 - edges[-1], max(widest, size), total + size
        if number > together or (number > 1 and number * widest > 2 * total + _LITTLE):
            edges.append(place)
            widest, total = size, size
    return [*edges, len(sizes)] if sizes else [0]


def _curve(
    state: State, weight: Floats, rows: slice, segments: tuple[int, int], group: int | None
) -> ScoreCurve:
    """Returns the curve of a range of segments, whose cells are the elements `rows` of the state.

    Args:
        state: a state of `ScoreHistogram`.
        weight: the weight of every element of the state.
        rows: the elements of the segments.
        segments: the first segment, and the segment after the last.
        group: the id of a class; None for all row-class pairs together.
    """
    segment, groups = state.segment[rows] - segments[0], state.group[rows]
    cells, weights = state.cell[rows], weight[rows]
    if group is not None:
        keep = groups // 2 == group
        segment, groups = segment[keep], groups[keep]
        cells, weights = cells[keep], weights[keep]
    number = segments[1] - segments[0]
    occupied = occupied_cells(state, segment, cells, number)
    filled = np.diff(occupied.bounds)
    width = int(filled.max(initial=0))
    # The cells of a segment are its first places.
    moved = np.repeat(np.arange(number) * width - occupied.bounds[:-1], filled)
    place = np.arange(len(moved)) + moved
    by_label = []
    for label in (1, 0):
        labelled = groups % 2 == label
        code = place[occupied.place[labelled]]
        table = np.bincount(code, weights[labelled], number * width)
        by_label.append(table.astype(np.float64, copy=False).reshape(number, width))
    ends = np.zeros((2, number * width))
    ends[0, place], ends[1, place] = occupied.score, occupied.highest
    return ScoreCurve(*by_label, *ends.reshape(2, number, width))


@dataclass(frozen=True, eq=False)
class OccupiedCells:
    """The cells that occur in some segments, from the lowest to the highest of each segment.

    Attributes:
        bounds: int64 `[s + 1]`, the first cell of each segment, and at the end the number of all.
        score: float64 `[m]`, the lowest score of each cell.
        highest: float64 `[m]`, the highest score of each cell.
        place: int64 `[n]`, the position of the cell of each element.
    """

    bounds: npt.NDArray[np.int64]
    score: Floats
    highest: Floats
    place: npt.NDArray[np.int64]


def occupied_cells(
    state: State, segment: npt.NDArray[np.int64], cells: npt.NDArray[np.uint64], number: int
) -> OccupiedCells:
    """Returns the cells that occur in the segments of some elements.

    Args:
        state: the state of `ScoreHistogram` that the elements are of.
        segment: int64 `[n]`, the segment of each element.
        cells: uint64 `[n]`, the cell of each element.
        number: the number of segments, `s`.
    """
    counts = state.statistic
    assert isinstance(counts, ScoreHistogram)
    # Segments of distinct scores have few cells in common: a table of all would be large.
    occupied = _sorted_cells if isinstance(counts, DistinctScores) else _numbered_cells
    bounds, occupied_cells, place = occupied(segment, cells, number)
    score, highest = (
        scores(occupied_cells, state.shift, probabilities=counts.probabilities)
        for scores in (lowest_scores, highest_scores)
    )
    return OccupiedCells(bounds, score, highest, place)


def _numbered_cells(segment: Ints, cells: Words, number: int) -> tuple[Ints, Words, Ints]:
    """Returns the bounds of segments, their cells, and the position of the cell of each element."""
    cells, rank = ranked_cells(cells)
    code = segment * len(cells) + rank
    there = np.zeros(number * len(cells), np.bool_)
    there[code] = True
    used = np.flatnonzero(there)
    place = np.empty(len(there), np.int64)
    place[used] = np.arange(len(used))
    bounds = np.searchsorted(used, np.arange(number + 1) * len(cells))
    return bounds, cells[used % max(len(cells), 1)], place[code]


def _sorted_cells(segment: Ints, cells: Words, number: int) -> tuple[Ints, Words, Ints]:
    """Returns the same, with little memory for segments whose cells differ."""
    no_group = np.zeros(len(cells), np.int64)
    order = order_of(segment, no_group, cells)
    segment, cells = segment[order], cells[order]
    starts = run_starts(segment, no_group, cells)
    place = np.empty(len(order), np.int64)
    place[order] = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(order))))
    return np.searchsorted(segment[starts], np.arange(number + 1)), cells[starts], place
