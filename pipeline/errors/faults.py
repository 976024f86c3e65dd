"""Exceptions for what is wrong with data and with the storage that holds it."""

from __future__ import annotations

from pipeline.errors.printable import printable


class DataFault(Exception):
    """An exception for a fault in the data of one file; it can be pickled.

    Attributes:
        path: the path of the file.
        reason: a short code in snake case, such as "corrupt_record" or "truncated".
        detail: a text that says what is wrong and what to do about it.
        offset: the position of the fault in the file, in bytes; for a compressed TFRecord file, the
            position in its decompressed content.
        row: the number of the row in the file, from 0.
        row_group: the number of the Parquet row group, from 0.

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
        where = ", ".join(
            f"{name} {number}" for name, number in places.items() if number is not None
        )
        return ": ".join(part for part in (self.path, where, self.reason, self.detail) if part)


class ColumnError(TypeError):
    """An exception for a column whose type cannot be read as the configuration says."""


class BadData(Exception):
    """An exception for data that must not be reported on; it can be pickled.

    `str()` has a line per reason.

    Attributes:
        problems: the reasons.
        data_report: the path of the data report, if one was written.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__(problems)
        self.problems = problems
        self.data_report: str | None = None

    def __str__(self) -> str:
        return "\n".join(map(printable, self.problems))


class StorageError(Exception):
    """An exception for files that storage cannot read or write; their content may be good."""


class ReadError(StorageError):
    """An exception for an input that storage cannot read now; it may be read at another time."""


class OutputTaken(Exception):
    """An exception for an output that holds a run, other files, or another run at work."""


class NotFinished(Exception):
    """An exception for a directory whose newest run has not ended or is not yet published."""


class RunnerError(Exception):
    """The runner failed, and nothing says that the data or the configuration is the reason."""


class Misread(DataFault):
    """A fault of a file that may be undamaged, but is read with options that do not fit it.

    It is always raised: `ReadOptions.on_corrupt` never leaves out data because of it.
    """
