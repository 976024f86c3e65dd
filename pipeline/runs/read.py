"""Reads the files of a finished run."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.storage import OpenFile, open_local


def read_run(directory: str, names: Sequence[str], open_file: OpenFile = open_local) -> list[bytes]:
    """Returns the contents of files of a finished run, in the order of their names.

    Args:
        directory: the output of the run.
        names: the names of the files.
        open_file: opens a file.

    Raises:
        ConfigError: if there is no finished run, or one of the files cannot be read.
    """
    base = directory.rstrip("/") or "/"
    try:
        open_file(f"{base}/_SUCCESS").close()
    except (FileNotFoundError, NotADirectoryError) as error:
        message = "holds no finished run: there is no _SUCCESS in it"
        raise ConfigError([Problem(directory, (), message)]) from error
    contents = []
    for name in names:
        try:
            with open_file(f"{base}/{name}") as stream:
                contents.append(stream.read())
        except OSError as error:
            message = f"the run cannot be read, run it again: {name}: {error.strerror}"
            raise ConfigError([Problem(directory, (), message)]) from error
    return contents
