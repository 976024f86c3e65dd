"""Tests what names and first bytes tell of the format of a file."""

from __future__ import annotations

import gzip
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.faults import Misread
from pipeline.readers.formats import (
    HEAD_BYTES,
    compression_of,
    describe_head,
    format_by_bytes,
    format_by_name,
)
from pipeline.readers.tfrecord.blocks import write_records
from tests.pipeline.tables import law


def records(path: str, payloads: list[bytes]) -> bytes:
    write_records(path, payloads)
    with open(path, "rb") as stream:
        return stream.read()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.parquet", "parquet"),
        ("a.PARQUET", "parquet"),
        ("a.pq", "parquet"),
        ("a.snappy.parquet", "parquet"),
        ("dir.tfrecord/a.parquet", "parquet"),
        ("part-00000-of-00010.parquet", "parquet"),
        ("a.parquet-00000-of-00010", "parquet"),
        ("a.tfrecord", "tfrecord"),
        ("a.tfrecords", "tfrecord"),
        ("a.tfrecord.gz", "tfrecord"),
        ("a.TFRecords.GZ", "tfrecord"),
        ("a.tfrecord.gz-00000-of-00010", "tfrecord"),
        ("a.tfrecord-00000-of-00010.gz", "tfrecord"),
        ("a", None),
        ("a.csv", None),
        ("a.parq", None),
        ("a.parquet.gz", None),
        ("parquet", None),
        ("000000_0", None),
        ("a.parquet/b", None),
        ("a.parquet-1-of-2-3", None),
        ("data_tfrecord-00000-of-00002.gz", None),
    ],
)
def test_names(name: str, expected: str | None) -> None:
    assert format_by_name(name) == format_by_name(f"/x/{name}") == expected


payloads = st.lists(st.binary(max_size=9000), min_size=1, max_size=3)


@law
@given(payloads, st.booleans())
def test_records_are_told_by_their_first_bytes(
    tmp_path_factory: pytest.TempPathFactory, contents: list[bytes], compressed: bool
) -> None:
    plain = records(str(tmp_path_factory.getbasetemp() / "r"), contents)
    content = gzip.compress(plain) if compressed else plain
    assert format_by_bytes(content[:HEAD_BYTES]) == "tfrecord"
    for name in ("a.tfrecord", "a.tfrecord.gz", "a.gz-1-of-2", "a"):
        stream = io.BytesIO(content)
        assert compression_of(stream, name) == ("gzip" if compressed else None)
        assert stream.tell() == 0


def test_a_record_whose_length_looks_like_gzip(tmp_path: str) -> None:
    content = records(f"{tmp_path}/r", [bytes(0x088B1F)])
    assert content.startswith(b"\x1f\x8b\x08")
    assert format_by_bytes(content[:HEAD_BYTES]) == "tfrecord"
    assert compression_of(io.BytesIO(content), "a.gz") is None


def test_other_contents() -> None:
    assert format_by_bytes(b"PAR1 and so on") == "parquet"
    assert format_by_bytes(b"PARE and so on") == "parquet"
    # Nothing is a file without records, plain or compressed.
    assert format_by_bytes(b"") == format_by_bytes(gzip.compress(b"")) == "tfrecord"
    # What is damaged is told where it is read.
    assert format_by_bytes(b"\x1f\x8b\x08\x00" + bytes(6) + b"\xff" * 30) == "tfrecord"
    length = struct.pack("<Q", 7)
    for content, told in {
        b"s,y\n1,0\n": r"it begins b's,y\n1,0\n'",
        length + bytes(4): r"it begins b'\x07\x00\x00\x00\x00\x00\x00\x00'",
        length[:3]: r"it begins b'\x07\x00\x00'",
        gzip.compress(b"PAR1 and so on"): "it is a gzip file of a Parquet file, which is",
        gzip.compress(b"s,y\n1,0\n"): r"it is a gzip file of what begins b's,y\n1,0\n'",
        zlib.compress(b"x" * 100): r"it begins b'x\x9c",
    }.items():
        assert format_by_bytes(content) is None
        assert describe_head(content).startswith(told)


def test_compression_that_no_byte_tells() -> None:
    for name, expected in {
        "a.tfrecord": None,
        "a.tfrecord.gz": "gzip",
        "a.gz-0-of-1": "gzip",
    }.items():
        assert compression_of(io.BytesIO(b"rubbish, and more"), name) == expected
        assert compression_of(io.BytesIO(b""), name) == expected
    with pytest.raises(Misread, match=r"a.tfrecord: wrong_format: .*name it .parquet"):
        compression_of(io.BytesIO(b"PAR1 and so on"), "a.tfrecord")
