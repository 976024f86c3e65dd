"""What is known of shards before their rows are read, and where they differ."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from pipeline.errors.faults import DataFault
from pipeline.errors.wording import MOST, have, named
from pipeline.readers.manifest import listed_otherwise
from pipeline.readers.read import RECORDS, Inspected, inspect
from pipeline.readers.rows import is_list, is_text
from pipeline.readers.shards import Format, Shard
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.readers.threads import in_threads

_THREADS = 16
# Few for checksums, each of which holds a block and several copies of it.
_CHECKSUM_THREADS = 4
# Records looked at, in all TFRecord files together, and in each at least.
_RECORDS, _FEWEST = 20_000, 10

Types = tuple[pa.DataType | None, ...]
Kind = TypeVar("Kind", int, str)


@dataclass(frozen=True)
class SchemaGroup:
    """Shards that have the same types of the columns that are looked for.

    Attributes:
        format: their format.
        types: by name of a column, its type; columns that are not there are not in it.
        paths: the first of them, in order.
        count: how many they are.
    """

    format: Format
    types: Mapping[str, pa.DataType]
    paths: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class InputSummary:
    """What is known of some shards, however many they are.

    Attributes:
        groups: shards that are alike together, in the order of the first of each. A TFRecord file
            without features is in none, nor is a shard that cannot be read: that is for the data
            report.
        differing: what of them is not as a manifest lists it, the first lines in order.
        differences: how many such lines there are.
    """

    groups: tuple[SchemaGroup, ...] = ()
    differing: tuple[str, ...] = ()
    differences: int = 0


def summarize_input(
    shard: Shard, found: Inspected, names: Sequence[str], open_file: OpenFile
) -> InputSummary:
    """What is known of one shard.

    Args:
        shard: the shard.
        found: what looking at it gave.
        names: the columns to look for.
        open_file: opens it; it is read whole if a manifest lists its checksum.
    """
    groups: tuple[SchemaGroup, ...] = ()
    if found.columns is not None:
        types = {name: found.columns[name] for name in names if name in found.columns}
        groups = (SchemaGroup(shard.format, types, (shard.path,), 1),)
    lines = listed_otherwise(shard, found.rows, open_file)
    return InputSummary(groups, tuple(lines), len(lines))


def merge_summaries(parts: Iterable[InputSummary]) -> InputSummary:
    """What is known of the shards of all parts, in whatever order they come."""
    alike: dict[tuple[Format, tuple[tuple[str, pa.DataType], ...]], list[SchemaGroup]] = {}
    lines: list[str] = []
    count = 0
    for part in parts:
        for group in part.groups:
            key = group.format, tuple(sorted(group.types.items(), key=lambda item: item[0]))
            alike.setdefault(key, []).append(group)
        lines = heapq.nsmallest(MOST, [*lines, *part.differing])
        count += part.differences
    groups = [
        SchemaGroup(
            own[0].format, own[0].types, _first_paths(own), sum(group.count for group in own)
        )
        for own in alike.values()
    ]
    return InputSummary(tuple(sorted(groups, key=lambda group: group.paths)), tuple(lines), count)


def summarize_inputs(
    shards: Sequence[Shard],
    names: Sequence[str],
    open_file: OpenFile,
    options: ReadOptions = DEFAULT_OPTIONS,
) -> InputSummary:
    """What is known of shards, looked at by several threads.

    Args:
        shards: the shards.
        names: the columns to look for.
        open_file: opens a shard; several threads do.
        options: what is accepted of TFRecord.
    """
    records = records_looked_at(shards)

    def look(shard: Shard) -> InputSummary:
        try:
            found = inspect(shard, open_file, options, records)
        except DataFault:
            return InputSummary()
        return summarize_input(shard, found, names, open_file)

    summed = any(shard.crc32c is not None for shard in shards)
    return merge_summaries(in_threads(look, shards, _CHECKSUM_THREADS if summed else _THREADS))


def records_looked_at(shards: Iterable[Shard]) -> int:
    """How many of the first records of each TFRecord file to look at: the more files, the fewer."""
    files = sum(shard.format == "tfrecord" for shard in shards)
    return max(_FEWEST, min(RECORDS, _RECORDS // max(1, files)))


def count_of(groups: Iterable[SchemaGroup]) -> int:
    """How many shards are in some groups."""
    return sum(group.count for group in groups)


def named_in(groups: Sequence[SchemaGroup]) -> str:
    """The first shards of some groups by name, and how many more there are."""
    return named(_first_paths(groups), of=count_of(groups))


def _first_paths(groups: Iterable[SchemaGroup]) -> tuple[str, ...]:
    return tuple(heapq.nsmallest(MOST, (path for group in groups for path in group.paths)))


def type_differences(column: str, groups: Iterable[SchemaGroup]) -> list[str]:
    """Where shards have a column of unlike types, a line for each that is unlike most.

    Integers may differ in width and sign, floats in width, text in how it is stored and coded, and
    lists in how they are stored and long. A column of nulls is like any. A feature of a TFRecord
    file is a list always, so that it is like single values and lists.
    """
    kinds = [
        (_kind(group.types[column], group.format), group)
        for group in groups
        if column in group.types
    ]
    most, lines = _unlike(column, [(leaf, group) for (_, leaf), group in kinds if leaf])
    nested = [
        (depth, group)
        for (depth, leaf), group in kinds
        if depth is not None and leaf in (None, most)
    ]
    return lines + _unlike(column, nested)[1]


def _unlike(
    column: str, groups: Sequence[tuple[Kind, SchemaGroup]]
) -> tuple[Kind | None, list[str]]:
    """The most common kind, the first of several, and a line for each other."""
    by_kind: dict[Kind, list[SchemaGroup]] = {}
    for kind, group in groups:
        by_kind.setdefault(kind, []).append(group)
    if not by_kind:
        return None, []
    most = max(by_kind, key=lambda kind: count_of(by_kind[kind]))
    lines = []
    for kind in sorted(by_kind.keys() - {most}, key=lambda kind: _first_paths(by_kind[kind])):
        own, other = _type_names(column, by_kind[kind]), _type_names(column, by_kind[most])
        lines.append(
            f"{have(count_of(by_kind[kind]))} column '{column}' as {own}, where"
            f" {have(count_of(by_kind[most]))} {other}: {named_in(by_kind[kind])}"
        )
    return most, lines


def _type_names(column: str, groups: Sequence[SchemaGroup]) -> str:
    return named(sorted({str(group.types[column]) for group in groups}))


def _kind(type_: pa.DataType, format_: Format) -> tuple[int | None, str | None]:
    """How deep in lists values are, and what they are; None for what is like any other."""
    depth = 0
    while is_list(type_):
        depth, type_ = depth + 1, type_.value_type
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    nothing = pa.types.is_null(type_)
    any_depth = format_ == "tfrecord" or (nothing and not depth)
    return None if any_depth else depth, None if nothing else _leaf(type_)


def _leaf(type_: pa.DataType) -> str:
    if pa.types.is_integer(type_):
        return "integer"
    if pa.types.is_floating(type_):
        return "float"
    return "text" if is_text(type_) else str(type_)
