"""Defines what readers of TFRecord files accept, and how they report what they leave out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

OnCorrupt = Literal["fail", "skip_record", "skip_rest"]

_LIMIT_BYTES = 1 << 29


@dataclass(frozen=True)
class ReadOptions:
    """The options of reading TFRecord files; they do not affect Parquet files.

    Attributes:
        on_corrupt: what to do with damage. "fail" raises the fault. "skip_record" leaves out a
            record whose data do not match their checksum, if the checksum of the record's length
            matches, so that it is known where the next record starts. "skip_rest" also leaves out
            the rest of a file from a place where that is not known: a length that does not match
            its checksum, the end of the file within a record or a gzip member, or damage to gzip
            itself.
        max_record_bytes: the largest payload of a record, 0 to 2^29 bytes.
        max_gzip_ratio: the number of bytes, at least 1, that a byte of a gzip file may expand to on
            average; only checked after the first 16 MiB of content.

    Raises:
        ValueError: if an option is out of its range.
    """

    on_corrupt: OnCorrupt = "fail"
    max_record_bytes: int = 64 << 20
    max_gzip_ratio: int = 200

    def __post_init__(self) -> None:
        if self.on_corrupt not in get_args(OnCorrupt):
            raise ValueError(f"on_corrupt must be one of {', '.join(get_args(OnCorrupt))}")
        if not 0 <= self.max_record_bytes <= _LIMIT_BYTES:
            raise ValueError("max_record_bytes must be 0 to 2^29")
        if self.max_gzip_ratio < 1:
            raise ValueError("max_gzip_ratio must be at least 1")


DEFAULT_OPTIONS = ReadOptions()


@dataclass(frozen=True, order=True)
class Lost:
    """A part that was left out of a damaged TFRecord file: a record, or the rest of the file.

    Attributes:
        path: the path of the file.
        row: the number of the first record left out, from 0.
        offset: the position of this record in the (decompressed) file, in bytes.
        bytes: the size of the part in the (decompressed) file, with frames. For the rest of a gzip
            file, this is the size that could still be decompressed, which may be 0.
        records: the number of records left out; None for the rest of a file, where it is unknown.
        reason: the reason that a `DataFault` would have, such as "corrupt_record".
    """

    path: str
    row: int
    offset: int
    bytes: int
    records: int | None
    reason: str
