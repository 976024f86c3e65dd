"""Computes the results of the report from merged states, one partition of the slices at a time."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from heads.statistics import OVERALL, State, Statistic
from pipeline.evaluation.head_plan import CANDIDATE, HeadPlan, ModelPlan, ModelStatistic
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.state_key import StateKey, by_statistic
from pipeline.results.against_overall import OverallMetric, against_overall, overall_metrics
from pipeline.results.details import detailed_slices, details_of
from pipeline.results.differences import difference
from pipeline.results.distributions import slice_statistics
from pipeline.results.estimated import Estimates
from pipeline.results.estimates import estimate
from pipeline.results.feature_statistics import SliceStatistics
from pipeline.results.readings import Readings
from pipeline.results.results import MAX_SLICES, Results
from pipeline.results.views import SliceViews, read_for_model, read_model, slice_views
from pipeline.slicing.table import SliceTable

OverallMetrics = tuple[Mapping[str, OverallMetric], ...]
"""The metrics of overall that slices of a head are compared with, by name: of each model, and then
those of both models together."""


def compute_overall(
    plan: Plan, table: SliceTable, head_name: str, states: Mapping[StateKey, State]
) -> OverallMetrics:
    """Computes what the slices of all partitions are compared with.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        head_name: the name of the head.
        states: the merged states of the head in the partition of overall.
    """
    measured = by_statistic(states)
    of_overall = {
        key: state.take([state.places[OVERALL]])
        for key, state in measured.items()
        if OVERALL in state.places
    }
    views = slice_views(table, (OVERALL,), of_overall)
    level = plan.config.confidence.level
    with np.errstate(all="ignore"):
        return tuple(
            overall_metrics(readings, level) for readings in _read(plan.heads[head_name], views)
        )


def _read(head: HeadPlan, views: SliceViews) -> list[dict[str, Readings]]:
    """Returns the readings of all metrics of each model, and of both models together."""
    models = [read_model(head, number, views) for number in range(len(head.models))]
    pairs = {name: read_for_model(metric, CANDIDATE, views) for name, metric in head.pairs.items()}
    return [*models, pairs]


def compute(
    plan: Plan,
    table: SliceTable,
    head_name: str,
    states: Mapping[StateKey, State],
    overall: OverallMetrics = (),
) -> Results:
    """Computes the results of the slices of one partition.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        head_name: the name of the head.
        states: the merged states of the head in the partition.
        overall: what the slices are compared with; empty if they are not to be.

    Raises:
        ValueError: if the key of a state names another statistic than the state.
        KeyError: if the state that counts the rows of every slice is missing.
        RuntimeError: if another state of a metric is missing.
    """
    head = plan.heads[head_name]
    measured = by_statistic(states)
    row_counts = measured[head.counting]
    keys = row_counts.keys
    views = slice_views(table, keys, measured)
    level = plan.config.confidence.level
    numbers = range(len(head.models))
    with np.errstate(all="ignore"):
        *readings, pair_readings = _read(head, views)
        models = tuple(estimate(model_readings, level) for model_readings in readings)
        unweighted: tuple[dict[str, Estimates], ...] = ()
        if head.context.weighted:
            unweighted = tuple(
                estimate(read_model(head, number, views, weighted=False), level)
                for number in numbers
            )
        differences = difference(readings[0], readings[1], level) if len(readings) > 1 else {}
        pairs = estimate(pair_readings, level)
        small = row_counts.by_segment("rows") < plan.config.min_slice_size
        compared = tuple(
            against_overall(part, of_overall, level, small)
            for part, of_overall in zip((*readings, pair_readings), overall, strict=False)
        )
    detailed = detailed_slices(plan, table, head)
    states_by_model = [_states_of_model(number, measured) for number in numbers]
    details = {
        key: tuple(
            details_of(model.context, key, model_states)
            for model, model_states in zip(head.models, states_by_model, strict=True)
        )
        for key in keys
        if key in detailed
    }
    return Results(
        head_name,
        keys,
        examples=tuple(map(int, row_counts.by_segment("rows"))),
        models=models,
        unweighted=unweighted,
        differences=differences,
        pairs=pairs,
        details=details,
        score_rounding=tuple(
            _score_rounding(model, number, views, len(keys))
            for number, model in enumerate(head.models)
        ),
        against_overall=compared,
    )


def compute_distributions(
    plan: Plan, table: SliceTable, head_name: str, states: Mapping[StateKey, State]
) -> tuple[SliceStatistics, ...]:
    """Computes how scores, labels and weights are distributed in overall and the largest slices.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        head_name: the name of the head.
        states: the merged states of the head in one partition.
    """
    head = plan.heads[head_name]
    measured = by_statistic(states)
    largest = {OVERALL, *table.by_rows[:MAX_SLICES]}
    keys = [key for key in measured[head.counting].keys if key in largest]
    return tuple(slice_statistics(head, measured, keys))


def _score_rounding(
    model: ModelPlan, number: int, views: SliceViews, slices: int
) -> npt.NDArray[np.float64]:
    """Returns how far the scores of each slice were rounded down, as a share of them, `[s]`.

    A slice without a histogram has NaN.
    """
    rounding = np.full(slices, np.nan)
    for histogram in model.context.histograms[::-1]:
        view = views.of(number, histogram)
        if view is not None:
            rounding[view.place >= 0] = view.score_rounding
    return rounding


def _states_of_model(number: int, states: Mapping[ModelStatistic, State]) -> dict[Statistic, State]:
    """Returns the states of one model by statistic."""
    return {key.statistic: state for key, state in states.items() if key.model == number}
