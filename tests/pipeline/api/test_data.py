"""What can be evaluated becomes Arrow, and all else an error that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from pipeline.api.data import as_arrow_or_globs
from pipeline.errors.problems import ConfigError

TABLE = pa.table({"s": [0.5, 1.5], "y": [0, 1]})


class Frame:
    """A data frame as pandas and polars have them: named columns, and Arrow's interface."""

    def __init__(self, table: pa.Table, taken: list[Any] | None = None) -> None:
        self._table = table
        self.columns = table.column_names
        self.taken = [] if taken is None else taken

    def __getitem__(self, names: list[str]) -> Frame:
        self.taken.append(names)
        return Frame(self._table.select(names))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class Column:
    def __init__(self, values: pa.Array) -> None:
        self._values = values

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._values.__arrow_c_array__(requested_schema)


def taken(data: Any) -> Any:
    return as_arrow_or_globs(data, ("s", "y"), "config")


def test_arrow_is_taken_as_it_is() -> None:
    reader = TABLE.to_reader()
    assert taken(TABLE) is TABLE
    assert taken(reader) is reader
    assert taken(TABLE.to_batches()[0]) == TABLE


def test_of_a_frame_only_the_needed_columns_are_taken() -> None:
    frame = Frame(TABLE.append_column("more", pa.array([1, 2])))
    assert taken(frame) == TABLE
    assert frame.taken == [["s", "y"]]
    assert taken(Frame(TABLE.drop_columns("y"))).column_names == ["s"]
    assert (
        taken(Column(pa.StructArray.from_arrays(TABLE.to_batches()[0].columns, ["s", "y"])))
        == TABLE
    )


@pytest.mark.parametrize(
    ("values", "column"),
    [
        ([0, None], pa.array([0, None])),
        ((True, False), pa.array([True, False])),
        (np.array([1, 2], ">i4"), pa.array([1, 2], pa.int32())),
        (np.array(["a", "b"]), pa.array(["a", "b"])),
        (np.arange(8)[::4], pa.array([0, 4])),
        (np.ma.array([1.5, 2.5], mask=[True, False]), pa.array([None, 2.5])),
        (np.asfortranarray([[1, 2], [3, 4]]), pa.array([[1, 2], [3, 4]], pa.list_(pa.int64(), 2))),
        (
            np.ma.array([[1, 2], [3, 4]], mask=[[1, 0], [0, 0]]),
            pa.array([[None, 2], [3, 4]], pa.list_(pa.int64(), 2)),
        ),
        ([[1], [2, 3]], pa.array([[1], [2, 3]])),
        (pa.chunked_array([[1], [2]]), pa.array([1, 2])),
        (Column(pa.array([1, 2])), pa.array([1, 2])),
        (memoryview(np.array([1, 2])), None),
    ],
)
def test_columns_of_a_dict(values: Any, column: pa.Array | None) -> None:
    if column is None:
        with pytest.raises(ConfigError, match="column 'y' of the dict cannot be read: expected an"):
            taken({"s": [1, 2], "y": values})
        return
    table = taken({"s": [1, 2], "y": values, "unused": object()})
    assert table == pa.table({"s": [1, 2], "y": column})


def test_an_array_of_no_rows_has_lists() -> None:
    assert taken({"s": [], "y": np.zeros((0, 3))})["y"].type == pa.list_(pa.float64())


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (np.zeros((2, 1, 1)), "expected an array [n] or [n, k], not one of 3 dimensions"),
        (np.zeros((2, 0)), "without"),
        (1.5, "expected an array or a list, not float"),
        ("ab", "expected an array or a list, not str"),
        ([1, "a"], "Could not convert"),
        ([1], "columns have different numbers of rows: 's' 2, 'y' 1"),
    ],
)
def test_columns_that_cannot_be_read_are_named(values: Any, told: str) -> None:
    with pytest.raises(ConfigError) as error:
        taken({"s": [1, 2], "y": values})
    assert told in str(error.value)
    assert "'y'" in str(error.value)


def test_globs() -> None:
    assert taken("a*.parquet") == taken(Path("a*.parquet")) == ["a*.parquet"]
    assert taken(["a", Path("b")]) == ["a", "b"]


def old(name: str, module: str) -> Any:
    """An object of a library that has no Arrow interface yet, or never."""
    return type(name, (), {"__module__": module})()


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (3, "not int"),
        (None, "not NoneType"),
        (b"path", "not bytes"),
        ([], "not an empty list"),
        (["a", 3], "not a list with int in it"),
        ([{"s": 1}], "of a list of rows, pyarrow.Table.from_pylist makes one"),
        (TABLE.to_batches(), "of record batches, pyarrow.Table.from_batches makes one"),
        (np.zeros(3), "not numpy.ndarray; give a dict"),
        (ds.dataset(TABLE), "give dataset.scanner().to_reader()"),
        (old("DataFrame", "pandas.core.frame"), "(`__arrow_c_stream__`, since pandas 2.2): update"),
        (old("LazyFrame", "polars.lazyframe.frame"), "give frame.collect()"),
        (Column(pa.array([1])), "gives no table"),
    ],
)
def test_what_cannot_be_evaluated(data: Any, told: str) -> None:
    with pytest.raises(TypeError) as error:
        taken(data)
    assert str(error.value).startswith("data is an Arrow table")
    assert told in str(error.value)
