"""Counting the rows of every slice, before it is decided which are kept."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from heads.statistics import Condition, Key
from heads.statistics.keys import key_text
from pipeline.config.slices import Slice
from pipeline.readers.rows import Mask, Rows
from pipeline.slicing.codes import NOWHERE, Codes, make_codes
from pipeline.slicing.entries import Entries, cross_entries, part_entries
from pipeline.slicing.numbering import Ints, Numbering

PARTS = 64
"""The slices of a spec are counted in so many parts, so that none grows too large to be sent."""

# Codes of one column, below the number of what comes before it, in an int64.
_CODE_BITS = 31


@dataclass(frozen=True)
class SliceCounts:
    """Rows by slice, in one part of the slices of a spec; not to be changed.

    Attributes:
        counts: rows by the text of the key; empty if there were too many.
        over: whether there were more distinct slices than may be counted.
        several: whether a row was in several slices.
        more: how many slices `keep` left out.
        more_rows: their rows.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    over: bool = False
    several: bool = False
    more: int = 0
    more_rows: int = 0

    def keep(self, most: int) -> SliceCounts:
        """These counts with the slices of the most rows alone, ties by name; the last step.

        `decide` decides the same if it is given no fewer than a spec keeps.
        """
        if len(self.counts) <= most:
            return self
        kept = dict(
            heapq.nsmallest(most, self.counts.items(), key=lambda item: (-item[1], item[0]))
        )
        left = sum(self.counts.values()) - sum(kept.values())
        return SliceCounts(kept, self.over, self.several, len(self.counts) - most, left)


def merge_counts(counts: Iterable[SliceCounts], max_distinct: int) -> SliceCounts:
    """The sum of counts of one part of a spec, in whatever order they come.

    Args:
        counts: what to add.
        max_distinct: beyond so many slices nothing is kept but that they were too many.
    """
    total: dict[str, int] = {}
    over = several = False
    for one in counts:
        if one.more:
            raise ValueError("Counts are merged before they are cut; call keep() last.")
        several |= one.several
        over |= one.over
        if over:
            total = {}
            continue
        for text, rows in one.counts.items():
            total[text] = total.get(text, 0) + rows
        over = len(total) > max_distinct
    return SliceCounts({} if over else total, over, several)


class SliceCounter:
    """Counts the rows of the slices of every spec.

    Args:
        specs: the entries of `slices`.
        max_distinct: so many distinct slices of a spec are counted.
    """

    def __init__(self, specs: Sequence[Slice], max_distinct: int) -> None:
        shared: dict[str, Codes] = {}
        self._specs = [_SpecCounter(spec, max_distinct, shared) for spec in specs]

    def add(self, rows: Rows) -> None:
        """Adds rows that `where` keeps.

        Raises:
            ColumnError: if rows cannot be sliced by a column, or if one is in too many slices.
        """
        known: dict[int, Entries] = {}
        for spec in self._specs:
            spec.add(rows, known)

    def counts(self) -> dict[tuple[int, int], SliceCounts]:
        """The counts by number of the spec and part, which is a hash of the key's text."""
        found: dict[tuple[int, int], SliceCounts] = {}
        for number, spec in enumerate(self._specs):
            if spec.over:
                found[number, 0] = SliceCounts(over=True)
                continue
            parts: dict[int, dict[str, int]] = {}
            for key, rows in spec.counts():
                text = key_text(key)
                parts.setdefault(zlib.crc32(text.encode()) % PARTS, {})[text] = rows
            for part, counts in parts.items():
                found[number, part] = SliceCounts(counts, several=spec.several)
        return found


class _SpecCounter:
    """Counts the rows of the slices of one spec."""

    def __init__(self, spec: Slice, max_distinct: int, shared: dict[str, Codes]) -> None:
        self._parts = spec.parts
        self._max = max_distinct
        self._listed = any(part.values is not None for part in self._parts)
        # Where other columns leave rows out, their values must not count as seen.
        own = {} if self._listed else shared
        self._codes = [own.setdefault(repr(part), make_codes(part)) for part in self._parts]
        self._pairs = [Numbering(pa.int64()) for _ in self._parts[1:]]
        self._rows = np.zeros(0, np.int64)
        self.over = False
        self.several = False

    def add(self, rows: Rows, known: dict[int, Entries]) -> None:
        if self.over:
            return
        if self._listed:
            rows, known = rows.where(self._inside(rows)), {}
        names = [part.column for part in self._parts]
        entries = cross_entries(names, self._entries(rows, known), rows)
        number, *others = entries.codes
        for pairs, codes in zip(self._pairs, others, strict=True):
            number = pairs.add(pa.array(number << _CODE_BITS | codes))
        if entries.rows is not None and not self.several:
            self.several = bool((np.diff(entries.rows) == 0).any())
        added = np.bincount(number, minlength=len(self._rows))
        added[: len(self._rows)] += self._rows
        self._rows = added
        if len(added) > self._max and np.count_nonzero(added) > self._max:
            # Nothing more is kept, however many values come.
            self.over = True
            self._codes, self._pairs, self._rows = [], [], np.zeros(0, np.int64)

    def _entries(self, rows: Rows, known: dict[int, Entries]) -> list[Entries]:
        parts = list(zip(self._parts, self._codes, strict=True))
        return [part_entries(part, codes, rows, known) for part, codes in parts]

    def _inside(self, rows: Rows) -> Mask:
        """The rows that have a listed value in every column that lists some."""
        inside = np.ones(len(rows), bool)
        for part, codes in zip(self._parts, self._codes, strict=True):
            if part.values is not None:
                entries = part_entries(part, codes, rows, {})
                if entries.rows is None:
                    inside &= entries.codes[0] != NOWHERE
                else:
                    inside &= np.bincount(entries.rows, minlength=len(rows)) > 0
        return inside

    def counts(self) -> Iterable[tuple[Key, int]]:
        """The key and the rows of every slice that has rows."""
        used = np.flatnonzero(self._rows)
        conditions: list[list[Condition]] = []
        number: Ints = used
        for place in range(len(self._parts) - 1, 0, -1):
            number, code = np.divmod(
                self._pairs[place - 1].values().to_numpy()[number], 1 << _CODE_BITS
            )
            conditions.append(self._conditions(place, code))
        conditions.append(self._conditions(0, number))
        return zip(zip(*reversed(conditions), strict=True), self._rows[used].tolist(), strict=True)

    def _conditions(self, place: int, codes: Ints) -> list[Condition]:
        own = self._codes[place].conditions()
        column = self._parts[place].column
        return [(column, *own[code]) for code in codes.tolist()]
