"""Access to files; Beam is imported only for files that are not on this machine."""

from __future__ import annotations

import argparse
import gc
import os
from collections.abc import Sequence
from importlib import import_module
from typing import TYPE_CHECKING, BinaryIO

from pipeline.cli.output import warn
from pipeline.errors.faults import StorageError
from pipeline.errors.interrupted import uninterrupted
from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.suggest import nearest
from pipeline.readers.storage import OpenFile, is_local, open_local

if TYPE_CHECKING:
    from pipeline.runs.store import Store


def import_beam() -> None:
    """Imports Beam, which takes longer than everything else that a command does.

    The garbage collector is off meanwhile: it would take a tenth of that time and find nothing.
    """
    gc.disable()
    import_module("pipeline.beam.run")
    gc.freeze()
    gc.enable()


def add_plugins_argument(parser: argparse.ArgumentParser) -> None:
    """Adds the option by which users name code that finished runs may be read with."""
    parser.add_argument(
        "--plugins",
        metavar="MODULE",
        action="append",
        default=[],
        help="import this plugin of the run, from the working directory or as an installed module;"
        " may be given several times",
    )


def add_gates_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options that say by which gates a run is judged, and which run it is compared with.

    Both may be left out.
    """
    parser.add_argument(
        "--gates", metavar="FILE", help="judge by the gates in this YAML file, and by no others"
    )
    parser.add_argument(
        "--against",
        metavar="DIR",
        help="the finished run that gates with 'against: run' compare with; none to skip them",
    )


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


def store_of(directory: str) -> Store:
    """Returns the store of a directory of runs; Beam has to be connected if it is elsewhere."""
    if is_local(directory):
        from pipeline.runs.store import LocalStore

        return LocalStore()
    from pipeline.beam.store import BeamStore

    return BeamStore()


def say_what_is_pending(directory: str) -> None:
    """Says on stderr if a directory holds a newer run that is whole and not yet published.

    Raises:
        ConfigError: if there is such a run, and the directory holds no other.
    """
    from pipeline.runs.pending import pending_note

    note = pending_note(store_of(directory), directory)
    if note is not None:
        warn(note)


def write(path: str, content: bytes) -> None:
    """Writes a file on this machine or elsewhere, whole or not at all.

    Raises:
        StorageError: if it cannot be written.
    """
    if not is_local(path):
        from pipeline.beam.files import write_file

        write_file(path, content)
        return
    from pipeline.runs.store import LocalStore

    try:
        with uninterrupted():
            if os.path.exists(path) and not os.path.isfile(path):
                # A device or a pipe is written to, and not replaced.
                with open(path, "wb") as stream:
                    stream.write(content)
            else:
                LocalStore().write(path, content)
    except OSError as error:
        raise StorageError(f"{path}: cannot be written: {error.strerror}") from error
