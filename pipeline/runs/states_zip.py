"""The states of a run as one archive; with it the run can be compared without its data."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable

from heads.statistics import State
from heads.statistics.codec import decode
from heads.statistics.keys import Key, key_text, parse_key
from pipeline.evaluation.state_key import StateKey, parse_state_key
from pipeline.slicing.table import SliceTable, SpecSlices

SLICES = "slices.json"
VERSION = 2
"""The version of the format of the archive. Version 1 named a state by its position in a list."""

# The time that every member carries, so that equal states make equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)

# The errors of reading a damaged archive, whose headers may say that a member is compressed or
# encrypted, or was written by a newer program.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    KeyError,
    NotImplementedError,
    RuntimeError,
    TypeError,
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


def unzip_states(content: bytes) -> tuple[SliceTable, dict[StateKey, State]]:
    """Returns the slices and the states of an archive.

    Raises:
        ValueError: if the archive, or a state in it, is damaged or of another format version.
    """
    states = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            table = _parse_table(archive.read(SLICES))
            for name in archive.namelist():
                if name != SLICES:
                    key = parse_state_key(name)
                    states[key] = decode(archive.read(name))
                    if states[key].statistic.digest != key.statistic:
                        raise ValueError(f"{name} holds a state of another statistic")
    except _DAMAGED as error:
        raise ValueError(f"this is no archive of states, or it is damaged: {error}") from error
    return table, states


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


def _parse_table(text: bytes) -> SliceTable:
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError(f"{SLICES} is no table of slices")
    version = data.get("headcount_states", 1)
    if version != VERSION:
        raise ValueError(
            f"states.zip has format version {version}, and this release of headcount reads"
            f" {VERSION}"
        )
    specs = []
    for spec in data["specs"]:
        keys: list[Key] = [parse_key(key) for key, _ in spec["slices"]]
        examples = tuple(count for _, count in spec["slices"])
        specs.append(SpecSlices(tuple(keys), examples, spec["merged_into_other"]))
    return SliceTable(tuple(specs), frozenset(map(parse_key, data["largest"])))
