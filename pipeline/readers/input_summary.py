"""Summarizes what is known of shards before their rows are read, and where shards differ."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from pipeline.errors.faults import DataFault, ReadError
from pipeline.errors.wording import MOST, first_names, have
from pipeline.readers.arrow_types import is_list, is_text, plain_type
from pipeline.readers.formats import Format
from pipeline.readers.manifest import manifest_differences
from pipeline.readers.read import RECORDS, Inspected, inspect, read_to_end
from pipeline.readers.shards import Shard
from pipeline.readers.storage import OpenFile
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.readers.threads import in_threads

_THREADS = 16
# Fewer threads for checksums: a thread then holds a block and several copies of it.
_CHECKSUM_THREADS = 4
# The number of records to look at in all TFRecord files together, and the least for a file.
_RECORDS, _FEWEST_RECORDS = 20_000, 10

Types = tuple[pa.DataType | None, ...]
Kind = TypeVar("Kind", int, str)


@dataclass(frozen=True)
class SchemaGroup:
    """A group of shards with the same format and the same types of the columns looked for.

    Attributes:
        format: the format of the shards.
        types: the type of each column that was looked for and that the shards have, by name.
        paths: the paths of the first shards, sorted.
        count: the number of shards.
    """

    format: Format
    types: Mapping[str, pa.DataType]
    paths: tuple[str, ...]
    count: int


@dataclass(frozen=True)
class InputSummary:
    """A summary of shards; its size does not grow with the number of shards.

    Attributes:
        groups: the groups of shards, in the order of their first paths. A TFRecord file without
            features is in no group, nor is a shard that cannot be read: the data report names it.
        differing: lines about shards that are not as the manifest lists them: the first lines,
            sorted.
        differences: the number of all such lines.
        unreadable: lines about shards that cannot be read, if they were asked for: the first lines,
            sorted.
        unread: the number of all such lines.
    """

    groups: tuple[SchemaGroup, ...] = ()
    differing: tuple[str, ...] = ()
    differences: int = 0
    unreadable: tuple[str, ...] = ()
    unread: int = 0


def summarize_input(
    shard: Shard, inspected: Inspected, names: Sequence[str], open_file: OpenFile
) -> InputSummary:
    """Returns the summary of a shard.

    Args:
        shard: the shard.
        inspected: what `inspect` returned for the shard.
        names: the names of the columns to look for.
        open_file: opens the shard; the whole file is read if a manifest lists its checksum.
    """
    groups: tuple[SchemaGroup, ...] = ()
    if inspected.columns is not None:
        types = {name: inspected.columns[name] for name in names if name in inspected.columns}
        groups = (SchemaGroup(shard.format, types, (shard.path,), 1),)
    lines = manifest_differences(shard, inspected.rows, open_file)
    return InputSummary(groups, tuple(lines), len(lines))


def merge_summaries(parts: Iterable[InputSummary]) -> InputSummary:
    """Returns the summary of the shards of all parts; the order of the parts does not matter."""
    alike: dict[tuple[Format, tuple[tuple[str, pa.DataType], ...]], list[SchemaGroup]] = {}
    lines: list[str] = []
    unreadable: list[str] = []
    count = unread = 0
    for part in parts:
        for group in part.groups:
            key = group.format, tuple(sorted(group.types.items(), key=lambda item: item[0]))
            alike.setdefault(key, []).append(group)
        lines = heapq.nsmallest(MOST, [*lines, *part.differing])
        count += part.differences
        unreadable = heapq.nsmallest(MOST, [*unreadable, *part.unreadable])
        unread += part.unread
    groups = [
        SchemaGroup(
            members[0].format,
            members[0].types,
            _first_paths(members),
            sum(group.count for group in members),
        )
        for members in alike.values()
    ]
    return InputSummary(
        tuple(sorted(groups, key=lambda group: group.paths)),
        tuple(lines),
        count,
        tuple(unreadable),
        unread,
    )


def summarize_inputs(
    shards: Sequence[Shard],
    names: Sequence[str],
    open_file: OpenFile,
    options: ReadOptions = DEFAULT_OPTIONS,
    *,
    thorough: bool = False,
) -> InputSummary:
    """Returns the summary of shards; several threads look at them.

    Args:
        shards: the shards.
        names: the names of the columns to look for.
        open_file: opens a shard; several threads call it at once.
        options: how TFRecord files are read.
        thorough: whether to read TFRecord files to their end, and to list the shards that cannot be
            read. If not, such shards are passed over: who reads their rows names them.

    Raises:
        ReadError: if `thorough`, and a shard cannot be read now.
    """
    records = records_looked_at(shards)

    def look(shard: Shard) -> InputSummary:
        try:
            if thorough:
                read_to_end(shard, open_file, options)
            inspected = inspect(shard, open_file, options, records, names=names)
            return summarize_input(shard, inspected, names, open_file)
        except DataFault as fault:
            return InputSummary(unreadable=(str(fault),), unread=1) if thorough else InputSummary()
        except ReadError:
            if thorough:
                raise
            return InputSummary()

    checksums = any(shard.crc32c is not None for shard in shards)
    return merge_summaries(in_threads(look, shards, _CHECKSUM_THREADS if checksums else _THREADS))


def records_looked_at(shards: Iterable[Shard]) -> int:
    """Returns the number of records to look at in a TFRecord file, from its first record on.

    The more files there are, the smaller the number.
    """
    files = sum(shard.format == "tfrecord" for shard in shards)
    return max(_FEWEST_RECORDS, min(RECORDS, _RECORDS // max(1, files)))


def count_of(groups: Iterable[SchemaGroup]) -> int:
    """Returns the number of shards in some groups."""
    return sum(group.count for group in groups)


def named_in(groups: Sequence[SchemaGroup]) -> str:
    """Returns the paths of the first shards of some groups, and the number of further shards."""
    return first_names(_first_paths(groups), total=count_of(groups))


def _first_paths(groups: Iterable[SchemaGroup]) -> tuple[str, ...]:
    return tuple(heapq.nsmallest(MOST, (path for group in groups for path in group.paths)))


def type_differences(column: str, groups: Iterable[SchemaGroup]) -> list[str]:
    """Returns a line for each kind of type that a column has in some shards, but not in most.

    Types of the same kind may differ: integers in width and sign, floats in width, decimals in
    places, text in storage and coding, lists in storage and length. A column of nulls fits any
    kind. A feature of a TFRecord file is always a list, so it fits both single values and lists.
    """
    kinds = [
        (_kind(group.types[column], group.format), group)
        for group in groups
        if column in group.types
    ]
    most_common, lines = _compare_kinds(
        column, [(leaf, group) for (_, leaf), group in kinds if leaf]
    )
    nested = [
        (depth, group)
        for (depth, leaf), group in kinds
        if depth is not None and leaf in (None, most_common)
    ]
    return lines + _compare_kinds(column, nested)[1]


def _compare_kinds(
    column: str, groups: Sequence[tuple[Kind, SchemaGroup]]
) -> tuple[Kind | None, list[str]]:
    """Returns the most common kind, the first in case of a tie, and a line for each other kind."""
    by_kind: dict[Kind, list[SchemaGroup]] = {}
    for kind, group in groups:
        by_kind.setdefault(kind, []).append(group)
    if not by_kind:
        return None, []
    most_common = max(by_kind, key=lambda kind: count_of(by_kind[kind]))
    usual = by_kind[most_common]
    lines = []
    for kind in sorted(by_kind.keys() - {most_common}, key=lambda k: _first_paths(by_kind[k])):
        unusual = by_kind[kind]
        lines.append(
            f"{have(count_of(unusual))} column '{column}' as {_type_names(column, unusual)}, where"
            f" {have(count_of(usual))} {_type_names(column, usual)}: {named_in(unusual)}"
        )
    return most_common, lines


def _type_names(column: str, groups: Sequence[SchemaGroup]) -> str:
    return first_names(sorted({str(group.types[column]) for group in groups}))


def _kind(type_: pa.DataType, format_: Format) -> tuple[int | None, str | None]:
    """Returns how deep in lists the values of a column are, and what they are.

    A part is None if it fits any other.
    """
    stored = type_
    while is_list(stored) or pa.types.is_dictionary(stored):
        stored = stored.value_type
    depth, type_ = 0, plain_type(type_)
    while is_list(type_):
        depth, type_ = depth + 1, type_.value_type
    if pa.types.is_decimal(stored) and stored.scale > 0:
        return depth, "decimal"
    if pa.types.is_dictionary(type_):
        type_ = type_.value_type
    is_null = pa.types.is_null(type_)
    any_depth = format_ == "tfrecord" or (is_null and not depth)
    return None if any_depth else depth, None if is_null else _leaf(type_)


def _leaf(type_: pa.DataType) -> str:
    if pa.types.is_integer(type_):
        return "integer"
    if pa.types.is_floating(type_):
        return "float"
    return "text" if is_text(type_) else str(type_)
