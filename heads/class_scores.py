"""The scores of the classes of a batch, and the formulas of probabilities and losses.

Arithmetic is in the dtype of the scores, and each operation rounds once; exponentials and
logarithms are computed in float64 and then rounded. So float32 scores give the values of
tf.estimator on any machine, and float64 scores are used in full precision. Sums run over contiguous
axes only and no BLAS is called: the values of a row do not depend on the batch that it is in.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics.cuts import ScoreKind

Real = npt.NDArray[np.floating[Any]]
Float64 = npt.NDArray[np.float64]
Int64 = npt.NDArray[np.int64]


class ClassScores(ABC):
    """The base class of class scores, with the probabilities and losses of their rows.

    Args:
        scores: float32 or float64 `[n, k]`, C-contiguous.
        kind: whether the scores are logits or probabilities.
    """

    def __init__(self, scores: Real, kind: ScoreKind = "logits") -> None:
        self.scores = scores
        self.kind = kind

    @property
    @abstractmethod
    def probability(self) -> Real:
        """The probability of each class `[n, k]`, in the dtype of the scores."""

    @abstractmethod
    def class_losses(self, labels: npt.NDArray[Any]) -> Real:
        """Returns the losses that the loss of a row is the mean of, in the dtype of the scores.

        Args:
            labels: the labels of the rows, see the subclass.

        Returns:
            The losses of independent classes, `[n, k]`; of other heads those of rows, `[n, 1]`.
        """

    def losses(self, labels: npt.NDArray[Any]) -> Real:
        """Returns the loss of each row `[n]`, in the dtype of the scores.

        Args:
            labels: the labels of the rows, see the subclass.
        """
        return self.row_losses(self.class_losses(labels))

    def row_losses(self, class_losses: Real) -> Real:
        """Returns the loss of each row `[n]`, the mean of what `class_losses` returned."""
        classes = class_losses.shape[1]
        if classes == 1:
            return class_losses.ravel()
        with np.errstate(over="ignore"):
            mean = class_losses.sum(axis=1, dtype=np.float64) / classes
        if np.isinf(mean).any():
            # The sum may be too large for float64 where the mean is not.
            mean = np.where(np.isinf(mean), (class_losses / classes).sum(axis=1), mean)
        return self._rounded(mean)

    def _rounded(self, values: Float64) -> Real:
        """Rounds values to the dtype of the scores; values beyond its range become infinite."""
        with np.errstate(over="ignore"):
            return values.astype(self.scores.dtype, copy=False)


class IndependentScores(ClassScores):
    """Scores of independent classes, any number of which may be true; a binary head has `k = 1`.

    Labels are numbers in [0, 1], `[n, k]`; fractions are soft labels. The loss of a row is the mean
    over its classes of the log loss, which is `-y log(p) - (1 - y) log(1 - p)` for probabilities
    and `max(x, 0) - x * y + log(1 + exp(-|x|))` for logits `x`, where `p = 1 / (1 + exp(-x))`.

    >>> scores = IndependentScores(np.array([[0.0], [-np.inf], [np.inf]]))
    >>> scores.probability.ravel().tolist()
    [0.5, 0.0, 1.0]
    >>> IndependentScores(np.array([[0.0], [-41.0]])).losses(np.array([[0.5], [1.0]])).round(2)
    array([ 0.69, 41.  ])
    """

    @cached_property
    def _decay(self) -> Float64:
        """`exp(-|x|)`."""
        decay = np.abs(self.scores).astype(np.float64, copy=False)
        np.negative(decay, out=decay)
        return np.exp(decay, out=decay)

    @cached_property
    def probability(self) -> Real:
        if self.kind == "probabilities":
            return self.scores
        # 1 / (1 + exp(-x)) for positive logits, exp(x) / (1 + exp(x)) for negative logits.
        probability = np.where(self.scores >= 0, 1.0, self._decay)
        probability /= 1.0 + self._decay
        return self._rounded(probability)

    def class_losses(self, labels: npt.NDArray[Any]) -> Real:
        scores = self.scores
        labels = labels.astype(scores.dtype, copy=False)
        if self.kind == "probabilities":
            # Not the logarithm of 1 - p, whose digits are lost where p is small.
            with np.errstate(divide="ignore"):
                losses = _cross_entropy(labels, np.log(scores))
                losses += _cross_entropy(1 - labels, np.log1p(-scores))
        else:
            with np.errstate(invalid="ignore", over="ignore"):
                # The difference first: it is 0 where the label is right, and the rest may be tiny.
                losses = np.maximum(scores, 0)
                losses -= scores * labels
                losses += self._rounded(np.log1p(self._decay))
        return losses


class ExclusiveScores(ClassScores):
    """Scores of exclusive classes, exactly one of which is true.

    Labels are class ids, whole numbers in [0, k), `[n, 1]`. Probabilities of logits `x` are
    `exp(x) / sum(exp(x))`. The loss is `log(sum(exp(x))) - x[label]` for logits, and
    `-log(p[label])` for probabilities.

    >>> scores = ExclusiveScores(np.array([[10.0, 0.0, 0.0], [0.0, 10.0, 0.0]]))
    >>> scores.losses(np.array([[1], [1]])).round(4), scores.predicted
    (array([1.00001e+01, 1.00000e-04]), array([0, 1]))
    """

    @cached_property
    def _top(self) -> Int64:
        """The first place of the highest score `[n, 1]`; the place of a NaN if the row has any."""
        return np.asarray(self.scores.argmax(axis=1)[:, np.newaxis], np.int64)

    @cached_property
    def predicted(self) -> Int64:
        """The first class with the highest score `[n]`; scores that are NaN are ignored."""
        if np.isnan(np.take_along_axis(self.scores, self._top, axis=1)).any():
            lowest = self.scores.dtype.type(-np.inf)
            known = np.where(np.isnan(self.scores), lowest, self.scores)
            return np.asarray(known.argmax(axis=1), np.int64)
        return self._top.ravel()

    @cached_property
    def _shifted(self) -> Real:
        """The logits minus the highest logit of their row, `[n, k]`."""
        with np.errstate(invalid="ignore", over="ignore"):
            return self.scores - np.take_along_axis(self.scores, self._top, axis=1)

    @cached_property
    def _normalised(self) -> tuple[Float64, Float64]:
        """The probabilities `[n, k]`, and the logarithm of the sum of exponentials `[n, 1]`."""
        exponentials = np.exp(self._shifted, dtype=np.float64)
        if self.scores.dtype == np.float32:
            total = exponentials.sum(axis=1, keepdims=True)
            return exponentials / total, np.log(total)
        # The exponential of the highest logit is 1; the sum of the others may be tiny.
        np.put_along_axis(exponentials, self._top, 0.0, axis=1)
        others = exponentials.sum(axis=1, keepdims=True)
        np.put_along_axis(exponentials, self._top, 1.0, axis=1)
        exponentials /= 1.0 + others
        return exponentials, np.log1p(others)

    @property
    def probability(self) -> Real:
        return self.scores if self.kind == "probabilities" else self._rounded(self._normalised[0])

    def class_losses(self, labels: npt.NDArray[Any]) -> Real:
        place = labels.astype(np.int64, copy=False)
        if self.kind == "probabilities":
            chosen = np.take_along_axis(self.scores, place, axis=1)
            with np.errstate(divide="ignore"):
                return _cross_entropy(np.ones_like(chosen), np.log(chosen))
        chosen = np.take_along_axis(self._shifted, place, axis=1)
        return self._rounded(self._normalised[1] - chosen)


def _cross_entropy(labels: Real, logarithms: Real) -> Real:
    """Returns `-y log(p)`, and 0 where `y` is 0, even if the logarithm is infinite or NaN."""
    with np.errstate(invalid="ignore"):
        product = labels * logarithms
    # Subtracted from 0, not negated: a loss of zero is 0.0, not -0.0.
    return 0 - np.where(labels == 0, 0, product)
