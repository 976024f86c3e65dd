"""Thresholds of points of a curve: numbers that select the rows of a point and no others.

A row is selected where its probability, or its logit, is above the threshold, as it is with the
`thresholds` and `logit_thresholds` of a configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from heads.metrics.core.curve_rates import Best, as_probability
from heads.metrics.core.metric import Bounds, Floats
from heads.metrics.core.score_curve import ScoreCurve
from heads.statistics.cuts import ScoreSpace

Mask = npt.NDArray[np.bool_]

NO_PROBABILITY = "no probability in float64 is such a threshold"
NO_LOGIT = "no logit in float64 is such a threshold"
"""Why a point has no threshold on a scale: none tells its lowest score from the next lower one."""

# Many times the error of an exponential or logarithm, and of what is computed from it.
_MARGIN, _TINY = 2.0**-49, 1e-322
_LOGITS, _PROBABILITIES = ScoreSpace("logits"), ScoreSpace("probabilities")
_MOST_DECIMALS = 300
_TENS = np.array([float(f"1e{power}") for power in range(-_MOST_DECIMALS, _MOST_DECIMALS + 1)])
_DECIMALS_A_BIT = 0.3010299956639812
# The distance of the float64 that are between 1/2 and 1.
_STEP = 2.0**-53
_PART_OF_CELL = 2.0**-10
# No threshold beside probabilities in float64 has a logit beyond.
_LOGITS_OF_FLOATS = (-746.0, 38.0)


@dataclass(frozen=True, eq=False)
class Thresholds:
    """The thresholds of `n` points on both scales; NaN where no float64 selects the rows.

    Attributes:
        probability: float64 `[n]`, between 0 and 1, ends excluded.
        logit: float64 `[n]`, finite; the logit of the same threshold, but for rounding.
    """

    probability: Floats
    logit: Floats


# A metric on the probability and one on the logit have their thresholds at the same point.
_KEPT: WeakKeyDictionary[Best, dict[ScoreSpace, Thresholds]] = WeakKeyDictionary()


class _Tails(NamedTuple):
    """Probabilities `[n]`, and what they lack to 1, both with full relative precision."""

    probability: Floats
    rest: Floats


def thresholds_at(curve: ScoreCurve, point: Best, space: ScoreSpace) -> Thresholds:
    """The thresholds of a point in each segment of a curve, kept as long as the point.

    They are NaN where there is no cell.

    Args:
        curve: the curve of `r` segments and `c` cells.
        point: the best point in each segment of the curve.
        space: how probabilities relate to the scores of the curve.
    """
    kept = _KEPT.setdefault(point, {})
    if space not in kept:
        kept[space] = _thresholds_at(curve, point.place, space)
    return kept[space]


def _thresholds_at(curve: ScoreCurve, place: npt.NDArray[np.intp], space: ScoreSpace) -> Thresholds:
    segments, cells = curve.score.shape
    if not cells:
        return Thresholds(np.full(segments, np.nan), np.full(segments, np.nan))
    rows = np.arange(segments)
    next_place = curve.next_lower[rows, place]
    found = next_place < cells
    next_lower = np.where(found, curve.next_score[rows, place], -np.inf)
    single = ~(found & curve.rounded[rows, cells - 1 - next_place])
    return thresholds_between(curve.score[rows, cells - 1 - place], next_lower, single, space)


def threshold_bounds(
    curve: ScoreCurve, possible: Mask, space: ScoreSpace, scale: Literal["probability", "logit"]
) -> Bounds:
    """Returns the bounds of thresholds whose lowest selected score is in one of several cells.

    A threshold is below the lowest score that it selects, and not below the next lower score.

    Args:
        curve: the curve of `r` segments and `c` cells.
        possible: `[r, c]`, the cells; the highest comes first.
        space: how probabilities relate to the scores of the curve.
        scale: what the threshold is one of.

    Returns:
        The bounds `[r]`; without meaning where no cell is possible.
    """
    end = curve.score[:, ::-1] - 1.0 if space.kind == "logits" else 0.0
    below = np.where(curve.next_lower == possible.shape[1], end, curve.next_score)
    lowest = np.where(possible, below, np.inf).min(axis=1, initial=np.inf)
    highest = np.where(possible, curve.highest[:, ::-1], -np.inf).max(axis=1, initial=-np.inf)
    exists = possible.any(axis=1)
    ends = (np.where(exists, end_score, 0.0) for end_score in (lowest, highest))
    if scale == "probability":
        low, high = (as_probability(end_score, space) for end_score in ends)
    else:
        low, high = (as_logit(end_score, space) for end_score in ends)
    return low, high


def as_logit(score: Floats, space: ScoreSpace) -> Floats:
    """Returns scores as logits; those of the probabilities 0 and 1 are beyond all others."""
    if space.kind == "logits":
        return score
    with np.errstate(divide="ignore"):
        logit: Floats = np.clip(_logit(score), *_LOGITS_OF_FLOATS)
    return logit


def thresholds_between(
    lowest: Floats, next_lower: Floats, single: Mask, space: ScoreSpace
) -> Thresholds:
    """Returns thresholds that the scores of `n` points are above.

    On the scale of the scores a threshold is a number of few digits between two scores. Where the
    next lower cell may hold several scores, it is the number next below the lowest score of the
    point. On the other scale it may then be lower, by less than a thousandth of the way to the
    lowest score of the next lower cell.

    Args:
        lowest: `[n]`, the lowest score that a point selects, and that its cell may hold.
        next_lower: `[n]`, the lowest score of the next lower cell with a weight; -inf where there
            is none.
        single: bool `[n]`, whether the next lower cell has a single score.
        space: how probabilities relate to the scores.
    """
    with np.errstate(all="ignore"):
        end = lowest - 1.0 if space.kind == "logits" else np.zeros_like(lowest)
        between = _of_few_digits(np.where(np.isinf(next_lower), end, next_lower), lowest)
        none_between = ~single | np.isnan(between)
        stored = np.where(none_between, np.nextafter(lowest, -np.inf), between)
        # How far up the scores of the next lower cell go is not known.
        near = lowest * (1 - _PART_OF_CELL) + next_lower * _PART_OF_CELL
        next_lower = np.where(single, next_lower, near)
        if space.kind == "logits":
            logit = np.where(np.isfinite(stored), stored, np.nan)
            return Thresholds(_as_probability(logit, lowest, next_lower), logit)
        probability = np.where((stored > 0) & (stored < 1), stored, np.nan)
        return Thresholds(probability, _as_logit(probability, lowest, next_lower))


def _of_few_digits(low: Floats, high: Floats) -> Floats:
    """Returns numbers `[n]` between, not far from the middle; NaN where no float64 is between."""
    middle, width = low / 2 + high / 2, high - low
    out = np.where((low < middle) & (middle < high), middle, np.nan)
    # With so many decimals and two more, a number is near the middle. Powers of two need no
    # logarithm, whose last digit may depend on the machine.
    decimals = np.floor(-np.frexp(width)[1] * _DECIMALS_A_BIT).astype(np.int64)
    for more in (2, 1, 0):
        place = np.clip(decimals + more, -_MOST_DECIMALS, _MOST_DECIMALS)
        scale = _TENS[place + _MOST_DECIMALS]
        # Adding zero turns -0.0 into 0.0.
        rounded = np.rint(middle * scale) / scale + 0.0
        near = np.abs(rounded - middle) < 0.375 * width
        out = np.where(near & (low < rounded) & (rounded < high), rounded, out)
    return out


def _as_probability(stored: Floats, lowest: Floats, next_lower: Floats) -> Floats:
    """Returns the probabilities of logits between two others; NaN where there is none."""
    above = _tails(lowest, _LOGITS)
    # In case that of the logit rounds to one of the two: the next that is surely below the upper.
    from_one = (np.floor(above.rest * (1 + _MARGIN) / _STEP) + 1) * _STEP
    next_below = np.where(
        above.probability < 0.5, above.probability * (1 - 2 * _MARGIN), 1 - from_one
    )
    out = np.full_like(stored, np.nan)
    for probability in (next_below, _tails(stored, _LOGITS).probability):
        here = _tails(probability, _PROBABILITIES)
        sure = _surely_below(_tails(next_lower, _LOGITS), here) & _surely_below(here, above)
        out = np.where(sure, probability, out)
    return out


def _as_logit(stored: Floats, lowest: Floats, next_lower: Floats) -> Floats:
    """Returns the logits of probabilities between two others; NaN where there is none."""
    above = _tails(lowest, _PROBABILITIES)
    upper = _logit(lowest)
    next_below = upper - 4 * _MARGIN * (1 + np.abs(upper))
    # The logit of 1 is above all numbers.
    next_below = np.where(lowest == 1, _logit(next_lower) + 1, next_below)
    out = np.full_like(stored, np.nan)
    for logit in (next_below, _logit(stored)):
        here = _tails(logit, _LOGITS)
        sure = _surely_below(_tails(next_lower, _PROBABILITIES), here) & _surely_below(here, above)
        out = np.where(sure, logit, out)
    return out


def _logit(probability: Floats) -> Floats:
    out: Floats = np.log(probability) - np.log1p(-probability)
    return out


def _tails(score: Floats, space: ScoreSpace) -> _Tails:
    if space.kind == "probabilities":
        return _Tails(score, 1 - score)
    return _Tails(as_probability(score, space), as_probability(-score, space))


def _surely_below(first: _Tails, second: _Tails) -> Mask:
    """Tells where the first probability is below the second, however both were rounded."""
    sure: Mask = np.where(
        second.probability < 0.5,
        first.probability * (1 + _MARGIN) + _TINY < second.probability,
        second.rest * (1 + _MARGIN) + _TINY < first.rest,
    )
    return sure
