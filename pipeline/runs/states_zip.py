"""The states of a run as one archive; with it the run can be compared without its data."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Collection, Iterable
from typing import Any

from heads.statistics import State
from heads.statistics.codec import MAX_BYTES, decode
from heads.statistics.keys import key_text, parse_key
from pipeline.evaluation.state_key import Series, StateKey, parse_state_key
from pipeline.report.stored_json import (
    Misfit,
    anything,
    check_version,
    count,
    list_of,
    or_null,
    parse_json,
    record,
    text,
)
from pipeline.slicing.table import SliceTable, SpecSlices

SLICES = "slices.json"
VERSION = 3
"""The version of the format of the archive. Version 1 named a state by its position in a list."""
MAX_STATES = 1 << 16
"""The largest number of states of an archive, unless they have 4 KiB on average."""
MAX_SLICES_BYTES = 64 << 20
"""The largest table of slices: a million slices, of short values."""

# What every member of a ZIP file has in the directory at its end.
_ENTRY = b"PK\x01\x02"

# The time that every member carries, so that equal states make equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)

# The errors of reading a damaged archive.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
)


def _slice(value: Any) -> None:
    """The type of slices: a key, and how many rows it has or null."""
    list_of(anything)(value)
    if len(value) != 2:
        raise Misfit("expected a key and a count")
    text(value[0])
    or_null(count)(value[1])


_TABLE = record(
    {
        "headcount_states": count,
        "specs": list_of(record({"slices": list_of(_slice), "merged_into_other": count})),
        "largest": list_of(text),
    }
)


def zip_states(table: SliceTable, states: Iterable[tuple[StateKey, bytes]]) -> bytes:
    """Returns an archive of the slices and of encoded states.

    The name of a state in the archive is `HEAD/MODEL/STATISTIC/PARTITION`. Equal states give equal
    bytes.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(SLICES, _EPOCH), _table_text(table))
        for key, state in sorted(states, key=lambda pair: pair[0]):
            archive.writestr(zipfile.ZipInfo(str(key), _EPOCH), state)
    return stream.getvalue()


def unzip_states(
    content: bytes, wanted: Collection[Series] | None = None
) -> tuple[SliceTable, dict[StateKey, State]]:
    """Returns the slices and the states of an archive.

    Nothing in an archive is compressed, so it takes no more than a multiple of its size in memory.

    Args:
        content: the bytes of the archive.
        wanted: the series to read; states of others are left alone. None for all.

    Raises:
        ValueError: if the archive, or a state in it, is damaged or of another format version.
    """
    states = {}
    try:
        most = max(MAX_STATES, len(content) >> 12)
        if content.count(_ENTRY) > most + 1:
            raise ValueError(f"the archive has more than {most:,} states")
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            keys = _state_keys(archive, len(content))
            table = _parse_table(archive.read(SLICES))
            for name, key in keys.items():
                if wanted is None or key.series in wanted:
                    states[key] = _decode(name, archive.read(name), key.statistic)
    except _DAMAGED as error:
        raise ValueError(f"this is no archive of states, or it is damaged: {error}") from error
    return table, states


def _state_keys(archive: zipfile.ZipFile, size: int) -> dict[str, StateKey]:
    """Returns the keys of the states of an archive by the name of the member, sorted by key.

    Args:
        archive: the archive.
        size: its size in bytes.

    Raises:
        ValueError: if a member is not as `zip_states` writes it, or would take more memory.
    """
    members = archive.infolist()
    keys = {}
    for member in members:
        stored = member.compress_type == zipfile.ZIP_STORED
        if not stored or member.file_size != member.compress_size or member.flag_bits & 1:
            raise ValueError(f"{member.filename!r:.80} is compressed or encrypted")
        most = MAX_SLICES_BYTES if member.filename == SLICES else MAX_BYTES
        if member.file_size > most:
            raise ValueError(
                f"{member.filename!r:.80} has {member.file_size:,} bytes, and at most {most:,} are"
                " read"
            )
        if member.filename != SLICES:
            try:
                keys[member.filename] = parse_state_key(member.filename)
            except ValueError as error:
                raise ValueError(f"{member.filename!r:.80} is the name of no state") from error
    if sum(member.file_size for member in members) > size:
        raise ValueError("its members take more bytes than the archive has")
    if len(keys) + 1 != len(members) or SLICES not in archive.NameToInfo:
        raise ValueError(f"it has a member twice, or not {SLICES}")
    return dict(sorted(keys.items(), key=lambda pair: pair[1]))


def _decode(name: str, content: bytes, digest: str) -> State:
    try:
        return decode(content, digest=digest)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _table_text(table: SliceTable) -> str:
    data = {
        "headcount_states": VERSION,
        "specs": [
            {
                "slices": [
                    [key_text(key), count]
                    for key, count in zip(spec.keys, spec.examples, strict=True)
                ],
                "merged_into_other": spec.merged_into_other,
            }
            for spec in table.specs
        ],
        "largest": sorted(map(key_text, table.largest)),
    }
    return json.dumps(data, indent=0)


def _parse_table(content: bytes) -> SliceTable:
    data = parse_json(content)
    check_version(data, "headcount_states", VERSION)
    _TABLE(data)
    specs = []
    for spec in data["specs"]:
        keys = [parse_key(key) for key, _ in spec["slices"]]
        examples = tuple(count for _, count in spec["slices"])
        specs.append(SpecSlices(tuple(keys), examples, spec["merged_into_other"]))
    return SliceTable(tuple(specs), frozenset(map(parse_key, data["largest"])))
