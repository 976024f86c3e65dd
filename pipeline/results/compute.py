"""From merged states to the results of the report, one partition of the slices at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt

from heads.statistics import OVERALL, ScoreHistogram, State, Statistic
from pipeline.evaluation.head_plan import HeadPlan, ModelPlan, ModelStatistic
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.state_key import StateKey
from pipeline.results.details import details_of
from pipeline.results.estimates import Estimates, difference, estimate
from pipeline.results.results import MAX_SLICES, Results
from pipeline.results.views import Views, read_for_model, read_model, slice_views
from pipeline.slicing.table import SliceTable


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
    from pipeline.results.distributions import slice_statistics

    own = plan.heads[head]
    keys = states[0].keys
    views = slice_views(own, table, keys, states)
    sure = plan.config.confidence.level
    with np.errstate(all="ignore"):
        readings = [read_model(own, number, views) for number in range(len(own.models))]
        models = tuple(estimate(each, sure) for each in readings)
        unweighted: tuple[dict[str, Estimates], ...] = ()
        if own.context.weighted:
            unweighted = tuple(
                estimate(read_model(own, number, views, weighted=False), sure)
                for number in range(len(own.models))
            )
        differences = {}
        if len(readings) > 1:
            differences = difference(readings[0], readings[1], sure)
        pairs = {name: read_for_model(metric, 0, views) for name, metric in own.pairs.items()}
        both = estimate(pairs, sure)
    named = plan.named(table)
    details = {
        key: tuple(
            details_of(model.context, key, _of_model(own, number, states))
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
    for histogram in (model.context.coarse_histogram, model.context.score_histogram):
        own = views.get(ModelStatistic(number, histogram))
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
