"""Views of merged states that metrics are read from, each of which is computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.calibration import bins
from heads.metrics.core.bin_errors import Bins
from heads.metrics.core.fold_curve import FoldCurve, FoldCurves, read_cells
from heads.metrics.core.support import Support, fold_sums
from heads.statistics import Key, State
from heads.statistics.fold_views import (
    FoldViews,
    each_fold,
    fold_views,
    over_all_folds,
    without_weights,
)
from heads.statistics.units import exponents_of, exponents_of_largest, in_units
from pipeline.confidence.degrees import degrees_of_freedom
from pipeline.results.half_samples import HalfCurves

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class SupportReadings:
    """What the rows that a metric is an average of say of its error, by slice.

    Attributes:
        degrees: float64 `[s]`, the degrees of freedom of an error from folds.
        size: float64 `[s]`, the effective number of the rows (`SupportSums.size`).
        least: float64 `[s]`, that of the scarcest of their parts.
        kappa: float64 `[s]`, the sum of their squared weights over that of their weights, in a unit
            of the slice; 1 without weights.
        exponent: int64 `[s]`, the exponent of that unit.
    """

    degrees: Floats
    size: Floats
    least: Floats
    kappa: Floats
    exponent: Ints


class StateViews:
    """The views of a merged state that metrics read; each view is computed once.

    Attributes:
        by_fold: whether the state was measured by fold.
        top_slice: bool `[s]`, in which wanted slices the rows are kept by fold.
        has: bool `[s]`, whether the state has each wanted slice.
        place: int64 `[s]`, the position of each wanted slice in the state; -1 where the state does
            not have it, or has closed it.
        fold_place: int64 `[s]`, the position of each wanted slice in the state of those slices
            that are kept by fold; -1 for all others.

    Args:
        state: the merged state.
        keys: the wanted slices, in order.
        largest: bool `[s]`, which of the wanted slices are among the largest of the run.
    """

    def __init__(self, state: State, keys: tuple[Key, ...], largest: Mask) -> None:
        self._keys, self._largest = keys, largest
        present = set(state.keys)
        self.has = np.array([key in present for key in keys], np.bool_)
        if state.closed.any():
            state = state.take(np.flatnonzero(~state.closed).tolist())
        self._state = state
        self.by_fold = state.statistic.folds > 1
        self.top_slice = (
            largest if state.statistic.coverage == "largest" else np.ones(len(keys), bool)
        )
        position = {key: at for at, key in enumerate(state.keys)}
        self.place = np.array([position.get(key, -1) for key in keys], np.int64)
        # Some states have rows by fold in their largest slices only; views by fold need only these.
        kept = [
            at
            for at, top_slice in zip(self.place.tolist(), self.top_slice, strict=True)
            if top_slice
        ]
        kept = [at for at in kept if at >= 0]
        self._by_fold = state if len(kept) == len(state.keys) else state.take(kept)
        position = {key: at for at, key in enumerate(self._by_fold.keys)}
        self.fold_place = np.array([position.get(key, -1) for key in keys], np.int64)
        self._supports: dict[tuple[Support, bool], SupportReadings] = {}
        self._rests: dict[bytes, StateViews | None] = {}
        self._fold_curves: dict[bool, FoldCurves] = {}
        self._half_curves: dict[bool, HalfCurves] = {}

    def rest(self, found: Mask) -> StateViews | None:
        """Returns the views of the slices that are not found elsewhere; None if there are none.

        Args:
            found: bool `[s]`, which of the wanted slices are.
        """
        # Many metrics are read from what the same views leave.
        name = found.tobytes()
        if name not in self._rests:
            self._rests[name] = self._rest(found)
        return self._rests[name]

    def _rest(self, found: Mask) -> StateViews | None:
        left = (self.place >= 0) & ~found
        if not left.any():
            return None
        if left.sum() == len(self._state.keys):
            return self
        state = self._state.take(self.place[left].tolist())
        return StateViews(state, self._keys, self._largest)

    @property
    def score_rounding(self) -> float:
        """The relative width of the cells of a score histogram: 2 ** (shift - 52), 0 if exact.

        Scores were rounded down by at most this share of them.
        """
        shift = self._state.shift
        return 2.0 ** (shift - 52) if shift else 0.0

    @cached_property
    def _whole(self) -> tuple[State, State]:
        """The state over all folds, in units, and the same with a weight of 1 for every row."""
        shared = self.by_fold and self._by_fold is self._state
        whole = self._folds.whole if shared else over_all_folds(self._state)
        return in_units(whole), without_weights(whole)

    @cached_property
    def _folds(self) -> FoldViews:
        return fold_views(self._by_fold)

    @cached_property
    def _without(self) -> tuple[State, State]:
        """The state without each fold, in units, and the same if every row has weight 1."""
        without = self._folds.without
        return in_units(without), without_weights(without)

    @cached_property
    def _apart(self) -> tuple[State, State]:
        """The states of each fold, in one unit for each slice, and the same without weights."""
        apart = each_fold(self._by_fold)
        unweighted = without_weights(apart)
        if in_units(apart).exponents is not None:
            exponents = exponents_of_largest(self._folds.whole)
            apart = replace(apart, exponents=np.repeat(exponents, self._by_fold.statistic.folds))
        return apart, unweighted

    def support(self, support: Support, *, weighted: bool) -> SupportReadings:
        """Returns what the rows of a support say; NaN in slices that are not kept by fold.

        Args:
            support: the support, whose statistic these views are of.
            weighted: whether rows count by their weights; else every row weighs 1.
        """
        # Many metrics have the same support.
        if (support, weighted) not in self._supports:
            self._supports[support, weighted] = self._support(support, weighted=weighted)
        return self._supports[support, weighted]

    def _support(self, support: Support, *, weighted: bool) -> SupportReadings:
        apart = self._apart[not weighted]
        if not len(apart.keys):
            nothing = np.full(len(self.place), np.nan)
            no_unit = np.zeros(len(self.place), np.int64)
            return SupportReadings(nothing, nothing, nothing, nothing, no_unit)
        folds = self._by_fold.statistic.folds

        def parts(column: str) -> Floats:
            sums = support.parts(apart, column)
            return sums.reshape(-1, folds, sums.shape[1])

        if "weight" in apart.sums:
            weight, squared = parts("weight"), parts("weight_squared")
        else:
            weight = squared = parts("rows")
        sums = support.sums(weight, squared)
        total, squares = (fold_sums(part).sum(axis=1) for part in (weight, squared))
        kappa = squares / np.where(total > 0, total, 1.0)
        known = self.fold_place >= 0

        def by_slice(values: Floats) -> Floats:
            return np.where(known, values[self.fold_place], np.nan)

        exponent = exponents_of(apart).reshape(-1, folds)[:, 0]
        return SupportReadings(
            by_slice(degrees_of_freedom(sums.mass)),
            by_slice(sums.size),
            by_slice(sums.least),
            by_slice(kappa),
            np.where(known, exponent[self.fold_place], 0),
        )

    def fold_curves(
        self, fine: Sequence[StateViews], rows: SupportReadings, *, weighted: bool
    ) -> FoldCurves:
        """Returns the labels of the wanted slices by cell and fold.

        Args:
            fine: the views of finer cells over all folds; the first that have a slice are read.
            rows: what all rows say, whose weights the labels have.
            weighted: whether rows count by their weights; else every row weighs 1.
        """
        if weighted not in self._fold_curves:
            apart = self._apart[not weighted]
            folds = self._by_fold.statistic.folds
            units = exponents_of(apart).reshape(-1, folds)[:, 0]
            coarse_cells = read_cells(apart, folds)
            curves: list[FoldCurve | None] = [None] * len(self.place)
            left = self.fold_place >= 0
            for views in fine:
                both = np.flatnonzero((views.place >= 0) & left).tolist()
                left &= views.place < 0
                # The fine cells are read in the units of the coarse ones.
                whole = views.whole(weighted=weighted)
                exponents = exponents_of(whole).copy()
                exponents[views.place[both]] = units[self.fold_place[both]]
                whole = replace(whole, exponents=exponents if exponents.any() else None)
                fine_cells = read_cells(whole)
                for slice_place in both:
                    fold_place = int(self.fold_place[slice_place])
                    change = int(rows.exponent[slice_place] - units[fold_place])
                    curves[slice_place] = FoldCurve(
                        fine_cells[views.place[slice_place]],
                        coarse_cells[fold_place],
                        float(np.ldexp(rows.kappa[slice_place], change)),
                    )
            self._fold_curves[weighted] = FoldCurves(curves)
        return self._fold_curves[weighted]

    def half_curves(
        self, fine: Sequence[StateViews], rows: SupportReadings, *, weighted: bool
    ) -> HalfCurves:
        """Returns the curves of the half-samples of the wanted slices.

        Args:
            fine: as of `fold_curves`.
            rows: what all rows say, whose weights the labels have.
            weighted: whether rows count by their weights; else every row weighs 1.
        """
        if weighted not in self._half_curves:
            curves = self.fold_curves(fine, rows, weighted=weighted)
            self._half_curves[weighted] = HalfCurves(curves)
        return self._half_curves[weighted]

    def fold_bins(self, cuts: tuple[float, ...], *, weighted: bool) -> Bins | None:
        """Returns the sums in bins by wanted slice and fold `[s, f, b]`.

        They have no meaning in slices that are not kept by fold, and are None if none is.

        Args:
            cuts: the cuts between the bins.
            weighted: whether rows count by their weights; else every row weighs 1.
        """
        apart = self._apart[not weighted]
        if not len(apart.keys):
            return None
        sums, folds = bins(apart, cuts), self._by_fold.statistic.folds
        columns = (getattr(sums, field.name) for field in fields(sums))
        return Bins(
            *(column.reshape(-1, folds, column.shape[1])[self.fold_place] for column in columns)
        )

    @cached_property
    def present(self) -> Mask:
        """Whether a fold has rows, bool `[s, f]`; False in slices that are not kept by fold."""
        present = self._folds.present[self.fold_place] if len(self._by_fold.keys) else None
        folds = self._state.statistic.folds
        if present is None:
            return np.zeros((len(self.place), folds), bool)
        present[self.fold_place < 0] = False
        return present

    def whole(self, *, weighted: bool) -> State:
        """Returns the state over all folds.

        Args:
            weighted: whether rows count by their weights; else every row weighs 1.
        """
        return self._whole[not weighted]

    def without(self, *, weighted: bool) -> State:
        """Returns the states without each fold, of the slices that are kept by fold.

        The state has as many segments for each of these slices as there are folds (`FoldViews`).

        Args:
            weighted: whether rows count by their weights; else every row weighs 1.
        """
        return self._without[not weighted]
