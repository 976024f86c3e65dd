"""Decompresses gzip files in pieces, verifies the end of each member, and limits the expansion."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.errors.faults import DataFault, Misread

GZIP_MAGIC = b"\x1f\x8b"

_READ_BYTES = 256 << 10
_STEP_BYTES = 256 << 10  # of content; fixed, as the content before damage can depend on it
_ANY_RATIO_BYTES = 16 << 20  # of content; up to here any ratio is legal, as of equal bytes


def decompress(stream: BinaryIO, path: str, piece_bytes: int, max_ratio: int) -> Iterator[bytes]:
    """Yields the content of all gzip members in pieces.

    zlib verifies the CRC and the length at the end of each member. The joined pieces, and the
    fault, depend only on the content of the file. All content that zlib returns before damage is
    yielded before the fault is raised.

    Args:
        stream: the bytes as stored.
        path: the path of the file, for errors.
        piece_bytes: the largest size of a piece, at least 1 byte; pieces may be smaller.
        max_ratio: the largest ratio of the size of the content to the bytes read so far, checked
            after 16 MiB of content.

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
            # This also runs at the end of the file: the last step may have left content in zlib.
            content, error = _step(member, pending)
            room = max(_ANY_RATIO_BYTES, max_ratio * read) - produced
            for start in range(0, min(len(content), room), piece_bytes):
                yield content[start : min(start + piece_bytes, room)]
            if len(content) > room:
                raise _ratio_fault(path, produced + room, read, max_ratio)
            produced += len(content)
            if error:
                not_gzip = at_start and not pending.startswith(GZIP_MAGIC)
                raise _corrupt_fault(path, error, produced, not_gzip) from error
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
    """Returns up to `_STEP_BYTES` of content; at damage, the content before it and the error."""
    before = member.copy()
    try:
        return member.decompress(stored, _STEP_BYTES), None
    except zlib.error as error:
        # zlib does not return the content before an error: feed it all bytes but those that fail.
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


def _corrupt_fault(path: str, error: zlib.error, offset: int, not_gzip: bool) -> DataFault:
    kind = Misread if not_gzip else DataFault
    restore = "restore the file from its source"
    hint = f"it is no gzip file, whatever its name is: {restore}" if not_gzip else restore
    return kind(path, "corrupt_gzip", f"{error}: {hint}", offset=offset)


def _read(stream: BinaryIO) -> bytes:
    """Returns the next `_READ_BYTES` bytes, or fewer at the end; a single read may give too few."""
    pieces = []
    size = 0
    while size < _READ_BYTES and (piece := stream.read(_READ_BYTES - size)):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _ratio_fault(path: str, produced: int, read: int, max_ratio: int) -> DataFault:
    return Misread(
        path,
        "gzip_ratio",
        f"{read} bytes expand to more than {produced}, {produced / read:.1f} times as many "
        f"(max_gzip_ratio is {max_ratio}): raise it if the file is right",
        offset=produced,
    )
