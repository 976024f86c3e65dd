"""Tells the format of files, by their names and by their first bytes."""

from __future__ import annotations

import re
import zlib
from typing import BinaryIO, Literal

import numpy as np

from pipeline.errors.faults import Misread
from pipeline.readers.crc32c import masked_crc32c_many
from pipeline.readers.tfrecord.blocks import Compression
from pipeline.readers.tfrecord.gzip_members import GZIP_MAGIC

Format = Literal["parquet", "tfrecord"]

HEAD_BYTES = 4096
"""How many of the first bytes `format_by_bytes` needs, if the file has so many."""

_SUFFIXES: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".tfrecord": "tfrecord",
    ".tfrecords": "tfrecord",
    ".tfrecord.gz": "tfrecord",
    ".tfrecords.gz": "tfrecord",
}
_SHARD_NUMBER = re.compile(r"-\d+-of-\d+")
# The second is of files with an encrypted footer.
_PARQUET = (b"PAR1", b"PARE")
_RECORD_HEADER_BYTES = 12


def format_by_name(path: str) -> Format | None:
    """Returns the format that the name of a file tells, or None.

    >>> format_by_name("eval/part-00003-of-00010.tfrecord.gz")
    'tfrecord'
    >>> format_by_name("eval/predictions.tfrecord-00003-of-00010")
    'tfrecord'
    >>> format_by_name("eval/000000_0") is None
    True
    """
    name = _SHARD_NUMBER.sub("", path.rsplit("/", 1)[-1].lower())
    return next((told for suffix, told in _SUFFIXES.items() if name.endswith(suffix)), None)


def format_by_bytes(head: bytes) -> Format | None:
    """Returns the format that the first bytes of a file tell, or None.

    Parquet files begin with `PAR1`. TFRecord files begin with the length of a record and its
    checksum, or with a gzip member that holds such; a file of no bytes has no records.

    Args:
        head: the first `HEAD_BYTES` of the file, or all if it has fewer.
    """
    if head.startswith(_PARQUET):
        return "parquet"
    if not head or _is_record_header(head):
        return "tfrecord"
    if not head.startswith(GZIP_MAGIC):
        return None
    try:
        content = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(head, _RECORD_HEADER_BYTES)
    except zlib.error:
        # What is damaged is told with its place when it is read.
        return "tfrecord"
    return "tfrecord" if not content or _is_record_header(content) else None


def describe_head(head: bytes) -> str:
    """Returns, in words, what a file begins with that is neither Parquet nor TFRecord."""
    if head.startswith(GZIP_MAGIC):
        member = zlib.decompressobj(zlib.MAX_WBITS | 16)
        content = member.decompress(head, _RECORD_HEADER_BYTES)
        if content.startswith(_PARQUET):
            return "it is a gzip file of a Parquet file, which is to be decompressed"
        return f"it is a gzip file of what begins {content[:8]!r}"
    return f"it begins {head[:8]!r}"


def compression_of(stream: BinaryIO, path: str) -> Compression:
    """Returns how a TFRecord file is compressed, by its first bytes; its name tells if they do not.

    Args:
        stream: the file, at its beginning; it is left there.
        path: the path of the file.

    Raises:
        Misread: if the file begins as Parquet files do.
    """
    head = stream.read(_RECORD_HEADER_BYTES)
    stream.seek(0)
    if _is_record_header(head):
        return None
    if head.startswith(_PARQUET):
        detail = "the file begins as Parquet files do: name it .parquet, or set 'format'"
        raise Misread(path, "wrong_format", detail)
    if head.startswith(GZIP_MAGIC):
        return "gzip"
    return "gzip" if _SHARD_NUMBER.sub("", path.lower()).endswith(".gz") else None


def _is_record_header(head: bytes) -> bool:
    if len(head) < _RECORD_HEADER_BYTES:
        return False
    length = np.frombuffer(head, np.uint8, 8)
    crc = masked_crc32c_many(length, np.array([0]), np.array([8]))
    return int(crc[0]) == int.from_bytes(head[8:_RECORD_HEADER_BYTES], "little")
