"""Which slices there are: decided from counts, or known from the configuration alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

from heads.statistics import Key
from heads.statistics.keys import key_text, parse_key
from pipeline.config.slices import Slice
from pipeline.slicing.codes import make_codes
from pipeline.slicing.conditions import key_order, other_key
from pipeline.slicing.counting import SliceCounts

# More rows than any slice has.
_UNCOUNTED = 1 << 63


@dataclass(frozen=True)
class SpecSlices:
    """The slices of one entry of `slices`.

    Attributes:
        keys: their keys in the order of the report; `other` last, if there is one.
        examples: the rows of each; None where they are not known: where nothing was counted, and
            for `other` where a row may be in several of the slices it is made of.
        merged_into_other: how many slices `other` is made of.
    """

    keys: tuple[Key, ...]
    examples: tuple[int | None, ...]
    merged_into_other: int = 0


@dataclass(frozen=True)
class SliceTable:
    """The slices of a run.

    Attributes:
        specs: by entry of `slices`.
        largest: the slices of the most rows, over all entries.
        problems: why the run cannot go on.
    """

    specs: tuple[SpecSlices, ...]
    largest: frozenset[Key]
    problems: tuple[str, ...] = ()

    @cached_property
    def by_rows(self) -> tuple[Key, ...]:
        """All slices: those that were not counted, then those of most rows; ties by key text."""
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
    """Decides which slices are kept: of every spec those of the most rows, ties by key text.

    Args:
        specs: the entries of `slices`.
        counts: the merged counts by spec and part, whole or as `keep` leaves them.
        max_distinct: so many distinct values a spec may have.
        max_largest: so many slices are the largest.
    """
    decided = []
    problems = []
    rows: dict[Key, int] = {}
    first: dict[Key, int] = {}
    for number, spec in enumerate(specs):
        parts = [part for (of, _), part in sorted(counts.items()) if of == number]
        distinct = sum(len(part.counts) + part.more for part in parts)
        if any(part.over for part in parts) or distinct > max_distinct:
            problems.append(_too_many(number, spec, max_distinct))
            decided.append(SpecSlices((), ()))
            continue
        slices, other = _keep(spec, parts, distinct)
        decided.append(slices)
        for key, examples in zip(slices.keys, slices.examples, strict=True):
            count = other if examples is None else examples
            same = first.setdefault(key, number)
            if rows.setdefault(key, count) != count or (same != number and key == other_key(spec)):
                problems.append(_not_the_same(specs, same, number, key))
    ranked = sorted(rows, key=lambda key: (-rows[key], key_text(key)))
    return SliceTable(tuple(decided), frozenset(ranked[:max_largest]), tuple(problems))


def _keep(spec: Slice, parts: Sequence[SliceCounts], distinct: int) -> tuple[SpecSlices, int]:
    """The slices kept of a spec, and the rows of those merged into `other`, by slice."""
    ranked = sorted(
        (item for part in parts for item in part.counts.items()),
        key=lambda item: (-item[1], item[0]),
    )
    kept = ranked[: spec.max_slices]
    found = sorted(((parse_key(text), n) for text, n in kept), key=lambda item: key_order(item[0]))
    keys = tuple(key for key, _ in found)
    examples: tuple[int | None, ...] = tuple(n for _, n in found)
    merged = distinct - len(kept)
    if not merged:
        return SpecSlices(keys, examples), 0
    other = sum(n for _, n in ranked[len(kept) :]) + sum(part.more_rows for part in parts)
    several = any(part.several for part in parts)
    return SpecSlices(
        (*keys, other_key(spec)), (*examples, None if several else other), merged
    ), other


def _too_many(number: int, spec: Slice, max_distinct: int) -> str:
    what = "values" if len(spec.parts) == 1 else "combinations of values"
    return (
        f"slices[{number}]: {spec.name} has more than {max_distinct:,} distinct {what}"
        " ('max_distinct'); slice by buckets of numbers ('edges'), by the 'values' that matter, or"
        " by a coarser column"
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
    """The slices that are known without counting; None if they must be counted.

    They are known where every column lists `values` or has `edges`, no spec has more slices than
    its `max_slices`, and all together are at most `max_largest`. Some may have no rows.
    """
    found: list[SpecSlices] = []
    for spec in specs:
        if any(part.values is None and part.edges is None for part in spec.parts):
            return None
        columns = [
            [(part.column, *own) for own in make_codes(part).conditions()] for part in spec.parts
        ]
        if math.prod(map(len, columns)) > min(spec.max_slices, max_largest):
            return None
        keys = sorted(product(*columns), key=key_order)
        found.append(SpecSlices(tuple(keys), (None,) * len(keys)))
    largest = frozenset(key for spec in found for key in spec.keys)
    return SliceTable(tuple(found), largest) if len(largest) <= max_largest else None
