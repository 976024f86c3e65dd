"""The segments of a batch: one measurement for slices that can be measured together."""

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
    """One measurement of a batch.

    Attributes:
        segments: the segment of each entry; their keys are numbers that no slice has. The list of
            keys is the same object as long as nothing was added to it.
        slices: for each key the slices that its rows belong to, `OVERALL` among them in one pass.
        top_slice: bool `[k]`, for each key whether it is part of one of the largest slices or of
            `OVERALL`.
    """

    segments: Segments
    slices: Sequence[Sequence[Key]]
    top_slice: npt.NDArray[np.bool_]


class Slicer:
    """Gives batches their segments.

    Specs of few slices are measured together, in the cross of their columns or slices, and rolled
    up afterwards: states are exact, so that costs no digit. Specs with slices that are not among
    the largest are measured each in a pass of their own, and so is a spec of a batch in which rows
    have several values of one of its columns.

    The pass at one position has all keys that it ever had, and they go with the same slices from
    batch to batch, whichever specs it measures. There are never fewer passes than before; one that
    a batch has no use for has no entries.

    Args:
        specs: the entries of `slices`.
        table: their slices.
    """

    def __init__(self, specs: Sequence[Slice], table: SliceTable) -> None:
        seen: dict[str, dict[ColumnCondition, None]] = {}
        for spec, slices in zip(specs, table.specs, strict=True):
            for place, part in enumerate(spec.parts):
                own = seen.setdefault(repr(part), {})
                own.update((key[place][1:], None) for key in slices.keys if key[place][1] != OTHER)
        codes = {
            repr(part): make_codes(part, list(seen[repr(part)]))
            for spec in specs
            for part in spec.parts
        }
        self._specs = [
            SpecResolver(spec, slices, [codes[repr(part)] for part in spec.parts])
            for spec, slices in zip(specs, table.specs, strict=True)
        ]
        self._columns = sorted({part.column for spec in specs for part in spec.parts})
        self._largest = table.largest
        self._positions: list[_PassKeys] = []
        self._ids = count()
        self._layouts: dict[frozenset[str], list[_PassPlan]] = {}

    def segments(self, rows: Rows) -> list[Pass]:
        """The passes over a batch; the slices of `OVERALL` come from the first alone.

        Raises:
            ColumnError: if rows cannot be sliced by a column, if a row is in too many slices, or if
                it is in one that was not there when slices were counted.
        """
        several = frozenset(name for name in self._columns if has_several(rows.column(name)))
        if several not in self._layouts:
            self._layouts[several] = self._layout(several)
        known: dict[int, Entries] = {}
        measured = [one.measure(rows, known) for one in self._layouts[several]]
        return measured + [position.nothing() for position in self._positions[len(measured) :]]

    def _layout(self, several: frozenset[str]) -> list[_PassPlan]:
        joint = []
        alone = []
        for number, spec in enumerate(self._specs):
            multivalent = not several.isdisjoint(part.column for part in spec.spec.parts)
            if multivalent or not self._largest.issuperset(spec.keys):
                alone.append(number)
            else:
                joint.append(number)
        groups = group_specs(self._specs, joint) or [Group(())]
        groups += [Group((number,), factors=(number,), alone=True) for number in alone]
        while len(self._positions) < len(groups):
            self._positions.append(_PassKeys(self._largest, self._ids))
        # A slice of two specs is measured for the first of them.
        owner: dict[Key, int] = {}
        for group in groups:
            for number in group.specs:
                for key in self._specs[number].keys:
                    owner.setdefault(key, number)
        return [
            _PassPlan(self._specs, group, place, position, owner)
            for place, (group, position) in enumerate(zip(groups, self._positions, strict=False))
        ]


class _PassKeys:
    """The segments of the passes at one position of the list, whichever specs they measure."""

    def __init__(self, largest: frozenset[Key], ids: Iterable[int]) -> None:
        self._largest = largest
        self._ids = iter(ids)
        self.keys: list[Key] = []
        self.slices: list[tuple[Key, ...]] = []
        self.top_slice = np.zeros(0, np.bool_)

    def nothing(self) -> Pass:
        """A pass of no entries."""
        none = np.zeros(0, np.int64)
        return Pass(Segments(none, self.keys, none), self.slices, self.top_slice)

    def extend(self, slices: Sequence[tuple[Key, ...]]) -> None:
        """Adds segments; the lists that were given out before stay as they are."""
        self.keys = self.keys + [(("pass", "int", next(self._ids)),) for _ in slices]
        self.slices = self.slices + list(slices)
        top_slice = [any(key == OVERALL or key in self._largest for key in one) for one in slices]
        self.top_slice = np.append(self.top_slice, np.array(top_slice, np.bool_))


class _PassPlan:
    """One pass: the specs of a group, which are measured together, or one spec alone."""

    def __init__(
        self,
        specs: Sequence[SpecResolver],
        group: Group,
        place: int,
        position: _PassKeys,
        owner: dict[Key, int],
    ) -> None:
        self._specs = specs
        self._group = group
        self._first = place == 0
        self._position = position
        self._owner = owner
        self._joint = CrossResolver(specs, group)
        self._segment = np.full(self._joint.size, NOWHERE)
        if group.alone:
            (number,) = group.specs
            owned = (owner[key] == number for key in specs[number].keys)
            # The last is for rows in no slice.
            self._owned = np.array([*owned, False])

    def measure(self, rows: Rows, known: dict[int, Entries]) -> Pass:
        """The pass over a batch; columns that other passes have asked for are `known`."""
        mixed, of = self._mixed(rows, known)
        index: Ints = self._segment.take(mixed)
        if len(index) and index.min() == NOWHERE:
            self._add(np.unique(mixed[index == NOWHERE]), mixed, rows)
            index = self._segment.take(mixed)
        position = self._position
        return Pass(Segments(index, position.keys, of), position.slices, position.top_slice)

    def _add(self, new: Ints, mixed: Ints, rows: Rows) -> None:
        """Gives combinations that come for the first time a segment."""
        found: list[tuple[Key, ...]] = []
        for combination in new.tolist():
            try:
                slices = self._joint.slices(combination)
            except ChangedError as error:
                row = rows.numbers[np.flatnonzero(mixed == combination)[0]]
                raise self._specs[error.spec].changed(row) from error
            own = dict.fromkeys(key for number, key in slices if self._owner[key] == number)
            found.append((*own, OVERALL) if self._first else tuple(own))
        start = len(self._position.keys)
        self._position.extend(found)
        self._segment[new] = np.arange(start, start + len(new))

    def _mixed(self, rows: Rows, known: dict[int, Entries]) -> tuple[Ints, Ints | None]:
        """The combination of each entry, and its row; None if the entries are the rows."""
        if self._group.alone:
            return self._alone(rows, known)
        mixed: Ints = np.zeros(0 if self._joint.sizes else len(rows), np.int64)
        for place, size in enumerate(self._joint.sizes):
            if self._group.parts:
                number, column = self._group.parts[place]
                digit = self._entries(number, column, rows, known).codes[0] + 1
            else:
                digit = self._slices(self._group.factors[place], rows, known)[0] + 1
            mixed = digit if place == 0 else mixed * size + digit
        return mixed, None

    def _alone(self, rows: Rows, known: dict[int, Entries]) -> tuple[Ints, Ints | None]:
        """The slices of the one spec, of rows that are in one that is measured here."""
        (number,) = self._group.factors
        spec = self._specs[number]
        found, of = self._slices(number, rows, known)
        inside = self._owned[found]
        if not inside.all():
            kept = np.flatnonzero(inside)
            found, of = found[kept], kept if of is None else of[kept]
        if of is not None and spec.has_other:
            # Several values of a row may have been merged into `other`.
            every = len(spec.keys)
            of, found = np.divmod(distinct(of * every + found, len(rows) * every), every)
        return found + 1, of

    def _slices(
        self, number: int, rows: Rows, known: dict[int, Entries]
    ) -> tuple[Ints, Ints | None]:
        spec = self._specs[number]
        places = range(len(spec.codes))
        parts = [self._entries(number, place, rows, known) for place in places]
        entries = cross_entries([part.column for part in spec.spec.parts], parts, rows)
        return spec.numbers(entries, rows), entries.rows

    def _entries(self, number: int, place: int, rows: Rows, known: dict[int, Entries]) -> Entries:
        spec = self._specs[number]
        codes, part = spec.codes[place], spec.spec.parts[place]
        return part_entries(part, codes, rows, known)
