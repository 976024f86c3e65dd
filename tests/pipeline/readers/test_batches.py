"""Batches cut and joined by rows and by bytes: every row once, in order, and none too large."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers import batches
from pipeline.readers.batches import batch_without_columns, bytes_of, cut, even
from tests.pipeline.tables import law

LISTS = st.lists(st.none() | st.lists(st.integers(0, 9), max_size=40), max_size=12)
TYPES = [pa.list_(pa.int64()), pa.large_list(pa.float32()), pa.list_(pa.decimal128(25, 0))]


def batch_of(lists: list[Any], type_: pa.DataType) -> pa.RecordBatch:
    """Lists of numbers, the same as text, as codes and as lists of lists of text."""
    words = [None if row is None else "x" * len(row) for row in lists]
    nested = [None if row is None else [["y" * n for n in row]] for row in lists]
    return pa.record_batch(
        {
            "list": pa.array(lists, pa.list_(pa.int64())).cast(type_),
            "text": pa.array(words, pa.string() if type_ == TYPES[0] else pa.large_binary()),
            "code": pa.array(words, pa.string()).dictionary_encode(),
            "nested": pa.array(nested, pa.list_(pa.list_(pa.string()))),
            "fixed": pa.array([[1, 2]] * len(lists), pa.list_(pa.int8(), 2)),
        }
    )


def size_of(row: dict[str, Any]) -> int:
    """The bytes of the values of a row, counted by hand."""
    total = 8 * len(row["list"] or []) + len(row["text"] or "") + 16 + 3 * 8
    return total + sum(map(len, (row["nested"] or [[]])[0]))


@law
@given(
    st.lists(LISTS, max_size=4),
    st.sampled_from(TYPES),
    st.integers(1, 9),
    st.integers(1, 900),
    st.integers(0, 3),
)
def test_rows_stay_in_order_and_within_the_limits(
    parts: list[list[Any]], type_: pa.DataType, rows: int, most: int, skipped: int
) -> None:
    source = [batch_of(lists, type_).slice(skipped) for lists in parts if len(lists) > skipped]
    expected = [row for batch in source for row in batch.to_pylist()]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batches, "BATCH_BYTES", most)
        pieces = [piece for batch in source for piece in cut(batch, rows)]
        joined = list(even(source, rows))
    for piece, size in pieces:
        assert size == bytes_of(piece.columns)
        assert size >= sum(map(size_of, piece.to_pylist())) - 200
        assert len(piece) <= rows
        assert size <= most or len(piece) <= 1
    assert [row for piece, _ in pieces for row in piece.to_pylist()] == expected
    assert [row for batch in joined for row in batch.to_pylist()] == expected
    for batch in joined:
        assert len(batch) <= rows
        assert bytes_of(batch.columns) <= most or len(batch) <= 1
    # Of two neighbours, the second would not have fitted into the first.
    for first, second in pairwise(joined):
        begin, size = next(cut(second, rows))
        assert len(first) + len(begin) > rows or bytes_of(first.columns) + size > most


def test_small_batches_become_large_ones() -> None:
    small = [
        pa.record_batch({"x": [i], "g": pa.array(["a"]).dictionary_encode()}) for i in range(9)
    ]
    assert [len(batch) for batch in even(small, 4)] == [4, 4, 1]
    # A batch that is as large as it may be is not copied.
    (whole,) = even(small[:1], 4)
    assert whole is small[0]


def test_columns_of_another_type_begin_a_batch() -> None:
    coded = pa.record_batch({"x": pa.array(["a", "b"]).dictionary_encode()})
    plain = pa.record_batch({"x": ["c"]})
    assert [batch.to_pydict()["x"] for batch in even([coded, coded, plain, plain], 9)] == [
        ["a", "b", "a", "b"],
        ["c", "c"],
    ]


def test_dictionaries_are_joined() -> None:
    parts = [
        pa.record_batch({"x": pa.array(words).dictionary_encode()})
        for words in (["a", "b"], ["b", None], ["c", "a"])
    ]
    (joined,) = even(parts, 9)
    assert joined.column("x").to_pylist() == ["a", "b", "b", None, "c", "a"]
    assert len(joined.column("x").dictionary) == 3


def test_what_comes_before_an_error_is_given_first() -> None:
    def failing() -> Iterator[pa.RecordBatch]:
        yield pa.record_batch({"x": [1, 2]})
        yield pa.record_batch({"x": [3]})
        raise ValueError("later")

    source = even(failing(), 9)
    assert next(source).to_pydict() == {"x": [1, 2, 3]}
    with pytest.raises(ValueError, match="later"):
        next(source)


def test_a_batch_without_columns_has_rows() -> None:
    assert batch_without_columns(7).num_rows == 7
    assert [len(piece) for piece, _ in cut(batch_without_columns(7), 3)] == [3, 3, 1]
