"""The states of a run as one archive, from which it can be compared without its data."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable

from heads.statistics import State
from heads.statistics.codec import decode
from heads.statistics.keys import Key, key_text, parse_key
from pipeline.evaluation.state_key import StateKey
from pipeline.slicing.table import SliceTable, SpecSlices

SLICES = "slices.json"

# The time that every member carries, so that equal states make equal archives.
_EPOCH = (1980, 1, 1, 0, 0, 0)

# What reading a damaged archive can lead to: a header that says it is compressed or encrypted, or
# by a newer program.
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
    """An archive of the slices and of encoded states, `HEAD/STATISTIC/PARTITION` each.

    Equal states give equal bytes.
    """
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr(zipfile.ZipInfo(SLICES, _EPOCH), _table_text(table))
        for key, state in sorted(states, key=lambda pair: pair[0]):
            archive.writestr(zipfile.ZipInfo(str(key), _EPOCH), state)
    return stream.getvalue()


def unzip_states(content: bytes) -> tuple[SliceTable, dict[StateKey, State]]:
    """The slices and the states of an archive.

    Raises:
        ValueError: if the archive, or a state in it, is damaged or of a newer release.
    """
    states = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            table = _parse_table(archive.read(SLICES))
            for name in archive.namelist():
                if name != SLICES:
                    head, statistic, partition = name.split("/")
                    key = StateKey(head, int(statistic), int(partition))
                    states[key] = decode(archive.read(name))
    except _DAMAGED as error:
        raise ValueError(f"this is no archive of states, or it is damaged: {error}") from error
    return table, states


def _table_text(table: SliceTable) -> str:
    data = {
        "specs": [
            {
                "slices": [
                    [key_text(key), count]
                    for key, count in zip(spec.keys, spec.examples, strict=True)
                ],
                "folded": spec.merged_into_other,
            }
            for spec in table.specs
        ],
        "largest": sorted(map(key_text, table.largest)),
    }
    return json.dumps(data, indent=0)


def _parse_table(text: bytes) -> SliceTable:
    data = json.loads(text)
    specs = []
    for spec in data["specs"]:
        keys: list[Key] = [parse_key(key) for key, _ in spec["slices"]]
        examples = tuple(count for _, count in spec["slices"])
        specs.append(SpecSlices(tuple(keys), examples, spec["folded"]))
    return SliceTable(tuple(specs), frozenset(map(parse_key, data["largest"])))
