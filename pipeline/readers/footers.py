"""The types of the columns of all shards, and where shards differ in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import pyarrow as pa

from pipeline.columns import is_list, is_text
from pipeline.readers.example import example_columns
from pipeline.readers.faults import DataFault
from pipeline.readers.lines import have, named
from pipeline.readers.options import DEFAULT_OPTIONS, ReadOptions
from pipeline.readers.rows import read_columns
from pipeline.readers.shards import Format, OpenFile, Shard
from pipeline.readers.threads import in_threads

_THREADS = 16
# Records looked at, in all files together and in each.
_RECORDS, _FEWEST, _MOST = 20_000, 10, 1000

Types = tuple[pa.DataType | None, ...]
Kind = TypeVar("Kind", int, str)


@dataclass(frozen=True)
class Alike:
    """Shards that have the same types of the columns that are looked for.

    Attributes:
        format: their format.
        types: by name of a column, its type; columns that are not there are not in it.
        paths: the shards, in order.
    """

    format: Format
    types: Mapping[str, pa.DataType]
    paths: Sequence[str]


def read_footers(
    shards: Sequence[Shard],
    names: Sequence[str],
    open_file: OpenFile,
    options: ReadOptions = DEFAULT_OPTIONS,
) -> list[Alike]:
    """The types of some columns in all shards.

    Of a TFRecord file it is those in its first records, the fewer the more files there are; one
    without features has nothing to say and is left out. So is a shard that cannot be read: that is
    for the data report.

    Args:
        shards: the shards.
        names: the columns to look for.
        open_file: opens a shard; several threads do.
        options: what is accepted of TFRecord.

    Returns:
        Shards that are alike together, in the order of the first of each.
    """
    tfrecords = sum(shard.format == "tfrecord" for shard in shards)
    records = max(_FEWEST, min(_MOST, _RECORDS // max(1, tfrecords)))

    def read(shard: Shard) -> Types | None:
        try:
            types = _types(shard, open_file, options, records)
        except (DataFault, FileNotFoundError):
            return None
        return None if types is None else tuple(types.get(name) for name in names)

    found: dict[tuple[Format, Types], list[str]] = {}
    for shard, types in zip(shards, in_threads(read, shards, _THREADS), strict=True):
        if types is not None:
            found.setdefault((shard.format, types), []).append(shard.path)
    return [
        Alike(format_, {n: t for n, t in zip(names, types, strict=True) if t is not None}, paths)
        for (format_, types), paths in found.items()
    ]


def type_differences(column: str, groups: Iterable[Alike]) -> list[str]:
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


def _unlike(column: str, groups: Sequence[tuple[Kind, Alike]]) -> tuple[Kind | None, list[str]]:
    """The most common kind, the first of several, and a line for each other."""
    by_kind: dict[Kind, list[Alike]] = {}
    for kind, group in groups:
        by_kind.setdefault(kind, []).append(group)
    paths = {
        kind: sorted(path for group in own for path in group.paths) for kind, own in by_kind.items()
    }
    if not paths:
        return None, []
    most = max(paths, key=lambda kind: len(paths[kind]))
    lines = []
    for kind in sorted(paths.keys() - {most}, key=lambda kind: paths[kind]):
        own, other = _type_names(column, by_kind[kind]), _type_names(column, by_kind[most])
        lines.append(
            f"{have(len(paths[kind]))} column '{column}' as {own}, where"
            f" {have(len(paths[most]))} {other}: {named(paths[kind])}"
        )
    return most, lines


def _type_names(column: str, groups: Sequence[Alike]) -> str:
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


def _types(
    shard: Shard, open_file: OpenFile, options: ReadOptions, records: int
) -> dict[str, pa.DataType] | None:
    if shard.format == "parquet":
        return read_columns(shard, open_file)
    with open_file(shard.path) as stream:
        features = example_columns(
            stream,
            shard.path,
            compression=shard.compression,
            max_records=records,
            options=options,
        )
    return (
        {name: pa.string() for name in shard.directory_columns()} | features if features else None
    )
