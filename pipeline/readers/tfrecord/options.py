"""What readers of TFRecord files accept, and what they left out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

OnCorrupt = Literal["fail", "skip_record", "skip_rest"]

_LIMIT_BYTES = 1 << 29


@dataclass(frozen=True)
class ReadOptions:
    """What readers of TFRecord files accept; Parquet files are read the same with any.

    Attributes:
        on_corrupt: what to do with damage. "fail" raises the fault. "skip_record" leaves out a
            record whose data do not match their checksum, as long as its length matches its own,
            so that it is known where the next one starts. "skip_rest" also leaves out the rest of
            a file from where it is not known: a length that does not match its checksum, the end
            of the file within a record or a gzip member, or damage to gzip itself.
        max_record_bytes: the largest payload of a record, 0 to 2^29 bytes.
        max_gzip_ratio: bytes that a byte of a gzip file may expand to, on average and at least 1;
            judged only past the first 16 MiB of content.

    Raises:
        ValueError: one of them is out of its range.
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
    """What was left out of a damaged TFRecord file: one record, or the rest of the file.

    Attributes:
        path: the file.
        row: number of the first record left out, from 0.
        offset: where it starts in the (decompressed) file, in bytes.
        bytes: how much of the (decompressed) file is left out, frames included. Of the rest of a
            gzip file this is what could still be decompressed, which may be nothing.
        records: how many records; None for the rest of a file, where it is unknown.
        reason: the reason that a `DataFault` would give, such as "corrupt_record".
    """

    path: str
    row: int
    offset: int
    bytes: int
    records: int | None
    reason: str
