"""Writes the predictions and the loss of every row to files."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from contextlib import ExitStack, suppress
from types import TracebackType

import pyarrow.parquet as pq

from heads.statistics import Scored
from pipeline.beam.files import create_file, explained
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.predictions import predictions_table
from pipeline.readers.rows import Rows
from pipeline.readers.shards import WorkItem
from pipeline.readers.storage import is_local
from pipeline.runs.stage import join


class PredictionWriter:
    """A writer of the scored rows of one work item: `DIRECTORY/HEAD/part-NAME.parquet` per head.

    The name of a file follows from the work item, so that a second attempt writes the same files.
    Files appear only when they are whole, so that several attempts may write at once.

    Args:
        directory: the directory of the predictions of this run alone.
        item: the work item.
    """

    def __init__(self, directory: str, item: WorkItem) -> None:
        self._directory = directory
        self._name = f"part-{hashlib.sha256(item.name.encode()).hexdigest()[:16]}.parquet"
        self._attempt = uuid.uuid4().hex
        self._stack = ExitStack()
        self._writers: dict[str, pq.ParquetWriter] = {}
        self._unfinished: dict[str, str] = {}

    def __enter__(self) -> PredictionWriter:
        return self

    def write(self, head: HeadPlan, rows: Rows, scored: Scored) -> None:
        """Adds the scored rows of a batch."""
        table = predictions_table(head, rows, scored)
        if head.name not in self._writers:
            path = self._new_file(head.name)
            self._unfinished[head.name] = path
            with explained(path):
                stream = self._stack.enter_context(open(path, "wb"))  # noqa: SIM115
            # Synced before it is closed, and after the writer has written its footer.
            self._stack.callback(os.fsync, stream.fileno())
            self._stack.callback(stream.flush)
            writer = pq.ParquetWriter(stream, table.schema)
            self._writers[head.name] = self._stack.enter_context(writer)
        self._writers[head.name].write_table(table)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            with explained(self._directory):
                self._stack.close()
            if error is None:
                for head, unfinished in self._unfinished.items():
                    self._finish(unfinished, join(self._directory, head, self._name))
        finally:
            for unfinished in self._unfinished.values():
                with suppress(FileNotFoundError):
                    os.unlink(unfinished)

    def _new_file(self, head: str) -> str:
        """Returns the path of a file of this machine to write to before it is whole.

        A stream to an object store that is closed after an error would leave a part of a file.
        """
        if not is_local(self._directory):
            return os.path.join(tempfile.gettempdir(), f"headcount-{head}-{self._attempt}")
        directory = join(self._directory, head)
        # The driver has made the directory above, and takes it away if the run fails.
        with explained(directory), suppress(FileExistsError):
            os.mkdir(directory)
        return join(directory, f".unfinished-{self._attempt}")

    def _finish(self, unfinished: str, path: str) -> None:
        """Puts a file that is whole under its name."""
        with explained(path):
            if is_local(path):
                os.replace(unfinished, path)
            else:
                with open(unfinished, "rb") as source, create_file(path) as stream:
                    shutil.copyfileobj(source, stream, 1 << 20)
