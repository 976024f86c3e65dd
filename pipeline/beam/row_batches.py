"""Rows of a `PCollection`: dicts as record batches, and what is wrong with either."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import TaggedOutput

from pipeline.beam.partitions import in_global_window
from pipeline.beam.transforms import FINDINGS
from pipeline.errors.problems import ConfigError
from pipeline.evaluation.input_files import check_columns
from pipeline.evaluation.plan import Plan
from pipeline.readers.batches import cut
from pipeline.readers.read import BATCH_ROWS
from pipeline.readers.rows import Rows
from pipeline.validation.findings import Findings

NO_PLACE = ""
"""The path of rows that are in no file."""

# So many dicts make a batch. They take more memory than the batch does.
_TOGETHER = 10_000


def failure(message: str) -> Findings:
    """Returns the findings that say why rows cannot be read."""
    return Findings(failures={NO_PLACE: message})


@beam.typehints.with_output_types(pa.RecordBatch, findings=tuple[str, Findings])
class ToBatches(beam.DoFn):
    """Turns dicts and named tuples into record batches, and leaves record batches as they are.

    What is neither, or does not fit the schema, is a finding.

    Args:
        schema: the columns to take of a dict, with their types; None if there are no dicts.
    """

    def __init__(self, schema: pa.Schema | None) -> None:
        self._schema = schema

    def start_bundle(self) -> None:
        self._rows: list[Mapping[str, Any]] = []

    def process(self, element: Any) -> Iterator[pa.RecordBatch | TaggedOutput]:
        if isinstance(element, pa.RecordBatch):
            yield element
            return
        row = element._asdict() if hasattr(element, "_asdict") else element
        if self._schema is None or not isinstance(row, Mapping):
            yield _found(_no_row(element))
            return
        self._rows.append(row)
        if len(self._rows) == _TOGETHER:
            yield self._batch()

    def finish_bundle(self) -> Iterator[Any]:
        if self._rows:
            made = self._batch()
            if isinstance(made, TaggedOutput):
                yield TaggedOutput(made.tag, in_global_window(made.value))
            else:
                yield in_global_window(made)

    def _batch(self) -> pa.RecordBatch | TaggedOutput:
        assert self._schema is not None
        rows, self._rows = self._rows, []
        columns = []
        for field in self._schema:
            values = [row.get(field.name) for row in rows]
            try:
                columns.append(pa.array(values, field.type))
            except (pa.ArrowException, TypeError, ValueError, OverflowError):
                odd = next(value for value in values if not _fits(value, field.type))
                # The value itself may be personal data.
                return _found(
                    f"column '{field.name}': a row has a value of the type"
                    f" {type(odd).__name__} that does not fit {field.type}, as 'schema' says"
                )
        return pa.RecordBatch.from_arrays(columns, schema=self._schema)


def _fits(value: Any, type_: pa.DataType) -> bool:
    try:
        pa.array([value], type_)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def _no_row(element: Any) -> str:
    kind = type(element).__name__
    if isinstance(element, Mapping) or hasattr(element, "_asdict"):
        return f"an element is a {kind}: give Evaluate a 'schema', the columns and their types"
    return f"an element is a {kind}: give record batches of Arrow, or dicts and their 'schema'"


def _found(message: str) -> TaggedOutput:
    return TaggedOutput(FINDINGS, (NO_PLACE, failure(message)))


class RowReader:
    """A reader of record batches that have the columns of a plan.

    Args:
        plan: the plan of the run.
        source: the name of the configuration, for messages.
    """

    def __init__(self, plan: Plan, source: str) -> None:
        self._plan = plan
        self._source = source
        self._known: list[pa.Schema] = []

    def rows(self, batch: pa.RecordBatch) -> Iterator[Rows]:
        """Yields the rows of a batch.

        Raises:
            ConfigError: if the batch does not have the columns that the plan reads.
        """
        if batch.schema not in self._known:
            check_columns(self._plan, batch.schema, "a record batch", self._source)
            self._known.append(batch.schema)
        for part, _ in cut(batch.select(list(self._plan.columns)), BATCH_ROWS):
            yield Rows(part, np.full(len(part), -1), NO_PLACE, {})

    def rows_if_readable(self, batch: pa.RecordBatch) -> Iterator[Rows]:
        """Yields the rows of a batch, or none if `rows` raises an error."""
        try:
            yield from self.rows(batch)
        except ConfigError:
            return
