"""Computes what the report shows of a slice beside its metrics: curves and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from heads.curves.confusion_matrix import matrix, most_confused, weighted_matrix
from heads.curves.points import calibration_curve, gain_curve, precision_recall_curve, roc_curve
from heads.metrics.core.context import MetricContext
from heads.metrics.core.score_curve import ScoreCurve, score_curves
from heads.statistics import Key, State, Statistic
from heads.statistics.cuts import ScoreSpace
from heads.statistics.fold_views import over_all_folds
from heads.statistics.units import in_units
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.plan import Plan
from pipeline.slicing.table import SliceTable

MAX_DETAILED = 100
"""So many of the largest slices of a head have details, beside those whose values are listed."""
MAX_CURVES = 200
"""The largest slices of a head have so many sets of curves, and matrices, together at most.

A set takes up to 60 kB of report.json, or so."""


def detailed_slices(plan: Plan, table: SliceTable, head: HeadPlan) -> frozenset[Key]:
    """Returns overall and the slices that have details: the largest, and those that are listed.

    They do not depend on how slices are cut into partitions.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        head: the plan of the head.
    """
    sets = sum(1 + len(model.context.named_classes) for model in head.models)
    largest = table.by_rows[: min(MAX_DETAILED, MAX_CURVES // sets)]
    return plan.named(table).union(largest)


def details_of(
    context: MetricContext, key: Key, states: Mapping[Statistic, State]
) -> dict[str, Any]:
    """Returns the details of one slice for one model, as plain data.

    What was not measured is left out.

    Args:
        context: the context of the model's metrics.
        key: the key of the slice.
        states: the merged states of the model, by statistic.
    """
    details: dict[str, Any] = {}
    if context.regression:
        return details
    histogram = next(
        filter(None, (_slice_state(states, each, key) for each in context.histograms)), None
    )
    if histogram is not None:
        if context.head != "multi_class":
            details["curves"] = _curves(score_curves(histogram, None)[0], context)
        if context.named_classes:
            details["class_curves"] = {
                context.class_names[group]: _curves(score_curves(histogram, group)[0], context)
                for group in context.named_classes
            }
    counts = _slice_state(states, context.calibration_counts, key) if context.columns == 1 else None
    if counts is not None:
        details.setdefault("curves", {})["calibration"] = calibration_curve(counts, context)
    if context.head == "multi_class":
        confusion = _slice_state(states, context.confusion_matrix, key)
        if confusion is not None:
            table = matrix(confusion, 0)
            if table is not None:
                details["confusion_matrix"] = table
            weights = weighted_matrix(confusion, 0)
            if weights is not None:
                details["weighted_confusion_matrix"] = weights
            details["most_confused"] = most_confused(confusion, 0, context.class_names)
    return details


def _slice_state(states: Mapping[Statistic, State], statistic: Statistic, key: Key) -> State | None:
    """Returns the state of one slice over all folds, in units; None if it was not measured."""
    state = states.get(statistic)
    if state is None or key not in state.places:
        return None
    part = state.take([state.places[key]])
    return None if part.closed[0] else in_units(over_all_folds(part))


def _curves(curve: ScoreCurve, context: MetricContext) -> dict[str, Any]:
    """Returns the points of all curves that are read from one score curve."""
    # Exclusive classes have no logits of their own: their histogram is of probabilities.
    exclusive = context.head == "multi_class"
    space = ScoreSpace("probabilities") if exclusive else context.space
    return {
        "roc": roc_curve(curve, space),
        "precision_recall": precision_recall_curve(curve, space),
        "gain": gain_curve(curve),
    }
