"""Compares two finished runs by their states: what the second changed, and in which slices."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.head_plan import (
    CANDIDATE,
)
from pipeline.report.report_json import comparison_data, headline, values_data
from pipeline.results.differences import difference
from pipeline.results.estimated import Estimates
from pipeline.results.estimates import estimate
from pipeline.results.pairing import paired_slices, same_slices, unpaired_because
from pipeline.results.results import Results
from pipeline.results.run_states import RunStates
from pipeline.slicing.names import report_order, slice_data

# This many slices are compared at a time.
_TOGETHER = 64


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
