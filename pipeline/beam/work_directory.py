"""A directory in the stage of a run in which steps leave values for later steps.

Some runners hand all side inputs of a step to a worker in one piece, which must not be large; and
the list of all shards must not be in the graph.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from pipeline.beam.files import read_file, replace_file
from pipeline.readers.threads import in_threads
from pipeline.runs.gates import OtherRun
from pipeline.runs.stage import Stage, join
from pipeline.runs.store import Store

_THREADS = 8
_OTHER = "against.run"


class WorkDirectory:
    """The work directory of a run, which is deleted with its stage.

    Args:
        stage: the stage of the run.
    """

    def __init__(self, stage: Stage) -> None:
        self.directory = stage.path("work")

    def open(self, store: Store) -> None:
        """Makes the directory."""
        store.make_directory(self.directory)

    def path(self, name: str) -> str:
        """Returns the path of a file in the directory."""
        return join(self.directory, name)

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


def keep_other(stage: Stage, other: OtherRun) -> None:
    """Keeps the run that gates compare with, for it may be replaced before they are judged."""
    WorkDirectory(stage).keep(_OTHER, other)


def kept_other(stage: Stage) -> OtherRun:
    """Returns the run that `keep_other` kept."""
    found: OtherRun = _load(WorkDirectory(stage).path(_OTHER))
    return found


def load(paths: Sequence[str]) -> Iterator[Any]:
    """Returns the values that were written to some paths, in the order of the paths."""
    return in_threads(_load, paths, _THREADS)


def _load(path: str) -> Any:
    return pickle.loads(read_file(path))
