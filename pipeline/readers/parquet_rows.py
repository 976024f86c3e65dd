"""Reads the rows of Parquet row groups with Arrow, and lets no contradiction pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors.faults import DataFault
from pipeline.readers.arrow_types import is_text
from pipeline.readers.batches import NUMBER_BYTES, bytes_of
from pipeline.readers.parquet_footer import (
    BYTE_ARRAY,
    CODE_ENCODINGS,
    WHOLE_TEXT_ENCODINGS,
    Column,
    ParquetFooter,
    contradiction,
)
from pipeline.readers.parquet_pages import PageWatch, WatchedPages
from pipeline.readers.parquet_part import ARROW_FAULTS, part_of

# The wanted columns of a row group are read at once if they have at most so many bytes in the file;
# else in pieces that have as many together.
_READ_BYTES = 32 << 20
_LEAST_PIECE_BYTES = 16 << 10
# So many bytes are decoded at a time, all numbers taken as float64, if rows are of equal length.
_DECODE_BYTES = 32 << 20
# A row group of `_UNEVEN` times as many may have all of them in few long rows: so many rows are
# decoded at a time at most that even rows of 10,000 numbers have no more bytes.
_UNEVEN = 4
_UNEVEN_ROWS = _UNEVEN * _DECODE_BYTES // (10_000 * NUMBER_BYTES)
# Where the footer does not tell how large rows are, at most so many times as many are decoded next.
_GROWTH = 8


class GroupReader:
    """A reader of row groups of a file.

    Text is read as codes of a dictionary where all pages have such, which takes less time and less
    memory. Arrow does not check those codes, and takes equal words of a dictionary for one, which
    shifts the codes of others. So both are checked here, and where a check fails, the text is read
    as it is, which Arrow does check.

    Args:
        stream: the file.
        path: its path, for messages.
        footer: its footer.
        columns: the columns to read, at least one, of which none is encrypted.
        groups: the numbers of the row groups, at least one.

    Raises:
        DataFault: if Arrow cannot read columns of these types.
    """

    def __init__(
        self,
        stream: BinaryIO,
        path: str,
        footer: ParquetFooter,
        columns: Sequence[Column],
        groups: Sequence[int],
    ) -> None:
        self._path = path
        self._footer = footer
        self._columns = columns
        self._groups = groups
        self._leaves = _leaves(columns)
        self._watch = PageWatch(stream, path)
        try:
            self._plain = self._open(columns, groups)
            # The positions of columns that are read as codes, and of their leaves.
            self._coded = {
                position: self._leaves.index(columns[position].leaves[0])
                for position, field in enumerate(self._plain.schema_arrow)
                if is_text(field.type) and self._all_coded(columns[position].leaves[0])
            }
            files = [self._plain]
            if self._coded:
                files.insert(0, self._open(columns, groups, [*self._coded.values()]))
            self._files = files
        except ARROW_FAULTS as error:
            raise DataFault(path, "corrupt_parquet", str(error)) from error

    def read(self, group: int, rows: int) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a row group.

        Args:
            group: the number of the row group.
            rows: the largest number of rows of a batch.

        Raises:
            DataFault: if pages are damaged, or contradict the footer.
        """
        expected = self._footer.groups[group].rows
        done = 0
        for file in self._files:
            pages = self._pages(group)
            self._watch.expect(group, pages)
            known = done
            for batch in self._decode(file, group, rows):
                if file is not self._plain and not self._has_known_codes(batch, pages):
                    break
                new = batch.slice(known)
                known = max(0, known - len(batch))
                if len(new):
                    done += len(new)
                    yield new
            else:
                break
        self._watch.finish(expected)
        if done != expected:
            what = f"its columns have {done:,} rows, and the footer counts {expected:,}"
            raise self._fault_of_a_column(group) or contradiction(self._path, what, group)

    def _open(
        self, columns: Sequence[Column], groups: Sequence[int], coded: Sequence[int] = ()
    ) -> pq.ParquetFile:
        """Opens the file as if it had some columns and some row groups alone.

        Args:
            columns: the columns.
            groups: the row groups, which are numbered from 0 then.
            coded: the positions of the leaves that are read as codes.
        """
        leaves = _leaves(columns)
        most = max(
            sum(chunk.last - chunk.first for leaf in leaves if (chunk := chunks[leaf]))
            for chunks in (self._footer.groups[group].chunks for group in groups)
        )
        at_once = most <= _READ_BYTES
        piece = max(_LEAST_PIECE_BYTES, _READ_BYTES // max(1, len(leaves)))
        return pq.ParquetFile(
            self._watch,
            metadata=part_of(self._footer, columns, groups),
            read_dictionary=coded,
            page_checksum_verification=True,
            pre_buffer=at_once,
            buffer_size=0 if at_once else piece,
        )

    def _all_coded(self, leaf: int) -> bool:
        """Returns whether all values of a leaf are codes of a dictionary, as the footer says."""
        found = [self._footer.encodings(group, leaf) for group in self._groups]
        return all(encodings and encodings <= CODE_ENCODINGS for encodings in found)

    def _pages(self, group: int) -> list[WatchedPages]:
        leaves, chunks = self._footer.leaves, self._footer.groups[group].chunks
        return [WatchedPages(leaves[i], chunk) for i in self._leaves if (chunk := chunks[i])]

    def _decode(self, file: pq.ParquetFile, group: int, most: int) -> Iterator[pa.RecordBatch]:
        """Yields the rows of a row group as Arrow reads them, at most so many at a time."""
        coded = file is not self._plain
        rows, known = self._rows_at_once(group, coded)
        batches = file.iter_batches(min(rows, most), row_groups=[self._groups.index(group)])
        while True:
            try:
                batch = next(batches, None)
            except ARROW_FAULTS as error:
                raise self._cause(group, error) from error
            if batch is None:
                return
            if not known:
                fitting = len(batch) * _DECODE_BYTES // max(1, bytes_of(batch.columns))
                rows = max(1, min(fitting, _GROWTH * rows))
                file.reader.set_batch_size(min(rows, most))
            yield batch

    def _cause(self, group: int, error: Exception) -> BaseException:
        """Returns the exception that tells what an error of Arrow comes from."""
        if self._watch.failure is not None:
            return self._watch.failure
        if isinstance(error, MemoryError):
            return error
        return self._fault_of_a_column(group) or self._fault(group, str(error))

    def _fault_of_a_column(self, group: int) -> DataFault | None:
        """Reads the columns alone, and returns the fault of the first that has one."""
        expected = self._footer.groups[group].rows
        self._watch.expect(group, ())
        for column in self._columns:
            rows = 0
            try:
                file = self._open([column], [group])
                for batch in file.iter_batches(self._rows_at_once(group)[0]):
                    rows += len(batch)
            except ARROW_FAULTS as error:
                if self._watch.failure is not None:
                    raise self._watch.failure from error
                return self._fault(group, f"column '{column.name}': {error}")
            if rows != expected:
                what = f"column '{column.name}' has {rows:,} rows, and the footer counts"
                return contradiction(self._path, f"{what} {expected:,}", group)
        return None

    def _fault(self, group: int, what: str) -> DataFault:
        return DataFault(self._path, "corrupt_parquet", what, row_group=group)

    def _has_known_codes(self, batch: pa.RecordBatch, pages: Sequence[WatchedPages]) -> bool:
        """Returns whether all codes of a batch are of words of their dictionary."""
        for position, leaf in self._coded.items():
            column = batch.column(position)
            if column.null_count == len(column):
                continue
            limits = pc.min_max(column.indices).as_py()
            words = len(column.dictionary)
            right = pages[leaf].coded and pages[leaf].dictionary == words
            if not right or limits["min"] < 0 or limits["max"] >= words:
                return False
        return True

    def _rows_at_once(self, group: int, coded: bool = False) -> tuple[int, bool]:
        """Returns how many rows of a row group may be decoded at a time.

        Args:
            group: the number of the row group.
            coded: whether columns are read as codes where they can be.

        Returns:
            The number of rows; and whether the footer tells how large they are decoded. If it does
            not, as with words that a dictionary has once, the number is that of the first rows.
        """
        rows, _, chunks = self._footer.groups[group]
        as_codes = {self._leaves[leaf] for leaf in self._coded.values()} if coded else ()
        total, uneven, known = 0, False, True
        for leaf in self._leaves:
            chunk = chunks[leaf]
            assert chunk is not None
            kind, width, nested = self._footer.leaves[leaf][1:]
            total += chunk.values * max(NUMBER_BYTES, width)
            uneven |= nested
            if kind == BYTE_ARRAY and leaf not in as_codes:
                total += chunk.unpacked
                uneven = True
                known &= self._footer.encodings(group, leaf) <= WHOLE_TEXT_ENCODINGS
        even_rows = max(1, rows)
        if total > _DECODE_BYTES:
            even_rows = max(1, _DECODE_BYTES * rows // total)
        if not known or (uneven and total > _UNEVEN * _DECODE_BYTES):
            return min(even_rows, _UNEVEN_ROWS), known
        return even_rows, known


def _leaves(columns: Sequence[Column]) -> list[int]:
    return [leaf for column in columns for leaf in column.leaves]
