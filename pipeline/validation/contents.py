"""What a file holds, in a few bytes: by it copies of a file are found without another read.

The digest of a file is the sum, modulo 2**64, of a hash of each row: it does not depend on the
order of rows, on batches and workers, or on the name of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from heapq import merge
from itertools import groupby
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors.wording import first_lines, first_names
from pipeline.extract.folds import mix, text_hashes
from pipeline.readers.arrow_types import is_list, is_number, is_text
from pipeline.readers.rows import Rows, flat_values, list_lengths

Words = npt.NDArray[np.uint64]

FEWEST_ROWS = 100
"""Files of fewer rows may be equal by chance."""

_TEXTS = (pa.string(), pa.binary(), pa.large_string(), pa.large_binary())
_NULL = np.uint64(0x9E3779B97F4A7C15)
_FACTOR, _LAST_FACTOR = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_LENGTH = np.uint64(0xD6E8FEB86659FD93)
_HALF, _LAST_SHIFT = np.uint64(32), np.uint64(29)
_TOP_BITS = np.uint64(58)
# The number of values of lists that are hashed at a time.
_BLOCK = 32768
_MAX_SHOWN = 5
# So many of 64 bits are set by about 45 different rows or more.
_VARIED = 32


@dataclass(frozen=True)
class Contents:
    """The contents of rows.

    Attributes:
        digest: the sum of the hashes of the rows, modulo 2**64.
        variety: 64 bits, each of which is set by some of the hashes; of few different rows few are.
    """

    digest: int = 0
    variety: int = 0

    def __add__(self, other: Contents) -> Contents:
        return Contents((self.digest + other.digest) % 2**64, self.variety | other.variety)


NOTHING = Contents()
"""The contents of no rows."""


class FileContents(NamedTuple):
    """The contents of a file; files that may be copies are next to each other when sorted.

    Attributes:
        rows: the number of its rows.
        digest: the digest of its rows.
        bytes: its size.
        path: its path.
        varied: whether it has so many different rows that no two files have the same by chance.
    """

    rows: int
    digest: int
    bytes: int
    path: str
    varied: bool

    @classmethod
    def of(cls, path: str, size: int, rows: int, contents: Contents) -> FileContents:
        """Returns the contents of a file from those of its rows."""
        varied = contents.variety.bit_count() >= _VARIED
        return cls(rows, contents.digest, size, path, varied)


class RowHasher:
    """Hashes rows; it keeps the memory that it needs for a batch."""

    def __init__(self) -> None:
        self._memory: list[Words] = [np.empty(0, np.uint64)] * 3

    def contents(self, rows: Rows, columns: Sequence[str]) -> Contents:
        """Returns the contents of some rows.

        Args:
            rows: the rows.
            columns: the columns that count, of those that are in the file. Columns in the names of
                directories say nothing of what a file holds.
        """
        if not len(rows):
            return NOTHING
        if len(rows) > len(self._memory[0]):
            self._memory = [np.empty(len(rows), np.uint64) for _ in self._memory]
        hashes, shifted, words = (memory[: len(rows)] for memory in self._memory)
        hashes[:] = 0
        for name in columns:
            if rows.has(name):
                hashes += _words(rows.batch.column(name), words)
                hashes ^= np.right_shift(hashes, _HALF, out=shifted)
                hashes *= _FACTOR
        hashes ^= np.right_shift(hashes, _HALF, out=shifted)
        hashes *= _LAST_FACTOR
        hashes ^= np.right_shift(hashes, _LAST_SHIFT, out=shifted)
        np.right_shift(hashes, _TOP_BITS, out=shifted)
        bits = np.left_shift(np.uint64(1), shifted, out=shifted)
        return Contents(int(hashes.sum()), int(np.bitwise_or.reduce(bits)))


def copies(parts: Iterable[Iterable[FileContents]]) -> Iterator[list[FileContents]]:
    """Yields the sets of files that hold the same rows.

    Files of few different rows are counted as copies only if they have the same size as well.

    Args:
        parts: the contents of all files, each part sorted.
    """
    for _, same in groupby(merge(*parts), key=lambda file: (file.rows, file.digest)):
        files = list(same)
        if files[0].varied:
            yield from [files] if len(files) > 1 else []
            continue
        for _, same_size in groupby(files, key=lambda file: file.bytes):
            equal = list(same_size)
            if len(equal) > 1:
                yield equal


def copy_lines(
    parts: Iterable[Iterable[FileContents]], *, allow: bool
) -> tuple[list[str], list[str]]:
    """Returns a line for each set of files that hold the same rows.

    Args:
        parts: the contents of all files, each part sorted.
        allow: whether files may hold the same rows.

    Returns:
        The lines of problems, of files with at least `FEWEST_ROWS` rows, and the lines of notes.
    """
    problems, notes = [], []
    for files in copies(parts):
        names = first_names(sorted(file.path for file in files), _MAX_SHOWN)
        rows = files[0].rows
        what = "row" if rows == 1 else f"{rows:,} rows"
        line = f"{names} hold the same {what} in the columns that are read, as copies do"
        if rows < FEWEST_ROWS or allow:
            notes.append(line)
        else:
            problems.append(f"{line}; remove all but the first, or set allow_duplicate_files")
    return first_lines(problems), first_lines(notes)


def _words(array: pa.Array, out: Words) -> Words:
    """Returns a word for each value, uint64 `[n]`, equal for equal values.

    Args:
        array: the values `[n]`.
        out: uint64 `[n]`, memory that the result may take.
    """
    type_ = array.type
    if is_list(type_):
        return _list_words(array, out)
    if pa.types.is_dictionary(type_):
        # A last entry is for the rows that have no place in the dictionary.
        coded = array.dictionary
        words = np.append(_words(coded, np.empty(len(coded), np.uint64)), _NULL)
        indices = array.indices
        if indices.null_count:
            indices = indices.cast(pa.int64()).fill_null(len(coded))
        return np.take(words, indices.to_numpy(zero_copy_only=False), out=out, mode="clip")
    if pa.types.is_temporal(type_) and type_.bit_width in (32, 64):
        array = array.view(f"int{type_.bit_width}")
    if is_text(type_) or pa.types.is_fixed_size_binary(type_):
        out = text_hashes(array, type_ if type_ in _TEXTS else pa.large_binary())
    elif pa.types.is_decimal(type_):
        out = text_hashes(array, pa.string())
    elif is_number(array.type):
        values = _without_nulls(array).to_numpy(zero_copy_only=False)
        out.view(np.float64 if values.dtype.kind == "f" else np.int64)[:] = values
    else:
        # Values of other types cannot be read as anything.
        out[:] = 0
    if array.null_count:
        np.copyto(out, _NULL, where=array.is_null().to_numpy(zero_copy_only=False))
    return out


def _without_nulls(array: pa.Array) -> pa.Array:
    if pa.types.is_boolean(array.type):
        array = array.cast(pa.int8())
    return array.fill_null(0) if array.null_count else array


def _list_words(array: pa.Array, out: Words) -> Words:
    lengths = list_lengths(array)
    longest = int(lengths.max(initial=0))
    factors = mix(np.zeros(1, np.uint64), np.arange(longest, dtype=np.uint64)) | np.uint64(1)
    rows = max(1, _BLOCK // max(1, longest))
    memory = np.empty((2, rows * longest), np.uint64)
    for first in range(0, len(array), rows):
        part = slice(first, first + rows)
        values = flat_values(array.slice(first, rows))
        buffer, folded = memory[:, : len(values)]
        words = _words(values, buffer)
        np.right_shift(words, _HALF, out=folded)
        folded ^= words
        sizes = lengths[part]
        if len(words) == longest * len(sizes):
            np.einsum("ij,j->i", folded.reshape(len(sizes), longest), factors, out=out[part])
            continue
        stops = np.cumsum(sizes)
        starts = stops - sizes
        folded *= factors[np.arange(len(words)) - np.repeat(starts, sizes)]
        total = np.append(np.uint64(0), np.cumsum(folded))
        out[part] = total[stops] - total[starts]
    out += lengths.view(np.uint64) * _LENGTH
    return out
