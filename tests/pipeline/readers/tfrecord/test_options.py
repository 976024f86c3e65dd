"""Tests what is left out of damaged TFRecord files, against an oracle that reads frame by frame."""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from dataclasses import field as of
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipeline.errors.faults import DataFault
from pipeline.readers.tfrecord.blocks import read_blocks
from pipeline.readers.tfrecord.examples import encode_example, example_columns, read_examples
from pipeline.readers.tfrecord.options import Lost, OnCorrupt, ReadOptions

POLICIES: list[OnCorrupt] = ["fail", "skip_record", "skip_rest"]


def masked(content: bytes) -> bytes:
    crc = 0xFFFFFFFF
    for byte in content:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0x82F63B78 * (crc & 1)
    crc ^= 0xFFFFFFFF
    return struct.pack("<I", ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF)


def framed(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


@dataclass
class Outcome:
    """The outcome of reading a file: the records, the losses and the fault."""

    records: list[tuple[int, int, bytes]] = of(default_factory=list)
    lost: list[Lost] = of(default_factory=list)
    fault: tuple[str, int | None, int | None] | None = None


def inflate_bytewise(content: bytes) -> tuple[bytes, str | None]:
    """Decompresses byte by byte; returns the content, and the reason if it ended early."""
    out = b""
    while content or not out:
        member = zlib.decompressobj(wbits=31)
        for at in range(len(content)):
            try:
                out += member.decompress(content[at : at + 1])
            except zlib.error:
                return out, "corrupt_gzip"
            if member.eof:
                break
        if not member.eof:
            return out, "truncated"
        content = content[at + 1 :]
        if not content:
            break
    return out, None


def walk(stored: bytes, compression: str | None, options: ReadOptions) -> Outcome:
    outcome = Outcome()
    content, ended = (stored, None) if compression is None else inflate_bytewise(stored)
    row = at = 0
    while True:
        left = len(content) - at
        length = int.from_bytes(content[at : at + 8], "little")
        if left >= 12 and masked(content[at : at + 8]) != content[at + 8 : at + 12]:
            fault = ("corrupt_record", row, at)
            break
        if left >= 12 and length > options.max_record_bytes:
            outcome.fault = ("record_too_large", row, at)
            return outcome
        if left < 12 or left < length + 16:
            if not left and not ended:
                return outcome
            fault = (ended, None, len(content)) if ended else ("truncated", row, at)
            break
        end = at + length + 16
        payload = content[at + 12 : end - 4]
        if masked(payload) == content[end - 4 : end]:
            outcome.records.append((row, at, payload))
        elif options.on_corrupt == "fail":
            outcome.fault = ("corrupt_record", row, at)
            return outcome
        else:
            outcome.lost.append(Lost("shard", row, at, end - at, 1, "corrupt_record"))
        row, at = row + 1, end
    other_form = (content if compression is None else stored)[:2] == b"\x1f\x8b"
    misread = at == 0 and (
        other_form if compression is None else not other_form and ended == "corrupt_gzip"
    )
    if options.on_corrupt == "skip_rest" and not misread:
        outcome.lost.append(Lost("shard", row, at, len(content) - at, None, fault[0]))
    else:
        outcome.fault = fault
    return outcome


class NoSeek(io.BytesIO):
    """A stream that cannot seek and returns few bytes per read."""

    def seekable(self) -> bool:
        return False

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 5))


def outcome_of(stream: io.BytesIO, **arguments: Any) -> Outcome:
    outcome = Outcome()
    try:
        for block in read_blocks(stream, "shard", lost=outcome.lost.append, **arguments):
            assert len(block)
            assert {lost.row for lost in outcome.lost}.isdisjoint(block.rows.tolist())
            outcome.records += [
                (row, offset, block.payload(index))
                for index, (row, offset) in enumerate(
                    zip(block.rows.tolist(), block.offsets.tolist(), strict=True)
                )
            ]
    except DataFault as fault:
        outcome.fault = (fault.reason, fault.row, fault.offset)
    return outcome


def damaged(content: bytes, damage: Sequence[tuple[bool, int, int]]) -> bytes:
    """Returns the content after some cuts at its end and some flipped bits."""
    changed = bytearray(content)
    for cut, place, bit in damage:
        if not changed:
            break
        if cut:
            del changed[-1 - place % len(changed) :]
        else:
            changed[place % len(changed)] ^= 1 << bit
    return bytes(changed)


FLIP = st.tuples(st.just(False), st.integers(0, 2000), st.integers(0, 7))
CUT = st.tuples(st.just(True), st.integers(0, 60), st.just(0))
DAMAGE = st.lists(st.one_of(FLIP, FLIP, CUT), max_size=3)
RECORDS = st.lists(
    st.one_of(st.binary(max_size=24), st.integers(20, 90).map(bytes)), min_size=1, max_size=9
)


@settings(deadline=None, max_examples=400, derandomize=True)
@given(
    RECORDS,
    DAMAGE,
    DAMAGE,
    st.none() | st.integers(1, 200),
    st.sampled_from(POLICIES),
    st.sampled_from([30, 64 << 20]),
    st.integers(2, 150),
)
@example([b"", b"a"], [], [(False, 0, 3)], 99, "skip_rest", 99, 9)  # not gzip any more
@example([b"x" * 0x8B1F], [(False, 9, 3)], [], None, "skip_rest", 1 << 20, 9)  # as if gzip
def test_whatever_the_damage_and_the_blocks(
    records: list[bytes],
    content_damage: list[tuple[bool, int, int]],
    stored_damage: list[tuple[bool, int, int]],
    member_bytes: int | None,
    policy: OnCorrupt,
    max_record_bytes: int,
    block_bytes: int,
) -> None:
    options = ReadOptions(policy, max_record_bytes)
    stored = damaged(b"".join(map(framed, records)), content_damage)
    if member_bytes:
        members = [stored[at : at + member_bytes] for at in range(0, len(stored), member_bytes)]
        stored = damaged(b"".join(map(gzip.compress, members)), stored_damage)
    compression = "gzip" if member_bytes else None
    expected = walk(stored, compression, options)
    for size in (1, block_bytes, 1 << 20):
        for kind in (io.BytesIO, NoSeek):
            assert expected == outcome_of(
                kind(stored), compression=compression, block_bytes=size, options=options
            )


PAYLOADS = [b"zero", b"one", b"two", b"three", b"four"]
CONTENT = b"".join(map(framed, PAYLOADS))
STARTS = [sum(len(framed(payload)) for payload in PAYLOADS[:row]) for row in range(6)]


def flipped(place: int) -> bytes:
    return damaged(CONTENT, [(False, place, 0)])


@pytest.mark.parametrize("policy", ["skip_record", "skip_rest"])
def test_a_record_left_out_keeps_its_number(policy: OnCorrupt) -> None:
    outcome = outcome_of(io.BytesIO(flipped(STARTS[2] + 12)), options=ReadOptions(policy))
    assert [row for row, _, _ in outcome.records] == [0, 1, 3, 4]
    assert outcome.lost == [Lost("shard", 2, STARTS[2], 19, 1, "corrupt_record")]
    assert outcome.fault is None


def test_the_rest_is_counted_to_the_end() -> None:
    bad_length = flipped(STARTS[2])
    options = ReadOptions("skip_rest")
    rest = len(CONTENT) - STARTS[2]
    expected = [Lost("shard", 2, STARTS[2], rest, None, "corrupt_record")]
    for stored, compression in ((bad_length, None), (gzip.compress(bad_length), "gzip")):
        for block_bytes in (1, 50, 1 << 20):
            outcome = outcome_of(
                io.BytesIO(stored),
                compression=compression,
                block_bytes=block_bytes,
                options=options,
            )
            assert [row for row, _, _ in outcome.records] == [0, 1]
            assert outcome.lost == expected
            assert outcome.fault is None


@pytest.mark.parametrize("policy", POLICIES)
def test_lengths_and_ends_are_faults_unless_the_rest_is_left_out(policy: OnCorrupt) -> None:
    for stored in (flipped(STARTS[3] + 9), CONTENT[: STARTS[4] - 1]):
        outcome = outcome_of(io.BytesIO(stored), options=ReadOptions(policy))
        assert [row for row, _, _ in outcome.records] == [0, 1, 2]
        assert (outcome.fault is None) == (policy == "skip_rest")
        assert len(outcome.lost) == (policy == "skip_rest")


@pytest.mark.parametrize("block_bytes", [40, 1 << 20])
def test_faults_of_examples_name_rows_as_the_file_has_them(block_bytes: int) -> None:
    kinds = [{"x": [1]}, {"x": [2]}, {"x": [0.5]}]
    for last, reason in (
        (encode_example(kinds[2]), "float_list here and int64_list in row 1"),
        (b"no example", "not_an_example"),
    ):
        records = [encode_example(kinds[0]), encode_example(kinds[1]), last]
        content = b"".join(map(framed, records))
        stream = io.BytesIO(damaged(content, [(False, 12, 0)]))
        with pytest.raises(DataFault, match=f"row 2.*{reason}"):
            example_columns(stream, "shard", options=ReadOptions("skip_record"))
        stream.seek(0)
        batches = read_examples(
            stream, "shard", ["x"], block_bytes=block_bytes, options=ReadOptions("skip_record")
        )
        with pytest.raises(DataFault, match=f"row 2.*{reason}"):
            list(batches)


def test_the_limit_of_a_record_of_examples() -> None:
    records = framed(encode_example({"x": [b"y" * 100]}))
    for read in (
        lambda stream, **of: list(read_examples(stream, "a", ["x"], **of)),
        lambda stream, **of: example_columns(stream, "a", **of),
    ):
        assert len(read(io.BytesIO(records), options=ReadOptions(max_record_bytes=150))) == 1
        with pytest.raises(DataFault, match="record_too_large"):
            read(io.BytesIO(records), options=ReadOptions("skip_rest", max_record_bytes=99))


def test_what_is_lost_need_not_be_heard() -> None:
    stream = io.BytesIO(flipped(STARTS[2] + 12)[:-1])
    blocks = read_blocks(stream, "shard", options=ReadOptions("skip_rest"))
    assert [row for block in blocks for row in block.rows.tolist()] == [0, 1, 3]


def test_losses_sort_by_place() -> None:
    losses = [
        Lost("a", 1, 90, 5, 1, "x"),
        Lost("a", 2, 95, 5, None, "x"),
        Lost("b", 0, 0, 5, 1, ""),
    ]
    assert sorted([losses[2], losses[0], losses[1]]) == losses


@pytest.mark.parametrize(
    "wrong",
    [
        {"on_corrupt": "skip"},
        {"max_record_bytes": -1},
        {"max_record_bytes": (1 << 29) + 1},
        {"max_gzip_ratio": 0},
    ],
)
def test_options_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(wrong))} must be"):
        ReadOptions(**wrong)


def test_the_ends_of_ranges_are_accepted() -> None:
    ReadOptions(max_record_bytes=1 << 29, max_gzip_ratio=1)
    ReadOptions(max_record_bytes=0)
