"""Tests the framing of TFRecord files: round trips, all kinds of damage, and bounded memory."""

from __future__ import annotations

import base64
import gzip
import io
import pickle
import re
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.errors.faults import DataFault
from pipeline.readers.crc32c import masked_crc32c_many
from pipeline.readers.tfrecord.blocks import Block, read_blocks, write_records
from pipeline.readers.tfrecord.options import ReadOptions

PAYLOADS = [b"first", b"", b"x" * 40, b"last"]
FRAME_BYTES = 16


def masked(content: bytes) -> bytes:
    buffer = np.frombuffer(content, np.uint8)
    return masked_crc32c_many(buffer, np.array([0]), np.array([len(content)])).tobytes()


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


def read(content: bytes, **options: object) -> list[Block]:
    return list(read_blocks(io.BytesIO(content), "shard", **options))


def payloads(blocks: list[Block]) -> list[bytes]:
    return [block.payload(index) for block in blocks for index in range(len(block))]


def read_until_fault(content: bytes, **options: object) -> tuple[list[bytes], DataFault]:
    """Returns the records before the fault, and the fault."""
    records: list[bytes] = []
    blocks: Iterator[Block] = read_blocks(io.BytesIO(content), "shard", **options)
    with pytest.raises(DataFault) as raised:
        records.extend(payload for block in blocks for payload in payloads([block]))
    return records, raised.value


FILE = b"".join(map(framed, PAYLOADS))
STARTS = [sum(FRAME_BYTES + len(p) for p in PAYLOADS[:row]) for row in range(len(PAYLOADS) + 1)]


def row_at(offset: int) -> int:
    return max(row for row, start in enumerate(STARTS) if start <= offset)


def test_a_record_as_tensorflow_writes_it() -> None:
    content = base64.b64decode("AwAAAAAAAACwmUkOZm9vYYq+/g==")
    assert framed(b"foo") == content
    assert payloads(read(content)) == [b"foo"]


@settings(deadline=None)
@given(
    st.lists(st.binary(max_size=60), max_size=30),
    st.integers(1, 300),
    st.sampled_from([None, "gzip"]),
)
def test_round_trip(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], block_bytes: int, form: None
) -> None:
    path = tmp_path_factory.mktemp("shards") / "a"
    write_records(path, iter(records), form)
    blocks = read(path.read_bytes(), compression=form, block_bytes=block_bytes)
    assert payloads(blocks) == records
    plain = b"".join(map(framed, records))
    rows = [row for block in blocks for row in block.rows.tolist()]
    assert rows == list(range(len(records)))
    offsets = [offset for block in blocks for offset in block.offsets.tolist()]
    assert all(
        plain[offset:].startswith(framed(record))
        for offset, record in zip(offsets, records, strict=True)
    )
    assert all(len(block) for block in blocks)


def test_more_records_than_are_written_at_once(tmp_path: Path) -> None:
    records = [b"%d" % number for number in range(10_000)]
    write_records(tmp_path / "a", records)
    assert payloads(read((tmp_path / "a").read_bytes())) == records


def test_written_bytes_depend_on_the_records_alone(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_records(tmp_path / name, PAYLOADS, "gzip")
    content = (tmp_path / "a").read_bytes()
    assert content == (tmp_path / "b").read_bytes()
    assert gzip.decompress(content) == FILE
    assert content[3:8] == bytes(5)  # no name, no time


class Trickle(io.RawIOBase):
    """A stream that cannot seek and returns a few bytes at a time."""

    def __init__(self, content: bytes) -> None:
        self._rest = content

    def read(self, size: int = -1) -> bytes:
        piece, self._rest = self._rest[: min(size, 3)], self._rest[min(size, 3) :]
        return piece


@pytest.mark.parametrize("form", [None, "gzip"])
def test_short_reads_of_a_stream_that_cannot_seek(form: None) -> None:
    content = gzip.compress(FILE) if form else FILE
    assert payloads(list(read_blocks(Trickle(content), "shard", compression=form))) == PAYLOADS
    with pytest.raises(DataFault, match="truncated"):
        list(read_blocks(Trickle(content[:-1]), "shard", compression=form))


def test_a_file_of_no_bytes_has_no_records() -> None:
    assert read(b"") == []


@pytest.mark.parametrize("block_bytes", [7, 1 << 20])
def test_every_flipped_bit_is_found_in_its_record(block_bytes: int) -> None:
    for place in range(len(FILE)):
        for bit in range(8):
            damaged = bytearray(FILE)
            damaged[place] ^= 1 << bit
            records, fault = read_until_fault(bytes(damaged), block_bytes=block_bytes)
            row = row_at(place)
            assert records == PAYLOADS[:row]
            assert (fault.reason, fault.row, fault.offset) == ("corrupt_record", row, STARTS[row])
            part = "length" if place - STARTS[row] < 12 else "data"
            assert f"record's {part}" in fault.detail


@pytest.mark.parametrize("block_bytes", [1, 64, 1 << 20])
def test_every_truncation_is_found(block_bytes: int) -> None:
    for size in range(1, len(FILE)):
        row = row_at(size)
        if size == STARTS[row]:
            assert payloads(read(FILE[:size], block_bytes=block_bytes)) == PAYLOADS[:row]
            continue
        records, fault = read_until_fault(FILE[:size], block_bytes=block_bytes)
        assert records == PAYLOADS[:row]
        assert (fault.reason, fault.row, fault.offset) == ("truncated", row, STARTS[row])


def huge_record(length: int) -> bytes:
    header = struct.pack("<Q", length)
    return header + masked(header)


@pytest.mark.parametrize("length", [1 << 40, (1 << 64) - 1, (64 << 20) + 1])
def test_a_length_past_the_limit_is_refused_before_anything_is_allocated(length: int) -> None:
    content = framed(b"good") + huge_record(length) + bytes(100)
    tracemalloc.start()
    records, fault = read_until_fault(content, block_bytes=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert records == [b"good"]
    assert (fault.reason, fault.row, fault.offset) == ("record_too_large", 1, 20)
    assert "max_record_bytes" in fault.detail
    assert peak < 1 << 20


def test_the_limit_itself_is_accepted() -> None:
    assert payloads(read(FILE, options=ReadOptions(max_record_bytes=40))) == PAYLOADS
    records, fault = read_until_fault(FILE, options=ReadOptions(max_record_bytes=39))
    assert (records, fault.reason, fault.row) == (PAYLOADS[:2], "record_too_large", 2)


class Counting(io.BytesIO):
    """A stream that counts the bytes read."""

    count = 0

    def read(self, size: int | None = -1) -> bytes:
        piece = super().read(size)
        self.count += len(piece)
        return piece


def test_a_length_past_the_end_is_found_without_reading_on() -> None:
    stream = Counting(huge_record(5000) + bytes(4000))
    with pytest.raises(DataFault, match="truncated"):
        list(read_blocks(stream, "shard", block_bytes=100))
    assert stream.count == 100


def test_reading_begins_where_the_stream_is() -> None:
    stream = io.BytesIO(b"before" + FILE)
    stream.seek(6)
    assert payloads(list(read_blocks(stream, "shard"))) == PAYLOADS


@pytest.mark.parametrize("block_bytes", [0, (1 << 29) + 1])
def test_block_bytes_out_of_range(block_bytes: int) -> None:
    with pytest.raises(ValueError, match="must be"):
        read(FILE, block_bytes=block_bytes)


def test_gzip_members_are_read_one_after_the_other() -> None:
    content = b"".join(gzip.compress(FILE[at : at + 50]) for at in range(0, len(FILE), 50))
    content += gzip.compress(b"")
    for block_bytes in (1, 64, 1 << 20):
        assert payloads(read(content, compression="gzip", block_bytes=block_bytes)) == PAYLOADS


def test_every_truncation_of_gzip_is_found() -> None:
    first, second = gzip.compress(FILE), gzip.compress(FILE)
    content = first + second
    for size in range(len(content)):
        if size == len(first):
            continue  # two files may have been concatenated or not: the bytes cannot tell
        records, fault = read_until_fault(content[:size], compression="gzip")
        assert fault.reason == "truncated"
        assert "gzip member" in fault.detail
        assert records == (PAYLOADS * 2)[: len(records)]


def test_every_flipped_bit_of_a_gzip_trailer_is_found() -> None:
    content = gzip.compress(FILE)
    for place in range(len(content) - 8, len(content)):
        for bit in range(8):
            damaged = bytearray(content)
            damaged[place] ^= 1 << bit
            records, fault = read_until_fault(bytes(damaged), compression="gzip")
            assert records == PAYLOADS
            assert (fault.reason, fault.offset) == ("corrupt_gzip", len(FILE))


def test_flipped_bits_of_gzip_lose_nothing_in_silence() -> None:
    content = gzip.compress(FILE, mtime=0)
    harmless = 0
    for place in range(10, len(content) - 8):
        damaged = bytearray(content)
        damaged[place] ^= 4
        try:
            assert payloads(read(bytes(damaged), compression="gzip")) == PAYLOADS
            harmless += 1
        except DataFault:
            continue
    assert harmless < 3  # deflate fills up its last byte with bits that mean nothing


@pytest.mark.parametrize("garbage", [b"garbage", bytes(512), b"\x1f\x8b"])
def test_bytes_behind_the_last_gzip_member_are_a_fault(garbage: bytes) -> None:
    records, fault = read_until_fault(gzip.compress(FILE) + garbage, compression="gzip")
    assert records == PAYLOADS
    assert fault.reason in ("corrupt_gzip", "truncated")
    assert fault.offset == len(FILE)


@pytest.mark.parametrize(
    ("content", "advice"),
    [
        (gzip.compress(gzip.compress(FILE)), "as gzip files do: decompress the file once"),
        (gzip.compress(b"PAR1 and so on"), r"as Parquet files do: .*, and name it \.parquet"),
        (gzip.compress(zlib.compress(FILE)), "as zlib's do: .*, or write it with gzip"),
        (FILE, "no gzip file, whatever its name is: restore the file from its source"),
    ],
    ids=["gzip", "parquet", "zlib", "plain"],
)
@pytest.mark.parametrize("on_corrupt", ["fail", "skip_rest"])
def test_content_of_another_kind_is_named(
    content: bytes, advice: str, on_corrupt: Literal["fail", "skip_rest"]
) -> None:
    options = ReadOptions(on_corrupt)
    records, fault = read_until_fault(content, compression="gzip", options=options)
    assert records == []
    assert re.search(advice, str(fault))
    # Nobody can say so on the command line.
    assert "compression=" not in str(fault)


def test_content_of_another_kind_is_named_in_plain_files() -> None:
    for content, what in ((gzip.compress(FILE), "gzip files do"), (zlib.compress(FILE), "zlib's")):
        _, fault = read_until_fault(content)
        assert what in str(fault)
    _, fault = read_until_fault(zlib.compress(FILE), compression="gzip")
    assert fault.reason == "corrupt_gzip"


def peak_of(read_all: Callable[[], int]) -> int:
    tracemalloc.start()
    assert read_all()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("form", [None, "gzip"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, form: None) -> None:
    path = tmp_path / "a"
    block_bytes = 1 << 16

    def count() -> int:
        with path.open("rb") as stream:
            blocks = read_blocks(stream, "a", compression=form, block_bytes=block_bytes)
            return sum(len(block) for block in blocks)

    peaks = []
    for copies in (4_000, 40_000):
        write_records(path, (b"x" * 100 for _ in range(copies)), form)
        count()
        peaks.append(peak_of(count))
    assert peaks[1] < 1.2 * peaks[0]


def test_a_fault_survives_pickling_and_names_the_place() -> None:
    fault = DataFault("dir/a", "truncated", "copy it again", offset=0, row=3, row_group=2)
    copy = pickle.loads(pickle.dumps(fault))
    assert vars(copy) == vars(fault)
    assert str(copy) == str(fault)
    assert str(fault) == "dir/a: row group 2, row 3, byte 0: truncated: copy it again"
    assert str(DataFault("dir/a", "truncated", "copy it again")) == (
        "dir/a: truncated: copy it again"
    )
