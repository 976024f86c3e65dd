"""The scores of regression heads, and the formulas of their predictions and losses.

Arithmetic is in the dtype of the scores, as in `heads.class_scores`.
"""

from __future__ import annotations

import math
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.class_scores import ClassScores, Real
from heads.statistics.cuts import ScoreKind


class SquaredScores(ClassScores):
    """Scores that are the predictions; the loss of a row is the mean of (prediction - label)^2.

    Labels are any numbers, `[n, k]`.

    >>> SquaredScores(np.array([[45.0], [41.0]])).losses(np.array([[43.0], [44.0]]))
    array([4., 9.])
    """

    @property
    def probability(self) -> Real:
        return self.scores

    def class_losses(self, labels: npt.NDArray[Any]) -> Real:
        with np.errstate(invalid="ignore", over="ignore"):
            losses = np.square(self.scores - labels.astype(self.scores.dtype, copy=False))
            return _row_means(losses)[:, np.newaxis]


class PoissonScores(ClassScores):
    """Scores of counts: logits are logarithms of the predictions.

    Labels `y` are numbers of at least 0, `[n, k]`. The loss of a prediction `m` is `m - y ln(m)`,
    and the full loss adds `y ln(y) - y + ln(2 pi y) / 2` to it where y > 1: Stirling's formula for
    ln(y!). The loss of a row is the mean of its losses.

    Args:
        scores: float32 or float64 `[n, k]`, C-contiguous.
        kind: whether the scores are logits or predictions.
        full: whether the loss is the full one.

    >>> scores = PoissonScores(np.array([[1.0], [3.0]]))
    >>> scores.losses(np.array([[1.0], [5.0]])).round(4)
    array([1.7183, 9.8564])
    """

    def __init__(self, scores: Real, kind: ScoreKind = "logits", *, full: bool = True) -> None:
        super().__init__(scores, kind)
        self._full = full

    @cached_property
    def probability(self) -> Real:
        if self.kind != "logits":
            return self.scores
        with np.errstate(over="ignore"):
            return self._rounded(np.exp(self.scores, dtype=np.float64))

    def class_losses(self, labels: npt.NDArray[Any]) -> Real:
        labels = labels.astype(self.scores.dtype, copy=False)
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            losses = self.probability - _times(labels, self._log_prediction)
            if self._full:
                losses += self._rounded(_stirling(labels.astype(np.float64)))
            return _row_means(losses)[:, np.newaxis]

    @property
    def _log_prediction(self) -> Real:
        if self.kind == "logits":
            return self.scores
        return self._rounded(np.log(self.scores, dtype=np.float64))


def _times(labels: Real, factors: Real) -> Real:
    """Returns products that are 0 where the label is 0, even if the factor is infinite."""
    products: Real = np.where(labels == 0, labels, labels * factors)
    return products


def _stirling(labels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Returns y ln(y) - y + ln(2 pi y) / 2, which is about ln(y!); 0 where 0 <= y <= 1."""
    small = (labels >= 0) & (labels <= 1)
    y = np.where(small, 1.0, labels)
    log = np.log(y)
    return np.where(small, 0.0, y * log - y + (math.log(2 * math.pi) + log) / 2)


def _row_means(losses: Real) -> Real:
    if losses.shape[1] == 1:
        return losses.ravel()
    mean: Real = losses.mean(axis=1, dtype=np.float64).astype(losses.dtype)
    return mean
