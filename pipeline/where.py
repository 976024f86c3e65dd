"""Which rows `where` keeps."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from pipeline.columns import Mask, Rows, coded, is_number, is_text
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
    type_ = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    possible = [value for value in entry.values if _possible(value, type_)]
    if not possible:
        values = ", ".join(repr(value) for value in entry.values)
        raise TypeError(
            f"column '{entry.column}' is {type_}, and 'where' looks for {values} in it; write the"
            " values as the column has them (quote text, do not quote numbers)"
        )
    if pa.types.is_floating(type_):
        # A column of float32 has 0.1 as the float32 nearest to it.
        own_float = np.dtype(f"f{type_.bit_width // 8}").type
        possible = [None if value is None else float(own_float(value)) for value in possible]
    indices, own = coded(array)
    out: Mask = np.array([value in possible for value in own], bool).take(indices)
    return out


def _possible(value: object, type_: pa.DataType) -> bool:
    if value is None or pa.types.is_null(type_):
        return True
    if isinstance(value, bool):
        return bool(pa.types.is_boolean(type_))
    if isinstance(value, str):
        return is_text(type_)
    return is_number(type_) and not pa.types.is_boolean(type_)
