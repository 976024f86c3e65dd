"""Access to files; Beam is imported only for files that are not on this machine."""

from __future__ import annotations

import argparse
import gc
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import BinaryIO

from pipeline.errors.interrupted import check
from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.suggest import nearest
from pipeline.readers.storage import OpenFile, is_local, open_local


def import_beam() -> None:
    """Imports Beam, which takes longer than everything else that a command does.

    The garbage collector is off meanwhile: it would take a tenth of that time and find nothing.
    """
    gc.disable()
    import_module("pipeline.beam.run")
    gc.freeze()
    gc.enable()
    check()


def make_opener(known: argparse.Namespace, rest: Sequence[str]) -> OpenFile:
    """Makes a function that opens files anywhere; Beam is imported only for files elsewhere.

    Args:
        known: the parsed command line.
        rest: the arguments that are left, for Beam.
    """

    def open_file(path: str) -> BinaryIO:
        if is_local(path):
            return open_local(path)
        connect(known, rest, [path])
        from pipeline.beam import files

        return files.open_file(path)

    return open_file


def connect(known: argparse.Namespace, rest: Sequence[str], paths: Sequence[str]) -> None:
    """Lets Beam reach files, unless all of them are on this machine: then it takes no Beam options.

    Args:
        known: the parsed command line.
        rest: the arguments that are left, for Beam.
        paths: globs and files.

    Raises:
        ConfigError: if an option is unknown.
        StorageError: if files elsewhere cannot be reached.
    """
    if not all(map(is_local, paths)):
        import_beam()
        from pipeline.beam.access import connect as connect_beam
        from pipeline.beam.options import beam_options

        connect_beam(paths, beam_options(rest, known.options))
    elif rest:
        near = nearest(rest[0].partition("=")[0], known.options)
        hint = f"; did you mean {near}?" if near else ""
        raise ConfigError([Problem("command line", (), f"unknown argument {rest[0]}{hint}")])


def write(path: str, content: bytes) -> None:
    """Writes a file on this machine or elsewhere.

    Raises:
        ConfigError: if it cannot be written on this machine.
        StorageError: if it cannot be written elsewhere.
    """
    if not is_local(path):
        from pipeline.beam.files import write_file

        write_file(path, content)
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise ConfigError([Problem(path, (), message)]) from error
