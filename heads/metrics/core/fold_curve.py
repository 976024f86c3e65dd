"""The labels of a slice by cell of the score and fold, from which points of curves have errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Floats, weight_column
from heads.metrics.core.score_curve import ScoreCurve
from heads.statistics import State
from heads.statistics.score_cells import highest_scores, lowest_scores
from heads.statistics.score_histogram import ScoreHistogram

Ints = npt.NDArray[np.int64]
Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Cells:
    """The labels of a slice by cell of the score; the highest cell comes first.

    Only cells with a weight are there.

    Attributes:
        score: float64 `[c]`, the lowest score of each cell, on the scale of the stored scores.
        highest: float64 `[c]`, the highest score of each cell.
        rows: float64 `[c]`, the numbers of rows.
        positive: float64 `[c, f]`, the weights of labels that are not 0, by fold.
        negative: float64 `[c, f]`, the weights of labels that are 0.
    """

    score: Floats
    highest: Floats
    rows: Floats
    positive: Floats
    negative: Floats


class CellReader:
    """Reads the cells of slices from a histogram, whose columns are rounded once for all of them.

    Args:
        state: a state of `ScoreHistogram` whose labels are of a single class.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._weight, self._rows = state[weight_column(state)], state["rows"]

    def read(self, first: int, folds: int = 1) -> Cells:
        """Returns the cells of some consecutive segments, each of which is a fold of one slice.

        Args:
            first: the position of the first of the segments.
            folds: the number of the segments.
        """
        state = self._state
        begin, end = np.searchsorted(state.segment, [first, first + folds])
        weight = self._weight[begin:end]
        used = np.flatnonzero(weight)
        cell, fold = state.cell[begin:end][used], state.segment[begin:end][used] - first
        cells, place = np.unique(cell, return_inverse=True)
        number = len(cells)
        place = number - 1 - place
        shape = (2, number, folds)
        code = ((state.group[begin:end][used] % 2) * number + place) * folds + fold
        weights = np.bincount(code, weight[used], 2 * number * folds)
        table = weights.reshape(shape).astype(np.float64, copy=False)
        rows = np.bincount(place, self._rows[begin:end][used], number)
        histogram = state.statistic
        assert isinstance(histogram, ScoreHistogram)
        score, highest = (
            scores(cells, state.shift, probabilities=histogram.probabilities)[::-1]
            for scores in (lowest_scores, highest_scores)
        )
        return Cells(score, highest, rows.astype(np.float64, copy=False), table[1], table[0])


@dataclass(frozen=True, eq=False)
class FoldCurve:
    """The labels of a slice, in fine cells over all folds and in coarse cells by fold.

    Fine cells divide coarse ones. All weights are in one unit.

    Attributes:
        fine: the fine cells, in a single fold.
        coarse: the coarse cells, of all folds.
        kappa: the sum of the squared weights over the sum of the weights; 1 without weights.
    """

    fine: Cells
    coarse: Cells
    kappa: float

    @cached_property
    def folds(self) -> int:
        """The number of folds with a weight."""
        return int(np.count_nonzero(self._weights))

    @cached_property
    def _weights(self) -> Floats:
        weights: Floats = (self.coarse.positive + self.coarse.negative).sum(axis=0)
        return weights

    @cached_property
    def above(self) -> tuple[Floats, Floats]:
        """The weights `[c]` of positive and zero labels with a score of at least each fine cell."""
        return np.cumsum(self.fine.positive[:, 0]), np.cumsum(self.fine.negative[:, 0])

    @cached_property
    def products(self) -> Mapping[str, Floats]:
        """The products of the folds' sums, by the letters of both, for each fine cell `[c]`.

        `A` and `B` are the weights of positive and zero labels with at least the score of the cell,
        `P` and `N` those with any score. Of each fold's sum the mean of the folds is taken off, and
        the products are added up over the folds. Within a coarse cell the sums of a fold grow as
        those of all folds.
        """
        present = np.flatnonzero(self._weights)
        steps = {"A": self.coarse.positive[:, present], "B": self.coarse.negative[:, present]}
        steps = {
            name: values - values.mean(axis=1, keepdims=True) for name, values in steps.items()
        }
        start = {name: np.cumsum(values, axis=0) - values for name, values in steps.items()}
        total = {"P": steps["A"].sum(axis=0), "N": steps["B"].sum(axis=0)}
        place, parts = self._places

        def at(first: Floats, second: Floats) -> Floats:
            """Returns the sums over the folds of products, for each fine cell."""
            # Not BLAS, whose sums have an order of their own.
            sums: Floats = np.einsum("cf,cf->c", first, second, optimize=False)[place]
            return sums

        found = {}
        for name in "AB":
            base, step, part = start[name], steps[name], parts[name]
            within = 2 * at(base, step) + part * at(step, step)
            found[name * 2] = at(base, base) + part * within
            for other, values in total.items():
                every = np.broadcast_to(values, base.shape)
                found[name + other] = at(base, every) + part * at(step, every)
        a, b = parts["A"], parts["B"]
        found["AB"] = (
            at(start["A"], start["B"])
            + a * at(steps["A"], start["B"])
            + b * at(start["A"], steps["B"])
            + a * b * at(steps["A"], steps["B"])
        )
        for first, second in ("PP", "PN", "NN"):
            product = np.ascontiguousarray(total[first] * total[second]).sum()
            found[first + second] = np.full(len(place), product)
        return found

    @cached_property
    def _places(self) -> tuple[Ints, Mapping[str, Floats]]:
        """The coarse cell of each fine one, and which part of its labels is reached there."""
        number = len(self.coarse.score)
        rising = self.coarse.score[::-1]
        place = number - np.searchsorted(rising, self.fine.score, side="right")
        place = np.clip(place, 0, max(number - 1, 0)).astype(np.int64)
        parts = {}
        labels = {"A": self.coarse.positive, "B": self.coarse.negative}
        for (name, values), reached in zip(labels.items(), self.above, strict=True):
            step = np.ascontiguousarray(values).sum(axis=1)
            before = (np.cumsum(step) - step)[place]
            within = step[place]
            part = (reached - before) / np.where(within > 0, within, 1.0)
            parts[name] = np.clip(np.where(within > 0, part, 0.0), 0.0, 1.0)
        return place, parts

    def variance(self, **factors: Floats | float) -> Floats:
        """Returns the variance `[c]` of a sum over folds, from how its parts in the folds vary.

        It is K / (K - 1) times the sum of the squares of the parts less their mean.

        Args:
            **factors: by the letters of `products`, what the weights are multiplied by in the sum.
        """
        names = list(factors)
        total = np.zeros(len(self.fine.score))
        for i, first in enumerate(names):
            for second in names[i:]:
                name = first + second if first + second in self.products else second + first
                twice = 1 if first == second else 2
                total = total + twice * factors[first] * factors[second] * self.products[name]
        return np.maximum(total, 0.0) * self.folds / max(self.folds - 1, 1)

    def halves(self, signs: npt.NDArray[np.bool_]) -> ScoreCurve:
        """Returns the curve of all folds in its first row, and then those of half-samples.

        Args:
            signs: bool `[r, f]`, which folds count twice in each half-sample; others do not count.
        """
        factors = np.concatenate([np.ones((1, signs.shape[1])), np.where(signs, 2.0, 0.0)])
        parts = []
        for values in (self.coarse.positive, self.coarse.negative):
            # Not BLAS, whose sums have an order of their own.
            by_fold = np.ascontiguousarray(values[::-1].T)
            parts.append(np.einsum("rf,fc->rc", factors, by_fold, optimize=False))
        ends = (self.coarse.score, self.coarse.highest)
        return ScoreCurve(*parts, *(np.broadcast_to(score[::-1], parts[0].shape) for score in ends))
