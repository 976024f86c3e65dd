"""Curves of the report as plain data, each of a single segment.

Numbers are floats that JSON can hold. A curve has at most 400 points: points on a straight line
between their neighbours are left out. If more than 400 points remain, those nearest to 400 places
at equal distances along the curve are kept, among them both ends.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from heads.metrics.calibration import bins
from heads.metrics.core.context import CALIBRATION_EDGES, MetricContext
from heads.metrics.core.curve_rates import rates
from heads.metrics.core.curve_thresholds import thresholds_between
from heads.metrics.core.metric import Floats, divide, in_unit
from heads.metrics.core.score_curve import ScoreCurve
from heads.metrics.gain_and_lift import gain_bounds, gains
from heads.statistics import State
from heads.statistics.cuts import ScoreSpace

_SCALES = ("threshold", "logit_threshold")
MAX_POINTS = 400
GAIN_PARTS = 100

Places = npt.NDArray[np.intp]
Points = dict[str, list[float]]
PointsOrNone = dict[str, list[float | None]]


def roc_curve(curve: ScoreCurve, space: ScoreSpace) -> PointsOrNone:
    """Returns recall over false positive rate, from nothing predicted positive to everything.

    The points are those of scikit-learn's `roc_curve`, whose first threshold is infinite.

    Args:
        curve: the curve of a single segment.
        space: how probabilities relate to the scores of the curve.

    Returns:
        Lists of equal length: `threshold` and `logit_threshold`, which the probability and the
        logit of what is predicted positive are above, and which are None at the first point, where
        nothing is, and where no float64 is such a threshold; `false_positive_rate`; and `recall`.
        They are empty unless there are both positive and zero labels.
    """
    curve_rates = rates(curve)
    if not (curve.positives[0] and curve.negatives[0]):
        return {name: [] for name in (*_SCALES, "false_positive_rate", "recall")}
    occurs = np.flatnonzero(curve_rates.occurs[0])
    recall, fall_out = (
        np.append(0.0, rate[0][occurs])
        for rate in (curve_rates.recall, curve_rates.false_positive_rate)
    )
    hits, others = (
        np.append(0.0, weight[0][occurs])
        for weight in (curve_rates.true_positive, curve_rates.false_positive)
    )
    keep = _corners(others, hits)
    keep = keep[_thinned(fall_out[keep], recall[keep])]
    # No cell is above the threshold of the first point.
    columns = _thresholds(curve, occurs, space, keep[1:] - 1)
    return {
        **{name: [None, *column] for name, column in columns.items()},
        "false_positive_rate": fall_out[keep].tolist(),
        "recall": recall[keep].tolist(),
    }


def precision_recall_curve(curve: ScoreCurve, space: ScoreSpace) -> PointsOrNone:
    """Returns precision over recall, from the highest score to the lowest.

    The points are those of scikit-learn's `precision_recall_curve` in the opposite order, without
    its last point. Of several thresholds with the same recall, the first and the last are kept.

    Args:
        curve: the curve of a single segment.
        space: how probabilities relate to the scores of the curve.

    Returns:
        Lists of equal length: `threshold` and `logit_threshold`, as of `roc_curve`; `recall`; and
        `precision`. They are empty if no label is positive.
    """
    curve_rates = rates(curve)
    if not curve.positives[0]:
        return {name: [] for name in (*_SCALES, "recall", "precision")}
    occurs = np.flatnonzero(curve_rates.occurs[0])
    recall, precision = curve_rates.recall[0][occurs], curve_rates.precision[0][occurs]
    hits = curve_rates.true_positive[0][occurs]
    inner = (hits[1:-1] != hits[:-2]) | (hits[1:-1] != hits[2:])
    keep = _with_ends(inner, len(hits))
    keep = keep[_thinned(recall[keep], precision[keep])]
    return {
        **_thresholds(curve, occurs, space, keep),
        "recall": recall[keep].tolist(),
        "precision": precision[keep].tolist(),
    }


def gain_curve(curve: ScoreCurve) -> Points:
    """Returns the share of the positive labels among the top 0, 1, ..., 100 % of the weight.

    The labels in a cell of the histogram are spread over it evenly.

    Args:
        curve: the curve of a single segment.

    Returns:
        Two lists of 101 numbers: `share` of the weight, and `gain`. They are empty if no label is
        positive. Where scores were rounded, also `lowest` and `highest`, certain bounds of the
        gain.
    """
    if not curve.positives[0]:
        return {"share": [], "gain": []}
    parts = tuple(range(GAIN_PARTS + 1))
    points = {
        "share": [part / GAIN_PARTS for part in parts],
        "gain": gains(curve, parts, GAIN_PARTS)[0].tolist(),
    }
    bounds = gain_bounds(curve, parts, GAIN_PARTS)
    if (bounds.lowest < bounds.highest).any():
        points["lowest"] = bounds.lowest[0].tolist()
        points["highest"] = bounds.highest[0].tolist()
    return points


def calibration_curve(state: State, context: MetricContext) -> list[dict[str, float | None]]:
    """Returns mean probability and mean label in each of the ten bins [0, 0.1), ..., [0.9, 1].

    Args:
        state: a state of `context.calibration_counts` with a single segment, over all folds.
        context: the settings that the metrics of the head depend on.

    Returns:
        For each bin `low`, `high`, `rows`, `weight` (the number of rows if there are no weights),
        `mean_probability` and `mean_label`. The weight is None where float64 cannot hold it, and
        the means are None where it is 0.
    """
    sums = bins(state, context.calibration_cuts)
    means = (divide(sums.probability, sums.weight), divide(sums.label, sums.weight))
    edges = (0.0, *CALIBRATION_EDGES, 1.0)
    with np.errstate(over="ignore"):
        weights = (sums.weight[0] / in_unit(state, 1.0)).tolist()
    return [
        {
            "low": edges[i],
            "high": edges[i + 1],
            "rows": int(sums.rows[0, i]),
            "weight": weights[i] if math.isfinite(weights[i]) else None,
            "mean_probability": float(means[0][0, i]) if sums.weight[0, i] else None,
            "mean_label": float(means[1][0, i]) if sums.weight[0, i] else None,
        }
        for i in range(len(edges) - 1)
    ]


def _thresholds(curve: ScoreCurve, occurs: Places, space: ScoreSpace, keep: Places) -> PointsOrNone:
    """Returns the thresholds of points on both scales; None where there is none.

    Args:
        curve: the curve of a single segment.
        occurs: how many cells are above each cell with a weight, the highest cell first.
        space: how probabilities relate to the scores of the curve.
        keep: the positions in `occurs` of the lowest cell that each point selects.
    """
    score = curve.score[0, ::-1][occurs]
    next_lower = np.append(score[1:], -np.inf)
    single = ~np.append(curve.rounded[0, ::-1][occurs][1:], False)[keep]
    found = thresholds_between(score[keep], next_lower[keep], single, space)
    return {
        name: [None if math.isnan(value) else value for value in column.tolist()]
        for name, column in zip(_SCALES, (found.probability, found.logit), strict=True)
    }


def _corners(x: Floats, y: Floats) -> Places:
    """Returns the positions of the points where a line changes direction, and of its ends."""
    # Divided by powers of two, so that their products do not overflow.
    across, up = (np.ldexp(np.diff(sums), -np.frexp(sums[-1])[1]) for sums in (x, y))
    return _with_ends(across[1:] * up[:-1] != across[:-1] * up[1:], len(x))


def _with_ends(inner: npt.NDArray[np.bool_], points: int) -> Places:
    """Returns the positions of the first point, of the inner points to keep, and of the last."""
    keep = np.ones(points, np.bool_)
    keep[1:-1] = inner
    return np.flatnonzero(keep)


def _thinned(x: Floats, y: Floats) -> Places:
    """Returns at most 400 positions, as evenly spread along the line as its points allow."""
    if len(x) <= MAX_POINTS:
        return np.arange(len(x))
    way = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    places = np.linspace(0.0, way[-1], MAX_POINTS)
    after = np.clip(np.searchsorted(way, places), 1, len(way) - 1)
    before = after - 1
    nearest = np.where(places - way[before] <= way[after] - places, before, after)
    nearest[0], nearest[-1] = 0, len(x) - 1
    return np.unique(nearest)
