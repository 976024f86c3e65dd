"""Rates at every threshold of a curve, and the threshold at which a rate is best."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Floats
from heads.metrics.core.score_curve import Reasons, ScoreCurve
from heads.statistics.cuts import ScoreSpace

SLACK = 1e-12
"""Rates that differ by no more than this count as equal, since sums of weights are rounded."""


@dataclass(frozen=True, eq=False)
class Rates:
    """The rates of a curve for a threshold at each cell; the highest cell comes first.

    The scores of the cell, and of all cells above it, are predicted positive.

    Attributes:
        true_positive: `[r, c]`, the weight of positive labels that are predicted positive.
        false_positive: `[r, c]`, the weight of zero labels that are predicted positive.
        positives: `[r, 1]`, the weight of all positive labels.
        negatives: `[r, 1]`, the weight of all zero labels.
        occurs: bool `[r, c]`, whether the cell itself has a weight.
    """

    true_positive: Floats
    false_positive: Floats
    positives: Floats
    negatives: Floats
    occurs: npt.NDArray[np.bool_]

    @cached_property
    def recall(self) -> Floats:
        """TP / (TP + FN) `[r, c]`; 0 without positive labels."""
        return _share(self.true_positive, self.positives)

    @cached_property
    def false_positive_rate(self) -> Floats:
        """FP / (FP + TN) `[r, c]`; 0 without zero labels."""
        return _share(self.false_positive, self.negatives)

    @cached_property
    def precision(self) -> Floats:
        """TP / (TP + FP) `[r, c]`; 0 where nothing is predicted positive."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @cached_property
    def f1(self) -> Floats:
        """2 TP / (2 TP + FP + FN) `[r, c]`."""
        predicted = self.true_positive + self.false_positive
        return _share(2 * self.true_positive, predicted + self.positives)

    @cached_property
    def from_nothing(self) -> tuple[Floats, Floats]:
        """TP and FP `[r, c + 1]`, from the threshold above all cells down."""
        nothing = np.zeros((len(self.true_positive), 1))
        hits, others = (
            np.concatenate([nothing, sums], axis=1)
            for sums in (self.true_positive, self.false_positive)
        )
        return hits, others


def _share(part: Floats, whole: Floats) -> Floats:
    """Returns part / whole, and 0 where the whole, and hence the part, is 0.

    It is faster than `divide`.
    """
    share: Floats = part / np.where(whole == 0, 1.0, whole)
    return share


# Many metrics are read from the rates of the same curve.
_KEPT: WeakKeyDictionary[ScoreCurve, Rates] = WeakKeyDictionary()
_KEPT_HIGHEST: WeakKeyDictionary[ScoreCurve, Rates] = WeakKeyDictionary()


def rates(curve: ScoreCurve) -> Rates:
    """The rates of a curve at every threshold, kept as long as the curve is."""
    if curve not in _KEPT:
        hits, others = curve.from_above
        # The totals are the last of the same sums, so that rounding takes no share beyond 1.
        totals = (hits[:, -1:], others[:, -1:])
        _KEPT[curve] = Rates(hits, others, *totals, curve.occurs[:, ::-1])
    return _KEPT[curve]


def highest_rates(curve: ScoreCurve) -> Rates:
    """The rates at thresholds within the cells, if positive labels score highest there.

    A cell that may hold several scores hides thresholds. None of them has more true positives than
    its lowest score and none has fewer false positives than the cells above, so no rate that gains
    from true positives and loses by false ones is higher within the cell, and none that must be low
    is lower. Cells with a single score hide none, and their rates are as they are. They are kept as
    long as the curve is.
    """
    if curve not in _KEPT_HIGHEST:
        known = rates(curve)
        above = known.false_positive - np.where(curve.rounded, curve.negative, 0.0)[:, ::-1]
        _KEPT_HIGHEST[curve] = replace(known, false_positive=above)
    return _KEPT_HIGHEST[curve]


@dataclass(frozen=True, eq=False)
class Best:
    """The best value of a rate in each segment, and the threshold at which it is reached.

    Attributes:
        value: `[r]`, the best value; -inf where no threshold is allowed.
        place: int `[r]`, how many cells are above the cell of the threshold. Where several
            thresholds are equally good, it is that of the highest.
        exists: bool `[r]`, whether any threshold is allowed.
    """

    value: Floats
    place: npt.NDArray[np.intp]
    exists: npt.NDArray[np.bool_]


def best(value: Floats, allowed: npt.NDArray[np.bool_]) -> Best:
    """Returns the best of the allowed values `[r, c]`, whose highest cell comes first."""
    candidates = np.where(allowed, value, -np.inf)
    top = candidates.max(axis=1, initial=-np.inf)
    exists = top > -np.inf
    place = np.zeros(len(candidates), np.intp)
    if exists.any():
        place = np.argmax(candidates >= top[:, np.newaxis] - SLACK, axis=1)
    return Best(top, place, exists)


@dataclass(frozen=True, eq=False)
class HiddenBest:
    """What the best value and its threshold may be if thresholds within the cells counted.

    Attributes:
        highest: `[r]`, the highest value; -inf where no threshold may be allowed.
        possible: bool `[r, c]`, in which cells the lowest score that is predicted positive may be;
            the highest cell comes first.
    """

    highest: Floats
    possible: npt.NDArray[np.bool_]


def hidden_best(known: Best, value: Floats, allowed: npt.NDArray[np.bool_]) -> HiddenBest:
    """Returns what may be hidden within the cells of a curve.

    Args:
        known: the best at the lowest scores of the cells.
        value: `[r, c]`, the highest value within each cell; the highest cell comes first.
        allowed: bool `[r, c]`, whether a threshold within the cell may be allowed.
    """
    candidates = np.where(allowed, value, -np.inf)
    top = known.value[:, np.newaxis]
    # Of equally good thresholds the highest is taken, so below the known one only better ones are.
    below = np.arange(value.shape[1]) > known.place[:, np.newaxis]
    below &= known.exists[:, np.newaxis]
    possible = allowed & np.where(below, candidates > top, candidates >= top - 2 * SLACK)
    highest = np.maximum(candidates.max(axis=1, initial=-np.inf), known.value)
    return HiddenBest(highest, possible)


def as_probability(score: Floats, space: ScoreSpace) -> Floats:
    """Returns scores as float64 probabilities; of logits this is the sigmoid."""
    if space.kind == "probabilities":
        return score
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)


def where_defined(value: Floats, reasons: Reasons) -> tuple[Floats, Reasons]:
    """Returns the values, set to 0 where they are undefined for any reason, and the reasons."""
    for undefined in reasons.values():
        value = np.where(undefined, 0.0, value)
    return value, reasons
