"""Errors by cell, in their order, from which quantiles are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Floats, weight_column
from heads.metrics.core.score_curve import occupied_cells
from heads.statistics import State
from heads.statistics.kept import kept_with_state

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class ErrorCells:
    """The cells of the errors of every segment, from the lowest to the highest.

    Attributes:
        bounds: int64 `[s + 1]`, the first cell of each segment, and at the end the number of all.
        lowest: float64 `[m]`, the lowest error of each cell.
        highest: float64 `[m]`, the highest error of each cell.
        reached: float64 `[m]`, the weight of the segment in the cell and all cells below it.
    """

    bounds: npt.NDArray[np.int64]
    lowest: Floats
    highest: Floats
    reached: Floats

    @cached_property
    def total(self) -> Floats:
        """The weight of each segment `[s]`."""
        total = np.zeros(len(self.bounds) - 1)
        filled = np.diff(self.bounds) > 0
        total[filled] = self.reached[self.bounds[1:][filled] - 1]
        return total

    def of(self, segment: int) -> slice:
        """Returns which cells are of a segment."""
        return slice(int(self.bounds[segment]), int(self.bounds[segment + 1]))

    def quantiles(self, share: float, errors: Floats) -> Floats:
        """Returns the quantile of every segment `[s]`; 0 in segments without weight.

        Args:
            share: the share of the weight.
            errors: `[m]`, the error that stands for each cell.
        """
        segments = range(len(self.bounds) - 1)
        return np.array([self.quantile(segment, share, errors) for segment in segments])

    def quantile(self, segment: int, share: float, errors: Floats) -> float:
        """Returns the quantile of a segment; 0 for one without weight."""
        rows = self.of(segment)
        reached = self.reached[rows]
        if not len(reached) or not reached[-1] > 0:
            return 0.0
        wanted = share * reached[-1]
        first = int(np.searchsorted(reached, wanted))
        # Where just this share is reached, the next error is a quantile as well.
        last = int(np.searchsorted(reached, wanted, side="right"))
        last = last if reached[first] == wanted and last < len(reached) else first
        of_segment = errors[rows]
        return float(0.5 * of_segment[first] + 0.5 * of_segment[last])


@kept_with_state(last=2)
def error_cells(state: State, absolute: bool) -> ErrorCells:
    """Returns the cells of the errors of a state of `ScoreHistogram`.

    Args:
        state: the state of the histogram, which is of errors.
        absolute: whether errors that differ in their sign alone are the same.
    """
    cells = _absolute(state.cell, state.shift) if absolute else state.cell
    occupied = occupied_cells(state, state.segment, cells, len(state.keys))
    weight = np.bincount(occupied.place, state[weight_column(state)], len(occupied.score))
    reached = np.zeros(len(weight))
    for first, last in pairwise(occupied.bounds.tolist()):
        reached[first:last] = np.cumsum(weight[first:last])
    return ErrorCells(occupied.bounds, occupied.score, occupied.highest, reached)


def _absolute(cells: Words, shift: int) -> Words:
    """Returns the cells of the absolute values of scores."""
    zero = np.uint64(1 << (63 - shift))
    return np.where(cells >= zero, cells, zero + (zero - np.uint64(1) - cells))
