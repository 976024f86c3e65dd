"""Checks that the states of a run fit its report, so that no others are taken for them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from heads.statistics import OVERALL, Key, State, merge
from pipeline.config.model import Config
from pipeline.evaluation.head_plan import ModelStatistic
from pipeline.slicing.table import SliceTable

# Beyond, a count is no exact float.
_MAX_ROWS = 1 << 53


def check_table(table: SliceTable, config: Config) -> None:
    """Raises ValueError unless slices are those that a configuration asks for.

    Args:
        table: the slices of the run.
        config: the configuration in its report.
    """
    if len(table.specs) != len(config.slices):
        raise ValueError("it has not an entry for each entry of 'slices' in the report")
    for number, (slices, spec) in enumerate(zip(table.specs, config.slices, strict=True)):
        columns = tuple(part.column for part in spec.parts)
        if any(tuple(column for column, _, _ in key) != columns for key in slices.keys):
            raise ValueError(f"slices[{number}] has slices of other columns than the report")
        if len(set(slices.keys)) != len(slices.keys):
            raise ValueError(f"slices[{number}] has a slice twice")
    if not table.largest.issubset(key for spec in table.specs for key in spec.keys):
        raise ValueError("the largest slices are none of the slices")


class ReportedRows(NamedTuple):
    """The rows that a report says a head has in its slices.

    Attributes:
        examples: the rows of the slices in the report, by slice.
        left_out: how many other slices there are.
    """

    examples: dict[Key, int]
    left_out: int

    @classmethod
    def of(cls, head: Mapping[str, Any]) -> ReportedRows:
        """Returns the rows of a head in the report, given as plain data."""
        examples = {_key(entry["slice"]): entry["examples"] for entry in head["slices"]}
        return cls(examples, head["slices_left_out"])


def merge_parts(parts: Sequence[State]) -> State:
    """Returns the state of all partitions of the slices, given the states of the partitions.

    Raises:
        ValueError: if a slice is in two of them.
    """
    whole = merge(parts)
    if len(whole.keys) != sum(len(part.keys) for part in parts):
        raise ValueError(f"{whole.statistic.stable_name} has a slice twice")
    return whole


def check_states(
    states: Mapping[ModelStatistic, State],
    counting: ModelStatistic,
    table: SliceTable,
    reported: ReportedRows,
) -> None:
    """Raises ValueError unless the states of a head fit the slices of the run and its report.

    Args:
        states: the merged states of the head.
        counting: the statistic that counts the rows of every slice.
        table: the slices of the run.
        reported: the rows in the report.
    """
    if counting not in states:
        raise ValueError("it has no counts of the rows by the configuration in the report")
    for measured, state in states.items():
        if float(state.counts["rows"].sum(dtype=float)) >= _MAX_ROWS:
            name = measured.statistic.stable_name
            raise ValueError(f"{name} counts more rows than there can be")
    counted = _rows(states[counting])
    if not {OVERALL, *(key for spec in table.specs for key in spec.keys)}.issuperset(counted):
        raise ValueError("it has rows of a slice that its table of slices has not")
    examples = reported.examples
    same = all(counted.get(key) == count for key, count in examples.items())
    if not same or len(counted) != len(examples) + reported.left_out:
        raise ValueError("it has other rows in the slices than the report")
    for measured, state in states.items():
        # Every row is counted as often as every other one: once, or once for each class, say.
        rows_of_open = zip(state.keys, state.by_segment("rows"), state.closed, strict=True)
        times = {
            float(rows) / counted.get(key, math.nan)
            for key, rows, closed in rows_of_open
            if not closed
        }
        if len(times) > 1 or not all(number.is_integer() for number in times):
            name = measured.statistic.stable_name
            raise ValueError(f"{name} has other rows in the slices than the report")


def _rows(state: State) -> dict[Key, float]:
    """Returns the rows that a state counts, by slice."""
    return dict(zip(state.keys, state.by_segment("rows").tolist(), strict=True))


def _key(conditions: list[dict[str, Any]]) -> Key:
    return tuple((part["column"], part["kind"], part["value"]) for part in conditions)
