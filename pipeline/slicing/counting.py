"""Counts the rows of every slice, before `decide` decides which slices are kept."""

from __future__ import annotations

import heapq
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from heads.statistics import Condition, Key
from heads.statistics.codec import MAX_BYTES
from heads.statistics.keys import key_text
from pipeline.config.slices import Slice, SliceColumn
from pipeline.readers.rows import Mask, Rows
from pipeline.slicing.codes import NOWHERE, Codes, ValueCodes, make_codes
from pipeline.slicing.entries import Entries, cross_entries, part_entries
from pipeline.slicing.numbering import Ints, Numbering

PARTS = 64
"""The number of parts in which the slices of a spec are counted, so that no part is too large to
be sent."""

# An int64 holds the code of a column in its low bits, and above it the number of the codes before.
_CODE_BITS = 31


@dataclass(frozen=True)
class SliceCounts:
    """The numbers of rows in the slices of one part of a spec; do not change them.

    Attributes:
        counts: the number of rows by the text of the key; empty if `over` or `long`.
        over: whether there were more distinct slices than may be counted.
        several: whether any row was in several slices.
        more: the number of slices that `keep` left out.
        more_rows: the number of rows in the slices that `keep` left out.
        long: whether the slices of the part had more than `MAX_BYTES` of text.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    over: bool = False
    several: bool = False
    more: int = 0
    more_rows: int = 0
    long: bool = False

    def keep(self, most: int) -> SliceCounts:
        """Returns these counts with only the slices of the most rows; ties are resolved by name.

        This is the last step: its result cannot be merged. `decide` makes the same decision from it
        if `most` is at least the `max_slices` of the spec.
        """
        if len(self.counts) <= most:
            return self
        kept = dict(
            heapq.nsmallest(most, self.counts.items(), key=lambda item: (-item[1], item[0]))
        )
        more_rows = sum(self.counts.values()) - sum(kept.values())
        return replace(self, counts=kept, more=len(self.counts) - most, more_rows=more_rows)


def merge_counts(counts: Iterable[SliceCounts], max_distinct: int) -> SliceCounts:
    """Returns the sum of counts of one part of a spec, which does not depend on their order.

    Args:
        counts: the counts to add.
        max_distinct: if there are more slices, the sum has no counts, and is `over`.

    Raises:
        ValueError: if `keep` has left slices out of some counts.
    """
    total: dict[str, int] = {}
    text_bytes = 0
    over = long = several = False
    for addend in counts:
        if addend.more:
            raise ValueError("Counts are merged before they are cut; call keep() last.")
        several |= addend.several
        over |= addend.over
        long |= addend.long
        if over or long:
            total = {}
            continue
        for text, rows in addend.counts.items():
            if text not in total:
                total[text] = 0
                text_bytes += len(text.encode())
            total[text] += rows
        over = len(total) > max_distinct
        long = text_bytes > MAX_BYTES
    return SliceCounts({} if over or long else total, over, several, long=long)


class SliceCounter:
    """A counter of the rows in the slices of all specs.

    Args:
        specs: the entries of `slices`.
        max_distinct: the largest number of distinct slices that are counted for a spec.
    """

    def __init__(self, specs: Sequence[Slice], max_distinct: int) -> None:
        shared_codes: dict[str, Codes] = {}
        self._counters = [_SpecCounter(spec, max_distinct, shared_codes) for spec in specs]

    def add(self, rows: Rows) -> None:
        """Counts rows, which `where` must have filtered already.

        Raises:
            ColumnError: if rows cannot be sliced by a column, or if a row is in too many slices.
        """
        known: dict[int, Entries] = {}
        for counter in self._counters:
            counter.add(rows, known)

    def counts(self) -> dict[tuple[int, int], SliceCounts]:
        """Returns the counts by `(spec, part)`.

        The spec is its position in `specs`; the part of a slice is a hash of the text of its key.
        """
        counts: dict[tuple[int, int], SliceCounts] = {}
        for spec, counter in enumerate(self._counters):
            if counter.over or counter.long:
                counts[spec, 0] = SliceCounts(over=counter.over, long=counter.long)
                continue
            parts: dict[int, dict[str, int]] = {}
            sizes = [0] * PARTS
            for key, rows in counter.counts():
                text = key_text(key)
                encoded = text.encode()
                part = zlib.crc32(encoded) % PARTS
                parts.setdefault(part, {})[text] = rows
                sizes[part] += len(encoded)
            if max(sizes) > MAX_BYTES:
                counts[spec, 0] = SliceCounts(long=True)
                continue
            for part, part_counts in parts.items():
                counts[spec, part] = SliceCounts(part_counts, several=counter.several)
        return counts


class _NewValues(ValueCodes):
    """An encoder that gives every new value a code, and knows how much text they are."""

    @property
    def text_bytes(self) -> int:
        """The number of bytes of the values that are text."""
        return self._numberings["text"].bytes


class _SpecCounter:
    """A counter of the rows in the slices of one spec.

    Args:
        spec: the spec.
        max_distinct: the largest number of distinct slices that are counted.
        shared_codes: the encoders that all specs share, by the text of the column of a spec; those
            that are not there are added.

    Attributes:
        over: whether there were more than `max_distinct` slices.
        long: whether the slices had so much text that one of their parts has too much.
        several: whether any row was in several slices.
    """

    def __init__(self, spec: Slice, max_distinct: int, shared_codes: dict[str, Codes]) -> None:
        self._parts = spec.parts
        self._max_distinct = max_distinct
        self._listed = any(part.values is not None for part in self._parts)
        # Listed values leave rows out, whose values in other columns must not count as seen.
        codes_by_part = {} if self._listed else shared_codes
        self._column_codes = [
            codes_by_part.setdefault(repr(part), _make_codes(part)) for part in self._parts
        ]
        # For every column but the first, numbers of (number of the codes before it, its code).
        self._pairs = [Numbering(pa.int64()) for _ in self._parts[1:]]
        self._rows = np.zeros(0, np.int64)
        self.over = False
        self.long = False
        self.several = False

    def add(self, rows: Rows, known: dict[int, Entries]) -> None:
        """Counts rows; `known` has the entries of columns that specs share, and gets new ones."""
        if self.over or self.long:
            return
        if self._listed:
            rows, known = rows.where(self._has_listed(rows)), {}
        names = [part.column for part in self._parts]
        entries = cross_entries(names, self._entries(rows, known), rows)
        numbers, *later_codes = entries.codes
        for pairs, codes in zip(self._pairs, later_codes, strict=True):
            numbers = pairs.add(pa.array(numbers << _CODE_BITS | codes))
        if entries.rows is not None and not self.several:
            self.several = bool((np.diff(entries.rows) == 0).any())
        total = np.bincount(numbers, minlength=len(self._rows))
        total[: len(self._rows)] += self._rows
        self._rows = total
        most = self._max_distinct
        self.over = bool(len(total) > most and np.count_nonzero(total) > most)
        text_bytes = sum(
            codes.text_bytes for codes in self._column_codes if isinstance(codes, _NewValues)
        )
        self.long = text_bytes > PARTS * MAX_BYTES
        if self.over or self.long:
            # Nothing is kept from here on, so that memory stays small however many values come.
            self._column_codes, self._pairs, self._rows = [], [], np.zeros(0, np.int64)

    def _entries(self, rows: Rows, known: dict[int, Entries]) -> list[Entries]:
        """Returns the entries of every column of the spec."""
        parts = list(zip(self._parts, self._column_codes, strict=True))
        return [part_entries(part, codes, rows, known) for part, codes in parts]

    def _has_listed(self, rows: Rows) -> Mask:
        """Returns which rows have a listed value in every column that lists values, bool `[n]`."""
        mask = np.ones(len(rows), bool)
        for part, codes in zip(self._parts, self._column_codes, strict=True):
            if part.values is not None:
                entries = part_entries(part, codes, rows, {})
                if entries.rows is None:
                    mask &= entries.codes[0] != NOWHERE
                else:
                    mask &= np.bincount(entries.rows, minlength=len(rows)) > 0
        return mask

    def counts(self) -> Iterable[tuple[Key, int]]:
        """Returns the key and the number of rows of every slice that has rows."""
        used = np.flatnonzero(self._rows)
        conditions: list[list[Condition]] = []
        numbers: Ints = used
        # Numbers of pairs are taken apart from the last column to the first.
        for column in range(len(self._parts) - 1, 0, -1):
            numbers, codes = np.divmod(
                self._pairs[column - 1].values().to_numpy()[numbers], 1 << _CODE_BITS
            )
            conditions.append(self._conditions(column, codes))
        conditions.append(self._conditions(0, numbers))
        return zip(zip(*reversed(conditions), strict=True), self._rows[used].tolist(), strict=True)

    def _conditions(self, column: int, codes: Ints) -> list[Condition]:
        """Returns the conditions of codes of the column at a position of the spec."""
        conditions = self._column_codes[column].conditions()
        name = self._parts[column].column
        return [(name, *conditions[code]) for code in codes.tolist()]


def _make_codes(part: SliceColumn) -> Codes:
    if part.values is None and part.edges is None:
        return _NewValues(part.column)
    return make_codes(part)
