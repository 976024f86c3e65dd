"""Turns what people hold in memory into Arrow: tables, readers, data frames, and dicts of arrays.

Data frames are taken by the Arrow PyCapsule interface, which pandas, polars and others offer; none
of them is imported.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.errors.problems import ConfigError, Problem, quote
from pipeline.errors.wording import first_names

_ACCEPTED = (
    "data is an Arrow table, record batch or reader, a data frame of pandas or polars, a dict of"
    " arrays, or one or more globs of files"
)


def as_arrow_or_globs(
    data: Any, columns: Sequence[str], source: str
) -> pa.Table | pa.RecordBatchReader | list[str]:
    """Returns data as a table or a reader, or as the globs that it is.

    A reader stays a reader, and is not read.

    Args:
        data: what `headcount.evaluate` takes.
        columns: the columns that are needed; others may be left out.
        source: the name of the configuration, for messages.

    Raises:
        ConfigError: if a column of a dict cannot be read, or their lengths differ.
        TypeError: if the data are nothing that can be evaluated.
    """
    if isinstance(data, pa.Table | pa.RecordBatchReader):
        return data
    if isinstance(data, pa.RecordBatch):
        return pa.Table.from_batches([data])
    if isinstance(data, str | os.PathLike):
        return [_glob(data)]
    if isinstance(data, Mapping):
        return _table(data, columns, source)
    if hasattr(data, "__arrow_c_stream__") or hasattr(data, "__arrow_c_array__"):
        return _frame(data, columns)
    if isinstance(data, list | tuple):
        if data and all(isinstance(item, str | os.PathLike) for item in data):
            return [_glob(item) for item in data]
        if data and all(isinstance(item, pa.RecordBatch) for item in data):
            raise TypeError(f"{_ACCEPTED}; of record batches, pyarrow.Table.from_batches makes one")
        if data and all(isinstance(item, Mapping) for item in data):
            raise TypeError(f"{_ACCEPTED}; of a list of rows, pyarrow.Table.from_pylist makes one")
    raise TypeError(f"{_ACCEPTED}, not {_named(data)}{_way_out(data)}")


def _glob(path: str | os.PathLike[str]) -> str:
    text = os.fspath(path)
    if not isinstance(text, str):
        raise TypeError(f"a path is text, not {text!r}")
    return text


def _named(data: Any) -> str:
    """Returns what an object is, as people know it."""
    if isinstance(data, list | tuple) and not data:
        return "an empty list"
    if isinstance(data, list | tuple):
        odd = next((item for item in data if not isinstance(item, str)), data[0])
        return f"a list with {_type_name(odd)} in it"
    return _type_name(data)


def _type_name(data: Any) -> str:
    kind = type(data)
    return f"{kind.__module__}.{kind.__name__}".removeprefix("builtins.")


def _way_out(data: Any) -> str:
    """Returns the end of a message: what makes of an object something that can be evaluated."""
    library, name = type(data).__module__.partition(".")[0], type(data).__name__
    if library == "pandas" and name == "DataFrame":
        return (
            ". This pandas has no Arrow interface (`__arrow_c_stream__`, since pandas 2.2): update"
            " it, or give pyarrow.Table.from_pandas(frame)"
        )
    if library == "polars" and name == "LazyFrame":
        return "; give frame.collect()"
    if library == "pyarrow" and name.endswith("Dataset"):
        return "; give dataset.scanner().to_reader(), or the globs of its files"
    if isinstance(data, np.ndarray):
        return "; give a dict with a name for each column"
    return ""


def _frame(data: Any, columns: Sequence[str]) -> pa.Table:
    """Returns a data frame as a table; of a frame with named columns only those that are needed.

    Other columns may be of types that Arrow does not have.
    """
    names = getattr(data, "columns", None)
    if isinstance(names, Iterable) and hasattr(data, "__getitem__"):
        there = [name for name in names if isinstance(name, str)]
        if not set(columns).issubset(there):
            return _nothing(there)
        data = data[list(columns)]
    try:
        return pa.table(data)
    except (pa.ArrowException, TypeError, ValueError) as error:
        # A series has the same interface, and is no table.
        reason = "; ".join(map(str, error.args)) or type(error).__name__
        raise TypeError(f"{_ACCEPTED}; {_named(data)} gives no table: {reason}") from error


def _nothing(names: Sequence[str]) -> pa.Table:
    """Returns a table without rows; whoever looks for columns says which there are instead."""
    return pa.table({name: pa.nulls(0) for name in names})


def _table(arrays: Mapping[Any, Any], columns: Sequence[str], source: str) -> pa.Table:
    """Returns the needed columns of a dict as a table."""
    names = [name for name in arrays if isinstance(name, str)]
    if not set(columns).issubset(names):
        return _nothing(names)
    table = {name: _column(name, arrays[name], source) for name in columns}
    lengths = {name: len(column) for name, column in table.items()}
    if len(set(lengths.values())) > 1:
        told = first_names([f"'{name}' {length:,}" for name, length in lengths.items()])
        raise ConfigError([Problem(source, (), f"columns have different numbers of rows: {told}")])
    return pa.table(table)


def _column(name: str, values: Any, source: str) -> pa.Array | pa.ChunkedArray:
    """Returns a column of a dict: an array `[n]`, or `[n, k]`, of which each row becomes a list."""
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values
    try:
        if hasattr(values, "__arrow_c_stream__"):
            return pa.chunked_array(values)
        if hasattr(values, "__arrow_c_array__"):
            return pa.array(values)
        if isinstance(values, list | tuple):
            return pa.array(values)
        if not hasattr(values, "__array__"):
            raise TypeError(f"expected an array or a list, not {type(values).__name__}")
        return _from_numpy(values if isinstance(values, np.ndarray) else np.asarray(values))
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        message = f"column {quote(name)} of the dict cannot be read: {error}"
        raise ConfigError([Problem(source, (), message)]) from error


def _from_numpy(values: np.ndarray[Any, Any]) -> pa.Array:
    """Returns an array `[n]` or `[n, k]` of NumPy as a column; what is masked becomes null."""
    if values.ndim not in (1, 2):
        raise TypeError(f"expected an array [n] or [n, k], not one of {values.ndim} dimensions")
    if not values.dtype.isnative:
        values = values.astype(values.dtype.newbyteorder("="))
    flat = pa.array(values.ravel())
    if values.ndim == 1:
        return flat
    rows, width = values.shape
    if not width:
        raise TypeError("expected an array [n, k] with columns, not one without")
    return (
        pa.FixedSizeListArray.from_arrays(flat, width)
        if rows
        else pa.array([], pa.list_(flat.type))
    )
