"""Arguments as arrays: what cannot be read as it was meant is an error, and no value is made up."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def as_array(values: Any, name: str) -> Array:
    """Returns an array of NumPy of anything array-like.

    Objects that are all numbers become numbers, and small floats of other packages, such as
    bfloat16, become float32. Lists in an Arrow array become rows if their lengths are equal.

    Args:
        values: an array, a sequence, or an object that NumPy turns into an array.
        name: what messages call the values.

    Raises:
        TypeError: for a sparse matrix, for bytes whose dtype is not known, and for a list of words
            and numbers.
        ValueError: if a value is masked or missing, or if rows are of different lengths.
    """
    if is_sparse(values):
        raise TypeError(f"{name} must be dense. Given: {type(values)}. Convert them to an array.")
    _check_no_gaps(values, name)
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} must be an array with rows of equal length: {error}") from error
    match array.dtype.kind:
        case "V":
            return _as_known(array, name)
        case "O":
            return _from_objects(array, values)
        case "U" | "S" if not isinstance(values, np.ndarray):
            _check_words_only(values, name)
    return array


def is_sparse(values: Any) -> bool:
    """Returns whether values are a sparse tensor or a sparse matrix of SciPy."""
    return is_sparse_tensor(values) or is_scipy_sparse(values)


def is_sparse_tensor(values: Any) -> bool:
    """Returns whether values have the attributes of `tf.sparse.SparseTensor`."""
    return all(hasattr(values, name) for name in ("indices", "values", "dense_shape"))


def is_scipy_sparse(values: Any) -> bool:
    """Returns whether values are a sparse matrix or array of SciPy."""
    return hasattr(values, "nnz") and hasattr(values, "toarray")


def _check_no_gaps(values: Any, name: str) -> None:
    listed = isinstance(values, list | tuple)
    if any(part is None or _has_gaps(part) for part in values) if listed else _has_gaps(values):
        raise ValueError(
            f"{name} have values that are masked or missing. Fill them, or leave their rows out."
        )


def _has_gaps(values: Any) -> bool:
    """Returns whether values are masked (NumPy) or missing (Arrow, polars, pandas)."""
    if isinstance(values, np.ndarray):
        return bool(np.ma.is_masked(values))
    if hasattr(values, "itercolumns"):
        return any(map(_has_gaps, values.itercolumns()))
    missing = getattr(values, "null_count", 0)
    if callable(missing):
        missing = missing()
    if hasattr(values, "isna"):
        # NaN of a dtype of NumPy is a value, as in any array; only other dtypes have missing ones.
        dtypes = values.dtypes if values.ndim > 1 else [values.dtype]
        if not all(isinstance(dtype, np.dtype) for dtype in dtypes):
            missing = np.any(values.isna())
    return bool(np.asarray(missing).any())


def _as_known(array: Array, name: str) -> Array:
    """Returns values of a dtype that a package has added to NumPy as float32."""
    if array.dtype.type is np.void:
        raise TypeError(
            f"{name} must be numbers or words. Given dtype: {array.dtype}. If these are the bytes "
            "of a dtype that NumPy lacks, such as bfloat16, convert them to float32, or import "
            "ml_dtypes before they are read."
        )
    return array.astype(np.float32)


def _from_objects(array: Array, values: Any) -> Array:
    if hasattr(values, "to_pylist"):
        return np.asarray(values.to_pylist())
    numbers = (bool, int, float, np.number, np.bool_)
    if array.size and all(isinstance(value, numbers) for value in array.flat):
        return np.array(array.tolist())
    return array


def _check_words_only(values: Any, name: str) -> None:
    # NumPy turns a list of words and numbers into words.
    for value in np.asarray(values, object).flat:
        if not isinstance(value, str | bytes):
            raise TypeError(f"{name} mix words and other values. Given: {value!r}. Correct it.")
