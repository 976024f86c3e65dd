"""Two finished runs compared by their states: what the second changed, and in which slices."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics import Key, State, merge, same
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.head_plan import CANDIDATE, HeadPlan, identity_statistic
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.readers.storage import OpenFile, open_local
from pipeline.report.report_json import headline, values_data, worse_data
from pipeline.results.estimates import difference
from pipeline.results.readings import Readings
from pipeline.results.regressions import worse_slices
from pipeline.results.results import Results
from pipeline.results.views import read_model, slice_views
from pipeline.runs.read import read_run
from pipeline.runs.states_zip import unzip_states
from pipeline.slicing.names import report_order, slice_data
from pipeline.slicing.table import SliceTable

# Slices that are compared at a time.
_TOGETHER = 64


@dataclass(frozen=True, eq=False)
class Run:
    """A finished run.

    Attributes:
        directory: where it is.
        plan: its plan.
        table: its slices.
        states: its merged states by head and position in what is measured.
    """

    directory: str
    plan: Plan
    table: SliceTable
    states: Mapping[tuple[str, int], State]


def load_run(directory: str, open_file: OpenFile = open_local) -> Run:
    """Reads a finished run.

    Args:
        directory: where it is.
        open_file: opens a file.

    Raises:
        ConfigError: if there is none in the directory, or if it is damaged.
    """
    report_json, states_zip = read_run(directory, ("report.json", "states.zip"), open_file)
    try:
        config = Config.model_validate(json.loads(report_json)["config"])
        table, parts = unzip_states(states_zip)
    except (OSError, ValueError, KeyError, TypeError) as error:
        message = f"the run cannot be read, run it again with this release: {error}"
        raise ConfigError([Problem(directory, (), message)]) from error
    pieces: dict[tuple[str, int], list[State]] = {}
    for key, state in sorted(parts.items()):
        pieces.setdefault((key.head, key.statistic), []).append(state)
    plan = make_plan(config, directory, open_file)
    if not _fit(plan, pieces):
        message = "holds states that do not fit its report; run it again with this release"
        raise ConfigError([Problem(directory, (), message)])
    states = {key: merge(own) for key, own in pieces.items()}
    return Run(directory, plan, table, states)


def _fit(plan: Plan, pieces: Mapping[tuple[str, int], Sequence[State]]) -> bool:
    """Whether there is a count of the rows of every head, and no state but what is measured."""
    measured = {
        (name, number): own.statistic
        for name, head in plan.heads.items()
        for number, own in enumerate(head.measured)
    }
    return all((name, 0) in pieces for name in plan.heads) and all(
        state.statistic == measured.get(key) for key, own in pieces.items() for state in own
    )


def diff(baseline: Run, candidate: Run) -> dict[str, Any]:
    """The metrics of the candidate less those of the baseline, as plain data.

    Rows are paired, which makes for narrower intervals, if in every fold both runs saw as many rows
    and the same ones; the fold of a row is that of its file name and number, or of its key.

    Raises:
        ConfigError: if the runs have no head of one name and type in common.
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


def _diff_head(name: str, baseline: Run, candidate: Run) -> dict[str, Any]:
    head = candidate.plan.heads[name]
    unpaired = _unpaired(name, baseline, candidate)
    results = list(_results(name, baseline, candidate, paired=unpaired is None))
    place = {key: (each, at) for each in results for at, key in enumerate(each.keys)}
    worse = worse_slices(candidate.plan.config, candidate.table, results)
    smallest = candidate.plan.config.min_slice_size
    return {
        "type": head.config.type,
        "paired": unpaired is None,
        "unpaired_because": unpaired,
        "headline": headline(head),
        "slices": [
            {
                "slice": slice_data(key),
                "examples": each.examples[at],
                "small": each.examples[at] < smallest,
                "difference": values_data(each.differences, at),
            }
            for key, (each, at) in place.items()
        ],
        "worse": worse_data(worse),
    }


def _results(name: str, baseline: Run, candidate: Run, *, paired: bool) -> Iterator[Results]:
    own, other = candidate.states[name, 0], baseline.states[name, 0]
    common = set(own.keys) & set(other.keys)
    keys = [key for key in report_order(candidate.table) if key in common]
    level = candidate.plan.config.confidence.level
    for first in range(0, len(keys), _TOGETHER):
        chosen = tuple(keys[first : first + _TOGETHER])
        new, old = (_read(run, name, chosen) for run in (candidate, baseline))
        matching = np.array([paired and _same_rows(own, other, key) for key in chosen], bool)
        with np.errstate(all="ignore"):
            found = difference(new, old, level, matching)
        examples = own.take([own.keys.index(key) for key in chosen])
        rows = dict(zip(examples.keys, examples.by_segment("rows").tolist(), strict=True))
        yield Results(name, chosen, tuple(int(rows[key]) for key in chosen), (), (), found)


def _read(run: Run, name: str, keys: tuple[Key, ...]) -> dict[str, Readings]:
    head = run.plan.heads[name]
    states = {
        number: state.take([place for place, key in enumerate(state.keys) if key in keys])
        for (of, number), state in run.states.items()
        if of == name
    }
    filled = {number: state for number, state in states.items() if state.keys}
    with np.errstate(all="ignore"):
        return read_model(head, CANDIDATE, slice_views(head, run.table, keys, filled))


def _unpaired(name: str, baseline: Run, candidate: Run) -> str | None:
    """Why the rows of two runs are not paired; None if they are."""
    folds = [run.plan.folds for run in (baseline, candidate)]
    if 1 in folds:
        return "a run was made without folds"
    if folds[0] != folds[1]:
        return f"the runs have {folds[0]} and {folds[1]} folds"
    keys = [run.plan.config.confidence.key for run in (baseline, candidate)]
    if keys[0] != keys[1]:
        return "the runs have different keys ('confidence.key')"
    states = [_identity(run, name) for run in (baseline, candidate)]
    if not same(*states):
        return "the runs saw different rows, or rows in other files, labels or weights"
    return None


def _identity(run: Run, name: str) -> State:
    """How many rows each fold has, and their hashes added up."""
    head: HeadPlan = run.plan.heads[name]
    wanted = identity_statistic(run.plan.folds)
    number = next(n for n, own in enumerate(head.measured) if own.statistic == wanted)
    return run.states[name, number]


def _same_rows(first: State, second: State, key: Key) -> bool:
    """Whether a slice has as many rows in each fold."""
    return np.array_equal(_rows_by_fold(first, key), _rows_by_fold(second, key))


def _rows_by_fold(state: State, key: Key) -> npt.NDArray[np.int64]:
    own = state.take([state.keys.index(key)])
    fold = own.group // own.statistic.groups
    rows: npt.NDArray[np.int64] = np.zeros(own.statistic.folds, np.int64)
    np.add.at(rows, fold, own.counts["rows"])
    return rows
