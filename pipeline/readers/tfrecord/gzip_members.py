"""Gzip files, decompressed in pieces: every end verified, and their expansion bounded."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.errors.faults import DataFault, Misread

GZIP_MAGIC = b"\x1f\x8b"

_READ_BYTES = 256 << 10
_STEP_BYTES = 256 << 10  # of content; fixed, as what comes out before damage can depend on it
_ANY_RATIO_BYTES = 16 << 20  # content that may expand by any ratio: one byte repeated is legal


def decompress(
    stream: BinaryIO, path: str, partition_bytes: int, max_ratio: int
) -> Iterator[bytes]:
    """Decompress all gzip members; zlib compares the CRC and the length at the end of each.

    The pieces together, and the fault, depend on the content of the file alone. What zlib gives out
    before damage is delivered before the fault.

    Args:
        stream: the bytes as stored.
        path: the name of the file, for errors.
        partition_bytes: the most bytes of a piece, at least 1; pieces may be smaller.
        max_ratio: how many times the bytes read so far the content may take, past 16 MiB.

    Raises:
        DataFault: "truncated" (the file ends within a member), "corrupt_gzip", "gzip_ratio".
    """
    produced = 0
    pending = _read(stream)
    read = len(pending)
    at_start = True
    while pending or at_start:
        member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
        while not member.eof:
            if not pending:
                pending = _read(stream)
                read += len(pending)
            # At the end of the file, too: content may be left that the last step had no room for.
            content, error = _step(member, pending)
            room = max(_ANY_RATIO_BYTES, max_ratio * read) - produced
            for at in range(0, min(len(content), room), partition_bytes):
                yield content[at : min(at + partition_bytes, room)]
            if len(content) > room:
                raise _ratio(path, produced + room, read, max_ratio)
            produced += len(content)
            if error:
                foreign = at_start and not pending.startswith(GZIP_MAGIC)
                raise _corrupt(path, error, produced, foreign) from error
            if not pending:
                raise DataFault(
                    path,
                    "truncated",
                    "the file ends within a gzip member: copy it again from its source",
                    offset=produced,
                )
            pending = member.unconsumed_tail
            at_start = False
        pending = member.unused_data
        if not pending:
            pending = _read(stream)
            read += len(pending)


def _step(member: zlib._Decompress, stored: bytes) -> tuple[bytes, zlib.error | None]:
    """Decompress up to `_STEP_BYTES`; if there is damage, what comes before it, and the error."""
    before = member.copy()
    try:
        return member.decompress(stored, _STEP_BYTES), None
    except zlib.error as error:
        # What comes before an error is not given out with it: feed all bytes but those that fail.
        pieces = []
        size = len(stored)
        while size:
            attempt = before.copy()
            try:
                pieces.append(attempt.decompress(stored[:size], _STEP_BYTES))
            except zlib.error:
                size //= 2
                continue
            stored = attempt.unconsumed_tail + stored[size:]
            before = attempt
        return b"".join(pieces), error


def _corrupt(path: str, error: zlib.error, offset: int, foreign: bool) -> DataFault:
    kind = Misread if foreign else DataFault
    hint = (
        "it is not gzip: read it with compression=None"
        if foreign
        else "restore the file from its source"
    )
    return kind(path, "corrupt_gzip", f"{error}: {hint}", offset=offset)


def _read(stream: BinaryIO) -> bytes:
    """Read up to `_READ_BYTES`, less only at the end, however little the stream gives at once."""
    pieces = []
    size = 0
    while size < _READ_BYTES and (piece := stream.read(_READ_BYTES - size)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _ratio(path: str, produced: int, read: int, max_ratio: int) -> DataFault:
    return Misread(
        path,
        "gzip_ratio",
        f"{read} bytes expand to more than {produced}, {produced / read:.1f} times as many "
        f"(max_gzip_ratio is {max_ratio}): raise it if the file is right",
        offset=produced,
    )
