"""Makes serialized tf.train.Example records for tests, plain, odd or broken, and reads them."""

from __future__ import annotations

import math
import random
import struct
from collections.abc import Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.errors.faults import DataFault
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import read_examples
from pipeline.readers.tfrecord.message import parse_features

KINDS = {
    "logits": "float",
    "w": "float",
    "label": "int64",
    "": "int64",
    "country": "bytes",
    "größe": "bytes",
    "a_name_that_takes_more_than_two_words": "int64",
}
COLUMNS = list(KINDS)
TYPES = {
    "float": pa.list_(pa.float32()),
    "int64": pa.list_(pa.int64()),
    "bytes": pa.list_(pa.binary()),
}
FIELD_NUMBERS = {"bytes": 1, "float": 2, "int64": 3}


def varint(number: int, width: int = 0) -> bytes:
    """Returns the varint of a 64-bit number, padded to `width` bytes if that is given."""
    number %= 1 << 64
    size = max(width, (number.bit_length() + 6) // 7, 1)
    digits = [number >> 7 * k & 0x7F for k in range(size)]
    return bytes([digit | 0x80 for digit in digits[:-1]] + digits[-1:])


def field(number: int, content: bytes, width: int = 0) -> bytes:
    return varint(number << 3 | 2) + varint(len(content), width) + content


def list_of(kind: str, values: Sequence, packed: bool = True) -> bytes:
    if kind == "bytes":
        return b"".join(field(1, value) for value in values)
    if kind == "float":
        numbers, tag = [struct.pack("<f", value) for value in values], b"\x0d"
    else:
        numbers, tag = [varint(value) for value in values], b"\x08"
    if packed:
        return field(1, b"".join(numbers)) if numbers else b""
    return b"".join(tag + number for number in numbers)


def feature(kind: str, content: bytes) -> bytes:
    return field(FIELD_NUMBERS[kind], content)


def entry(name: str, value: bytes) -> bytes:
    return field(1, field(1, name.encode()) + field(2, value))


def record(*entries: bytes) -> bytes:
    return field(1, b"".join(entries))


def values_of(rng: random.Random, kind: str) -> list:
    count = rng.choice([0, 1, 1, 1, 1, 2, 3, 9])
    if kind == "float":
        return [rng.choice([0.0, -0.0, 1.5, -3.25e30, math.inf, math.nan]) for _ in range(count)]
    if kind == "int64":
        return [rng.choice([0, 1, 127, 128, 300, 2**31, 2**63 - 1, -1]) for _ in range(count)]
    return [rng.choice([b"", b"de", b"x" * 130, b"\xff\x00"]) for _ in range(count)]


class Writer:
    """A writer of random records, most of which are plain; odd records are legal or broken."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.packed = self.rng.random() < 0.7
        self.oddity = self.rng.choice([0.0, 0.005, 0.05])

    def odd(self) -> bool:
        return self.rng.random() < self.oddity

    def feature(self, kind: str) -> bytes:
        first, second = (
            list_of(kind, values_of(self.rng, kind), self.packed != self.odd()) for _ in range(2)
        )
        if not self.odd():
            return feature(kind, first)
        return self.rng.choice(
            [
                b"",  # no kind
                feature(kind, first + second),  # pieces of the same list
                feature(kind, first) + feature(kind, second),  # merged by protobuf
                feature("bytes", b"") + feature(kind, first),  # the last kind counts
                feature(kind, first + varint(9 << 3) + varint(5)),  # unknown fields
                feature(kind, first) + field(9, b"u"),
                feature(kind, first + b"\x02\x00"),  # field number 0
                b"\x02\x00",
                field(FIELD_NUMBERS[kind], first, width=3),  # a size wider than it needs
                field(FIELD_NUMBERS[kind], first, width=6),
                feature("int64", field(1, varint(7, 10))),
                feature("int64", field(1, b"\xff" * 9 + b"\x7f")),  # more than 64 bits
                feature("int64", field(1, b"\xff" * 10 + b"\x01")),
            ]
        )

    def entry(self, name: str) -> bytes:
        key, value = field(1, name.encode()), field(2, self.feature(KINDS[name]))
        if not self.odd():
            return field(1, key + value)
        return self.rng.choice(
            [
                field(1, value + key),
                field(1, key),
                field(1, value),
                field(1, key + value + value),
                field(1, key + key + value),
                field(1, key + value + field(3, b"unknown")),  # dropped whole
                field(1, key + value, width=2),
                field(1, key + value, width=5),
                field(1, field(1, name.encode(), width=4) + value),
                field(1, field(1, b"\xff\xfe") + value),  # a key that is not UTF-8
                field(1, field(1, b"other") + value),
                field(2, b"unknown") + field(1, key + value),
                b"\x02\x00" + field(1, key + value),
            ]
        )

    def record(self, among: Sequence[str] = COLUMNS) -> bytes:
        names = [name for name in among if self.rng.random() < 0.9]
        if self.rng.random() < 0.2:
            self.rng.shuffle(names)
        if names and self.odd():
            names.append(self.rng.choice(names))
        entries = b"".join(self.entry(name) for name in names)
        if not self.odd():
            return field(1, entries)
        half = b"".join(self.entry(name) for name in names[:2])
        return self.rng.choice(
            [
                b"",
                field(1, entries) + field(1, half),  # concatenated messages merge
                field(1, entries, width=5),
                field(1, entries) + field(2, b"unknown"),
                b"\x02\x00" + field(1, entries),
            ]
        )


def mutate(rng: random.Random, content: bytes) -> bytes:
    """Returns the content with damage in a single place, most often so that all sizes still fit."""
    if not content:
        return content
    at = rng.randrange(len(content))
    choice = rng.random()
    if choice < 0.7:
        byte = rng.choice([content[at] ^ 1 << rng.randrange(8), rng.randrange(256)])
        return content[:at] + bytes([byte]) + content[at + 1 :]
    if choice < 0.8:
        return content[:at]
    if choice < 0.9:
        return content[:at] + content[at + 1 :]
    return content[:at] + rng.randbytes(rng.randint(1, 3)) + content[at:]


NO_FEATURES = field(1, b"")

Lists = dict[str, tuple[str, list]]


def by_runtime(content: bytes) -> Lists | None:
    """Returns kind and values by feature name; None if the protobuf runtime refuses the record."""
    features = parse_features(content)
    if features is None:
        return None
    kinds = {name: features[name].WhichOneof("kind") for name in features}
    return {
        name: (kind.removesuffix("_list"), list(getattr(features[name], kind).value))
        for name, kind in kinds.items()
        if kind is not None
    }


def without_others(content: bytes) -> bytes:
    """Returns a plain record with only the features of COLUMNS, as others are not read."""

    def number_at(at: int) -> tuple[int, int]:
        width = next(k for k in range(1, 10) if content[at + k - 1] < 0x80)
        return sum((content[at + k] & 0x7F) << 7 * k for k in range(width)), at + width

    kept = b""
    if content[:1] != b"\n":
        return content
    try:
        _, at = number_at(1)
        while at < len(content):
            size, body = number_at(at + 1)
            key_size, key = number_at(body + 1)
            if content[key : key + key_size] in map(str.encode, COLUMNS):
                kept += content[at : body + size]
            at = body + size
    except (IndexError, StopIteration):
        return content
    return field(1, kept)


def bits(kind: str, values: list | None) -> list | None:
    """Returns comparable values: zeros differ by sign, and NaN is equal to itself."""
    if values is None or kind != "float":
        return values
    return ["nan" if value != value else struct.pack("<f", value) for value in values]


class Shard:
    """A shard of records, and ways to read it."""

    def __init__(self, path: Path, records: Sequence[bytes]) -> None:
        self._path = path
        write_records(path, records)

    def batches(self, columns: Sequence[str] = COLUMNS, **options: int) -> Iterator[pa.RecordBatch]:
        with self._path.open("rb") as stream:
            for batch, _ in read_examples(stream, "shard", columns, **options):
                yield batch

    def fault(self, columns: Sequence[str] = COLUMNS, **options: int) -> tuple[int, DataFault]:
        """Returns the number of rows before the fault, and the fault."""
        rows = 0
        try:
            for batch in self.batches(columns, **options):
                rows += batch.num_rows
        except DataFault as fault:
            return rows, fault
        raise AssertionError(f"no fault in {rows} rows")


def assert_equal(
    batches: Sequence[pa.RecordBatch], columns: Sequence[str], expected: Sequence[Lists]
) -> None:
    assert sum(batch.num_rows for batch in batches) == len(expected)
    row = 0
    for batch in batches:
        batch.validate(full=True)
        here = expected[row : row + batch.num_rows]
        row += batch.num_rows
        assert batch.schema.names == list(columns)
        for name in columns:
            kinds = {lists[name][0] for lists in here if name in lists}
            assert batch.schema.field(name).type == (TYPES[kinds.pop()] if kinds else pa.null())
            wanted = [bits(*lists[name]) if name in lists else None for lists in here]
            got = [bits(KINDS.get(name, ""), values) for values in batch[name].to_pylist()]
            assert got == wanted


def only_lock_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(content: bytes) -> None:
        raise AssertionError(f"left to the protobuf runtime: {content!r}")

    monkeypatch.setattr("pipeline.readers.tfrecord.examples.parse_features", refuse)


def lock_step_of_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the reader use lock step even if the runtime is faster, so that odd records meet it."""
    monkeypatch.setattr("pipeline.readers.tfrecord.wire.FEW", 1)
