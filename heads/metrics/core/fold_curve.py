"""The labels of a slice by cell of the score and fold, from which points of curves have errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Floats, weight_column
from heads.metrics.core.score_curve import ScoreCurve, occupied_cells
from heads.statistics import State

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


def read_cells(state: State, folds: int = 1) -> list[Cells]:
    """Returns the cells of the slices of a histogram, in order.

    Args:
        state: a state of `ScoreHistogram` whose labels are of a single class.
        folds: how many consecutive segments there are for each slice, which are its folds.
    """
    weight = state[weight_column(state)]
    used = np.flatnonzero(weight)
    place, fold = np.divmod(state.segment[used], folds)
    number = len(state.keys) // folds
    occupied = occupied_cells(state, place, state.cell[used], number)
    # The highest cell of each slice comes first.
    ends = np.repeat(occupied.bounds[:-1] + occupied.bounds[1:] - 1, np.diff(occupied.bounds))
    flipped = ends - np.arange(len(ends))
    position = flipped[occupied.place]
    total = len(flipped)
    code = ((state.group[used] % 2) * total + position) * folds + fold
    weights = np.bincount(code, weight[used], 2 * total * folds)
    negative, positive = weights.reshape(2, total, folds).astype(np.float64, copy=False)
    rows = np.bincount(position, state["rows"][used], total).astype(np.float64, copy=False)
    columns = (occupied.score[flipped], occupied.highest[flipped], rows, positive, negative)
    return [
        Cells(*(column[first:last] for column in columns))
        for first, last in pairwise(occupied.bounds.tolist())
    ]


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
    def _products(self) -> dict[str, Floats]:
        """The products that were computed, by the letters of both sums."""
        return {}

    def product(self, letters: str) -> Floats:
        """Returns the products of the folds' sums for each fine cell `[c]`, computed once.

        `A` and `B` are the weights of positive and zero labels with at least the score of the cell,
        `P` and `N` those with any score. Of each fold's sum the mean of the folds is taken off, and
        the products are added up over the folds. Within a coarse cell the sums of a fold grow as
        those of all folds.

        Args:
            letters: the letters of both sums, in the order `ABPN`.
        """
        if letters not in self._products:
            self._products[letters] = self._product(*letters)
        return self._products[letters]

    def _product(self, first: str, second: str) -> Floats:
        steps, start, total = self._sums
        place, parts = self._places
        if first in total:
            product = np.ascontiguousarray(total[first] * total[second]).sum()
            return np.full(len(place), product)

        def at(values: Floats, others: Floats) -> Floats:
            """Returns the sums over the folds of products, for each fine cell."""
            of_cells = "cf,cf->c" if others.ndim == 2 else "cf,f->c"
            # Not BLAS, whose sums have an order of their own.
            sums: Floats = np.einsum(of_cells, values, others, optimize=False)[place]
            return sums

        base, step, part = start[first], steps[first], parts[first]
        if second in total:
            return at(base, total[second]) + part * at(step, total[second])
        if first == second:
            within = 2 * at(base, step) + part * at(step, step)
            return at(base, base) + part * within
        other_base, other_step, other_part = start[second], steps[second], parts[second]
        return (
            at(base, other_base)
            + part * at(step, other_base)
            + other_part * at(base, other_step)
            + part * other_part * at(step, other_step)
        )

    @cached_property
    def _sums(self) -> tuple[Mapping[str, Floats], Mapping[str, Floats], Mapping[str, Floats]]:
        """The weights of labels by fold, less their means: in coarse cells, above them, of all."""
        present = np.flatnonzero(self._weights)
        steps = {"A": self.coarse.positive[:, present], "B": self.coarse.negative[:, present]}
        steps = {
            name: values - values.mean(axis=1, keepdims=True) for name, values in steps.items()
        }
        start = {name: np.cumsum(values, axis=0) - values for name, values in steps.items()}
        total = {"P": steps["A"].sum(axis=0), "N": steps["B"].sum(axis=0)}
        return steps, start, total

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

    def variance(self, **factors: float) -> Floats:
        """Returns the variance `[c]` of a sum over folds, from how its parts in the folds vary.

        It is K / (K - 1) times the sum of the squares of the parts less their mean.

        Args:
            **factors: by the letters of `product`, in order, what the weights are multiplied by.
        """
        return _variance(self.product, factors, self.folds)

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


@dataclass(frozen=True, eq=False)
class FoldCurves:
    """The labels of some slices by cell and fold.

    Attributes:
        by_slice: the labels of each slice; None for slices that are not kept by fold.
    """

    by_slice: Sequence[FoldCurve | None]

    @cached_property
    def folds(self) -> Ints:
        """The number of folds with a weight, int64 `[s]`; 0 in slices not kept by fold."""
        return np.array([0 if curve is None else curve.folds for curve in self.by_slice], np.int64)

    @cached_property
    def tables(self) -> list[tuple[list[int], FoldTables]]:
        """The slices with any weight, those of about as many cells together, and their tables."""
        places: dict[int, list[int]] = {}
        curves: dict[int, list[FoldCurve]] = {}
        for place, curve in enumerate(self.by_slice):
            if curve is not None and curve.folds:
                size = len(curve.fine.score).bit_length()
                places.setdefault(size, []).append(place)
                curves.setdefault(size, []).append(curve)
        return [(places[size], FoldTables(curves[size])) for size in places]


class FoldTables:
    """The fine cells of some slices with weights as tables `[s, c]`; each is computed once.

    The highest cell of a slice comes first. A slice with less than `c` cells has none in the last
    columns, where sums over the cells stay as they are.

    Attributes:
        kappa: float64 `[s, 1]`, the kappas of the slices.
        kappa_squared: float64 `[s, 1]`, their squares.

    Args:
        curves: the labels of each slice.
    """

    def __init__(self, curves: Sequence[FoldCurve]) -> None:
        self._curves = curves
        self.kappa = np.array([[curve.kappa] for curve in curves])
        self.kappa_squared = np.array([[curve.kappa**2] for curve in curves])

    def _table(self, column: Callable[[FoldCurve], Floats]) -> Floats:
        """Returns a column of the fine cells of each slice, 0 where there is no cell."""
        columns = [column(curve) for curve in self._curves]
        table = np.zeros((len(columns), max(1, *map(len, columns))))
        for row, values in zip(table, columns, strict=True):
            row[: len(values)] = values
        return table

    @cached_property
    def score(self) -> Floats:
        """The lowest score of each cell `[s, c]`."""
        return self._table(lambda curve: curve.fine.score)

    @cached_property
    def rows(self) -> Floats:
        """The number of rows in each cell `[s, c]`."""
        return self._table(lambda curve: curve.fine.rows)

    @cached_property
    def there(self) -> npt.NDArray[np.bool_]:
        """Whether the slice has the cell, bool `[s, c]`."""
        there: npt.NDArray[np.bool_] = self.rows > 0
        return there

    @cached_property
    def above(self) -> tuple[Floats, Floats]:
        """The weights `[s, c]` of positive and zero labels with a score of at least each cell."""
        return (
            np.cumsum(self._table(lambda curve: curve.fine.positive[:, 0]), axis=1),
            np.cumsum(self._table(lambda curve: curve.fine.negative[:, 0]), axis=1),
        )

    @cached_property
    def odds_around(self) -> Floats:
        """The odds of zero labels among the rows around each fine cell `[s, c]`."""
        nothing = np.zeros((len(self.rows), 1))
        hits, misses = (np.concatenate([nothing, sums], axis=1) for sums in self.above)
        above = np.cumsum(self.rows, axis=1)
        rows = above[:, -1:]
        mean = (hits[:, -1:] + misses[:, -1:]) / np.maximum(rows, 1.0)
        reach = np.ceil(2.5 * np.sqrt(np.minimum(above, rows - above))) + 1
        # Whole cells whose rows are within reach, and the cell itself in any case.
        from_nothing = np.concatenate([nothing, above], axis=1)
        ends = zip(from_nothing, above - reach, above, above + reach, strict=True)
        places = [
            (np.searchsorted(start, low, side="left"), np.searchsorted(end, high, side="right"))
            for start, low, end, high in ends
        ]
        first, last = np.array(places).transpose(1, 0, 2)
        first = np.minimum(first, np.arange(above.shape[1]))

        def between(sums: Floats) -> Floats:
            """Returns the weight of labels around each cell, and half of that of a row."""
            after, before = (np.take_along_axis(sums, at, axis=1) for at in (last, first))
            around: Floats = after - before + mean / 2
            return around

        zeros, ones = between(misses), between(hits)
        return zeros / np.where(ones > 0, ones, 1.0)

    @cached_property
    def _products(self) -> dict[str, Floats]:
        """The tables of products that were needed, by their letters."""
        return {}

    def _product(self, letters: str) -> Floats:
        if letters not in self._products:
            self._products[letters] = self._table(lambda curve: curve.product(letters))
        return self._products[letters]

    def variance(self, **factors: Floats | float) -> Floats:
        """Returns the variances `[s, c]` of a sum over folds (`FoldCurve.variance`).

        Args:
            **factors: by the letters of `FoldCurve.product`, in order, what the weights are
                multiplied by.
        """
        folds = np.array([[curve.folds] for curve in self._curves])
        return _variance(self._product, factors, folds)


def _variance(
    product: Callable[[str], Floats], factors: Mapping[str, Floats | float], folds: Ints | int
) -> Floats:
    """Returns the variances of a sum over folds, in the shape of its products."""
    names = list(factors)
    total: Floats | float = 0.0
    for i, first in enumerate(names):
        for second in names[i:]:
            twice = 1 if first == second else 2
            total = total + twice * factors[first] * factors[second] * product(first + second)
    variance: Floats = np.maximum(total, 0.0) * folds / np.maximum(folds - 1, 1)
    return variance
