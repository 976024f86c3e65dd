"""The entries of `slices` that gates are about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pipeline.config.fields import value_key
from pipeline.config.gates import Gate
from pipeline.config.slices import Slice, SliceColumn
from pipeline.errors.problems import quote
from pipeline.errors.suggest import nearest
from pipeline.errors.wording import first_names
from pipeline.slicing.conditions import (
    MISSING,
    NAN,
    OTHER,
    ColumnCondition,
    bucket_conditions,
    value_condition,
)
from pipeline.slicing.named import named_keys


class Refusal(NamedTuple):
    """Why a gate cannot be judged.

    Attributes:
        key: the key of the gate that is wrong.
        message: what is wrong with it.
    """

    key: str
    message: str


class GateEntries:
    """The entries of `slices`, by their columns.

    Args:
        specs: the entries.
    """

    def __init__(self, specs: Sequence[Slice]) -> None:
        self._parts = [spec.parts for spec in specs]
        self._names = [spec.name for spec in specs]
        self._by_columns: dict[frozenset[str], list[int]] = {}
        for position, parts in enumerate(self._parts):
            columns = frozenset(part.column for part in parts)
            self._by_columns.setdefault(columns, []).append(position)
        # The conditions that the columns of an entry may have.
        self._listed: dict[int, dict[str, dict[ColumnCondition, str] | None]] = {}

    def find(self, gate: Gate) -> int | None:
        """Returns the entry that a gate is about; None if there is none, or not one alone."""
        found = self._of(gate)
        if gate.slice is None:
            return found[0] if len(found) == 1 else None
        return next((position for position in found if self._wrong(gate, position) is None), None)

    def refusal(self, gate: Gate, *, hint: bool) -> Refusal:
        """Returns why there is no entry that a gate is about."""
        found = self._of(gate)
        key = "slices" if gate.slice is None else "slice"
        columns = sorted(gate.columns or ())
        told = _joined([quote(column) for column in columns])
        if not found:
            return Refusal(key, self._no_entry(columns, told, hint))
        if gate.slice is None:
            both = _joined([f"slices[{position}]" for position in found])
            message = f"{both} are all of {told} alone; name a 'slice', or keep one of them"
            return Refusal(key, message)
        wrong = {self._wrong(gate, position) for position in found}
        column = next(column for column in columns if column in wrong)
        return Refusal(key, self._no_value(gate, column, found, hint))

    def _of(self, gate: Gate) -> list[int]:
        return self._by_columns.get(gate.columns or frozenset(), [])

    def _wrong(self, gate: Gate, position: int) -> str | None:
        """Returns a column that does not have a value of a gate in an entry; None if all have."""
        assert gate.slice is not None
        if position not in self._listed:
            self._listed[position] = {part.column: _listed(part) for part in self._parts[position]}
        for column, listed in self._listed[position].items():
            asked = [key[0][1:] for key in named_keys({column: gate.slice[column]})]
            if listed is not None and not any(condition in listed for condition in asked):
                return column
        return None

    def _no_entry(self, columns: Sequence[str], told: str, hint: bool) -> str:
        if not self._parts:
            return "the configuration has no 'slices'"
        if not hint:
            return f"no entry of 'slices' is of {told} alone"
        known = {column for group in self._by_columns for column in group}
        for column in columns:
            if column not in known:
                return f"no entry of 'slices' has the column {unknown(column, sorted(known))}"
        return f"no entry of 'slices' is of {told} alone; there are: {first_names(self._names)}"

    def _no_value(self, gate: Gate, column: str, found: Sequence[int], hint: bool) -> str:
        assert gate.slice is not None
        value = gate.slice[column]
        names: dict[str, str] = {}
        for position in found:
            for (kind, plain), shown in (self._listed[position][column] or {}).items():
                if kind != OTHER:
                    names.setdefault("null" if plain is None else str(plain), shown)
        told = f"{value_key(value).shown} is no slice of column {quote(column)}"
        if not hint:
            return told
        near = nearest(str(value), names)
        if isinstance(value, int | float) and not isinstance(value, bool):
            near = next((name for name in names if _in_bucket(value, name)), near)
        end = (
            f"did you mean {names[near]}?"
            if near
            else f"there are: {first_names([*names.values()])}"
        )
        return f"{told}; {end}"


def _listed(part: SliceColumn) -> dict[ColumnCondition, str] | None:
    """Returns the conditions that a column may have, and how they are written; None for any."""
    if part.values is not None:
        listed = {value_condition(value): value_key(value).shown for value in part.values}
    elif part.edges is not None:
        listed = {
            condition: quote(str(condition[1])) for condition in bucket_conditions(part.edges)
        }
        listed |= {NAN: "'nan'", MISSING: "null"}
    else:
        return None
    return {**listed, (OTHER, None): "'(other)'"}


def _in_bucket(value: float, name: str) -> bool:
    """Returns whether a number is in the bucket of a name, such as `[18, 30)`."""
    low, comma, high = name[1:-1].partition(", ")
    return bool(comma) and float(low) <= value < float(high)


def unknown(name: str, names: Sequence[str]) -> str:
    """Returns a name that there is not, and what was meant or what there is."""
    near = nearest(name, names)
    end = f"did you mean '{near}'?" if near else f"there are: {first_names(names)}"
    return f"{quote(name)}; {end}"


def _joined(words: Sequence[str]) -> str:
    """Returns words as a list that ends with "and"."""
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
