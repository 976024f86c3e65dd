"""What a worker gets of a graph: every payload that is a pickle, and what it refers to.

    python payloads.py GRAPH

prints JSON, one entry for each payload: where it is, and `module.name` of all that it refers to. It
is a program of its own, as a worker is, and imports nothing but Beam before it unpickles.
"""

from __future__ import annotations

import base64
import bz2
import io
import json
import pickle
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path

from apache_beam.portability.api import beam_runner_api_pb2
from google.protobuf.message import Message
from google.protobuf.wrappers_pb2 import BytesValue

# Messages that are themselves the payload of a step.
NESTED = {
    "beam:transform:pardo:v1": beam_runner_api_pb2.ParDoPayload,
    "beam:transform:combine_per_key:v1": beam_runner_api_pb2.CombinePayload,
    "beam:transform:combine_grouped_values:v1": beam_runner_api_pb2.CombinePayload,
}


class Recorder(pickle.Unpickler):
    """Unpickles, and keeps the names of what was looked up."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content))
        self.names: list[str] = []

    def find_class(self, module: str, name: str) -> object:
        self.names.append(f"{module}.{name}")
        return super().find_class(module, name)


def specs(message: Message, place: str) -> Iterator[tuple[str, str, bytes]]:
    """Place, URN and payload of every function within a message."""
    if message.DESCRIPTOR.name == "FunctionSpec":
        if message.urn in NESTED:
            yield from specs(NESTED[message.urn].FromString(message.payload), place)
        elif message.urn.startswith("beam:combinefn:"):
            yield place, message.urn, BytesValue.FromString(message.payload).value
        elif message.payload:
            yield place, message.urn, message.payload
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].message_type is not None:
                for key, item in value.items():
                    yield from specs(item, f"{place}/{getattr(item, 'unique_name', '') or key}")
        elif isinstance(value, Message):
            yield from specs(value, f"{place}/{field.name}")
        else:
            for item in value:
                yield from specs(item, f"{place}/{field.name}")


def unpacked(payload: bytes) -> bytes:
    """A pickle as Beam packs it, that of a coder behind its name; or nothing."""
    try:
        packed = base64.b64decode(payload.rpartition(b"$")[2], validate=True)
    except ValueError:
        return b""
    for decompress in (bz2.decompress, zlib.decompress):
        try:
            return decompress(packed)
        except (OSError, zlib.error):
            continue
    return b""


def main(path: str) -> None:
    pipeline = beam_runner_api_pb2.Pipeline.FromString(Path(path).read_bytes())
    found = []
    for place, urn, payload in specs(pipeline.components, ""):
        content = unpacked(payload)
        recorder = Recorder(content)
        if content:
            recorder.load()
        entry = {"place": place, "urn": urn, "pickled": bool(content), "names": recorder.names}
        found.append(entry | {"of_main": b"__main__" in content})
    loaded = [name for name in sys.modules if name.startswith(("heads", "pipeline"))]
    json.dump({"payloads": found, "loaded": loaded}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
