"""Tests CRC32C against published vectors and a bit-by-bit reference."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.readers.crc32c import crc32c_many, masked_crc32c_many


def byte_table() -> list[int]:
    table = []
    for register in range(256):
        for _ in range(8):
            register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
        table.append(register)
    return table


TABLE = byte_table()


def reference(content: bytes) -> int:
    register = 0xFFFFFFFF
    for byte in content:
        register = register >> 8 ^ TABLE[(register ^ byte) & 0xFF]
    return register ^ 0xFFFFFFFF


def crcs(content: bytes, ranges: list[tuple[int, int]]) -> list[int]:
    starts, stops = np.array(ranges, np.int64).reshape(-1, 2).T
    return crc32c_many(np.frombuffer(content, np.uint8), starts, stops - starts).tolist()


@pytest.mark.parametrize(
    ("content", "crc"),
    [
        (b"", 0),
        (b"123456789", 0xE3069283),
        # RFC 3720, B.4
        (bytes(32), 0x8A9136AA),
        (b"\xff" * 32, 0x62A8AB43),
        (bytes(range(32)), 0x46DD794E),
        (bytes(range(31, -1, -1)), 0x113FDB5C),
    ],
)
def test_published_vectors(content: bytes, crc: int) -> None:
    assert crcs(content, [(0, len(content))]) == [crc]
    assert reference(content) == crc


CONTENT = np.random.default_rng(7).bytes(5000)
PLACES = st.integers(0, len(CONTENT))


@settings(deadline=None)
@given(st.lists(st.tuples(PLACES, PLACES).map(sorted).map(tuple), max_size=40))
def test_ranges_of_any_place_and_size(ranges: list[tuple[int, int]]) -> None:
    assert crcs(CONTENT, ranges) == [reference(CONTENT[a:b]) for a, b in ranges]


def test_every_size_around_words_and_pieces() -> None:
    sizes = [*range(40), *range(1000, 1040), *range(2020, 2060), 3048, 3049]
    ranges = [(start, start + size) for size in sizes for start in (0, 1, 7, 1030)]
    assert crcs(CONTENT, ranges) == [reference(CONTENT[a:b]) for a, b in ranges]


def test_more_ranges_than_a_slab() -> None:
    ranges = [(i % 4900, i % 4900 + i % 97) for i in range(20_000)]
    assert crcs(CONTENT, ranges) == [reference(CONTENT[a:b]) for a, b in ranges]


def test_one_long_range() -> None:
    content = np.random.default_rng(8).bytes(1_000_003)
    assert crcs(content, [(1, len(content)), (0, 10)]) == [
        reference(content[1:]),
        reference(content[:10]),
    ]


@pytest.mark.parametrize("ranges", [[(0, 5001)], [(0, 3), (-1, 3)], [(4, 3)]])
def test_a_range_outside_the_buffer_is_refused(ranges: list[tuple[int, int]]) -> None:
    with pytest.raises(ValueError, match="check starts and lengths"):
        crcs(CONTENT, ranges)


@settings(deadline=None)
@given(st.binary(max_size=50))
def test_mask_can_be_taken_off(content: bytes) -> None:
    buffer = np.frombuffer(content, np.uint8)
    [masked] = masked_crc32c_many(buffer, np.array([0]), np.array([len(content)])).tolist()
    rotated = (masked - 0xA282EAD8) % 2**32
    assert (rotated >> 17 | rotated << 15) % 2**32 == reference(content)
