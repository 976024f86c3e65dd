"""Tests what is kept of a file's rows, and that copies are found by it."""

from __future__ import annotations

import datetime
from decimal import Decimal
from functools import reduce
from itertools import pairwise
from operator import add
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.rows import Rows
from pipeline.validation.contents import (
    NOTHING,
    Contents,
    FileContents,
    RowHasher,
    copies,
    copy_lines,
)
from tests.pipeline.tables import law

TABLE = pa.table(
    {
        "f": pa.array([0.5, -0.0, None, 1e300] * 25),
        "g": pa.array([0.5, 2.0, None, 8.0] * 25, pa.float32()),
        "i": pa.array(range(100)),
        "b": pa.array([True, None, False, True] * 25),
        "t": pa.array(["", "a", None, "longer than a word"] * 25),
        "c": pa.array(["x", None, "y", "x"] * 25).dictionary_encode(),
        "l": pa.array([[], [1.5], None, [0.5, None, 2.0]] * 25),
        "w": pa.array([[1, 2], [3, 4], None, [5, 6]] * 25, pa.list_(pa.int64(), 2)),
        "s": pa.array([["a"], [], ["b", "cc"], None] * 25),
        "n": pa.nulls(100),
        "d": pa.array([datetime.date(2026, 1, 2), None] * 50),
        "z": pa.array([1, None, 2, 3] * 25, pa.timestamp("us", "Europe/Zurich")),
        "m": pa.array([Decimal("1.50"), None] * 50),
        # A key of rows may be a UUID.
        "k": pa.array([bytes(16), None, b"0" * 16, b"1" * 16] * 25, pa.binary(16)),
        "u": pa.array([{"x": 1}, None] * 50),
    }
)


def contents(table: pa.Table, hasher: RowHasher | None = None) -> Contents:
    hasher = hasher or RowHasher()
    parts = []
    row = 0
    for batch in table.to_batches():
        rows = Rows(batch, np.arange(row, row + len(batch)), "a", {})
        parts.append(hasher.contents(rows, sorted({*table.column_names, "not there"})))
        row += len(batch)
    return reduce(add, parts, NOTHING)


@law
@given(st.permutations(range(100)), st.lists(st.integers(0, 100), max_size=5))
def test_neither_order_nor_batches_count(order: list[int], cuts: list[int]) -> None:
    edges = sorted({0, 100, *cuts})
    shuffled = TABLE.take(order)
    parts = [shuffled.slice(i, j - i) for i, j in pairwise(edges)]
    assert contents(pa.concat_tables(parts)) == contents(TABLE)


@pytest.mark.parametrize("name", [name for name in TABLE.column_names if name not in "nu"])
@pytest.mark.parametrize("row", [0, 57, 99])
def test_every_value_counts(name: str, row: int) -> None:
    """The value of a row is exchanged for another of the column, or one that it has not."""
    seen: dict[int, Any] = {}
    distinct: set[str] = set()
    values = TABLE[name].to_pylist()
    others: list[Any] = [*values[:4], *([[7.5], [1.5, 1.5]] if name == "l" else [])]
    for other in others:
        changed = [*values[:row], other, *values[row + 1 :]]
        column = pa.array(changed, TABLE[name].type)
        at = TABLE.column_names.index(name)
        digest = contents(TABLE.set_column(at, name, column)).digest
        # A list that is not there is an empty list, as in TFRecord files.
        other = other or [] if name in "lsw" else other
        assert seen.setdefault(digest, other) == other
        distinct.add(repr(other))
    assert len(seen) == len(distinct)


def test_rows_are_hashed_whole() -> None:
    swapped = TABLE.set_column(0, "f", TABLE["f"].take([1, 0, *range(2, 100)]))
    assert contents(swapped) != contents(TABLE)
    # Which column a value is in counts as well.
    two = pa.table({"a": [1, 2], "b": [3, 4]})
    assert contents(two) != contents(pa.table({"a": [3, 4], "b": [1, 2]}))
    assert contents(pa.table({"a": [[1, 2], [3]]})) != contents(pa.table({"a": [[1], [2, 3]]}))
    assert contents(pa.table({"a": [[1, 2]]})) != contents(pa.table({"a": [[2, 1]]}))


def test_how_values_are_stored_does_not_count() -> None:
    base = contents(pa.table({"a": [1, None, 3], "t": ["x", "y", None], "f": [0.5, 1.0, None]}))
    stored = pa.table(
        {
            "a": pa.array([1, None, 3], pa.int8()),
            "t": pa.array(["x", "y", None], pa.large_string()).dictionary_encode(),
            "f": pa.array([0.5, 1.0, None], pa.float16()),
        }
    )
    assert contents(stored) == base
    # What is behind a null does not count.
    behind = pa.Array.from_buffers(
        pa.int64(), 3, [pa.py_buffer(b"\x05"), pa.py_buffer(np.array([1, 77, 3]).tobytes())]
    )
    assert contents(pa.table({"a": behind})) == contents(pa.table({"a": [1, None, 3]}))


def test_lists_of_every_width() -> None:
    """Blocks of values, and batches of which all lists are of one length, give the same."""
    rng = np.random.default_rng(0)
    wide = [rng.normal(size=width).tolist() for width in [3] * 50 + [40_000, 0, 3, 3]]
    whole = contents(pa.table({"a": wide}))
    parts = pa.concat_tables([pa.table({"a": wide[:50]}), pa.table({"a": wide[50:]})])
    assert contents(parts) == whole
    nested = pa.table({"a": [[[1, 2], [3]], [], None, [[]]]})
    assert contents(nested.slice(1, 2)) + contents(
        pa.concat_tables([nested.slice(0, 1), nested.slice(3, 1)])
    ) == contents(nested)


def test_memory_of_other_batches_does_not_show() -> None:
    hasher = RowHasher()
    for size in (100, 3, 57, 100):
        assert contents(TABLE.slice(0, size), hasher) == contents(TABLE.slice(0, size))


def file(path: str, rows: int, digest: int, size: int = 9, *, varied: bool = True) -> FileContents:
    return FileContents(rows, digest, size, path, varied)


def test_files_with_the_same_rows_are_found_in_all_parts() -> None:
    parts = [
        sorted([file("a", 100, 1), file("b", 100, 2), file("e", 7, 1), file("z", 100, 1, 5)]),
        sorted([file("c", 100, 1), file("d", 101, 1), file("f", 7, 1)]),
    ]
    found = [sorted(same.path for same in files) for files in copies(parts)]
    assert found == [["e", "f"], ["a", "c", "z"]]
    problems, notes = copy_lines(parts, allow=False)
    assert problems == [
        "a, c, z hold the same 100 rows in the columns that are read, as copies do; remove all but"
        " the first, or set allow_duplicate_files"
    ]
    assert notes == ["e, f hold the same 7 rows in the columns that are read, as copies do"]
    assert copy_lines(parts, allow=True) == (
        [],
        [*notes, problems[0].partition(";")[0]],
    )
    assert copy_lines([], allow=False) == ([], [])


def test_few_different_rows_may_be_the_same_by_chance() -> None:
    same = [file("a", 500, 1, 5, varied=False), file("b", 500, 1, 6, varied=False)]
    assert list(copies([same])) == []
    alike = sorted([*same, file("c", 500, 1, 5, varied=False)])
    assert [[f.path for f in files] for files in copies([alike])] == [["a", "c"]]


def test_variety_tells_few_rows_from_many() -> None:
    def varied(table: pa.Table) -> bool:
        return FileContents.of("a", 9, len(table), contents(table)).varied

    rng = np.random.default_rng(0)
    assert not varied(pa.table({"y": [0] * 500}))
    assert not varied(pa.table({"s": rng.integers(0, 4, 500), "y": rng.integers(0, 4, 500)}))
    assert varied(pa.table({"s": rng.normal(size=100)}))
