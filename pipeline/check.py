"""Holding a configuration against the columns of a file, before a row is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from pipeline.columns import ColumnError, Rows
from pipeline.config.names import nearest
from pipeline.config.problems import ConfigError, Problem
from pipeline.extract import type_problems
from pipeline.facts import BadData
from pipeline.folds import folds_by_key
from pipeline.plan import Plan
from pipeline.readers import OpenFile, Shard, read_columns
from pipeline.readers.faults import DataFault
from pipeline.slicing import check_slice_type
from pipeline.where import keep_mask


def find_shards(
    plan: Plan,
    inputs: Sequence[str],
    source: str,
    list_shards: Callable[[Sequence[str]], list[Shard]],
    open_file: OpenFile,
) -> list[Shard]:
    """The files of a run; the first of them is held against the configuration.

    Args:
        plan: what is evaluated.
        inputs: globs of the files.
        source: the name of the configuration file, for messages.
        list_shards: lists what matches globs.
        open_file: opens a file.

    Raises:
        ConfigError: if the first file does not have what the configuration reads.
        BadData: if there is no file.
    """
    try:
        shards = list_shards(inputs)
    except ValueError as error:
        raise ConfigError([Problem(source, ("input",), str(error))]) from error
    if not shards:
        raise BadData([f"no file matches {', '.join(inputs)}"])
    check_columns(plan, shards[0], open_file, source)
    return shards


def check_columns(plan: Plan, shard: Shard, open_file: OpenFile, source: str) -> None:
    """Checks that a shard has the columns of a configuration, of types that it can read.

    A shard that cannot be read at all passes: that is for the data report.

    Raises:
        ConfigError: naming every column that is missing or of the wrong type.
    """
    try:
        columns = read_columns(shard, open_file)
    except DataFault:
        return
    check_types(plan, columns, shard.path, source)


def check_types(plan: Plan, columns: dict[str, pa.DataType], place: str, source: str) -> None:
    """Checks that all columns of a configuration are there, of types that it can read.

    Args:
        plan: what is evaluated.
        columns: the columns that are there.
        place: where that is, for messages.
        source: the name of the configuration file, for messages.

    Raises:
        ConfigError: naming every column that is missing or of the wrong type.
    """
    problems = []
    for name in plan.columns:
        if name not in columns:
            near = nearest(name, columns)
            hint = f"did you mean '{near}'? " if near else ""
            message = f"no column '{name}' in {place}; {hint}it has: {', '.join(columns)}"
            problems.append(Problem(source, (), message))
    if not problems:
        problems = [Problem(source, path, why) for path, why in _wrong_types(plan, columns)]
    if problems:
        raise ConfigError(problems)


def _wrong_types(
    plan: Plan, columns: dict[str, pa.DataType]
) -> list[tuple[tuple[str | int, ...], str]]:
    arrays = [pa.array([], columns[name]) for name in plan.columns]
    batch = pa.RecordBatch.from_arrays(arrays, names=list(plan.columns))
    rows = Rows(batch, np.zeros(0, np.int64), "", {})
    wrong: list[tuple[tuple[str | int, ...], str]] = [
        (("heads", name), problem)
        for name, head in plan.heads.items()
        for problem in type_problems(head.config, rows)
    ]
    try:
        keep_mask(plan.config.where, rows)
    except ColumnError as error:
        wrong.append((("where",), str(error)))
    for number, spec in enumerate(plan.config.slices):
        for part in spec.parts:
            try:
                check_slice_type(part, rows.column(part.column).type)
            except ColumnError as error:
                wrong.append((("slices", number), str(error)))
    key = plan.config.confidence.key
    if key is not None:
        try:
            folds_by_key(rows.scalars(key)[0], plan.folds)
        except ColumnError as error:
            wrong.append((("confidence", "key"), str(error)))
    return wrong
