"""What goes wrong with data, and the exceptions that carry it."""

from __future__ import annotations


class DataFault(Exception):
    """A fault in the data of one file; it survives pickling.

    Attributes:
        path: the file.
        reason: a short code in snake case, such as "corrupt_record" or "truncated".
        detail: what was found, and what to do about it.
        offset: where in the file, in bytes; in a compressed TFRecord file, in its decompressed
            content.
        row: number of the row in the file, from 0.
        row_group: number of the Parquet row group, from 0.

    >>> print(DataFault("a.tfrecord", "truncated", "copy the file again", offset=96, row=7))
    a.tfrecord: row 7, byte 96: truncated: copy the file again
    """

    def __init__(
        self,
        path: str,
        reason: str,
        detail: str,
        *,
        offset: int | None = None,
        row: int | None = None,
        row_group: int | None = None,
    ) -> None:
        super().__init__(path, reason, detail)
        self.path = path
        self.reason = reason
        self.detail = detail
        self.offset = offset
        self.row = row
        self.row_group = row_group

    def __str__(self) -> str:
        places = {"row group": self.row_group, "row": self.row, "byte": self.offset}
        where = ", ".join(f"{name} {at}" for name, at in places.items() if at is not None)
        return ": ".join(part for part in (self.path, where, self.reason, self.detail) if part)


class ColumnError(TypeError):
    """A column holds values of a type that cannot be read as the configuration says."""


class BadData(Exception):
    """Data that must not be reported on; `problems` says why, a line each."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class StorageError(Exception):
    """Files elsewhere cannot be reached, read or written; it is not their content that is bad."""


class Misread(DataFault):
    """A fault of a file that may be whole: nothing is left out for it, whatever the options."""
