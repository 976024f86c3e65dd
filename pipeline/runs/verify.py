"""Opens finished runs, and verifies their files before anything believes them.

`_SUCCESS` names the run and the SHA-256 of the manifest, and the manifest the size and SHA-256 of
every other file. So a file that was changed, or that is of another run, does not fit.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.storage import OpenFile, is_local, open_local
from pipeline.report.stored_json import (
    check_version,
    count,
    mapping_of,
    matching,
    or_null,
    parse_json,
    record,
    text,
)
from pipeline.runs.manifest import MANIFEST, SUCCESS, VERSION, sha256, success_bytes

# The largest files that are read, in bytes. A manifest lists about ten files. A run whose states
# take the default of `max_state_mb` leaves about 500 MB of states and as much of a report; a larger
# `max_state_mb` lets the states grow, but a report has at most 1,000 slices of a head.
_MAX_BYTES: Mapping[str, int] = {
    SUCCESS: 1 << 10,
    MANIFEST: 1 << 20,
    "report.json": 1 << 30,
    "gates.json": 1 << 28,
}
_MAX_OTHER_BYTES = 1 << 32

_IDENTITY = matching("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_FILE_NAME = matching("[A-Za-z0-9_][A-Za-z0-9_.-]{0,254}")
_SHA256 = matching("[0-9a-f]{64}")
_SUCCESS = record({"id": _IDENTITY, "manifest_sha256": _SHA256})
_MANIFEST = record(
    {
        "headcount_manifest": count,
        "id": _IDENTITY,
        "created": text,
        "files": mapping_of(record({"bytes": count, "sha256": _SHA256}), _FILE_NAME),
        "predictions": or_null(text),
        "versions": mapping_of(text),
    },
    {"plugins": mapping_of(_SHA256)},
    # A release that says more keeps the version, if what is here keeps its meaning.
    more=True,
)


@dataclass(frozen=True)
class VerifiedRun:
    """A finished run whose manifest is the one that its `_SUCCESS` names.

    Attributes:
        directory: the output of the run.
        manifest: the content of `manifest.json`, as plain data.
        open_file: opens a file.
    """

    directory: str
    manifest: Mapping[str, Any]
    open_file: OpenFile

    @property
    def plugins(self) -> dict[str, str]:
        """The SHA-256 of the plugins of the run, by name; a run of an older release has none."""
        return dict(self.manifest.get("plugins", {}))

    def read(self, name: str) -> bytes:
        """Returns the content of a file of the run; its size and SHA-256 are those of the manifest.

        Raises:
            ConfigError: if the manifest does not list the file, or the file is not what it says.
            StorageError: if files elsewhere cannot be reached.
        """
        with explained(self.directory, name):
            if name not in self.manifest["files"]:
                raise ValueError(f"{MANIFEST} does not list it")
            facts = self.manifest["files"][name]
            content = read_file(self.directory, name, self.open_file, facts["bytes"])
            _check_content(content, facts["sha256"], MANIFEST)
        return content


def open_run(directory: str, open_file: OpenFile = open_local) -> VerifiedRun:
    """Opens a finished run.

    Of the directory, files of known names are opened, and no other place that a file may name.

    Args:
        directory: the output of the run.
        open_file: opens a file.

    Raises:
        ConfigError: if there is no finished run, or if `_SUCCESS` and the manifest are not what a
            run of this release leaves, or are those of two runs.
        StorageError: if files elsewhere cannot be reached.
    """
    with explained(directory, SUCCESS):
        try:
            success_content = read_file(directory, SUCCESS, open_file)
        except NotADirectoryError as error:
            named = os.path.dirname(directory) or "."
            message = f"is a file; name the directory of a run, as {named}"
            raise ConfigError([Problem(directory, (), message)]) from error
        except FileNotFoundError as error:
            message = f"holds no finished run: there is no {SUCCESS} in it"
            raise ConfigError([Problem(directory, (), message)]) from error
        if not success_content.strip():
            raise ValueError("it is empty, as in older releases: nothing vouches for the files")
        success = parse_json(success_content)
        _SUCCESS(success)
    with explained(directory, MANIFEST):
        content = read_file(directory, MANIFEST, open_file)
        _check_content(content, success["manifest_sha256"], SUCCESS)
        manifest = parse_json(content)
        check_version(manifest, "headcount_manifest", VERSION)
        _MANIFEST(manifest)
        if manifest["id"] != success["id"]:
            found, named = manifest["id"], success["id"]
            raise ValueError(f"it is of the run {found}, and {SUCCESS} of the run {named}")
    with explained(directory, SUCCESS):
        # Of these bytes nothing has a checksum.
        if success_content != success_bytes(success["id"], content):
            raise ValueError("it was changed: it is not as a run writes it")
    return VerifiedRun(directory, manifest, open_file)


@contextmanager
def explained(directory: str, name: str) -> Iterator[None]:
    """Turns an OSError or a ValueError about a file of a run into `ConfigError`, which names it.

    Args:
        directory: the output of the run.
        name: the name of the file.

    Raises:
        ConfigError: in place of the error.
    """
    try:
        yield
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        message = f"the run cannot be read, run it again with this release: {name}: {reason}"
        raise ConfigError([Problem(directory, (), message)]) from error


def read_file(directory: str, name: str, open_file: OpenFile, expected: int | None = None) -> bytes:
    """Returns the content of a file of a run.

    Args:
        directory: the directory of the file.
        name: the name of the file.
        open_file: opens the file.
        expected: the size of the file in bytes, or None if it is not known.

    Raises:
        ValueError: if the file has another size, or is too large to be read, or is not a file.
        OSError: if it cannot be read.
    """
    path = os.path.join(directory.rstrip("/") or directory[:1], name)
    if is_local(directory):
        _check_place(directory, path)
    with open_file(path) as stream:
        # Before a byte is read: no size that somebody wrote down reserves memory.
        size = stream.seek(0, io.SEEK_END)
        most = _MAX_BYTES.get(name, _MAX_OTHER_BYTES)
        if size > most:
            raise ValueError(f"it has {size:,} bytes, and at most {most:,} are read")
        if expected is not None and size != expected:
            raise ValueError(f"it has {size:,} bytes, and {MANIFEST} lists {expected:,}")
        stream.seek(0)
        content = stream.read(size)
    if len(content) != size:
        raise ValueError("it changed while it was read")
    return content


def _check_place(directory: str, path: str) -> None:
    """Raises ValueError unless a file of this machine is a regular file inside its directory.

    Opening a pipe would wait for a writer, and a link may lead anywhere.
    """
    root = os.path.realpath(directory)
    place = os.path.realpath(path, strict=True)
    if os.path.commonpath([root, place]) != root:
        raise ValueError("it is a link to a place outside of the run")
    if not stat.S_ISREG(os.stat(place).st_mode):
        raise ValueError("it is no regular file")


def _check_content(content: bytes, expected: str, witness: str) -> None:
    """Raises ValueError unless a content has the SHA-256 that the file `witness` says."""
    if sha256(content) != expected:
        raise ValueError(f"it is not what {witness} says: it was changed, or is of another run")
