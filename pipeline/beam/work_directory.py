"""A directory below the output of a run in which steps leave values for later steps.

Some runners hand all side inputs of a step to a worker in one piece, which must not be large; and
the list of all shards must not be in the graph.
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
    """The work directory of a run, which exists while the run does.

    Args:
        output: the output of the run.
    """

    def __init__(self, output: str) -> None:
        self.directory = str(FileSystems.join(output, ".work"))

    def path(self, name: str) -> str:
        """Returns the path of a file in the directory."""
        return str(FileSystems.join(self.directory, name))

    def keep(self, name: str, value: object) -> str:
        """Writes a value to a file; a second attempt at a step writes the same file again.

        Args:
            name: the name of the file.
            value: the value, which must be possible to pickle.

        Returns:
            The path that `load` reads the value from.
        """
        path = self.path(name)
        replace_file(path, pickle.dumps(value))
        return path

    def remove(self) -> None:
        """Removes the directory, if it exists; the run does not fail if that is impossible."""
        try:
            delete_directory(self.directory)
        except StorageError as error:
            _LOGGER.warning("%s; delete what is left in %s", error, self.directory)


def load(paths: Sequence[str]) -> Iterator[Any]:
    """Returns the values that were written to some paths, in the order of the paths."""
    return in_threads(_load, paths, _THREADS)


def _load(path: str) -> Any:
    return pickle.loads(read_file(path))
