"""Readings: the values of a metric, and those without each fold, read of states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import BinomialCounts, Metric, Values
from heads.statistics import Key, State
from heads.statistics.fold_views import FoldViews, fold_views, over_all_folds, without_weights

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Reasons = npt.NDArray[np.object_]
"""Texts `[s]`, None where there is no reason."""


@dataclass(frozen=True, eq=False)
class Readings:
    """What is read of a metric: values, and those without each fold.

    Attributes:
        metric: the metric.
        values: of all rows `[s]`.
        replicates: without each fold, values `[s * f]`; None without intervals.
        present: bool `[s, f]`, which folds have rows; None without intervals.
        top_slice: bool `[s]`, for metrics whose folds are kept in the largest slices alone, in
            which they are.
    """

    metric: Metric
    values: Values
    replicates: Values | None
    present: Mask | None
    top_slice: Mask

    @cached_property
    def reasons(self) -> Reasons:
        """Why the values are undefined `[s]`."""
        value = self.values.value
        texts = {
            **self.values.reasons,
            "the value is not a number": np.isnan(value),
            "the value is infinite": np.isinf(value),
        }
        return first_reasons(texts, len(value))

    @cached_property
    def value(self) -> Floats:
        """The values `[s]`, NaN where undefined."""
        return np.where(_defined(self.values), self.values.value, np.nan)

    def without(self, folds: int) -> tuple[Floats, Mask, Mask]:
        """Values without each fold, whether they are defined, whether folds have rows; `[s, f]`."""
        if self.replicates is None or self.present is None:
            nothing = np.zeros((len(self.value), folds))
            return nothing, nothing > 0, nothing > 0
        shape = self.present.shape
        values = self.replicates.value.reshape(shape)
        return values, _defined(self.replicates).reshape(shape), self.present


def first_reasons(texts: Mapping[str, Mask], rows: int) -> Reasons:
    """The first text that holds, for each row."""
    out = np.full(rows, None, object)
    for text, where in reversed(list(texts.items())):
        out[where] = text
    return out


def _defined(values: Values) -> Mask:
    out = np.isfinite(values.value)
    for where in values.reasons.values():
        out &= ~where
    return out


class StateViews:
    """A merged state, and what is computed of it more than once.

    Args:
        state: the state.
        keys: the slices that are wanted, in order.
        largest: bool `[s]`, which of them are of the largest.
    """

    def __init__(self, state: State, keys: tuple[Key, ...], largest: Mask) -> None:
        self._state = state
        self.by_fold = state.statistic.folds > 1
        self.top_slice = (
            largest if state.statistic.coverage == "largest" else np.ones(len(keys), bool)
        )
        position = {key: place for place, key in enumerate(state.keys)}
        self.place = np.array([position.get(key, -1) for key in keys], np.int64)
        # Only some slices may have their rows by fold.
        own = [
            at
            for at, top_slice in zip(self.place.tolist(), self.top_slice, strict=True)
            if top_slice
        ]
        own = [at for at in own if at >= 0]
        self._by_fold = state if len(own) == len(state.keys) else state.take(own)
        position = {key: place for place, key in enumerate(self._by_fold.keys)}
        self.fold_place = np.array([position.get(key, -1) for key in keys], np.int64)

    @property
    def score_rounding(self) -> float:
        """How far the scores of a histogram were rounded down, as a share of them."""
        shift = self._state.shift
        return 2.0 ** (shift - 52) if shift else 0.0

    @cached_property
    def _whole(self) -> tuple[State, State]:
        whole = over_all_folds(self._state)
        return whole, without_weights(whole)

    @cached_property
    def _folds(self) -> FoldViews:
        return fold_views(self._by_fold)

    @cached_property
    def _without(self) -> tuple[State, State]:
        return self._folds.without, without_weights(self._folds.without)

    @cached_property
    def present(self) -> Mask:
        """Which folds have rows, `[s, f]`; none in slices that are not kept by fold."""
        present = self._folds.present[self.fold_place] if len(self._by_fold.keys) else None
        folds = self._state.statistic.folds
        if present is None:
            return np.zeros((len(self.place), folds), bool)
        present[self.fold_place < 0] = False
        return present

    def whole(self, *, weighted: bool) -> State:
        """Of all folds."""
        return self._whole[not weighted]

    def without(self, *, weighted: bool) -> State:
        """Without each fold, of the slices that are kept by fold."""
        return self._without[not weighted]


def read_metric(
    metric: Metric, fine: StateViews | None, coarse: StateViews | None, *, weighted: bool
) -> Readings:
    """Reads a metric.

    Args:
        metric: the metric.
        fine: of the statistic it reads; None if that was measured in none of the slices.
        coarse: of the coarser statistic that it reads in small slices and for its errors; None if
            it has none.
        weighted: whether rows count by their weights.
    """
    folds = coarse or fine
    assert folds is not None
    values = None
    if fine is not None:
        values = _pick(metric.compute(fine.whole(weighted=weighted)), fine.place)
    if coarse is not None and (fine is None or fine.place.min(initial=0) < 0):
        other = _pick(metric.compute(coarse.whole(weighted=weighted)), coarse.place)
        if values is None or fine is None:
            values = other
        else:
            values = _choose(fine.place >= 0, values, other)
    assert values is not None
    if not folds.by_fold:
        return Readings(metric, values, None, None, folds.top_slice)
    present = folds.present
    without = folds.without(weighted=weighted)
    if not len(without.keys):
        return Readings(metric, values, None, present, folds.top_slice)
    number = present.shape[1]
    rows = (folds.fold_place[:, np.newaxis] * number + np.arange(number)).ravel()
    replicates = _pick(metric.compute(without), rows)
    if metric.total:
        # Sums of fewer folds, brought to the size of all.
        kept = np.maximum(present.sum(axis=1), 2)
        replicates = replace(
            replicates, value=replicates.value * np.repeat(kept / (kept - 1), number)
        )
    return Readings(metric, values, replicates, present, folds.top_slice)


def _pick(values: Values, place: npt.NDArray[np.int64]) -> Values:
    trials = values.trials
    if trials is not None:
        weights = (trials.weight, trials.weight_squared)
        trials = BinomialCounts(
            trials.rows[place], *(None if each is None else each[place] for each in weights)
        )
    reasons = {text: where[place] for text, where in values.reasons.items()}
    return Values(values.value[place], reasons, trials)


def _choose(first: Mask, one: Values, other: Values) -> Values:
    return Values(
        np.where(first, one.value, other.value),
        {text: np.where(first, where, other.reasons[text]) for text, where in one.reasons.items()},
    )
