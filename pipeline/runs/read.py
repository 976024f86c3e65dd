"""Reads the files of a finished run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipeline.readers.storage import OpenFile, open_local
from pipeline.report.gates_layout import parse_gates
from pipeline.report.stored_json import list_of, parse_json, record, text
from pipeline.runs.file_names import BLESSED, DATA, GATES, GATES_FILES, MARK, NOT_BLESSED
from pipeline.runs.verify import VerifiedRun, explained, open_run

_NOTED = record({"notes": list_of(text)}, more=True)


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


def read_notes(run: VerifiedRun) -> list[str]:
    """Returns the notes of the data report of a finished run; none if it has no data report.

    Raises:
        ConfigError: if the data report is damaged.
        StorageError: if files elsewhere cannot be reached.
    """
    if DATA not in run.manifest["files"]:
        return []
    with explained(run.directory, DATA):
        data = parse_json(run.read(DATA))
        _NOTED(data)
    notes: list[str] = data["notes"]
    return notes


def read_gates(run: VerifiedRun) -> dict[str, Any] | None:
    """Returns the verdict that a finished run holds, as plain data; None if it has no gates.

    Raises:
        ConfigError: if its files are damaged, or if they contradict each other.
        StorageError: if files elsewhere cannot be reached.
    """
    there = [name for name in GATES_FILES if name in run.manifest["files"]]
    if not there:
        return None
    with explained(run.directory, GATES):
        verdict = parse_gates(run.read(GATES))
        mark = BLESSED if verdict["passed"] else NOT_BLESSED
        if there != [GATES, mark]:
            raise ValueError(f"it goes with {mark}, and the run has {' and '.join(there)}")
    with explained(run.directory, mark):
        if run.read(mark) != MARK:
            raise ValueError("it holds more than a newline")
    return verdict
