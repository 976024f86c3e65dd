"""Reads metrics from states: their values over all folds, and their values without each fold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import BinomialCounts, Bounds, Metric, Values
from heads.statistics import Key, State
from heads.statistics.fold_views import FoldViews, fold_views, over_all_folds, without_weights
from heads.statistics.units import in_units, too_far_apart

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Reasons = npt.NDArray[np.object_]
"""An array of texts `[s]`, None where there is no reason."""

TOO_FAR_APART = "the weights are too far apart for float64"


@dataclass(frozen=True, eq=False)
class Readings:
    """The values of one metric in some slices, over all folds and without each fold.

    Attributes:
        metric: the metric.
        values: the values over all folds, `[s]`.
        replicates: the values without each fold, `[s * f]`, slice by slice. None if the metric was
            not measured by fold, or is not kept by fold in any of the slices.
        present: bool `[s, f]`, whether a fold has rows; None if the metric was not measured by
            fold.
        top_slice: bool `[s]`, whether the rows of a slice are kept by fold. Some metrics keep them
            by fold in the largest slices only; for all other metrics this is True everywhere.
        exponent: int64 `[s]`, the exponent `e` of the unit `2**e` that values and replicates of a
            slice are in: 0 but for sums of weights that float64 may not hold.
        bounds: the bounds of the values, both `[s]`; None where all values are exact.
    """

    metric: Metric
    values: Values
    replicates: Values | None
    present: Mask | None
    top_slice: Mask
    exponent: Ints
    bounds: Bounds | None = None

    @cached_property
    def reasons(self) -> Reasons:
        """Says why the values are undefined, `[s]`; None where they are defined."""
        value = self.values.value
        texts = {
            **self.values.reasons,
            "the value is not a number": np.isnan(value),
            "the value is infinite": np.isinf(value),
        }
        return first_reasons(texts, len(value))

    @cached_property
    def value(self) -> Floats:
        """The values over all folds, float64 `[s]`; NaN where undefined."""
        return np.where(_defined(self.values), self.values.value, np.nan)

    def without(self, folds: int) -> tuple[Floats, Mask, Mask]:
        """Returns the values without each fold.

        Args:
            folds: the number of folds to return if the metric has no replicates.

        Returns:
            Three arrays `[s, f]`: the values without each fold; whether they are defined; and
            whether the folds have rows. Without replicates, all of them are zero and False.
        """
        if self.replicates is None or self.present is None:
            zeros = np.zeros((len(self.value), folds))
            return zeros, zeros > 0, zeros > 0
        shape = self.present.shape
        values = self.replicates.value.reshape(shape)
        return values, _defined(self.replicates).reshape(shape), self.present


def first_reasons(texts: Mapping[str, Mask], rows: int) -> Reasons:
    """Returns the first text that holds in each row; None where no text holds.

    Args:
        texts: for each text, in which rows it holds: bool `[rows]`. Earlier texts go first.
        rows: the number of rows.
    """
    reasons = np.full(rows, None, object)
    for text, where in reversed(list(texts.items())):
        reasons[where] = text
    return reasons


def _defined(values: Values) -> Mask:
    """Tells where values are finite and nothing says that they are undefined."""
    defined = np.isfinite(values.value)
    for where in values.reasons.values():
        defined &= ~where
    return defined


class StateViews:
    """The views of a merged state that metrics read; each view is computed once.

    Attributes:
        by_fold: whether the state was measured by fold.
        top_slice: bool `[s]`, in which wanted slices the rows are kept by fold.
        place: int64 `[s]`, the position of each wanted slice in the state; -1 where the state does
            not have it.
        fold_place: int64 `[s]`, the position of each wanted slice in the state of those slices
            that are kept by fold; -1 for all others.

    Args:
        state: the merged state.
        keys: the wanted slices, in order.
        largest: bool `[s]`, which of the wanted slices are among the largest of the run.
    """

    def __init__(self, state: State, keys: tuple[Key, ...], largest: Mask) -> None:
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
        whole = over_all_folds(self._state)
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


def read_metric(
    metric: Metric, fine: StateViews | None, coarse: StateViews | None, *, weighted: bool
) -> Readings:
    """Returns the readings of a metric in some slices.

    Together, `fine` and `coarse` must have all slices, in the same order.

    Args:
        metric: the metric.
        fine: the views of the statistic that the metric reads; None if that statistic was measured
            in none of the slices.
        coarse: the views of the coarser statistic, which the metric reads in small slices and for
            its errors; None if the metric has no such statistic.
        weighted: whether rows count by their weights; else every row weighs 1.
    """
    folds = coarse or fine
    assert folds is not None
    values, bounds = None, None
    if fine is not None:
        state = fine.whole(weighted=weighted)
        values = _pick(_compute(metric, state), fine.place)
        bounds = _pick_bounds(metric.bounds(state), fine.place)
    if coarse is not None and (fine is None or fine.place.min(initial=0) < 0):
        state = coarse.whole(weighted=weighted)
        coarse_values = _pick(_compute(metric, state), coarse.place)
        coarse_bounds = _pick_bounds(metric.bounds(state), coarse.place)
        if values is None or fine is None:
            values, bounds = coarse_values, coarse_bounds
        else:
            is_fine = fine.place >= 0
            values = _choose(is_fine, values, coarse_values)
            if bounds is not None and coarse_bounds is not None:
                lowest, highest = (
                    np.where(is_fine, *ends) for ends in zip(bounds, coarse_bounds, strict=True)
                )
                bounds = lowest, highest
    assert values is not None
    unit = np.zeros(len(folds.place), np.int64)
    if metric.total:
        unit = _units(folds.whole(weighted=weighted))[folds.place]
    if not folds.by_fold:
        return Readings(metric, values, None, None, folds.top_slice, unit, bounds)
    present = folds.present
    without = folds.without(weighted=weighted)
    if not len(without.keys):
        return Readings(metric, values, None, present, folds.top_slice, unit, bounds)
    number = present.shape[1]
    segments = (folds.fold_place[:, np.newaxis] * number + np.arange(number)).ravel()
    replicates = _pick(_compute(metric, without), segments)
    if metric.total:
        # A sum without one fold is smaller; this scales it to the size of a sum over all folds.
        filled = np.maximum(present.sum(axis=1), 2)
        scaled = replicates.value * np.repeat(filled / (filled - 1), number)
        units = _units(without)[segments] - np.repeat(unit, number)
        replicates = replace(replicates, value=np.ldexp(scaled, units))
    return Readings(metric, values, replicates, present, folds.top_slice, unit, bounds)


def _compute(metric: Metric, state: State) -> Values:
    """Returns the values of a metric, undefined where float64 cannot hold what they depend on."""
    values = metric.compute(state)
    return replace(values, reasons={TOO_FAR_APART: too_far_apart(state), **values.reasons})


def _units(state: State) -> Ints:
    """Returns the exponent of the unit of each segment, `[s]`."""
    if state.exponents is None:
        return np.zeros(len(state.keys), np.int64)
    return state.exponents


def _pick(values: Values, segments: npt.NDArray[np.int64]) -> Values:
    """Returns the values of some segments, by their positions."""
    trials = values.trials
    if trials is not None:
        weights = (trials.weight, trials.weight_squared)
        trials = BinomialCounts(
            trials.rows[segments],
            *(None if column is None else column[segments] for column in weights),
        )
    reasons = {text: where[segments] for text, where in values.reasons.items()}
    return Values(values.value[segments], reasons, trials)


def _pick_bounds(bounds: Bounds | None, segments: npt.NDArray[np.int64]) -> Bounds | None:
    """Returns the bounds of some segments, by their positions."""
    return None if bounds is None else (bounds[0][segments], bounds[1][segments])


def _choose(use_first: Mask, first: Values, second: Values) -> Values:
    """Returns the first values where `use_first` is True, and the second elsewhere."""
    return Values(
        np.where(use_first, first.value, second.value),
        {
            text: np.where(use_first, where, second.reasons[text])
            for text, where in first.reasons.items()
        },
    )
