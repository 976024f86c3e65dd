"""Compares two finished runs by their states: what the second changed, and in which slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from heads.metrics.core.plugins import Plugin
from heads.statistics import State
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.head_plan import (
    CANDIDATE,
    HeadPlan,
    ModelStatistic,
    identity_statistic,
)
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.state_key import StateKey
from pipeline.readers.storage import OpenFile, open_local
from pipeline.report.report_json import comparison_data, headline, values_data
from pipeline.report.report_layout import parse_report
from pipeline.results.differences import difference
from pipeline.results.estimated import Estimates
from pipeline.results.estimates import estimate
from pipeline.results.pairing import paired_slices, same_slices, unpaired_because
from pipeline.results.results import Results
from pipeline.results.run_states import RunStates
from pipeline.runs.fitting import ReportedRows, check_states, check_table, merge_parts
from pipeline.runs.plugins import plugins_of
from pipeline.runs.states_zip import unzip_states
from pipeline.runs.verify import explained, open_run
from pipeline.slicing.names import report_order, slice_data
from pipeline.slicing.table import SliceTable

# This many slices are compared at a time.
_TOGETHER = 64


def load_run(
    directory: str, open_file: OpenFile = open_local, plugins: Sequence[Plugin] = ()
) -> RunStates:
    """Reads a finished run, of which it believes nothing that its manifest does not vouch for.

    Args:
        directory: the directory of the run.
        open_file: opens a file.
        plugins: the plugins that the user named; no other code is imported for the run.

    Raises:
        ConfigError: if the directory holds no finished run, if the run is damaged, or if it has
            metrics of other plugins, or of others of the same name.
        StorageError: if files elsewhere cannot be reached.
    """
    run = open_run(directory, open_file)
    with explained(directory, "report.json"):
        report = parse_report(run.read("report.json"))
        # Opens nothing: the configuration in a report names no files.
        wanted = plugins_of(run, report.config.plugins, plugins)
        plan = make_plan(report.config, directory, plugins=wanted)
        rows = {name: ReportedRows.of(report.data["heads"][name]) for name in plan.heads}
        del report
    with explained(directory, "states.zip"):
        table, states = _load_states(plan, run.read("states.zip"))
        check_table(table, plan.config)
        for name, head in plan.heads.items():
            check_states(states[name], head.counting, table, rows[name])
    return RunStates(directory, plan, table, states)


def _load_states(
    plan: Plan, content: bytes
) -> tuple[SliceTable, dict[str, dict[ModelStatistic, State]]]:
    """Returns the slices, and the merged states of all heads that a comparison reads.

    Args:
        plan: the plan of the run.
        content: the content of `states.zip`.
    """
    wanted = {
        StateKey.of(name, measured).series
        for name, head in plan.heads.items()
        for measured in _compared(head, plan.folds)
    }
    table, archived = unzip_states(content, wanted)
    parts: dict[str, dict[ModelStatistic, list[State]]] = {name: {} for name in plan.heads}
    for key, state in archived.items():
        measured = ModelStatistic(key.model, state.statistic)
        parts[key.head].setdefault(measured, []).append(state)
    return table, {
        name: {measured: merge_parts(states) for measured, states in head_parts.items()}
        for name, head_parts in parts.items()
    }


def _compared(head: HeadPlan, folds: int) -> set[ModelStatistic]:
    """Returns the statistics of a head that a comparison reads: those of its candidate."""
    metrics = head.models[CANDIDATE].metrics.values()
    statistics = {head.counting.statistic, identity_statistic(folds)}
    for metric in metrics:
        statistics |= {measured for measured in metric.measured if measured is not None}
    return {ModelStatistic(CANDIDATE, statistic) for statistic in statistics}


def diff(baseline: RunStates, candidate: RunStates) -> dict[str, Any]:
    """Returns the metrics of the candidate minus those of the baseline, as plain data.

    Rows are paired, which makes intervals narrower, if both runs saw the same rows in every fold.
    The fold of a row follows from its file name and number, or from its key.

    Raises:
        ConfigError: if no head has the same name and type in both runs.
    """
    heads = {
        name: _diff_head(name, baseline, candidate)
        for name, head in sorted(candidate.plan.heads.items())
        if name in baseline.plan.heads and baseline.plan.heads[name].config.type == head.config.type
    }
    if not heads:
        message = f"has no head of the same name and type as one of {baseline.directory}"
        raise ConfigError([Problem(candidate.directory, ("heads",), message)])
    return {
        "headcount_diff": 1,
        "config": {"confidence": {"level": candidate.plan.config.confidence.level}},
        "heads": heads,
    }


def _diff_head(name: str, baseline: RunStates, candidate: RunStates) -> dict[str, Any]:
    head = candidate.plan.heads[name]
    unpaired = unpaired_because(name, baseline, candidate)
    results = list(_results(name, baseline, candidate, paired=unpaired is None))
    place = {key: (part, at) for part in results for at, key in enumerate(part.keys)}
    smallest = candidate.plan.config.min_slice_size
    return {
        "type": head.config.type,
        "paired": unpaired is None,
        "unpaired_because": unpaired,
        "headline": headline(head),
        "not_compared": _not_compared(name, baseline, candidate, results),
        "slices": [
            {
                "slice": slice_data(key),
                "examples": part.examples[at],
                "small": part.examples[at] < smallest,
                "candidate": _plain_values(part.models[0], part.models[1], at),
                "baseline": _plain_values(part.models[1], part.models[0], at),
                "difference": values_data(part.differences, at),
            }
            for key, (part, at) in place.items()
        ],
        **comparison_data(candidate.plan, candidate.table, head, results),
    }


def _plain_values(
    run: Mapping[str, Estimates], other: Mapping[str, Estimates], at: int
) -> dict[str, float | None]:
    """Returns the values of a run in a slice, of the metrics of both runs; None where undefined."""
    return {
        name: None if math.isnan(metric.value[at]) else float(metric.value[at])
        for name, metric in run.items()
        if name in other
    }


def _not_compared(
    name: str, baseline: RunStates, candidate: RunStates, results: Sequence[Results]
) -> list[str]:
    """Returns the metrics of both runs that some slices lack, because states are missing."""
    new, old = (run.plan.heads[name].models[CANDIDATE].metrics for run in (candidate, baseline))
    both = [metric for metric in new if metric in old]
    return [
        metric
        for metric in both
        if new[metric].comparable and any(metric not in part.differences for part in results)
    ]


def _results(
    name: str, baseline: RunStates, candidate: RunStates, *, paired: bool
) -> Iterator[Results]:
    """Yields the differences of two runs, for a few slices at a time."""
    common = set(candidate.row_counts(name).keys) & set(baseline.row_counts(name).keys)
    both = [key for key in report_order(candidate.table) if key in common]
    keys = same_slices(baseline, candidate, both)
    level = candidate.plan.config.confidence.level
    for first in range(0, len(keys), _TOGETHER):
        chosen = tuple(keys[first : first + _TOGETHER])
        new, old = (run.read(name, chosen) for run in (candidate, baseline))
        matching = np.zeros(len(chosen), bool)
        if paired:
            matching = paired_slices(name, baseline, candidate, chosen)
        with np.errstate(all="ignore"):
            differences = difference(new, old, level, matching)
            models = estimate(new, level), estimate(old, level)
        examples = candidate.examples(name, chosen)
        yield Results(name, chosen, examples, models, (), differences)
