"""Sparse labels: the classes that examples have, from sparse tensors and from lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.arrays import Array, as_array

Shape = tuple[int, ...]

ACCEPTED = (
    "Labels of a multi-label head are an array of indicators [D0, ..., DN, n_classes], or sparse: "
    "SparseLabels or any object with indices, values and dense_shape; a matrix of scipy.sparse "
    "that holds indicators; a list of class ids or words for each example; or an Arrow array of "
    "such lists."
)


@dataclass(frozen=True, eq=False)
class SparseLabels:
    """Labels of a multi-label head as a list of pairs of an example and a class.

    The entry `values[m]` at `indices[m] = (i0, ..., i, j)` says that example `(i0, ..., i)` has
    class `values[m]`. The last column `j` and the last entry of `dense_shape` have no meaning;
    entries may repeat and come in any order.

    Attributes:
        indices: integers `[m, r]`.
        values: class ids, integers `[m]`, or words of the vocabulary, str or bytes `[m]`.
        dense_shape: integers `[r]`; all but the last are the shape of the examples.
    """

    indices: npt.ArrayLike
    values: npt.ArrayLike
    dense_shape: npt.ArrayLike


@dataclass(frozen=True, eq=False)
class LabelSets:
    """The classes of examples, as pairs of an example and a class.

    Attributes:
        lead: the shape of the examples, `[D0, ..., DN]`.
        example: int64 `[m, len(lead)]`, the index of the example of each pair.
        values: `[m]`, class ids or words.
        name: what messages call the places of the values.
        places: int64 `[m, ...]`, the place of each value in the argument.
    """

    lead: Shape
    example: npt.NDArray[np.int64]
    values: Array
    name: str
    places: npt.NDArray[np.int64]

    def first(self, bad: npt.NDArray[np.bool_]) -> str:
        """Returns the first bad value and its place, as text."""
        at = int(np.argmax(bad))
        return f"{self.values[at : at + 1].tolist()[0]!r} at {self.name}{self.places[at].tolist()}"


def sets_of_sparse(labels: Any) -> LabelSets:
    """Returns the labels of an object with `indices`, `values` and `dense_shape`.

    Raises:
        TypeError: if indices or sizes are no integers.
        ValueError: if the parts do not fit each other.
    """
    values = as_array(labels.values, "values of sparse labels")
    shape = tuple(_integers(labels.dense_shape, "dense_shape").tolist())
    indices = _integers(labels.indices, "indices")
    if values.ndim != 1 or indices.shape != (len(values), len(shape)):
        raise ValueError(
            f"SparseLabels need indices [m, {len(shape)}] for values [m] and dense_shape "
            f"[{len(shape)}]. Given: {indices.shape}, {values.shape}."
        )
    example = indices[:, :-1]
    beyond = np.any((example < 0) | (example >= np.array(shape[:-1], np.int64)), axis=1)
    if beyond.any():
        at = int(np.argmax(beyond))
        raise ValueError(
            f"Sparse label at {indices[at].tolist()}, indices[{at}], lies outside dense_shape "
            f"{shape}. Give dense_shape one row for each example."
        )
    places = np.arange(len(values))[:, np.newaxis]
    return LabelSets(shape[:-1], example, values, "values", places)


def _integers(given: Any, name: str) -> npt.NDArray[np.int64]:
    array = as_array(given, f"{name} of sparse labels")
    if array.size and array.dtype.kind not in "iu":
        raise TypeError(f"{name} of sparse labels must be integers. Instead got {array.dtype}.")
    return array.astype(np.int64)


def dense_or_sets(labels: Any, lead: Shape, n_classes: int) -> Array | LabelSets:
    """Returns an array of indicators, or the labels of lists that hold no indicators.

    Lists that all have `n_classes` numbers hold indicators, as in `tf.estimator`.

    Args:
        labels: an array, nested lists, an array of lists, or an Arrow array of lists.
        lead: the shape of the examples, as the logits have it.
        n_classes: the number of classes.

    Raises:
        ValueError: if a list is missing, lists are nested otherwise than the logits, or lists may
            hold both indicators and ids.
    """
    nested = labels
    # Of Arrow; of columns of pandas and polars, and of ragged tensors.
    to_list = getattr(labels, "to_pylist", None) or getattr(labels, "to_list", None)
    if to_list is not None:
        nested = to_list()
    elif not isinstance(labels, list | tuple):
        array = as_array(labels, "labels")
        if array.dtype.kind != "O" or array.ndim != len(lead):
            return array
        nested = array.tolist()
    rows = _flat(nested, lead)
    if rows is None:
        return as_array(labels, "labels")
    lengths = [len(row) for row in rows]
    values = as_array([value for row in rows for value in row], "labels")
    if values.ndim != 1:
        raise ValueError(f"labels are lists in lists in lists. {ACCEPTED}")
    if rows and set(lengths) == {n_classes} and values.dtype.kind in "biuf":
        indicators = values.reshape(*lead, n_classes)
        if not isinstance(labels, list | tuple):
            _check_unambiguous(indicators)
        return indicators
    flat = np.repeat(np.arange(len(rows)), lengths)
    example = np.stack(np.unravel_index(flat, lead), axis=1)
    place = [i for length in lengths for i in range(length)]
    places = np.column_stack([example, np.array(place, np.int64)])
    return LabelSets(lead, example, values if len(flat) else values.astype(int), "labels", places)


def _flat(nested: Any, lead: Shape) -> list[list[Any]] | None:
    """Returns the list of each example, row by row; None if the innermost are no lists."""
    rows = [nested]
    for size in lead:
        for row in rows:
            if len(row) != size:
                raise ValueError(
                    f"labels shape must be [D0, D1, ... DN, ...], one list for each example, "
                    f"{list(lead)}. Given {len(row)} lists instead of {size}."
                )
        rows = [inner for row in rows for inner in row]
        if any(row is None for row in rows):
            raise ValueError("labels have a list that is missing. Give it, empty for no class.")
        if not all(_is_list(row) for row in rows):
            return None
        rows = [list(row) for row in rows]
    return rows


def _is_list(row: Any) -> bool:
    if isinstance(row, np.ndarray) and row.ndim == 0:
        return False
    return isinstance(row, Iterable) and not isinstance(row, str | bytes | Mapping)


def _check_unambiguous(indicators: Array) -> None:
    """Raises ValueError if indicators of two classes may as well be ids."""
    if (
        indicators.shape[-1] == 2
        and indicators.dtype.kind in "iu"
        and (np.sort(indicators, axis=-1) == [0, 1]).all()
    ):
        raise ValueError(
            "labels may be indicators or class ids, for all lists are [0, 1] or [1, 0]. Pass "
            "indicators as an array of NumPy, ids as SparseLabels."
        )
