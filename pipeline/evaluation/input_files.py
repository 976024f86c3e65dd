"""Finds the files of a run, and checks that they fit the configuration before a row is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from pipeline.errors.faults import BadData, ColumnError, DataFault
from pipeline.errors.problems import ConfigError, Problem, show_path
from pipeline.errors.problems import Path as Place
from pipeline.errors.suggest import nearest
from pipeline.errors.wording import MOST, first_lines, first_names, first_of_kinds, have
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.seen_words import seen_words
from pipeline.extract.filter import keep_mask
from pipeline.extract.folds import folds_by_key
from pipeline.extract.head_inputs import type_problems
from pipeline.readers.file_list import Listing
from pipeline.readers.formats import Format
from pipeline.readers.input_summary import (
    InputSummary,
    SchemaGroup,
    count_of,
    named_in,
    summarize_inputs,
    type_differences,
)
from pipeline.readers.listing import check_listing
from pipeline.readers.manifest import check_manifest, read_manifest
from pipeline.readers.read import read_columns
from pipeline.readers.rows import Rows
from pipeline.readers.shards import Shard
from pipeline.readers.storage import OpenFile
from pipeline.slicing.codes import check_slice_type

ListShards = Callable[[Sequence[str], Format | None], Listing]
"""A function that lists the files that globs match; all of the format, if that is not None."""

# This many files are checked before a run starts. The run itself checks all of them.
_SOME = 200


@dataclass(frozen=True)
class InputVerdict:
    """The verdict on all shards before a row is read.

    Attributes:
        problems: the reasons why no row may be read, one line per reason.
        notes: what the user should know, one line per note.
    """

    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def find_shards(
    plan: Plan,
    inputs: Sequence[str],
    source: str,
    list_shards: ListShards,
    open_file: OpenFile,
) -> Listing:
    """Returns the files of a run, after checking their names and all of their footers.

    TFRecord files are read to their ends. If the configuration names a manifest, the files are
    checked against it.

    Args:
        plan: what is evaluated.
        inputs: globs of the files.
        source: the name of the configuration file, for messages.
        list_shards: lists the files that match globs.
        open_file: opens a file; several threads call it.

    Raises:
        ConfigError: if no file has the columns that the configuration reads, the manifest is
            malformed, or neither the name nor the content of a file tells its format.
        BadData: if a glob matches no file, what it matches cannot be read, files are missing or not
            as the manifest says, or some have other columns than the rest.
        ReadError: if a file cannot be read now.
    """
    listing = list_files(plan, inputs, source, list_shards, open_file)
    names = names_looked_for(plan)
    summary = summarize_inputs(listing.shards, names, open_file, plan.reading, thorough=True)
    unreadable = first_of_kinds(summary.unreadable, summary.unread - len(summary.unreadable))
    try:
        notes = check_inputs(plan, summary, source, open_file)
    except BadData as error:
        raise BadData([*unreadable, *error.problems]) from error
    if unreadable:
        raise BadData(unreadable)
    return Listing(listing.shards, (*listing.notes, *notes))


def list_files(
    plan: Plan,
    inputs: Sequence[str],
    source: str,
    list_shards: ListShards,
    open_file: OpenFile,
) -> Listing:
    """Returns the files of a run, after checking their names, numbers and sizes; it opens none.

    It takes the arguments of `find_shards`, and raises the same errors.
    """
    config = plan.config
    source_list = config.input_manifest
    manifest = None if source_list is None else read_manifest(source_list, open_file)
    try:
        listing = list_shards(inputs, config.format)
    except ValueError as error:
        raise ConfigError([Problem(source, ("input",), line) for line in error.args]) from error
    shards = listing.shards
    problems, notes = check_listing(
        shards,
        allow_missing=config.allow_missing_shards,
        allow_empty=config.allow_empty_shards,
    )
    problems = [*listing.problems, *problems]
    if manifest is not None:
        more, shards = check_manifest(manifest, shards)
        problems += more
    if problems:
        raise BadData(first_lines(problems))
    notes = [*listing.notes, *notes]
    shards = tuple(shard for shard in shards if shard.bytes)
    if not shards:
        raise BadData(["there are no files with bytes", *notes])
    return Listing(shards, tuple(notes))


def check_some(plan: Plan, shards: Sequence[Shard], source: str, open_file: OpenFile) -> None:
    """Checks the columns of some shards, evenly spread, so that a mistake is reported at once.

    Raises:
        ConfigError: if none of these shards has the columns that the configuration reads.
        BadData: if some of these shards have other columns than the rest.
    """
    spread = range(0, len(shards), -(-len(shards) // _SOME))
    # The run compares rows and checksums with the manifest when it looks at all shards.
    some = [replace(shards[place], rows=None, crc32c=None) for place in spread]
    summary = summarize_inputs(some, names_looked_for(plan), open_file, plan.reading)
    check_inputs(plan, summary, source, open_file)


def validate_inputs(
    plan: Plan, summary: InputSummary, source: str, open_file: OpenFile
) -> InputVerdict:
    """Returns what `check_inputs` returns or raises, as data."""
    try:
        return InputVerdict(notes=tuple(check_inputs(plan, summary, source, open_file)))
    except ConfigError as error:
        return InputVerdict(tuple(map(str, error.problems)))
    except BadData as error:
        return InputVerdict(tuple(error.problems))


def names_looked_for(plan: Plan) -> list[str]:
    """Returns the columns whose types are checked: those that are read, and those of the schema."""
    names = list(plan.columns)
    if plan.schema is not None:
        from pipeline.validation.schema import features_of

        names += [feature.name for feature in features_of(plan.schema, plan.config.environment)]
    return list(dict.fromkeys(names))


def check_inputs(plan: Plan, summary: InputSummary, source: str, open_file: OpenFile) -> list[str]:
    """Checks that all shards have the columns of a configuration, with the same types.

    If any row may lack a column, a TFRecord file passes although its first records lack the column,
    as long as another shard has it.

    Args:
        plan: what is evaluated.
        summary: what is known of the shards.
        source: the name of the configuration file, for messages.
        open_file: opens a shard.

    Returns:
        Notes, one line per note.

    Raises:
        ConfigError: if all shards lack a column, or have it with a type that cannot be read.
        BadData: if only some shards do, if types differ among shards, or if shards are not as a
            manifest or the schema says.
    """
    groups = summary.groups
    missing = _missing_everywhere(plan, groups, source, open_file) if groups else {}
    lines, notes = _missing_somewhere(plan, groups, missing)
    everywhere = list(missing.values())
    wrong: dict[tuple[Place, str], list[SchemaGroup]] = {}
    right = []
    for group in groups:
        faults = _wrong_types(plan, _as_read(plan, group))
        for fault in faults:
            wrong.setdefault(fault, []).append(group)
        if not faults:
            right.append(group)
    for (place, why), wrong_groups in wrong.items():
        if len(wrong_groups) == len(groups):
            everywhere.append(Problem(source, place, why))
        else:
            head = f"{have(count_of(wrong_groups))} another type: {show_path(place)}: {why}"
            lines.append(f"{head}: {named_in(wrong_groups)}")
    for name in plan.columns:
        lines += type_differences(name, right)
    differences = summary.differences - len(summary.differing)
    lines = [*first_of_kinds(summary.differing, differences), *first_lines(lines)]
    if everywhere:
        if plan.debug_samples:
            lines += seen_words(plan, groups, open_file)
        raise ConfigError([*everywhere, *(Problem(source, (), line) for line in lines)])
    lines += first_lines(_against_schema(plan, groups))
    if lines:
        raise BadData(lines)
    return notes


def _against_schema(plan: Plan, groups: Sequence[SchemaGroup]) -> list[str]:
    """Returns a line for each way in which shards differ from the columns of the schema."""
    if plan.schema is None:
        return []
    from pipeline.validation.schema import schema_problems

    differing: dict[str, list[SchemaGroup]] = {}
    for group in groups:
        for problem in schema_problems(plan.schema, plan.config.environment, group.types):
            differing.setdefault(problem, []).append(group)
    return [
        f"{problem}: {named_in(problem_groups)}" for problem, problem_groups in differing.items()
    ]


def check_types(plan: Plan, columns: dict[str, pa.DataType], place: str, source: str) -> None:
    """Checks that all columns of a configuration exist, with types that can be read.

    Args:
        plan: what is evaluated.
        columns: the types of the columns that exist, by name.
        place: the file or table that has these columns, for messages.
        source: the name of the configuration file, for messages.

    Raises:
        ConfigError: if columns are missing or of the wrong type; it names all of them.
    """
    missing = [name for name in plan.columns if name not in columns]
    problems = [
        Problem(source, (), _missing(name, columns, place, hint=number < MOST))
        for number, name in enumerate(missing)
    ]
    if not problems:
        problems = [Problem(source, path, why) for path, why in _wrong_types(plan, columns)]
    if problems:
        raise ConfigError(problems)


def check_columns(plan: Plan, schema: pa.Schema, place: str, source: str) -> None:
    """Checks that rows in memory have all columns of a configuration once, of readable types.

    Args:
        plan: what is evaluated.
        schema: the columns of the rows.
        place: what has these columns, for messages.
        source: the name of the configuration, for messages.

    Raises:
        ConfigError: if they have not; it names all columns that are missing or of the wrong type.
    """
    check_types(plan, {field.name: field.type for field in schema}, place, source)
    counts = Counter(schema.names)
    repeated = [name for name in plan.columns if counts[name] > 1]
    if repeated:
        what = f"{place} has {counts[repeated[0]]} columns '{repeated[0]}'; rename all but one"
        raise ConfigError([Problem(source, (), what)])


def _missing_everywhere(
    plan: Plan, groups: Sequence[SchemaGroup], source: str, open_file: OpenFile
) -> dict[str, Problem]:
    """Returns a problem for each column that no shard has, by the name of the column.

    The message suggests a column of the first shard that may have been meant.
    """
    names = set(plan.columns).difference(*(group.types for group in groups))
    if not names:
        return {}
    first = Shard(groups[0].paths[0], 0, groups[0].format)
    # In a TFRecord file, this looks at more records than before.
    try:
        columns = read_columns(first, open_file, plan.reading)
    except DataFault:
        columns = dict(groups[0].types)
    missing = [name for name in plan.columns if name in names and name not in columns]
    return {
        name: Problem(source, (), _missing(name, columns, first.path, hint=number < MOST))
        for number, name in enumerate(missing)
    }


def _missing_somewhere(
    plan: Plan, groups: Sequence[SchemaGroup], everywhere: Mapping[str, Problem]
) -> tuple[list[str], list[str]]:
    """Returns lines on columns that only some shards have: lines on faults, then notes."""
    lines, notes, needed = [], [], _needed(plan)
    for name in plan.columns:
        if name in everywhere:
            continue
        lacking = [group for group in groups if name not in group.types]
        if name not in needed:
            noted = [group for group in lacking if group.format == "tfrecord"]
            lacking = [group for group in lacking if group.format == "parquet"]
            if noted:
                lacks = f"no '{name}' in the first records: {named_in(noted)}"
                notes.append(f"{have(count_of(noted))} {lacks}")
        if lacking:
            lines.append(f"{have(count_of(lacking))} no column '{name}': {named_in(lacking)}")
    return lines, notes


def _missing(name: str, columns: Mapping[str, pa.DataType], place: str, *, hint: bool) -> str:
    near = nearest(name, columns) if hint else None
    meant = f"did you mean '{near}'? " if near else ""
    names = first_names(list(columns), 100)
    return f"no column '{name}' in {place}; {meant}it has: {names}"


def _needed(plan: Plan) -> set[str]:
    """Returns the columns without which a row is bad; lists of classes may be empty."""
    needed: set[str] = set()
    for head in plan.heads.values():
        head_columns = head.config.columns()
        if getattr(head.config.label, "form", None) in ("ids", "names"):
            head_columns.discard(head.config.label.column)
        needed |= head_columns
    return needed


def _as_read(plan: Plan, group: SchemaGroup) -> dict[str, pa.DataType]:
    """Returns the types with which the columns of shards are read.

    A column that the shards do not have, or that is empty in TFRecord files, is a list of nulls.
    """
    nothing = pa.list_(pa.null())
    types = {name: group.types.get(name, nothing) for name in plan.columns}
    if group.format == "tfrecord":
        types = {n: nothing if pa.types.is_null(t) else t for n, t in types.items()}
    return types


def _wrong_types(plan: Plan, columns: Mapping[str, pa.DataType]) -> list[tuple[Place, str]]:
    """Returns the places of the configuration that columns do not fit, with the reasons."""
    arrays = [pa.nulls(0, columns[name]) for name in plan.columns]
    batch = pa.RecordBatch.from_arrays(arrays, names=list(plan.columns))
    rows = Rows(batch, np.zeros(0, np.int64), "", {})
    wrong: list[tuple[Place, str]] = [
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
