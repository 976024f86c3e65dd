"""Writes the predictions and the loss of every row to files."""

from __future__ import annotations

import hashlib
import logging
import re
import uuid
from contextlib import ExitStack
from types import TracebackType

import pyarrow.parquet as pq
from apache_beam.io.filesystems import FileSystems

from heads.statistics import Scored
from pipeline.beam.files import create_file, delete_files, match_files
from pipeline.errors.faults import StorageError
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.predictions import predictions_table
from pipeline.readers.rows import Rows
from pipeline.readers.shards import WorkItem

_LOGGER = logging.getLogger(__name__)
_UNFINISHED = ".unfinished-"
_NAME = re.compile(r"part-[0-9a-f]{16}\.parquet")


def list_predictions(directory: str) -> list[str]:
    """Returns the paths of the files of predictions in a directory.

    Other programs call their files `part-...` too: those are not listed, for what is listed may be
    deleted.
    """
    paths = _matching(directory, "part-*.parquet")
    return [path for path in paths if _NAME.fullmatch(FileSystems.split(path)[1])]


def remove_unfinished(directory: str) -> None:
    """Removes the unfinished files that dead workers have left in a directory of predictions.

    The run does not fail if they cannot be removed.
    """
    try:
        delete_files(_matching(directory, f"{_UNFINISHED}*"))
    except StorageError as error:
        _LOGGER.warning("%s; delete what is left in %s", error, directory)


def _matching(directory: str, pattern: str) -> list[str]:
    return match_files(directory, "*", pattern)


class PredictionWriter:
    """A writer of the scored rows of one work item: `DIRECTORY/HEAD/part-NAME.parquet` per head.

    The name of a file follows from the work item, so that a second attempt writes the same files.
    Files appear only when they are whole, so that several attempts may write at once.

    Args:
        directory: the directory to write to.
        item: the work item.
    """

    def __init__(self, directory: str, item: WorkItem) -> None:
        self._directory = directory
        self._name = f"part-{hashlib.sha256(item.name.encode()).hexdigest()[:16]}.parquet"
        self._attempt = uuid.uuid4().hex
        self._stack = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}

    def __enter__(self) -> PredictionWriter:
        return self

    def write(self, head: HeadPlan, rows: Rows, scored: Scored) -> None:
        """Adds the scored rows of a batch."""
        table = predictions_table(head, rows, scored)
        if head.name not in self._writers:
            stream = self._stack.enter_context(create_file(self._unfinished(head.name)))
            writer = pq.ParquetWriter(stream, table.schema)
            self._writers[head.name] = self._stack.enter_context(writer)
        self._writers[head.name].write_table(table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()
        for head in self._writers:
            unfinished = self._unfinished(head)
            if error is None:
                FileSystems.rename([unfinished], [self._path(head)])
            else:
                FileSystems.delete([unfinished])

    def _path(self, head: str) -> str:
        return str(FileSystems.join(self._directory, head, self._name))

    def _unfinished(self, head: str) -> str:
        return str(FileSystems.join(self._directory, head, f"{_UNFINISHED}{self._attempt}"))
