"""What steps leave for later ones in files, below the output of a run while it runs.

Some runners hand all that a step needs beside its input to a worker in one piece, which must not be
large; and what a driver knows of all shards must not be in the graph.
"""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from apache_beam.io.filesystems import FileSystems

from pipeline.beam.files import delete_directory, read_file, replace_file
from pipeline.errors.faults import StorageError
from pipeline.readers.threads import in_threads

_LOGGER = logging.getLogger(__name__)
_THREADS = 8


class WorkDirectory:
    """The work directory of a run.

    Args:
        output: the output of the run.
    """

    def __init__(self, output: str) -> None:
        self.directory = str(FileSystems.join(output, ".work"))

    def path(self, name: str) -> str:
        """The path of a file of it."""
        return str(FileSystems.join(self.directory, name))

    def keep(self, name: str, value: object) -> str:
        """Keeps a value; a second attempt at a step keeps the same under the same name.

        Returns:
            The path to load it from.
        """
        path = self.path(name)
        replace_file(path, pickle.dumps(value))
        return path

    def remove(self) -> None:
        """Removes the directory, if there is one; that it cannot be is no failure of the run."""
        try:
            delete_directory(self.directory)
        except StorageError as error:
            _LOGGER.warning("%s; delete what is left in %s", error, self.directory)


def load(paths: Sequence[str]) -> Iterator[Any]:
    """The values that were kept under some paths, in their order."""
    return in_threads(_load, paths, _THREADS)


def _load(path: str) -> Any:
    return pickle.loads(read_file(path))
