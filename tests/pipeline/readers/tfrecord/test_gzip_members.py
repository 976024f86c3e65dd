"""Tests gzip of TFRecord files: the limit of expansion, and the content before damage."""

from __future__ import annotations

import gzip
import io
import tracemalloc
import zlib

import numpy as np
import pytest

from pipeline.errors.faults import DataFault
from pipeline.readers.tfrecord.blocks import read_blocks, write_records
from pipeline.readers.tfrecord.gzip_members import decompress
from pipeline.readers.tfrecord.options import Lost, OnCorrupt, ReadOptions

MIB = 1 << 20


def pieces_of(
    content: bytes, piece_bytes: int = MIB, max_ratio: int = 200
) -> tuple[int, int, DataFault | None]:
    """Returns the size of the content, the size of the largest piece, and the fault."""
    total = largest = 0
    try:
        for piece in decompress(io.BytesIO(content), "a", piece_bytes, max_ratio):
            total, largest = total + len(piece), max(largest, len(piece))
    except DataFault as fault:
        return total, largest, fault
    return total, largest, None


ZEROS_16 = gzip.compress(bytes(16 * MIB), 9)
ZEROS_17 = gzip.compress(bytes(17 * MIB), 9)
NOISE = np.random.default_rng(1).bytes(100_000)


@pytest.mark.parametrize("piece_bytes", [50_000, MIB, 64 * MIB])
def test_a_bomb_is_refused_where_it_passes_the_bound(piece_bytes: int) -> None:
    assert pieces_of(ZEROS_16, piece_bytes)[::2] == (16 * MIB, None)
    total, largest, fault = pieces_of(ZEROS_17, piece_bytes)
    assert total == 16 * MIB
    assert largest <= piece_bytes
    assert fault is not None
    assert (fault.reason, fault.row, fault.offset) == ("gzip_ratio", None, 16 * MIB)
    ratio = 16 * MIB / len(ZEROS_17)
    assert f"{ratio:.1f} times" in fault.detail
    assert fault.detail.endswith("max_gzip_ratio is 200): raise it if the file is right")
    assert pieces_of(ZEROS_17, piece_bytes, max_ratio=1100)[::2] == (17 * MIB, None)


def test_the_bound_is_over_all_members_and_all_that_was_read() -> None:
    bombs = gzip.compress(bytes(MIB), 9) * 17
    total, _, fault = pieces_of(bombs)
    assert fault is not None
    assert (total, fault.reason) == (16 * MIB, "gzip_ratio")
    noisy = gzip.compress(NOISE) + ZEROS_17
    ratio = (17 * MIB + 100_000) // len(noisy)
    assert pieces_of(noisy, max_ratio=ratio + 1)[2] is None
    total, _, fault = pieces_of(noisy, max_ratio=ratio)
    assert fault is not None
    assert (total, fault.reason) == (ratio * len(noisy), "gzip_ratio")


class Trickle(io.BytesIO):
    """A stream that returns few bytes per read."""

    def read(self, size: int | None = -1) -> bytes:
        return super().read(min(size or 0, 1000))


def test_the_bound_does_not_depend_on_how_much_a_stream_gives() -> None:
    content = ZEROS_17 + gzip.compress(NOISE)
    assert 900 * len(ZEROS_17) < 17 * MIB
    assert sum(map(len, decompress(Trickle(content), "a", MIB, 200))) == 17 * MIB + len(NOISE)


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Returns an uncompressed file of a short record and 63 records of 1 MiB of zeros."""
    path = tmp_path_factory.mktemp("bomb") / "a"
    write_records(path, [b"first", *[bytes(MIB)] * 63])
    return path.read_bytes()


@pytest.mark.parametrize(
    ("place", "policy", "reason"),
    [
        (None, "fail", "gzip_ratio"),
        (None, "skip_rest", "gzip_ratio"),
        (40, "fail", "corrupt_record"),
        (40, "skip_record", "gzip_ratio"),
        (0, "skip_record", "corrupt_record"),
        (0, "skip_rest", "gzip_ratio"),  # while the rest is counted
    ],
)
def test_a_bomb_of_records_fails_in_little_memory(
    bomb: bytes, place: int | None, policy: OnCorrupt, reason: str
) -> None:
    content = bytearray(bomb)
    if place is not None:
        content[place] ^= 1
    stored = io.BytesIO(gzip.compress(content))
    blocks = read_blocks(
        stored, "a", compression="gzip", block_bytes=2 * MIB, options=ReadOptions(policy)
    )
    tracemalloc.start()
    with pytest.raises(DataFault) as caught:
        sum(map(len, blocks))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert caught.value.reason == reason
    assert peak < 16 * MIB


@pytest.mark.parametrize("piece_bytes", [1000, 64 * MIB])
def test_all_content_before_damage_comes_out(piece_bytes: int) -> None:
    """Damage to the trailer loses no content; damage to the content loses what is behind it."""
    content = NOISE * 9
    stored = bytearray(gzip.compress(content))
    stored[-6] ^= 1
    total, _, fault = pieces_of(bytes(stored), piece_bytes)
    assert fault is not None
    assert (total, fault.offset, fault.reason) == (len(content), len(content), "corrupt_gzip")
    assert fault.detail.startswith("Error -3 while decompressing data: incorrect data check")
    cut = bytes(stored[: len(stored) // 2])
    total, _, fault = pieces_of(cut, piece_bytes)
    assert fault is not None
    assert (total, fault.reason) == (fault.offset, "truncated")
    assert total > len(content) * 0.45


@pytest.mark.parametrize("block_bytes", [100, MIB])
def test_content_that_found_no_room_before_the_end_comes_out(block_bytes: int) -> None:
    """At a cut, zlib may still hold content of the last byte that did not fit into a step."""
    for more in range(0, 2000, 100):
        whole = gzip.compress(bytes((256 << 10) + more))
        for cut in range(8, 13):
            produced = pieces_of(whole[:-cut], block_bytes)[0]
            assert produced == len(zlib.decompressobj(wbits=31).decompress(whole[:-cut]))


def test_gzip_that_ends_between_records_is_said_to_have_lost_an_unknown_rest() -> None:
    content = gzip.compress(b"") + gzip.compress(b"")[:-1]
    lost: list[Lost] = []
    options = ReadOptions("skip_rest")
    stream = io.BytesIO(content)
    assert not list(read_blocks(stream, "a", compression="gzip", options=options, lost=lost.append))
    assert lost == [Lost("a", 0, 0, 0, None, "truncated")]
