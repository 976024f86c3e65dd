"""Rates at every threshold of a curve, and where one of them is best."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Floats
from heads.metrics.core.score_curve import Reasons, ScoreCurve
from heads.statistics.cuts import ScoreSpace

SLACK = 1e-12
"""Rates closer than this are equal: sums of weights are rounded."""


@dataclass(frozen=True, eq=False)
class Rates:
    """Rates if a cell and those above are predicted positive; the highest cell comes first.

    Attributes:
        true_positive: `[r, c]`.
        false_positive: `[r, c]`.
        occurs: bool `[r, c]`, whether the cell itself has a weight.
    """

    true_positive: Floats
    false_positive: Floats
    occurs: npt.NDArray[np.bool_]

    @cached_property
    def recall(self) -> Floats:
        """TP / (TP + FN) `[r, c]`; 0 without positive labels."""
        # By the last of the same sums, so that rounding takes none beyond 1.
        return _share(self.true_positive, self.true_positive[:, -1:])

    @cached_property
    def false_positive_rate(self) -> Floats:
        """FP / (FP + TN) `[r, c]`; 0 without zero labels."""
        return _share(self.false_positive, self.false_positive[:, -1:])

    @cached_property
    def precision(self) -> Floats:
        """TP / (TP + FP) `[r, c]`; 0 where nothing is predicted positive."""
        return _share(self.true_positive, self.true_positive + self.false_positive)

    @cached_property
    def f1(self) -> Floats:
        """2 TP / (2 TP + FP + FN) `[r, c]`."""
        predicted = self.true_positive + self.false_positive
        return _share(2 * self.true_positive, predicted + self.true_positive[:, -1:])


def _share(part: Floats, whole: Floats) -> Floats:
    """The share, and 0 where the whole is 0 and hence the part: `divide`, but faster."""
    share: Floats = part / np.where(whole == 0, 1.0, whole)
    return share


def rates(curve: ScoreCurve) -> Rates:
    """The rates of a curve at every threshold."""
    occurs = (curve.positive != 0) | (curve.negative != 0)
    return Rates(*curve.from_above, occurs[:, ::-1])


@dataclass(frozen=True, eq=False)
class Best:
    """Where a rate is best.

    Attributes:
        value: `[r]`, the best value; -inf where no threshold may be taken.
        place: int `[r]`, how many cells are above that of the threshold; of equal ones the highest.
        found: bool `[r]`, whether a threshold may be taken.
    """

    value: Floats
    place: npt.NDArray[np.intp]
    found: npt.NDArray[np.bool_]


def best(value: Floats, allowed: npt.NDArray[np.bool_]) -> Best:
    """The best of the values `[r, c]` that are allowed, the highest cell first."""
    own = np.where(allowed, value, -np.inf)
    top = own.max(axis=1, initial=-np.inf)
    found = top > -np.inf
    place = np.zeros(len(own), np.intp)
    if found.any():
        place = np.argmax(own >= top[:, np.newaxis] - SLACK, axis=1)
    return Best(top, place, found)


def probability(curve: ScoreCurve, at: Best, space: ScoreSpace) -> Floats:
    """The thresholds as probabilities `[r]`; anything where there is none."""
    score = np.append(curve.score[::-1], 0.0)[at.place]
    return as_probability(score, space)


def as_probability(score: Floats, space: ScoreSpace) -> Floats:
    """Scores as probabilities in float64: the sigmoid of logits."""
    if space.kind == "probabilities":
        return score
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0, small) / (1.0 + small)


def where_defined(value: Floats, reasons: Reasons) -> tuple[Floats, Reasons]:
    """The values with 0 where there is a reason for them to be undefined, and the reasons."""
    for undefined in reasons.values():
        value = np.where(undefined, 0.0, value)
    return value, reasons
