"""The words of label columns whose vocabulary the configuration does not have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from pipeline.errors.faults import DataFault
from pipeline.errors.yaml_words import yaml_list
from pipeline.evaluation.plan import Plan
from pipeline.readers.arrow_types import is_list, is_text
from pipeline.readers.input_summary import SchemaGroup
from pipeline.readers.read import inspect, read_rows
from pipeline.readers.rows import coded, flat_values
from pipeline.readers.shards import Shard
from pipeline.readers.storage import OpenFile

_ROWS = 10_000
_MOST_WORDS = 20


def seen_words(plan: Plan, groups: Sequence[SchemaGroup], open_file: OpenFile) -> Iterator[str]:
    """Yields a line for each label column of words that a head reads as numbers.

    It says which words the first rows of the first file have, for a `vocabulary`, if they are few.
    That shows what rows hold: it is for users who ask for that.

    Args:
        plan: what is evaluated.
        groups: the files, by their columns.
        open_file: opens a file.
    """
    labels = {
        head.config.label.column
        for head in plan.heads.values()
        if getattr(head.config.label, "vocabulary", None) is None
    }
    first = groups[0]
    shard = Shard(first.paths[0], 0, first.format)
    for column in sorted(labels & first.types.keys()):
        words = _words(shard, column, open_file, plan)
        if words and len(words) <= _MOST_WORDS:
            yield f"the first rows of '{column}' in {shard.path} have the words {yaml_list(words)}"


def _words(shard: Shard, column: str, open_file: OpenFile, plan: Plan) -> list[str]:
    """Returns the distinct words of a column in its first rows, sorted; none if it is of others."""
    try:
        items = inspect(shard, open_file, plan.reading, names=[column]).items
        batches = (rows for item in items for rows in read_rows(item, [column], _ROWS, open_file))
        rows = next(batches, None)
    except DataFault:
        return []
    if rows is None:
        return []
    array = rows.column(column)
    values = flat_values(array) if is_list(array.type) else array
    if not is_text(values.type):
        return []
    indices, words = coded(values)
    return sorted(
        word for word in (words[at] for at in np.unique(indices)) if isinstance(word, str)
    )
