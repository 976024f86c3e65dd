"""Watches the pages of Parquet files as Arrow reads them, and holds their counts to the footer's.

Arrow reads the pages of a chunk until it has as many values as the footer counts. Whether a page is
left over, or has values of the next row group, it does not ask. So the bytes that it reads pass
through here, and the headers of the pages are read on the way, before Arrow sees them.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any, BinaryIO

from pipeline.errors.faults import DataFault
from pipeline.readers.parquet_footer import (
    CODE_ENCODINGS,
    DATA_PAGE,
    DATA_PAGE_2,
    DICTIONARY_PAGE,
    Chunk,
    Leaf,
    contradiction,
)
from pipeline.readers.thrift import INT32, Fields, Malformed, read_struct

# The numbers of the fields in parquet.thrift of the Parquet format: of `PageHeader`,
_KIND, _UNPACKED, _PACKED, _DATA, _DICTIONARY, _DATA_2 = 1, 2, 3, 5, 7, 8
# and of `DataPageHeader`, `DictionaryPageHeader` and `DataPageHeaderV2`.
_VALUES, _ENCODING, _NULLS_2, _ROWS_2, _ENCODING_2 = 1, 2, 2, 3, 4

_HEADER: Fields = {
    **dict.fromkeys((_KIND, _UNPACKED, _PACKED), INT32),
    _DATA: dict.fromkeys((_VALUES, _ENCODING), INT32),
    _DICTIONARY: {_VALUES: INT32},
    _DATA_2: dict.fromkeys((_VALUES, _NULLS_2, _ROWS_2, _ENCODING_2), INT32),
}
# The numbers of the known ways in which pages are compressed.
_CODECS = range(1, 8)
# A header may hold long values as statistics. Arrow reads none that is longer.
_LONGEST_HEADER = 16 << 20
# So many bytes are read at a time to find a header that Arrow has not read.
_LOOK_BYTES = 1 << 12


class WatchedPages:
    """The pages of a chunk, as far as they have been read.

    Args:
        leaf: the leaf that the values are of.
        chunk: the chunk.

    Attributes:
        dictionary: how many values the dictionary has; None if there is none yet.
        coded: whether all values so far are codes of the dictionary.
    """

    def __init__(self, leaf: Leaf, chunk: Chunk) -> None:
        self.leaf = leaf
        self.dictionary: int | None = None
        self.coded = True
        self._chunk = chunk
        self._next = chunk.first  # where the next header begins
        self._held = b""  # what is known of it
        self._values = 0
        self._rows = 0
        self._all_rows_known = True
        self._rows_are_values = True

    def feed(self, first: int, data: bytes) -> None:
        """Reads the headers in some bytes, if the bytes go on where the last ones ended.

        Args:
            first: the position of the bytes in the file.
            data: the bytes.

        Raises:
            Malformed: if a header is damaged, or contradicts the footer.
        """
        at = self._next + len(self._held) - first
        if not 0 <= at < len(data):
            return
        if self._held:
            data, first, at = self._held + data[at:], self._next, 0
            self._held = b""
        while at < len(data) and self._next < self._chunk.last:
            try:
                header, end = read_struct(data, at, _HEADER)
            except IndexError:
                if len(data) - at < min(_LONGEST_HEADER, self._chunk.last - self._next):
                    self._held = data[at:]
                    return
                header = {}
            except Malformed:
                header = {}
            size, unpacked = header.get(_PACKED, -1), header.get(_UNPACKED, -1)
            # Arrow reads pages of an unknown codec as if they were not compressed.
            fits = self._chunk.codec in _CODECS or (not self._chunk.codec and size == unpacked)
            if size < 0 or not fits or not self._count(header):
                if self._values < self._chunk.values:
                    raise Malformed(f"the header of its page at byte {self._next:,} is damaged")
                # Nobody reads what is behind the last value.
                self._next = self._chunk.last
                return
            at = end + size
            self._next = first + at

    def rest(self) -> tuple[int, int]:
        """Returns the position of the next byte to feed, and how many may be left."""
        at = self._next + len(self._held)
        return at, self._chunk.last - at

    def check(self, rows: int) -> None:
        """Checks the counts of all pages.

        Args:
            rows: how many rows the row group has.

        Raises:
            Malformed: if they are not what the footer counts.
        """
        if self._values != self._chunk.values:
            what = f"its pages have {self._values:,} values, and the footer counts"
            raise Malformed(f"{what} {self._chunk.values:,}")
        # Arrow once wrote the number of values in the place of that of rows.
        if self._all_rows_known and self._rows != rows and not self._rows_are_values:
            raise Malformed(f"its pages have {self._rows:,} rows, and the row group has {rows:,}")

    def _count(self, header: dict[int, Any]) -> bool:
        """Counts the values of a page, and returns whether its header makes sense."""
        kind = header.get(_KIND)
        if kind == DICTIONARY_PAGE:
            self.dictionary = header.get(_DICTIONARY, {}).get(_VALUES, -1)
            return bool(self.dictionary >= 0)
        if kind not in (DATA_PAGE, DATA_PAGE_2):
            return isinstance(kind, int)
        page = header.get(_DATA if kind == DATA_PAGE else _DATA_2, {})
        values, encoding = page.get(_VALUES, -1), page.get(_ENCODING)
        if kind == DATA_PAGE:
            self._all_rows_known = False
        else:
            encoding, rows = page.get(_ENCODING_2), page.get(_ROWS_2, -1)
            if not 0 <= page.get(_NULLS_2, -1) <= values or not 0 <= rows <= values:
                return False
            if rows != values:
                self._rows_are_values = False
                if not self.leaf.nested:
                    raise Malformed(f"a page has {rows:,} rows of {values:,} values")
            self._rows += rows
        self.coded &= encoding in CODE_ENCODINGS
        self._values += max(0, values)
        if self._values > self._chunk.values:
            what = f"its pages have {self._values:,} values or more, and the footer counts"
            raise Malformed(f"{what} {self._chunk.values:,}")
        return bool(values >= 0)


class PageWatch(io.RawIOBase):
    """A file whose pages are watched as they are read.

    Args:
        stream: the file.
        path: its path, for messages.

    Attributes:
        failure: why bytes could not be read, or must not be: what the stream raised, or a fault of
            the pages. Arrow need not pass it on as it is.
    """

    def __init__(self, stream: BinaryIO, path: str) -> None:
        self.failure: BaseException | None = None
        self._stream = stream
        self._path = path
        self._group = 0
        self._pages: Sequence[WatchedPages] = ()

    def expect(self, group: int, pages: Sequence[WatchedPages]) -> None:
        """Says which pages are read from now on.

        Args:
            group: the number of their row group.
            pages: the pages of each chunk.
        """
        self._group = group
        self._pages = pages

    def finish(self, rows: int) -> None:
        """Checks that the pages are whole, and that none is left over.

        Args:
            rows: how many rows their row group has.

        Raises:
            DataFault: if they are not.
        """
        for pages in self._pages:
            # Arrow does not read on when it has all values.
            at, left = pages.rest()
            while left > 0:
                self._stream.seek(at)
                data = self._stream.read(min(left, _LOOK_BYTES))
                if not data:
                    break
                self._feed(pages, at, data)
                at, left = pages.rest()
            try:
                pages.check(rows)
            except Malformed as error:
                raise self._fault(pages, error) from error

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def read(self, size: int = -1) -> bytes:
        try:
            at = self._stream.tell()
            data = self._stream.read(size)
            for pages in self._pages:
                self._feed(pages, at, data)
        except BaseException as error:
            self.failure = error
            raise
        return data

    def _feed(self, pages: WatchedPages, at: int, data: bytes) -> None:
        try:
            pages.feed(at, data)
        except Malformed as error:
            raise self._fault(pages, error) from error

    def _fault(self, pages: WatchedPages, error: Malformed) -> DataFault:
        return contradiction(self._path, str(error), self._group, pages.leaf)
