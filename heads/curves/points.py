"""Curves of the report as plain data, of one segment each.

Numbers are floats that JSON can hold. A curve has at most 400 points: those on a straight line
between their neighbours are left out, and of what remains the nearest ones to 400 places that are
equally far apart along the curve are kept, both ends among them.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from heads.metrics.calibration import bins
from heads.metrics.core.context import CALIBRATION_EDGES, MetricContext
from heads.metrics.core.curve_rates import as_probability, rates
from heads.metrics.core.metric import Floats, divide
from heads.metrics.core.score_curve import ScoreCurve
from heads.metrics.gain_and_lift import gains
from heads.statistics import State
from heads.statistics.cuts import ScoreSpace

MAX_POINTS = 400
GAIN_PARTS = 100

Points = dict[str, list[float]]


def roc_curve(curve: ScoreCurve, space: ScoreSpace) -> dict[str, list[float | None]]:
    """Recall over false positive rate from nothing predicted positive to everything.

    Those of scikit-learn's `roc_curve`, whose first threshold is infinite.

    Args:
        curve: the curve of one segment.
        space: how probabilities relate to scores.

    Returns:
        Lists of one length: `threshold`, a probability, None for the first point, where nothing is
        predicted positive; `false_positive_rate` and `recall`. Empty if labels are of one kind.
    """
    own = rates(curve)
    if not (curve.positives[0] and curve.negatives[0]):
        return {"threshold": [], "false_positive_rate": [], "recall": []}
    occurs = np.flatnonzero(own.occurs[0])
    recall, fall_out = (
        np.append(0.0, rate[0][occurs]) for rate in (own.recall, own.false_positive_rate)
    )
    hits, others = (
        np.append(0.0, own_sum[0][occurs]) for own_sum in (own.true_positive, own.false_positive)
    )
    keep = _corners(others, hits)
    keep = keep[_thinned(fall_out[keep], recall[keep])]
    threshold = _thresholds(curve, occurs, space)
    return {
        "threshold": [None if i == 0 else float(threshold[i - 1]) for i in keep],
        "false_positive_rate": fall_out[keep].tolist(),
        "recall": recall[keep].tolist(),
    }


def precision_recall_curve(curve: ScoreCurve, space: ScoreSpace) -> Points:
    """Precision over recall from the highest score to the lowest.

    Those of scikit-learn's `precision_recall_curve` in the other direction, without its last point.
    Of thresholds that give one recall the first and the last are kept.

    Args:
        curve: the curve of one segment.
        space: how probabilities relate to scores.

    Returns:
        Lists of one length: `threshold`, a probability, `recall` and `precision`. Empty if no label
        is positive.
    """
    own = rates(curve)
    if not curve.positives[0]:
        return {"threshold": [], "recall": [], "precision": []}
    occurs = np.flatnonzero(own.occurs[0])
    recall, precision = own.recall[0][occurs], own.precision[0][occurs]
    hits = own.true_positive[0][occurs]
    inner = (hits[1:-1] != hits[:-2]) | (hits[1:-1] != hits[2:])
    keep = _with_ends(inner, len(hits))
    keep = keep[_thinned(recall[keep], precision[keep])]
    return {
        "threshold": _thresholds(curve, occurs, space)[keep].tolist(),
        "recall": recall[keep].tolist(),
        "precision": precision[keep].tolist(),
    }


def gain_curve(curve: ScoreCurve) -> Points:
    """The share of positive labels among the top 0, 1, ..., 100 % of the weight by score.

    Labels of a cell of the histogram are spread over it evenly.

    Args:
        curve: the curve of one segment.

    Returns:
        `share` of the weight and `gain`, 101 points each; empty if no label is positive.
    """
    if not curve.positives[0]:
        return {"share": [], "gain": []}
    parts = tuple(range(GAIN_PARTS + 1))
    return {
        "share": [part / GAIN_PARTS for part in parts],
        "gain": gains(curve, parts, GAIN_PARTS)[0].tolist(),
    }


def calibration_curve(state: State, context: MetricContext) -> list[dict[str, float | None]]:
    """Mean probability and mean label in each of the ten bins [0, 0.1), ..., [0.9, 1].

    Args:
        state: the state of `context.calibration_counts` of one segment, all folds together.
        context: what its metrics depend on.

    Returns:
        For each bin `low`, `high`, `rows`, `weight` (rows without weights), `mean_probability` and
        `mean_label`; the means are None where the weight is 0.
    """
    own = bins(state, context.calibration_cuts)
    means = (divide(own.probability, own.weight), divide(own.label, own.weight))
    edges = (0.0, *CALIBRATION_EDGES, 1.0)
    return [
        {
            "low": edges[i],
            "high": edges[i + 1],
            "rows": int(own.rows[0, i]),
            "weight": float(own.weight[0, i]),
            "mean_probability": float(means[0][0, i]) if own.weight[0, i] else None,
            "mean_label": float(means[1][0, i]) if own.weight[0, i] else None,
        }
        for i in range(len(edges) - 1)
    ]


def _thresholds(curve: ScoreCurve, occurs: npt.NDArray[np.intp], space: ScoreSpace) -> Floats:
    """The thresholds of the cells with a weight as probabilities, highest first."""
    return as_probability(curve.score[::-1][occurs], space)


def _corners(x: Floats, y: Floats) -> npt.NDArray[np.intp]:
    """The points where a line changes direction, and its ends."""
    across, up = np.diff(x), np.diff(y)
    return _with_ends(across[1:] * up[:-1] != across[:-1] * up[1:], len(x))


def _with_ends(inner: npt.NDArray[np.bool_], points: int) -> npt.NDArray[np.intp]:
    """The positions of the first and the last point and of the inner ones to keep."""
    keep = np.ones(points, np.bool_)
    keep[1:-1] = inner
    return np.flatnonzero(keep)


def _thinned(x: Floats, y: Floats) -> npt.NDArray[np.intp]:
    """At most 400 positions, as equally far apart along the line as its points allow."""
    if len(x) <= MAX_POINTS:
        return np.arange(len(x))
    way = np.append(0.0, np.cumsum(np.hypot(np.diff(x), np.diff(y))))
    places = np.linspace(0.0, way[-1], MAX_POINTS)
    after = np.clip(np.searchsorted(way, places), 1, len(way) - 1)
    before = after - 1
    nearest = np.where(places - way[before] <= way[after] - places, before, after)
    nearest[0], nearest[-1] = 0, len(x) - 1
    return np.unique(nearest)
