"""Rates where a curve crosses a demand, interpolated within the cell where it does.

The figures of a report are those at thresholds; these are for half-samples, whose spread would
otherwise be that of the cells.
"""

from __future__ import annotations

import numpy as np

from heads.metrics.core.curve_rates import rates
from heads.metrics.core.metric import Floats
from heads.metrics.core.score_curve import ScoreCurve


def recall_at_rate(curve: ScoreCurve, rate: float) -> Floats:
    """Returns the recall `[r]` at a false positive rate; 0 without positive labels."""
    hits, misses = rates(curve).from_nothing
    reached = _interpolated(rate * misses[:, -1], misses, hits)
    return reached / np.where(hits[:, -1] == 0, 1.0, hits[:, -1])


def precision_at_recall(curve: ScoreCurve, recall: float) -> Floats:
    """Returns the highest precision `[r]` at a recall or at thresholds of a higher recall.

    It is 0 without positive labels.
    """
    curve_rates = rates(curve)
    hits, misses = curve_rates.from_nothing
    wanted = recall * hits[:, -1]
    predicted = wanted + _interpolated(wanted, hits, misses)
    crossing = wanted / np.where(predicted == 0, 1.0, predicted)
    beyond = curve_rates.true_positive >= wanted[:, np.newaxis]
    allowed = np.where(beyond & curve_rates.occurs, curve_rates.precision, 0.0)
    best: Floats = np.maximum(crossing, allowed.max(axis=1, initial=0.0))
    return best


def specificity_at_recall(curve: ScoreCurve, recall: float) -> Floats:
    """Returns the specificity `[r]` at a recall; 1 without zero labels."""
    curve_rates = rates(curve)
    hits, misses = curve_rates.from_nothing
    wanted = recall * hits[:, -1]
    crossing = _interpolated(wanted, hits, misses)
    # Where cells have just that recall, the highest of them.
    beyond = curve_rates.true_positive >= wanted[:, np.newaxis]
    allowed = np.where(beyond, curve_rates.false_positive, np.inf).min(axis=1, initial=np.inf)
    false_positive = np.minimum(crossing, allowed)
    specificity: Floats = 1 - false_positive / np.where(misses[:, -1] == 0, 1.0, misses[:, -1])
    return specificity


def _interpolated(wanted: Floats, x: Floats, y: Floats) -> Floats:
    """Returns `y` where rising `x` reaches what is wanted `[r]`; of equal `x` the last counts."""
    rows, last = np.arange(len(x)), x.shape[1] - 1
    place = np.clip((x <= wanted[:, np.newaxis]).sum(axis=1) - 1, 0, last)
    following = np.minimum(place + 1, last)
    start, low = x[rows, place], y[rows, place]
    width = x[rows, following] - start
    slope = (y[rows, following] - low) / np.where(width > 0, width, 1.0)
    reached: Floats = slope * (wanted - start) + low
    return reached
