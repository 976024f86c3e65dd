"""Cuts: thresholds of a probability, expressed as limits of the stored score.

Comparing scores with cuts that were computed once keeps the exponential out of every decision, so
counts are the same on every machine.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from functools import lru_cache
from typing import Literal

import numpy as np

ScoreKind = Literal["logits", "probabilities", "predictions"]
"""What scores are: logits, probabilities, or the predictions of a regression head. Stored
probabilities and predictions are used as they are, without conversion to logits or clipping, so a
probability of 0 for the true class is an infinite loss."""

AUC_THRESHOLDS = 200
"""The thresholds of the estimator's AUC: -1e-7, 1/199, ..., 198/199, 1 + 1e-7."""

# Far more digits than a float64 has, so that it is never in doubt which float64 lies below.
_CONTEXT = Context(prec=60)


@dataclass(frozen=True)
class ScoreSpace:
    """The rule that turns a condition on a probability into `score > cut`.

    Attributes:
        kind: what the scores are, "logits" or "probabilities".
        float32: whether the estimator's float32 decides: logits and probabilities are rounded to
            float32 before they are compared. Otherwise the exact probability of the float64 score
            decides.
    """

    kind: ScoreKind = "logits"
    float32: bool = False

    def above(self, threshold: float) -> float:
        """Returns the cut for `probability > threshold`, with a threshold in (0, 1).

        >>> ScoreSpace("logits").above(0.5)
        0.0
        """
        if self.float32:
            return self._at_least_float32(np.nextafter(np.float32(threshold), np.float32(2)))
        return _logit_below(Decimal(threshold)) if self.kind == "logits" else float(threshold)

    def at_least(self, threshold: float) -> float:
        """Returns the cut for `probability >= threshold`, with a threshold in (0, 1)."""
        if self.float32:
            return self._at_least_float32(np.float32(threshold))
        cut = self.above(threshold)
        exact = self.kind == "probabilities" or threshold == 0.5
        return math.nextafter(cut, -math.inf) if exact else cut

    def above_logit(self, threshold: float) -> float:
        """Returns the cut for `logit > threshold`, with any finite threshold.

        The logit of a stored probability `p` is `log(p / (1 - p))`, without rounding.

        >>> ScoreSpace("probabilities").above_logit(0.0)
        0.5
        """
        # Adding zero makes -0.0 the same cut as 0.0.
        return threshold + 0.0 if self.kind == "logits" else _probability_below(threshold)

    def at_least_logit(self, threshold: float) -> float:
        """Returns the cut for `logit >= threshold`, with any finite threshold."""
        cut = self.above_logit(threshold)
        # A stored probability has a logit that is a float64 only if it is 1/2.
        exact = self.kind == "logits" or threshold == 0
        return math.nextafter(cut, -math.inf) if exact else cut

    def bucket(self, index: int) -> float:
        """Returns the cut for a positive prediction at AUC threshold `index`, 1 to 198, in Keras.

        Keras 2.15 puts the float32 probability `p` into bucket `ceil(float32(p * 199)) - 1`.
        """
        buckets = np.float32(AUC_THRESHOLDS - 1)
        first = np.float32(index) / buckets
        while first * buckets > index:
            first = np.nextafter(first, np.float32(-1))
        while not first * buckets > index:
            first = np.nextafter(first, np.float32(2))
        return self._at_least_float32(first)

    def class_one(self) -> float:
        """Returns the cut above which class 1 is predicted; a tie is class 0."""
        return 0.0 if self.kind == "logits" else 0.5

    def _at_least_float32(self, probability: np.float32) -> float:
        """Returns the cut for `float32 probability >= probability`."""
        if not 0 < probability <= 1:
            # A threshold that float32 rounds to 0 or 1: all finite logits pass, or none pass.
            return -math.inf if probability <= 0 else math.inf
        if self.kind == "probabilities":
            return _rounds_up_above(probability)
        below = np.nextafter(probability, np.float32(-1))
        # Exact: both are float32. A logit never meets the midpoint but at probability 1/2.
        middle = (Decimal(float(below)) + Decimal(float(probability))) / 2
        cut = np.float32(_logit_below(middle))
        if float(cut) > _logit_below(middle):
            cut = np.nextafter(cut, np.float32(-np.inf))
        return _rounds_up_above(np.nextafter(cut, np.float32(np.inf)))


def _rounds_up_above(value: np.float32) -> float:
    """Returns the largest float64 that rounds, half to even, to a float32 below `value`."""
    below = np.nextafter(value, np.float32(-np.inf))
    middle = (float(below) + float(value)) / 2
    rounds_up = int(value.view(np.uint32)) % 2 == 0
    return math.nextafter(middle, -math.inf) if rounds_up else middle


@lru_cache(maxsize=4096)
def _logit_below(probability: Decimal) -> float:
    """Returns the largest float64 that is not above `log(p / (1 - p))`."""
    ratio = _CONTEXT.divide(probability, _CONTEXT.subtract(Decimal(1), probability))
    exact = _CONTEXT.ln(ratio)
    cut = float(exact)
    return math.nextafter(cut, -math.inf) if Decimal(cut) > exact else cut


@lru_cache(maxsize=4096)
def _probability_below(logit: float) -> float:
    """Returns the largest float64 that is not above `1 / (1 + exp(-logit))`."""
    # What 60 digits may not hold is beyond the float64 next to 1/2 and next to 1.
    if abs(logit) < 2.0**-60:
        return 0.5 if logit >= 0 else math.nextafter(0.5, 0.0)
    small = _CONTEXT.exp(-abs(Decimal(logit)))
    exact = _CONTEXT.divide(small, _CONTEXT.add(Decimal(1), small))
    if logit > 0:
        exact = _CONTEXT.subtract(Decimal(1), max(exact, Decimal(2) ** -60))
    cut = float(exact)
    return math.nextafter(cut, -math.inf) if Decimal(cut) > exact else cut
