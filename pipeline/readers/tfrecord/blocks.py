"""Reads TFRecord files as blocks of verified records, and writes them.

A record is an 8-byte little-endian length, the masked CRC32C of those 8 bytes, the payload, and the
masked CRC32C of the payload (TensorFlow, `lib/io/record_writer.h`).
"""

from __future__ import annotations

import gzip
import io
import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
import numpy.typing as npt

from pipeline.errors.faults import DataFault, Misread
from pipeline.readers.crc32c import Int64, UInt8, masked_crc32c_many
from pipeline.readers.tfrecord.gzip_members import GZIP_MAGIC, decompress
from pipeline.readers.tfrecord.options import DEFAULT_OPTIONS, Lost, ReadOptions

Compression = Literal["gzip"] | None
OnLost = Callable[[Lost], None]

BLOCK_BYTES = 16 << 20
SPARE_BYTES = 8  # behind the records of a block, so that 8 bytes can be loaded at any of theirs

_LENGTH_BYTES = 8
_CRC_BYTES = 4
_HEADER_BYTES = _LENGTH_BYTES + _CRC_BYTES
_FRAME_BYTES = _HEADER_BYTES + _CRC_BYTES
# What files begin with in which people expect records, and what to do about it.
_UNPACK = "decompress the file once"
_OTHER_CONTENT = {
    GZIP_MAGIC: f"gzip files do: {_UNPACK}",
    b"PAR1": f"Parquet files do: {_UNPACK}, and name it .parquet",
    **dict.fromkeys(
        (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"),
        f"zlib's do: {_UNPACK}, or write it with gzip",
    ),
}
_LIMIT_BYTES = 1 << 29  # blocks stay below 2^31 bytes, so that Arrow's 32-bit offsets suffice
_WRITE_RECORDS = 4096


@dataclass(frozen=True, eq=False)
class Block:
    """A block of verified records of a file; damaged records between them are left out.

    Attributes:
        buffer: uint8 `[size]`, the records with their frames, then `SPARE_BYTES` zeros.
        starts: int64 `[n]`, the position of each payload in `buffer`; ascending.
        lengths: int64 `[n]`, the size of each payload in bytes.
        rows: int64 `[n]`, the number of each record in the file, from 0; ascending.
        offset: the position of `buffer` in the (decompressed) file, in bytes.
    """

    buffer: UInt8
    starts: Int64
    lengths: Int64
    rows: Int64
    offset: int

    def __len__(self) -> int:
        return len(self.starts)

    @property
    def offsets(self) -> Int64:
        """The position of each record, with its frame, in the (decompressed) file, int64 `[n]`."""
        return self.offset + self.starts - _HEADER_BYTES

    def payload(self, index: int) -> bytes:
        """Returns the payload of a record of the block."""
        start = int(self.starts[index])
        return self.buffer[start : start + int(self.lengths[index])].tobytes()


def read_blocks(
    stream: BinaryIO,
    path: str,
    *,
    compression: Compression = None,
    block_bytes: int = BLOCK_BYTES,
    options: ReadOptions = DEFAULT_OPTIONS,
    lost: OnLost | None = None,
) -> Iterator[Block]:
    """Yields a TFRecord file in blocks of whole records, after verifying all checksums.

    A block has about `block_bytes` bytes, or is a single larger record; memory does not grow with
    the file. A file of no bytes has no records. Records before a fault are yielded first, so the
    first fault in the file is the one that is raised. The records, their numbers, the losses and
    the fault do not depend on the sizes of the blocks.

    What `options.on_corrupt` leaves out is reported, and never searched for records: all records
    keep their numbers, whether left out or not. A rest of a file that is left out is counted to the
    end of the file, for gzip as far as it decompresses; that content is produced, but not used.

    Args:
        stream: the bytes as stored. They are decompressed here, where the end of each gzip member
            is verified; a stream that decompresses by itself may hide that the file is truncated.
        path: the path of the file, for errors.
        compression: None or "gzip" (at least one member, and nothing else).
        block_bytes: the number of bytes that are read or decompressed at once, 1 to 2^29.
        options: what is accepted, and what to do with damage.
        lost: a function that is called with everything that is left out, in order, before a block
            with later records is yielded.

    Raises:
        DataFault: "corrupt_record" (a checksum differs), "truncated" (the file ends within a record
            or within a gzip member), "corrupt_gzip", unless `options` leave that out; and always
            "record_too_large", "gzip_ratio", and if the compression is not as stated.
        ValueError: if `block_bytes` is out of its range.
    """
    if not 1 <= block_bytes <= _LIMIT_BYTES:
        raise ValueError("block_bytes must be 1 to 2^29")
    end = _size(stream) if compression is None else None
    gzip_faults: list[DataFault] = []
    pieces = (
        _until_fault(decompress(stream, path, block_bytes, options.max_gzip_ratio), gzip_faults)
        if compression == "gzip"
        else iter(lambda: stream.read(block_bytes), b"")
    )
    row = offset = size = 0
    held: list[bytes] = []
    needed = _HEADER_BYTES
    fault: DataFault | None = None
    for piece in chain(pieces, [b""]):  # the empty piece at the end makes what is held a block
        held.append(piece)
        size += len(piece)
        if size < needed or (piece and size < block_bytes):
            continue
        content = b"".join([*held, bytes(SPARE_BYTES)])
        block = _whole_records(content, row, offset, options.max_record_bytes)
        verified, whole, fault = _verify(block, path, options, lost)
        if len(verified):
            yield verified
        consumed = (
            int(block.starts[whole - 1] + block.lengths[whole - 1]) + _CRC_BYTES if whole else 0
        )
        row, offset, size = row + whole, offset + consumed, size - consumed
        held = [content[consumed : consumed + size]]
        if fault is None and size >= _HEADER_BYTES:
            needed, fault = _check_header(held[0], path, row, offset, options.max_record_bytes)
        elif fault is None:
            needed = _HEADER_BYTES
        if fault is None and size and end is not None and needed > end - offset:
            fault = _truncated(path, row, offset, needed, end - offset)
        if fault:
            break
    else:
        fault = gzip_faults.pop() if gzip_faults else None
        if size and fault is None:
            fault = _truncated(path, row, offset, needed, size)
    if fault is None:
        return
    if options.on_corrupt != "skip_rest" or isinstance(fault, Misread):
        raise fault
    rest = end - offset if end is not None else size + sum(map(len, pieces))
    if gzip_faults and isinstance(gzip_faults[0], Misread):
        raise gzip_faults[0]
    if lost:
        lost(Lost(path, row, offset, rest, None, fault.reason))


def write_records(
    path: str | Path, payloads: Iterable[bytes], compression: Compression = None
) -> None:
    """Writes payloads as a TFRecord file; equal payloads give equal bytes, compressed or not.

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
            while batch := list(islice(remaining, _WRITE_RECORDS)):
                file.write(_with_frames(batch))
            return
        with gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as compressed:
            while batch := list(islice(remaining, _WRITE_RECORDS)):
                compressed.write(_with_frames(batch))


def _with_frames(payloads: list[bytes]) -> bytes:
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


def _whole_records(content: bytes, row: int, offset: int, max_record_bytes: int) -> Block:
    """Returns the whole records at the front of `content`; their checksums are not verified yet."""
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
        np.arange(row, row + whole),
        offset,
    )


def _verify(
    block: Block, path: str, options: ReadOptions, lost: OnLost | None
) -> tuple[Block, int, DataFault | None]:
    """Verifies a block, and leaves out damaged records up to the first that may not be left out.

    Returns:
        The verified records; the number of records of the block before the first damaged record
        that may not be left out; and the fault of that record, None if there is no such record.
    """
    headers = block.starts - _HEADER_BYTES
    length_differs = _differs(block.buffer, headers, np.full(len(block), _LENGTH_BYTES))
    data_differs = _differs(block.buffer, block.starts, block.lengths)
    if not (length_differs | data_differs).any():
        return block, len(block), None
    stops = length_differs if options.on_corrupt != "fail" else length_differs | data_differs
    whole = int(np.argmax(np.append(stops, True)))
    keep = np.flatnonzero(~data_differs[:whole])
    good = replace(
        block, starts=block.starts[keep], lengths=block.lengths[keep], rows=block.rows[keep]
    )
    rows, offsets = block.rows.tolist(), block.offsets.tolist()
    if lost:
        for index in np.flatnonzero(data_differs[:whole]).tolist():
            size = int(block.lengths[index]) + _FRAME_BYTES
            lost(Lost(path, rows[index], offsets[index], size, 1, "corrupt_record"))
    if whole == len(block):
        return good, whole, None
    row, offset = rows[whole], offsets[whole]
    if length_differs[whole]:
        header = block.buffer[int(headers[whole]) :]
        return good, whole, _corrupt_length(path, row, offset, header)
    return (
        good,
        whole,
        DataFault(
            path,
            "corrupt_record",
            "the checksum of the record's data does not match: restore the file from its source",
            row=row,
            offset=offset,
        ),
    )


def _check_header(
    content: bytes, path: str, row: int, offset: int, max_record_bytes: int
) -> tuple[int, DataFault | None]:
    """Returns the size in bytes of the record at the front, and the fault of its header if any."""
    header = np.frombuffer(content, np.uint8, _HEADER_BYTES)
    if _differs(header, np.zeros(1, np.int64), np.array([_LENGTH_BYTES]))[0]:
        return 0, _corrupt_length(path, row, offset, header)
    length = int.from_bytes(content[:_LENGTH_BYTES], "little")
    if length <= max_record_bytes:
        return length + _FRAME_BYTES, None
    return 0, Misread(
        path,
        "record_too_large",
        f"the record has {length} bytes, more than max_record_bytes ({max_record_bytes}): "
        "raise it if the file is right",
        row=row,
        offset=offset,
    )


def _differs(buffer: UInt8, starts: Int64, lengths: Int64) -> npt.NDArray[np.bool_]:
    """Returns a mask `[n]` of the ranges that are not followed by their masked CRC32C."""
    windows: npt.NDArray[np.void] = np.ndarray(
        len(buffer) - _CRC_BYTES + 1, f"V{_CRC_BYTES}", buffer, strides=(1,)
    )
    stored = windows[starts + lengths].view("<u4")
    differs: npt.NDArray[np.bool_] = masked_crc32c_many(buffer, starts, lengths) != stored
    return differs


def _corrupt_length(path: str, row: int, offset: int, content: UInt8) -> DataFault:
    first = content[:_HEADER_BYTES].tobytes()
    if not offset:
        for start, what in _OTHER_CONTENT.items():
            if first.startswith(start):
                detail = f"the content begins as {what}"
                return Misread(path, "corrupt_record", detail, row=row, offset=offset)
    detail = "the checksum of the record's length does not match: restore the file from its source"
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
    """Returns the number of bytes left to read, or None if the stream cannot tell in advance."""
    if not stream.seekable():
        return None
    here = stream.tell()
    size = stream.seek(0, io.SEEK_END) - here
    stream.seek(here)
    return size


def _until_fault(pieces: Iterator[bytes], gzip_faults: list[DataFault]) -> Iterator[bytes]:
    """Yields the pieces up to a fault, and then puts the fault into `gzip_faults`."""
    try:
        yield from pieces
    except DataFault as fault:
        gzip_faults.append(fault)
