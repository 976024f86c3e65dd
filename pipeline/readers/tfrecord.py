"""TFRecord files as blocks of verified records.

A record is an 8-byte little-endian length, the masked CRC32C of those 8 bytes, the payload, and the
masked CRC32C of the payload (TensorFlow, `lib/io/record_writer.h`).
"""

from __future__ import annotations

import gzip
import io
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from pipeline.readers.crc32c import Int64, UInt8, masked_crc32c_many
from pipeline.readers.faults import DataFault

Compression = Literal["gzip"] | None

BLOCK_BYTES = 16 << 20
MAX_RECORD_BYTES = 64 << 20
SPARE_BYTES = 8  # behind the records of a block: an 8-byte load at any of their bytes is safe

_LENGTH_BYTES = 8
_CRC_BYTES = 4
_HEADER_BYTES = _LENGTH_BYTES + _CRC_BYTES
_FRAME_BYTES = _HEADER_BYTES + _CRC_BYTES
_LIMIT_BYTES = 1 << 29  # blocks stay below 2^31 bytes, so that Arrow's 32-bit offsets suffice
_GZIP_READ_BYTES = 4 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_WRITE_RECORDS = 4096


@dataclass(frozen=True, eq=False)
class Block:
    """Adjacent records of one file, both checksums of each verified.

    Attributes:
        buffer: uint8 `[size]`, the records with their frames, then `SPARE_BYTES` zeros.
        starts: int64 `[n]`, where each payload starts in `buffer`; ascending.
        lengths: int64 `[n]`, payload sizes in bytes.
        first_row: number of the first record in the file, from 0.
        offset: where `buffer` starts in the (decompressed) file, in bytes.
    """

    buffer: UInt8
    starts: Int64
    lengths: Int64
    first_row: int
    offset: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def offsets(self) -> Int64:
        """Where each record (its length field) starts in the (decompressed) file, int64 `[n]`."""
        return self.offset + self.starts - _HEADER_BYTES

    def payload(self, index: int) -> bytes:
        """Return the payload of one record of the block."""
        start = int(self.starts[index])
        return self.buffer[start : start + int(self.lengths[index])].tobytes()


def read_blocks(
    stream: BinaryIO,
    path: str,
    *,
    compression: Compression = None,
    block_bytes: int = BLOCK_BYTES,
    max_record_bytes: int = MAX_RECORD_BYTES,
) -> Iterator[Block]:
    """Read a TFRecord file in blocks of whole records, every checksum verified.

    A block has about `block_bytes` bytes, or one record that is larger; memory does not grow with
    the file. A file of no bytes has no records. Records before a fault are delivered first, so
    that the first fault in the file is the one reported, however the blocks are cut; only damage
    to gzip itself may hide records before it.

    Args:
        stream: the bytes as stored. They are decompressed here, where the end of each gzip member
            is verified; a stream that decompresses by itself may hide that the file is truncated.
        path: the name of the file, for errors.
        compression: None or "gzip" (one or more members and nothing else).
        block_bytes: 1 to 2^29; how much is read or decompressed at once.
        max_record_bytes: 0 to 2^29; the largest payload accepted.

    Raises:
        DataFault: "corrupt_record" (a checksum differs), "record_too_large", "truncated" (the file
            ends within a record or within a gzip member), "corrupt_gzip".
        ValueError: a size is out of its range.
    """
    if not 1 <= block_bytes <= _LIMIT_BYTES or not 0 <= max_record_bytes <= _LIMIT_BYTES:
        raise ValueError("block_bytes must be 1 to 2^29, max_record_bytes 0 to 2^29")
    end = _size(stream) if compression is None else None
    pieces = (
        _decompress(stream, path, block_bytes)
        if compression == "gzip"
        else iter(lambda: stream.read(block_bytes), b"")
    )
    row = offset = size = 0
    held: list[bytes] = []
    needed = _HEADER_BYTES
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size < needed:
            continue
        content = b"".join([*held, bytes(SPARE_BYTES)])
        block = _frame(content, row, offset, max_record_bytes)
        verified, fault = _verify(block, path)
        if len(verified):
            yield verified
        if fault:
            raise fault
        used = int(block.starts[-1] + block.lengths[-1]) + _CRC_BYTES if len(block) else 0
        row, offset, size = row + len(block), offset + used, size - used
        held = [content[used : used + size]]
        if size >= _HEADER_BYTES:
            needed = _check_header(held[0], path, row, offset, max_record_bytes)
        else:
            needed = _HEADER_BYTES
        if size and end is not None and needed > end - offset:
            raise _truncated(path, row, offset, needed, end - offset)
    if size:
        raise _truncated(path, row, offset, needed, size)


def write_records(
    path: str | Path, payloads: Iterable[bytes], compression: Compression = None
) -> None:
    """Write payloads as a TFRecord file; equal payloads give equal bytes, compressed or not.

    >>> import io, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_records(f"{folder}/a.tfrecord", [b"one", b""])
    ...     content = Path(folder, "a.tfrecord").read_bytes()
    >>> [block.lengths.tolist() for block in read_blocks(io.BytesIO(content), "a.tfrecord")]
    [[3, 0]]
    """
    remaining = iter(payloads)
    with Path(path).open("wb") as file:
        if compression is None:
            while group := list(islice(remaining, _WRITE_RECORDS)):
                file.write(_framed(group))
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed:
            while group := list(islice(remaining, _WRITE_RECORDS)):
                compressed.write(_framed(group))


def _framed(payloads: list[bytes]) -> bytes:
    lengths = np.array([len(payload) for payload in payloads], np.int64)
    headers = lengths.astype("<u8").view(np.uint8)
    sizes = np.full(len(lengths), _LENGTH_BYTES)
    header_crcs = masked_crc32c_many(headers, np.cumsum(sizes) - sizes, sizes)
    content = np.frombuffer(b"".join(payloads), np.uint8)
    crcs = masked_crc32c_many(content, np.cumsum(lengths) - lengths, lengths)
    return b"".join(
        struct.pack("<QI", len(payload), header_crc) + payload + struct.pack("<I", crc)
        for payload, header_crc, crc in zip(
            payloads, header_crcs.tolist(), crcs.tolist(), strict=True
        )
    )


def _frame(content: bytes, row: int, offset: int, max_record_bytes: int) -> Block:
    """Cut whole records off the front of `content`, their checksums not yet verified."""
    read_length = struct.Struct("<Q").unpack_from
    headers: list[int] = []
    size = len(content) - SPARE_BYTES
    position = 0
    while position <= size - _FRAME_BYTES:
        headers.append(position)
        position += read_length(content, position)[0] + _FRAME_BYTES
    if position > size:
        position = headers.pop()
    edges = np.array([*headers, position], np.int64)
    sizes = edges[1:] - edges[:-1]
    whole = int(np.argmax(np.append(sizes > max_record_bytes + _FRAME_BYTES, True)))
    return Block(
        np.frombuffer(content, np.uint8),
        np.array(headers[:whole], np.int64) + _HEADER_BYTES,
        sizes[:whole] - _FRAME_BYTES,
        row,
        offset,
    )


def _verify(block: Block, path: str) -> tuple[Block, DataFault | None]:
    """Return the records before the first whose checksums differ, and the fault of that one."""
    headers = block.starts - _HEADER_BYTES
    length_differs = _differs(block.buffer, headers, np.full(len(block), _LENGTH_BYTES))
    data_differs = _differs(block.buffer, block.starts, block.lengths)
    wrong = np.flatnonzero(length_differs | data_differs)
    if not len(wrong):
        return block, None
    first = int(wrong[0])
    good = replace(block, starts=block.starts[:first], lengths=block.lengths[:first])
    row, offset = block.first_row + first, block.offset + int(headers[first])
    if length_differs[first]:
        return good, _corrupt_length(path, row, offset, block.buffer)
    return good, DataFault(
        path,
        "corrupt_record",
        "the checksum of the record's data does not match: restore the file from its source",
        row=row,
        offset=offset,
    )


def _check_header(content: bytes, path: str, row: int, offset: int, max_record_bytes: int) -> int:
    """Return how many bytes the record at the front of `content` takes, its header verified."""
    header = np.frombuffer(content, np.uint8, _HEADER_BYTES)
    if _differs(header, np.zeros(1, np.int64), np.array([_LENGTH_BYTES]))[0]:
        raise _corrupt_length(path, row, offset, header)
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if length > max_record_bytes:
        raise DataFault(
            path,
            "record_too_large",
            f"the record has {length} bytes, more than max_record_bytes ({max_record_bytes}): "
            "raise it if the file is right",
            row=row,
            offset=offset,
        )
    return length + _FRAME_BYTES


def _differs(buffer: UInt8, starts: Int64, lengths: Int64) -> npt.NDArray[np.bool_]:
    """Tell which ranges are not followed by their masked CRC."""
    windows: npt.NDArray[np.void] = np.ndarray(
        len(buffer) - _CRC_BYTES + 1, f"V{_CRC_BYTES}", buffer, strides=(1,)
    )
    stored = windows[starts + lengths].view("<u4")
    differs: npt.NDArray[np.bool_] = masked_crc32c_many(buffer, starts, lengths) != stored
    return differs


def _corrupt_length(path: str, row: int, offset: int, content: UInt8) -> DataFault:
    detail = "the checksum of the record's length does not match: restore the file from its source"
    if not offset and content[: len(_GZIP_MAGIC)].tobytes() == _GZIP_MAGIC:
        detail = "the file is compressed: read it with compression='gzip'"
    return DataFault(path, "corrupt_record", detail, row=row, offset=offset)


def _truncated(path: str, row: int, offset: int, needed: int, left: int) -> DataFault:
    return DataFault(
        path,
        "truncated",
        f"the file ends within a record: {left} bytes are left of at least {needed}; "
        "copy it again from its source",
        row=row,
        offset=offset,
    )


def _size(stream: BinaryIO) -> int | None:
    """Return how many bytes are left to read, where the stream can tell without reading them."""
    if not stream.seekable():
        return None
    here = stream.tell()
    size = stream.seek(0, io.SEEK_END) - here
    stream.seek(here)
    return size


def _decompress(stream: BinaryIO, path: str, piece_bytes: int) -> Iterator[bytes]:
    """Decompress all gzip members; zlib compares the CRC and the length at the end of each."""
    produced = 0
    pending = stream.read(_GZIP_READ_BYTES)
    at_start = True
    while pending or at_start:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        while not member.eof:
            pending = pending or stream.read(_GZIP_READ_BYTES)
            if not pending:
                raise DataFault(
                    path,
                    "truncated",
                    "the file ends within a gzip member: copy it again from its source",
                    offset=produced,
                )
            try:
                piece = member.decompress(pending, piece_bytes)
            except zlib.error as error:
                hint = (
                    "it is not gzip: read it with compression=None"
                    if at_start and not pending.startswith(_GZIP_MAGIC)
                    else "restore the file from its source"
                )
                raise DataFault(
                    path, "corrupt_gzip", f"{error}: {hint}", offset=produced
                ) from error
            pending = member.unconsumed_tail
            produced += len(piece)
            if piece:
                yield piece
            at_start = False
        pending = member.unused_data or stream.read(_GZIP_READ_BYTES)
