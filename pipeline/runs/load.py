"""Reads the states of finished runs back, as far as they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from heads.metrics.core.plugins import Plugin
from heads.statistics import State
from pipeline.config.gates import Gate
from pipeline.evaluation.head_plan import (
    CANDIDATE,
    HeadPlan,
    ModelStatistic,
    identity_statistic,
)
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.state_key import Series, StateKey
from pipeline.gates.judge import measured_by
from pipeline.readers.storage import OpenFile, open_local
from pipeline.report.report_layout import parse_report
from pipeline.results.run_states import RunStates
from pipeline.runs.fitting import ReportedRows, check_states, check_table, merge_parts
from pipeline.runs.plugins import plugins_of
from pipeline.runs.states_zip import unzip_states
from pipeline.runs.verify import VerifiedRun, explained, open_run

StatesByHead = dict[str, dict[ModelStatistic, State]]


def compared_series(plan: Plan) -> set[Series]:
    """Returns the series that a comparison of two runs reads: those of the candidate."""
    return _series({name: _compared(head, plan.folds) for name, head in plan.heads.items()})


def _compared(head: HeadPlan, folds: int) -> set[ModelStatistic]:
    statistics = {head.counting.statistic, identity_statistic(folds)}
    for metric in head.models[CANDIDATE].metrics.values():
        statistics |= {measured for measured in metric.measured if measured is not None}
    return {ModelStatistic(CANDIDATE, statistic) for statistic in statistics}


def gated_series(plan: Plan, gates: Sequence[Gate]) -> set[Series]:
    """Returns the series that gates read of a run."""
    return _series(measured_by(gates, plan))


def _series(measured: Mapping[str, Iterable[ModelStatistic]]) -> set[Series]:
    """Returns the series of statistics, which are given by head."""
    return {
        StateKey.of(head, statistic).series
        for head, statistics in measured.items()
        for statistic in statistics
    }


def load_run(
    directory: str,
    open_file: OpenFile = open_local,
    plugins: Sequence[Plugin] = (),
    wanted: Callable[[Plan], set[Series]] = compared_series,
) -> RunStates:
    """Reads a finished run, of which it believes nothing that its manifest does not vouch for.

    Args:
        directory: the directory of the run.
        open_file: opens a file.
        plugins: the plugins that the user named; no other code is imported for the run.
        wanted: returns the series to read, given the plan of the run; others are left alone.

    Raises:
        ConfigError: if the directory holds no finished run, if the run is damaged, or if it has
            metrics of other plugins, or of others of the same name.
        StorageError: if files elsewhere cannot be reached.
    """
    return read_states(open_run(directory, open_file), plugins, wanted)


def read_states(
    run: VerifiedRun,
    plugins: Sequence[Plugin] = (),
    wanted: Callable[[Plan], set[Series]] = compared_series,
) -> RunStates:
    """Reads the states of a finished run that was opened; see `load_run`."""
    directory = run.directory
    with explained(directory, "report.json"):
        report = parse_report(run.read("report.json"))
        # Opens nothing: the configuration in a report names no files.
        loaded = plugins_of(run, report.config.plugins, plugins)
        plan = make_plan(report.config, directory, plugins=loaded)
        rows = {name: ReportedRows.of(report.data["heads"][name]) for name in plan.heads}
        del report
    with explained(directory, "states.zip"):
        table, archived = unzip_states(run.read("states.zip"), wanted(plan))
        states = merge_partitions(plan, archived)
        check_table(table, plan.config)
        for name, head in plan.heads.items():
            check_states(states[name], head.counting, table, rows[name])
    return RunStates(directory, plan, table, states)


def merge_partitions(plan: Plan, states: Mapping[StateKey, State]) -> StatesByHead:
    """Returns states by head, and by model and statistic, given those of the partitions.

    Raises:
        ValueError: if a slice is in two partitions.
    """
    parts: dict[str, dict[ModelStatistic, list[State]]] = {name: {} for name in plan.heads}
    for key, state in states.items():
        measured = ModelStatistic(key.model, state.statistic)
        parts[key.head].setdefault(measured, []).append(state)
    return {
        name: {measured: merge_parts(states) for measured, states in head_parts.items()}
        for name, head_parts in parts.items()
    }
