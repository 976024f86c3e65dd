"""Computes what the report shows of a slice beside its metrics: curves and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heads.curves.confusion_matrix import matrix, most_confused
from heads.curves.points import calibration_curve, gain_curve, precision_recall_curve, roc_curve
from heads.metrics.core.context import MetricContext
from heads.metrics.core.score_curve import ScoreCurve, score_curves
from heads.statistics import Key, State, Statistic
from heads.statistics.fold_views import fold_views


def details_of(scope: MetricContext, key: Key, states: Mapping[Statistic, State]) -> dict[str, Any]:
    """Returns the details of one slice for one model, as plain data.

    What was not measured is left out.

    Args:
        scope: the context of the model's metrics.
        key: the key of the slice.
        states: the merged states of the model, by statistic.
    """
    details: dict[str, Any] = {}
    histogram = _slice_state(states, scope.score_histogram, key) or _slice_state(
        states, scope.coarse_histogram, key
    )
    if histogram is not None:
        if scope.head != "multi_class":
            details["curves"] = _curves(score_curves(histogram, None)[0], scope)
        if scope.named_classes:
            details["class_curves"] = {
                scope.class_names[group]: _curves(score_curves(histogram, group)[0], scope)
                for group in scope.named_classes
            }
    counts = _slice_state(states, scope.calibration_counts, key) if scope.columns == 1 else None
    if counts is not None:
        details.setdefault("curves", {})["calibration"] = calibration_curve(counts, scope)
    if scope.head == "multi_class":
        confusion = _slice_state(states, scope.confusion_matrix, key)
        if confusion is not None:
            table = matrix(confusion, 0)
            if table is not None:
                details["confusion_matrix"] = table
            details["most_confused"] = most_confused(confusion, 0, scope.class_names)
    return details


def _slice_state(states: Mapping[Statistic, State], statistic: Statistic, key: Key) -> State | None:
    """Returns the state of one slice over all folds; None if it was not measured there."""
    state = states.get(statistic)
    if state is None or key not in state.keys:
        return None
    return fold_views(state.take([state.keys.index(key)])).whole


def _curves(curve: ScoreCurve, scope: MetricContext) -> dict[str, Any]:
    """Returns the points of all curves that are read from one score curve."""
    return {
        "roc": roc_curve(curve, scope.space),
        "precision_recall": precision_recall_curve(curve, scope.space),
        "gain": gain_curve(curve),
    }
