"""Reads the files of a finished run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.readers.storage import OpenFile, open_local
from pipeline.runs.verify import open_run


def read_run(directory: str, names: Sequence[str], open_file: OpenFile = open_local) -> list[bytes]:
    """Returns the contents of files of a finished run, in the order of their names.

    Args:
        directory: the output of the run.
        names: the names of the files.
        open_file: opens a file.

    Raises:
        ConfigError: if there is no finished run, or if one of the files cannot be read or is not
            what the run wrote.
        StorageError: if files elsewhere cannot be reached.
    """
    run = open_run(directory, open_file)
    return [run.read(name) for name in names]
