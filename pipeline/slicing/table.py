"""The slices of a run, as decided from counts, or as known from the configuration alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from operator import itemgetter

from heads.statistics import Key
from heads.statistics.codec import MAX_BYTES
from heads.statistics.keys import key_text, parse_key
from pipeline.config.slices import Slice
from pipeline.slicing.codes import make_codes
from pipeline.slicing.conditions import key_order, other_key
from pipeline.slicing.counting import PARTS, SliceCounts

# This many rows is more than any slice has.
_UNCOUNTED = 1 << 63
# More slices than these are found in the rows, which may have fewer.
_MOST_FIXED = 50_000


@dataclass(frozen=True)
class SpecSlices:
    """The slices of one spec, that is, of one entry of `slices`.

    Attributes:
        keys: the keys of the slices in the order of the report; `other`, if it exists, is last.
        examples: the number of rows in each slice. It is None where it is not known: if no rows
            were counted, and for `other` if a row may be in several of the slices merged into it.
        merged_into_other: the number of slices merged into `other`; 0 if it does not exist.
    """

    keys: tuple[Key, ...]
    examples: tuple[int | None, ...]
    merged_into_other: int = 0


@dataclass(frozen=True)
class SliceTable:
    """The slices of a run.

    Attributes:
        specs: the slices of every spec, in the order of the configuration.
        largest: the keys of the slices of the most rows, of all specs.
        problems: the messages that say why the run cannot continue; empty if it can.
    """

    specs: tuple[SpecSlices, ...]
    largest: frozenset[Key]
    problems: tuple[str, ...] = ()

    @cached_property
    def has_small(self) -> bool:
        """Whether any slice is not among the largest."""
        return any(not self.largest.issuperset(spec.keys) for spec in self.specs)

    @cached_property
    def by_rows(self) -> tuple[Key, ...]:
        """The keys of all slices, the largest first; ties are resolved by the text of the key.

        Slices whose rows are not known come before all others.
        """
        rows: dict[Key, int] = {}
        for spec in self.specs:
            for key, count in zip(spec.keys, spec.examples, strict=True):
                rows.setdefault(key, _UNCOUNTED if count is None else count)
        return tuple(sorted(rows, key=lambda key: (-rows[key], key_text(key))))


def decide(
    specs: Sequence[Slice],
    counts: Mapping[tuple[int, int], SliceCounts],
    max_distinct: int,
    max_largest: int,
) -> SliceTable:
    """Decides which slices are kept: of every spec the `max_slices` slices of the most rows.

    Ties are resolved by the text of the key. All other slices of a spec are merged into `other`.

    Args:
        specs: the entries of `slices`.
        counts: the merged counts by the position of the spec and by part; `SliceCounts.keep` may
            have shortened them.
        max_distinct: the largest number of distinct slices that a spec may have.
        max_largest: the number of slices in `SliceTable.largest`, over all specs.

    Returns:
        The slices; with `problems` if a spec has too many slices, or if two specs have a slice of
        the same key that is not the same rows.
    """
    decided = []
    problems = []
    rows: dict[Key, int] = {}
    first_spec: dict[Key, int] = {}
    parts_of: list[list[SliceCounts]] = [[] for _ in specs]
    for (number, _), part in sorted(counts.items(), key=itemgetter(0)):
        parts_of[number].append(part)
    for number, (spec, parts) in enumerate(zip(specs, parts_of, strict=True)):
        distinct = sum(len(part.counts) + part.more for part in parts)
        if any(part.over for part in parts) or distinct > max_distinct:
            problems.append(_too_many(number, spec, max_distinct))
            decided.append(SpecSlices((), ()))
            continue
        if any(part.long for part in parts):
            problems.append(_too_long(number, spec))
            decided.append(SpecSlices((), ()))
            continue
        slices, other_rows = _keep(spec, parts, distinct)
        decided.append(slices)
        for key, examples in zip(slices.keys, slices.examples, strict=True):
            count = other_rows if examples is None else examples
            first = first_spec.setdefault(key, number)
            if rows.setdefault(key, count) != count or (first != number and key == other_key(spec)):
                problems.append(_not_the_same(specs, first, number, key))
    ranked = sorted(rows, key=lambda key: (-rows[key], key_text(key)))
    return SliceTable(tuple(decided), frozenset(ranked[:max_largest]), tuple(problems))


def _keep(spec: Slice, parts: Sequence[SliceCounts], distinct: int) -> tuple[SpecSlices, int]:
    """Returns the slices that are kept of a spec, and the rows of `other`.

    The rows of `other` are the sum over the slices merged into it: a row that is in several of them
    counts several times.
    """
    ranked = sorted(
        (item for part in parts for item in part.counts.items()),
        key=lambda item: (-item[1], item[0]),
    )
    kept = ranked[: spec.max_slices]
    slices = sorted(((parse_key(text), n) for text, n in kept), key=lambda item: key_order(item[0]))
    keys = tuple(key for key, _ in slices)
    examples: tuple[int | None, ...] = tuple(n for _, n in slices)
    merged = distinct - len(kept)
    if not merged:
        return SpecSlices(keys, examples), 0
    other_rows = sum(n for _, n in ranked[len(kept) :]) + sum(part.more_rows for part in parts)
    several = any(part.several for part in parts)
    return SpecSlices(
        (*keys, other_key(spec)), (*examples, None if several else other_rows), merged
    ), other_rows


def _too_many(number: int, spec: Slice, max_distinct: int) -> str:
    items = "values" if len(spec.parts) == 1 else "combinations of values"
    return (
        f"slices[{number}]: {spec.name} has more than {max_distinct:,} distinct {items}"
        " ('max_distinct'); slice by buckets of numbers ('edges'), by the 'values' that matter, or"
        " by a coarser column"
    )


def _too_long(number: int, spec: Slice) -> str:
    return (
        f"slices[{number}]: {spec.name} has too much text to be counted: its values are counted in"
        f" {PARTS} parts, and one of these has more than {MAX_BYTES:,} bytes; slice by a column of"
        " shorter values, or by the 'values' that matter"
    )


def _not_the_same(specs: Sequence[Slice], first: int, second: int, key: Key) -> str:
    if key == other_key(specs[second]):
        return (
            f"slices[{first}] and slices[{second}] both put their rarest slices together as 'other'"
            f" of {specs[second].name}, which are not the same rows; raise 'max_slices' of one"
        )
    return (
        f"slices[{first}] and slices[{second}] find other rows in the slice {key_text(key)}: its"
        " columns are not of one type in all files; write them with one type, or keep one of the"
        " two entries"
    )


def fixed_table(specs: Sequence[Slice], max_largest: int) -> SliceTable | None:
    """Returns the slices if they are known without counting; None if rows must be counted.

    The slices are known if every column lists `values` or has `edges`, no spec has more slices than
    its `max_slices`, and all specs together have at most `max_largest`, and at most 50,000. Some
    may have no rows.
    """
    decided: list[SpecSlices] = []
    left = _MOST_FIXED
    for spec in specs:
        if any(part.values is None and part.edges is None for part in spec.parts):
            return None
        columns = [
            [(part.column, *condition) for condition in make_codes(part).conditions()]
            for part in spec.parts
        ]
        slices = math.prod(map(len, columns))
        left -= slices
        if slices > min(spec.max_slices, max_largest) or left < 0:
            return None
        keys = sorted(product(*columns), key=key_order)
        decided.append(SpecSlices(tuple(keys), (None,) * len(keys)))
    largest = frozenset(key for spec_slices in decided for key in spec_slices.keys)
    return SliceTable(tuple(decided), largest) if len(largest) <= max_largest else None
