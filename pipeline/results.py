"""From merged states to the results of the report, one partition of the slices at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from heads.metrics.core.metric import Metric
from heads.statistics import OVERALL, Key, ScoreHistogram, State, Statistic
from pipeline.details import details_of
from pipeline.estimates import Estimates, Readings, StateViews, difference, estimate, read
from pipeline.evaluation.plan import HeadPlan, Measured, ModelPlan, Plan, StateKey
from pipeline.slicing.table import SliceTable

if TYPE_CHECKING:
    from pipeline.metadata.statistics import SliceStatistics

Views = Mapping[Measured, StateViews]

MAX_SLICES = 1000
"""So many slices of a head, those of most rows, are in report.json and have their distributions
written; metrics.parquet has all."""


@dataclass(frozen=True, eq=False)
class Results:
    """What was computed for the slices of one partition.

    Attributes:
        head: name of the head.
        keys: the slices.
        examples: rows of each.
        models: for each model the metrics by name.
        unweighted: the same of rows without weights; empty where there are no weights.
        differences: candidate less baseline, by name of the metric; empty for one model.
        pairs: the metrics of both models together, by name.
        details: for overall and the slices that a configuration names, what else there is to show:
            curves, confusion matrix; by slice, a mapping for each model.
        statistics: distributions of scores, labels and weights, in overall and the slices of most
            rows.
        score_rounding: for each model float64 `[s]`, how far scores were rounded down, as a share
            of them; 0 where they were not, NaN where no metric is read from a histogram.
    """

    head: str
    keys: tuple[Key, ...]
    examples: tuple[int, ...]
    models: tuple[Mapping[str, Estimates], ...]
    unweighted: tuple[Mapping[str, Estimates], ...]
    differences: Mapping[str, Estimates] = field(default_factory=dict)
    pairs: Mapping[str, Estimates] = field(default_factory=dict)
    details: Mapping[Key, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    score_rounding: tuple[npt.NDArray[np.float64], ...] = ()
    statistics: tuple[SliceStatistics, ...] = ()


def histogram_shifts(states: Iterable[tuple[StateKey, State]]) -> dict[tuple[str, int], int]:
    """The shift of each score histogram over all its rows, by head and statistic."""
    return {
        (key.head, key.statistic): state.shift
        for key, state in states
        if key.partition == 0 and isinstance(state.statistic, ScoreHistogram)
    }


def level(key: StateKey, state: State, shifts: Mapping[tuple[str, int], int]) -> State:
    """A merged state at the shift that all rows ask for.

    The shift of a partition of slices depends on how its rows fell into bundles with others; it is
    at most that of all rows together, which does not.

    Args:
        key: which state it is.
        state: the merged state.
        shifts: the shifts of all histograms.
    """
    return state.coarsened(shifts.get((key.head, key.statistic), 0))


def compute(plan: Plan, table: SliceTable, head: str, states: Mapping[int, State]) -> Results:
    """The metrics of the slices of one partition.

    Args:
        plan: the plan of the run.
        table: the slices.
        head: name of the head.
        states: its merged states of the partition, by position in what is measured.
    """
    from pipeline.metadata.slices import slice_statistics  # small commands do without the protos

    own = plan.heads[head]
    keys = states[0].keys
    views = slice_views(own, table, keys, states)
    sure = plan.config.confidence.level
    with np.errstate(all="ignore"):
        readings = [read_model(own, number, views) for number in range(len(own.models))]
        models = tuple(estimate(each, sure) for each in readings)
        unweighted: tuple[dict[str, Estimates], ...] = ()
        if own.scope.weighted:
            unweighted = tuple(
                estimate(read_model(own, number, views, weighted=False), sure)
                for number in range(len(own.models))
            )
        differences = {}
        if len(readings) > 1:
            differences = difference(readings[0], readings[1], sure)
        pairs = {name: _read(metric, 0, views) for name, metric in own.pairs.items()}
        both = estimate(pairs, sure)
    named = plan.named(table)
    details = {
        key: tuple(
            details_of(model.scope, key, _of_model(own, number, states))
            for number, model in enumerate(own.models)
        )
        for key in keys
        if key in named
    }
    examples = tuple(map(int, states[0].by_segment("rows")))
    rounding = tuple(
        _rounding(model, number, views, len(keys)) for number, model in enumerate(own.models)
    )
    wanted = {OVERALL, *table.by_rows[:MAX_SLICES]}
    statistics = slice_statistics(own, states, [key for key in keys if key in wanted])
    return Results(
        head,
        keys,
        examples,
        models,
        unweighted,
        differences,
        both,
        details,
        rounding,
        tuple(statistics),
    )


def _rounding(model: ModelPlan, number: int, views: Views, slices: int) -> npt.NDArray[np.float64]:
    out = np.full(slices, np.nan)
    for histogram in (model.scope.coarse_histogram, model.scope.score_histogram):
        own = views.get(Measured(number, histogram))
        if own is not None:
            out[own.place >= 0] = own.score_rounding
    return out


def _of_model(head: HeadPlan, number: int, states: Mapping[int, State]) -> dict[Statistic, State]:
    """The states of one model by statistic."""
    return {
        head.measured[place].statistic: state
        for place, state in states.items()
        if head.measured[place].model == number
    }


def slice_views(
    head: HeadPlan, table: SliceTable, keys: tuple[Key, ...], states: Mapping[int, State]
) -> Views:
    """The states of some slices, ready to be read.

    Args:
        head: the head.
        table: the slices.
        keys: which slices.
        states: merged states that hold them, by position in what is measured.
    """
    largest = np.array([key == OVERALL or key in table.largest for key in keys], bool)
    return {
        head.measured[number]: StateViews(state, keys, largest)
        for number, state in sorted(states.items())
    }


def read_model(
    head: HeadPlan, number: int, views: Views, *, weighted: bool = True
) -> dict[str, Readings]:
    """The metrics of one model, by name."""
    return {
        name: _read(metric, number, views, weighted=weighted)
        for name, metric in head.models[number].metrics.items()
    }


def _read(metric: Metric, number: int, views: Views, *, weighted: bool = True) -> Readings:
    coarse = None if metric.coarse is None else views.get(Measured(number, metric.coarse))
    fine = views.get(Measured(number, metric.statistic))
    return read(metric, fine, coarse, weighted=weighted)
