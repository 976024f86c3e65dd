"""Gives batches their segments; slices that can be measured together share a segment."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
import numpy.typing as npt

from heads.statistics import OVERALL, Key, Segments
from pipeline.config.slices import Slice
from pipeline.readers.rows import Rows
from pipeline.slicing.codes import NOWHERE, make_codes
from pipeline.slicing.conditions import OTHER, ColumnCondition
from pipeline.slicing.entries import Entries, cross_entries, has_several, part_entries
from pipeline.slicing.grouping import ChangedError, CrossResolver, Group, group_specs
from pipeline.slicing.numbering import Ints, distinct
from pipeline.slicing.resolving import SpecResolver
from pipeline.slicing.table import SliceTable


@dataclass(frozen=True, eq=False)
class Pass:
    """One pass over a batch, which measures the rows of some specs.

    Attributes:
        segments: the segment of every entry. The keys of the segments are numbers, which are not
            the keys of slices. The list of keys is the same object until a key is added.
        slices: for each key of a segment the slices that its rows belong to. `OVERALL` is among
            them in the first pass only.
        top_slice: bool `[k]`, for each key whether any of its slices is `OVERALL` or one of the
            largest slices.
    """

    segments: Segments
    slices: Sequence[Sequence[Key]]
    top_slice: npt.NDArray[np.bool_]


class Slicer:
    """A slicer, which gives batches their segments.

    Specs of few slices are measured together, in the cross of their columns or slices, and their
    states are added up to slices afterwards. States are exact, so this loses no digit. A spec has a
    pass for itself if some of its slices are not among the largest, and in a batch in which rows
    have several values of one of its columns.

    The pass at one position of the list has all keys that it ever had. A key means the same slices
    in all batches, whichever specs the pass measures. The number of passes never falls: a pass that
    a batch does not need has no entries.

    Args:
        specs: the entries of `slices`.
        table: the slices of the specs.
    """

    def __init__(self, specs: Sequence[Slice], table: SliceTable) -> None:
        # The conditions of every column of a spec; a dict keeps their order.
        conditions: dict[str, dict[ColumnCondition, None]] = {}
        for spec, slices in zip(specs, table.specs, strict=True):
            for column, part in enumerate(spec.parts):
                conditions.setdefault(repr(part), {}).update(
                    (key[column][1:], None) for key in slices.keys if key[column][1] != OTHER
                )
        codes = {
            repr(part): make_codes(part, list(conditions[repr(part)]))
            for spec in specs
            for part in spec.parts
        }
        self._resolvers = [
            SpecResolver(spec, slices, [codes[repr(part)] for part in spec.parts])
            for spec, slices in zip(specs, table.specs, strict=True)
        ]
        self._columns = sorted({part.column for spec in specs for part in spec.parts})
        self._largest = table.largest
        # The segments by the position of the pass, and the plans by the columns of several values.
        self._pass_keys: list[_PassKeys] = []
        self._ids = count()
        self._plans: dict[frozenset[str], list[_PassPlan]] = {}

    def segments(self, rows: Rows) -> list[Pass]:
        """Returns the passes over a batch; only the first has `OVERALL` among its slices.

        Raises:
            ColumnError: if rows cannot be sliced by a column, if a row is in too many slices, or if
                it is in a slice that was not there when slices were counted.
        """
        several = frozenset(name for name in self._columns if has_several(rows.column(name)))
        if several not in self._plans:
            self._plans[several] = self._make_plans(several)
        known: dict[int, Entries] = {}
        passes = [plan.measure(rows, known) for plan in self._plans[several]]
        return passes + [keys.empty_pass() for keys in self._pass_keys[len(passes) :]]

    def _make_plans(self, several: frozenset[str]) -> list[_PassPlan]:
        """Returns the plans of the passes, if rows have several values in these columns."""
        joint = []
        alone = []
        for number, resolver in enumerate(self._resolvers):
            multivalent = not several.isdisjoint(part.column for part in resolver.spec.parts)
            if multivalent or not self._largest.issuperset(resolver.keys):
                alone.append(number)
            else:
                joint.append(number)
        groups = group_specs(self._resolvers, joint) or [Group(())]
        groups += [Group((number,), crossed_specs=(number,), alone=True) for number in alone]
        while len(self._pass_keys) < len(groups):
            self._pass_keys.append(_PassKeys(self._largest, self._ids))
        # A slice that several specs have is measured for the first of them only.
        measuring_spec: dict[Key, int] = {}
        for group in groups:
            for number in group.specs:
                for key in self._resolvers[number].keys:
                    measuring_spec.setdefault(key, number)
        return [
            _PassPlan(self._resolvers, group, position, keys, measuring_spec)
            for position, (group, keys) in enumerate(zip(groups, self._pass_keys, strict=False))
        ]


class _PassKeys:
    """The segments of the passes at one position of the list, whichever specs they measure.

    Args:
        largest: the keys of the largest slices.
        ids: new numbers for the keys of segments; all positions share them.

    Attributes:
        keys: the keys of the segments.
        slices: for each key the slices that its rows belong to.
        top_slice: bool `[k]`, for each key whether any of its slices is `OVERALL` or one of the
            largest slices.
    """

    def __init__(self, largest: frozenset[Key], ids: Iterable[int]) -> None:
        self._largest = largest
        self._ids = iter(ids)
        self.keys: list[Key] = []
        self.slices: list[tuple[Key, ...]] = []
        self.top_slice = np.zeros(0, np.bool_)

    def empty_pass(self) -> Pass:
        """Returns a pass without entries."""
        empty = np.zeros(0, np.int64)
        return Pass(Segments(empty, self.keys, empty), self.slices, self.top_slice)

    def extend(self, new: Sequence[tuple[Key, ...]]) -> None:
        """Adds a segment for every tuple of slices; lists given out before do not change."""
        self.keys = self.keys + [(("pass", "int", next(self._ids)),) for _ in new]
        self.slices = self.slices + list(new)
        top_slice = [
            any(key == OVERALL or key in self._largest for key in slices) for slices in new
        ]
        self.top_slice = np.append(self.top_slice, np.array(top_slice, np.bool_))


class _PassPlan:
    """The plan of one pass, which measures the specs of a group.

    Args:
        resolvers: the resolvers of all specs.
        group: the group.
        position: the position of the pass in the list.
        keys: the segments of the passes at this position.
        measuring_spec: for the key of every slice the position of the spec it is measured for.
    """

    def __init__(
        self,
        resolvers: Sequence[SpecResolver],
        group: Group,
        position: int,
        keys: _PassKeys,
        measuring_spec: dict[Key, int],
    ) -> None:
        self._resolvers = resolvers
        self._group = group
        self._has_overall = position == 0
        self._keys = keys
        self._measuring_spec = measuring_spec
        self._cross = CrossResolver(resolvers, group)
        # The segment of every combination; `NOWHERE` for those that did not occur yet.
        self._segment_of = np.full(self._cross.size, NOWHERE)
        if group.alone:
            (number,) = group.specs
            measured = (measuring_spec[key] == number for key in resolvers[number].keys)
            # The last is for `NOWHERE`, which is -1: rows in no slice.
            self._measured = np.array([*measured, False])

    def measure(self, rows: Rows, known: dict[int, Entries]) -> Pass:
        """Returns the pass over a batch; `known` has entries that other passes have computed."""
        combinations, entry_rows = self._combinations(rows, known)
        index: Ints = self._segment_of.take(combinations)
        if len(index) and index.min() == NOWHERE:
            self._add_segments(np.unique(combinations[index == NOWHERE]), combinations, rows)
            index = self._segment_of.take(combinations)
        segments = Segments(index, self._keys.keys, entry_rows)
        return Pass(segments, self._keys.slices, self._keys.top_slice)

    def _add_segments(self, new: Ints, combinations: Ints, rows: Rows) -> None:
        """Gives a segment to combinations that occur for the first time.

        Args:
            new: the new combinations, which are distinct.
            combinations: the combination of every entry.
            rows: the rows of the batch.
        """
        new_slices: list[tuple[Key, ...]] = []
        for combination in new.tolist():
            try:
                slices = self._cross.slices(combination)
            except ChangedError as error:
                row = rows.numbers[np.flatnonzero(combinations == combination)[0]]
                raise self._resolvers[error.spec].changed(row) from error
            keys = dict.fromkeys(
                key for number, key in slices if self._measuring_spec[key] == number
            )
            new_slices.append((*keys, OVERALL) if self._has_overall else tuple(keys))
        start = len(self._keys.keys)
        self._keys.extend(new_slices)
        self._segment_of[new] = np.arange(start, start + len(new))

    def _combinations(self, rows: Rows, known: dict[int, Entries]) -> tuple[Ints, Ints | None]:
        """Returns the combination and the row of every entry; no rows if entry i is row i."""
        if self._group.alone:
            return self._combinations_alone(rows, known)
        combinations: Ints = np.zeros(0 if self._cross.sizes else len(rows), np.int64)
        for place, size in enumerate(self._cross.sizes):
            if self._group.crossed_columns:
                number, column = self._group.crossed_columns[place]
                digit = self._column_entries(number, column, rows, known).codes[0] + 1
            else:
                digit = self._slice_positions(self._group.crossed_specs[place], rows, known)[0] + 1
            combinations = digit if place == 0 else combinations * size + digit
        return combinations, None

    def _combinations_alone(
        self, rows: Rows, known: dict[int, Entries]
    ) -> tuple[Ints, Ints | None]:
        """Returns what `_combinations` does, of the entries in slices that this pass measures."""
        (number,) = self._group.crossed_specs
        resolver = self._resolvers[number]
        positions, entry_rows = self._slice_positions(number, rows, known)
        mask = self._measured[positions]
        if not mask.all():
            kept = np.flatnonzero(mask)
            positions, entry_rows = (
                positions[kept],
                kept if entry_rows is None else entry_rows[kept],
            )
        if entry_rows is not None and resolver.has_other:
            # Several values of a row may have been merged into `other`.
            n_slices = len(resolver.keys)
            numbers = distinct(entry_rows * n_slices + positions, len(rows) * n_slices)
            entry_rows, positions = np.divmod(numbers, n_slices)
        return positions + 1, entry_rows

    def _slice_positions(
        self, number: int, rows: Rows, known: dict[int, Entries]
    ) -> tuple[Ints, Ints | None]:
        """Returns for every entry of a spec the position of its slice, and its row."""
        resolver = self._resolvers[number]
        columns = range(len(resolver.column_codes))
        parts = [self._column_entries(number, column, rows, known) for column in columns]
        entries = cross_entries([part.column for part in resolver.spec.parts], parts, rows)
        return resolver.positions(entries, rows), entries.rows

    def _column_entries(
        self, number: int, column: int, rows: Rows, known: dict[int, Entries]
    ) -> Entries:
        """Returns the entries of the column at a position of a spec."""
        resolver = self._resolvers[number]
        codes, part = resolver.column_codes[column], resolver.spec.parts[column]
        return part_entries(part, codes, rows, known)
