"""From codes of columns to the slices of one spec, as they were decided."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from heads.statistics import Key
from pipeline.config.slices import Slice
from pipeline.errors.faults import ColumnError
from pipeline.readers.rows import Rows
from pipeline.slicing.codes import NOWHERE, Codes
from pipeline.slicing.conditions import OTHER, ColumnCondition, other_key
from pipeline.slicing.entries import Entries
from pipeline.slicing.numbering import Ints, Numbering
from pipeline.slicing.table import SpecSlices

# Combinations are looked up in a table of all that there could be, up to so many.
DENSE = 1 << 18


class SpecResolver:
    """The slices of one spec.

    Args:
        spec: the spec.
        slices: what was decided about it.
        codes: the codes of its columns, in the order of `spec.parts`.
    """

    def __init__(self, spec: Slice, slices: SpecSlices, codes: Sequence[Codes]) -> None:
        self.spec = spec
        self.codes = codes
        self.keys = slices.keys
        self.has_other = slices.merged_into_other > 0
        self.listed = any(part.values is not None for part in spec.parts)
        self._other = other_key(spec)
        self._known = frozenset(self.keys)
        places = [{own: code for code, own in enumerate(one.conditions())} for one in codes]
        kept = [key for key in self.keys if key[0][1] != OTHER]
        table = [[place[key[j][1:]] for key in kept] for j, place in enumerate(places)]
        self._lookup = _Lookup([np.array(one, np.int64) for one in table], [*map(len, codes)])

    def numbers(self, entries: Entries, rows: Rows) -> Ints:
        """The position in `keys` of each entry `[m]`; `NOWHERE` for those in no slice.

        Raises:
            ColumnError: if an entry has values that were not there when slices were counted.
        """
        found = self._lookup.find(entries.codes)
        if len(found) and found.min() == NOWHERE:
            lost = found == NOWHERE
            for part, codes in zip(self.spec.parts, entries.codes, strict=True):
                if part.values is not None:
                    lost &= codes != NOWHERE
            if self.has_other:
                found[lost] = len(self.keys) - 1
            elif lost.any():
                entry = int(np.flatnonzero(lost)[0])
                raise self.changed(
                    rows.numbers[entry if entries.rows is None else entries.rows[entry]]
                )
        return found

    def key_of(self, own: Sequence[ColumnCondition | None]) -> Key | None:
        """The slice of a row with these conditions, None for values without a code.

        Returns:
            Its key; None if it is in no slice.

        Raises:
            KeyError: if it was not there when slices were counted.
        """
        pairs = list(zip(self.spec.parts, own, strict=True))
        if any(part.values is not None and one is None for part, one in pairs):
            return None
        key = tuple((part.column, *one) for part, one in pairs if one is not None)
        if len(key) == len(pairs) and key in self._known:
            return key
        if self.has_other:
            return self._other
        raise KeyError

    def changed(self, row: int) -> ColumnError:
        """The error of a row whose slice was not counted."""
        return ColumnError(
            f"row {row} has a value of {self.spec.name} that was not there when the slices were"
            " counted: the file changed while it was read; run again when no one writes to it"
        )


class _Lookup:
    """Finds combinations of codes among those that are kept.

    Args:
        kept: for each column the codes `[s]` of the combinations, which are distinct.
        sizes: how many codes each column has.
    """

    def __init__(self, kept: Sequence[Ints], sizes: Sequence[int]) -> None:
        self._sizes = sizes
        # Before these columns, combinations are numbered anew, lest there be too many.
        self._numberings: dict[int, Numbering] = {}
        mixed = kept[0] + 1
        size = sizes[0] + 1
        for place in range(1, len(kept)):
            if size * (sizes[place] + 1) > DENSE:
                numbering = self._numberings[place] = Numbering(pa.int64())
                mixed = numbering.add(pa.array(mixed)) + 1
                size = len(numbering) + 1
            mixed = mixed * (sizes[place] + 1) + kept[place] + 1
            size *= sizes[place] + 1
        self._last: Numbering | None = None
        self._table = np.zeros(0, np.int64)
        if size <= DENSE or len(kept) == 1:
            self._table = np.full(size, NOWHERE)
            self._table[mixed] = np.arange(len(mixed))
        else:
            self._last = Numbering(pa.int64())
            self._last.add(pa.array(mixed))

    def find(self, codes: Sequence[Ints]) -> Ints:
        """The position of each combination `[m]`, `NOWHERE` if it is not kept."""
        mixed = codes[0] + 1
        for place in range(1, len(codes)):
            if place in self._numberings:
                mixed = self._numberings[place].find(pa.array(mixed)) + 1
            mixed = mixed * (self._sizes[place] + 1) + codes[place] + 1
        if self._last is not None:
            return self._last.find(pa.array(mixed))
        out: Ints = self._table.take(mixed)
        return out
