"""Which rows `where` keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.columns import Mask, Rows, is_number, is_text, python_values
from pipeline.config import Where


def keep_mask(entries: Sequence[Where], rows: Rows) -> Mask:
    """The rows `[n]` that match every entry.

    Raises:
        TypeError: if no value of an entry could be in its column, which is then a mistake; or if
            the column holds lists of several values.
    """
    keep = np.ones(len(rows), bool)
    for entry in entries:
        array, several = rows.scalars(entry.column)
        if several is not None:
            raise TypeError(f"column '{entry.column}' of 'where' has lists of several values")
        keep &= _matches(entry, array)
    return keep


def _matches(entry: Where, array: pa.Array) -> Mask:
    coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
    type_ = coded.type.value_type
    if not any(_possible(value, type_) for value in entry.values):
        values = ", ".join(repr(value) for value in entry.values)
        raise TypeError(
            f"column '{entry.column}' is {type_}, and 'where' looks for {values} in it; write the"
            " values as the column has them (quote text, do not quote numbers)"
        )
    sought = [value for value in entry.values if value is not None and _possible(value, type_)]
    wanted = [own is not None and own in sought for own in python_values(coded.dictionary)]
    # One entry more for rows without a value.
    table = np.array([*wanted, None in entry.values])
    indices = coded.indices.fill_null(len(wanted)) if coded.indices.null_count else coded.indices
    out: Mask = table.take(indices.to_numpy(zero_copy_only=False))
    return out


def _possible(value: object, type_: pa.DataType) -> bool:
    if value is None or pa.types.is_null(type_):
        return True
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(type_))
    if isinstance(value, str):
        return is_text(type_)
    return is_number(type_) and not pa.types.is_boolean(type_)
