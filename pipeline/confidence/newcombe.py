"""The interval of the largest distance of two rates at a threshold, where few rows decide it."""

from __future__ import annotations

import math

import numpy as np

from heads.metrics.core.fold_curve import FoldCurve

FEW = 10
"""Of rates with fewer effective successes or failures, half-samples show too small an error."""


def distance_ends(curve: FoldCurve, quantile: float) -> tuple[float, float] | None:
    """Returns the interval of the largest distance of recall and false positive rate.

    It is that of a difference of two proportions from the limits of Wilson of both (R. G. Newcombe,
    "Interval estimation for the difference between independent proportions", 1998, method 10), for
    the effective rows of each label, fewer where rows depend on each other.

    Args:
        curve: the labels of a slice.
        quantile: the quantile of Student's distribution for the level.

    Returns:
        The ends; None where both rates have at least `FEW` effective successes and failures, and
        where there is no label of a kind.
    """
    hits, misses = curve.above
    if not len(hits) or hits[-1] == 0 or misses[-1] == 0:
        return None
    recall, false_rate = hits / hits[-1], misses / misses[-1]
    place = int(np.argmax(np.abs(recall - false_rate)))
    rates = float(recall[place]), float(false_rate[place])
    weights = float(hits[-1]), float(misses[-1])
    fewest = min(
        min(rate, 1 - rate) * weight / curve.kappa
        for rate, weight in zip(rates, weights, strict=True)
    )
    if fewest >= FEW:
        return None
    sides = []
    for above, every, rate, weight in zip("AB", "PN", rates, weights, strict=True):
        varied = float(curve.variance(**{above: 1.0, every: -rate})[place])
        # The design effect, which shrinks to 1 where few rows decide.
        floor = curve.kappa**2
        effect = (varied + floor) / (rate * (1 - rate) * weight * curve.kappa + floor)
        size = weight / curve.kappa / effect
        sides.append((rate, *_wilson(rate, size, quantile)))
    # The larger of the rates comes first.
    (high, high_lower, high_upper), (low, low_lower, low_upper) = sorted(sides, reverse=True)
    distance = high - low
    return (
        max(distance - math.hypot(high - high_lower, low_upper - low), 0.0),
        min(distance + math.hypot(high_upper - high, low - low_lower), 1.0),
    )


def _wilson(share: float, size: float, quantile: float) -> tuple[float, float]:
    """Returns the limits of a proportion by the score test (E. B. Wilson 1927)."""
    square = quantile**2 / size
    middle = share + square / 2
    half = math.sqrt(square * (share * (1 - share) + square / 4))
    return max((middle - half) / (1 + square), 0.0), min((middle + half) / (1 + square), 1.0)
