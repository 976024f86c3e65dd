"""Brings columns of all of Arrow's types to the few that the rest of the program reads.

Files and tables store the same values in many ways: text as views, numbers in dictionaries or as
decimals, lists of a fixed size. Here a column becomes an array of the same values, of

- `bool`, integers of 8 to 64 bits, `decimal256` of scale 0 for integers beyond 64 bits, floats;
- text: strings or bytes with offsets, plain or in a dictionary;
- lists with offsets of these, or any other type as it is.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

_WIDEST = pa.decimal256(76, 0)


class UnknownType(pa.ExtensionType):  # type: ignore[misc]
    """The type of a column that Arrow does not read; its columns cannot be read, others can.

    Args:
        why: what Arrow says about the type.
    """

    def __init__(self, why: str) -> None:
        self.why = why
        super().__init__(pa.null(), "headcount.unknown")

    def __arrow_ext_serialize__(self) -> bytes:
        return self.why.encode()

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> UnknownType:
        return cls(serialized.decode())

    def __str__(self) -> str:
        return f"of a type that Arrow does not read ({self.why})"

    def __hash__(self) -> int:
        # All unknown types are equal, whatever Arrow says.
        return hash(self.extension_name)


def is_list(type_: pa.DataType) -> bool:
    """Returns whether a type is a list of any kind."""
    return bool(
        pa.types.is_list(type_)
        or pa.types.is_large_list(type_)
        or pa.types.is_fixed_size_list(type_)
        or _is_list_view(type_)
    )


def is_number(type_: pa.DataType) -> bool:
    """Returns whether a type holds real numbers or booleans."""
    return bool(pa.types.is_floating(type_) or is_whole(type_) or pa.types.is_boolean(type_))


def is_whole(type_: pa.DataType) -> bool:
    """Returns whether a type holds integers; decimals of scale 0 are such, of any size."""
    return bool(pa.types.is_integer(type_) or (pa.types.is_decimal(type_) and type_.scale == 0))


def is_text(type_: pa.DataType) -> bool:
    """Returns whether a type holds text: strings or bytes, dictionary-encoded or not."""
    if pa.types.is_dictionary(type_):
        return is_text(type_.value_type)
    return bool(
        pa.types.is_string(type_)
        or pa.types.is_large_string(type_)
        or pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or _is_text_view(type_)
    )


def bytes_type(text: pa.DataType) -> pa.DataType:
    """Returns the type of bytes that text with offsets can be viewed as.

    Nobody checks that the text of a Parquet file is UTF-8; bytes need not be.
    """
    large = pa.types.is_large_string(text) or pa.types.is_large_binary(text)
    return pa.large_binary() if large else pa.binary()


def plain_type(type_: pa.DataType) -> pa.DataType:
    """Returns the type that `plain` gives a column of a type.

    Of decimals without decimal places it is int64, though a column with integers beyond it gets a
    wider type.

    >>> plain_type(pa.list_(pa.string_view(), 3)), plain_type(pa.decimal128(38, 0))
    (ListType(list<item: large_string>), DataType(int64))
    """
    if _is_storage(type_):
        return plain_type(type_.storage_type)
    if pa.types.is_dictionary(type_):
        value_type = plain_type(type_.value_type)
        return pa.dictionary(type_.index_type, value_type) if _stays_coded(type_) else value_type
    if pa.types.is_run_end_encoded(type_):
        return plain_type(type_.value_type)
    if _is_text_view(type_):
        return _with_offsets(type_)
    if pa.types.is_decimal(type_):
        return pa.int64() if type_.scale <= 0 else pa.float64()
    if is_list(type_):
        value_type = plain_type(type_.value_type)
        if value_type == type_.value_type and not _is_other_list(type_):
            return type_
        return (pa.large_list if _is_large(type_) else pa.list_)(value_type)
    return type_


def plain(array: pa.Array) -> pa.Array:
    """Returns a column with the same values in one of the types that are read; see `plain_type`.

    A decimal with decimal places becomes the nearest float64.
    """
    type_ = array.type
    if pa.types.is_primitive(type_) and not pa.types.is_decimal(type_):
        return array
    if _is_storage(type_):
        return plain(array.storage)
    if pa.types.is_dictionary(type_):
        if not _stays_coded(type_):
            return plain(array.dictionary).take(array.indices)
        if not _is_text_view(type_.value_type):
            return array
        return pa.DictionaryArray.from_arrays(array.indices, plain(array.dictionary))
    if pa.types.is_run_end_encoded(type_):
        return plain(pc.run_end_decode(array))
    if _is_text_view(type_):
        return array.cast(_with_offsets(type_))
    if pa.types.is_decimal(type_):
        return _numbers(array)
    return array if plain_type(type_) == type_ else _list(array)


def plain_batch(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Returns a batch with the same columns, as `plain` returns them."""
    stored = batch.columns
    columns = [plain(column) for column in stored]
    if all(new is old for new, old in zip(columns, stored, strict=True)):
        return batch
    return pa.RecordBatch.from_arrays(columns, names=batch.schema.names)


def _numbers(array: pa.Array) -> pa.Array:
    """Returns decimals as the integers that they are, or as the nearest float64."""
    type_ = array.type
    if type_.bit_width < 128:
        # Arrow casts small decimals to nothing but larger ones without fault.
        array = array.cast(pa.decimal128(type_.precision, type_.scale))
    for wider in (pa.int64(), pa.uint64(), _WIDEST) if type_.scale <= 0 else ():
        try:
            return array.cast(wider)
        except pa.ArrowInvalid:
            continue
    # Arrow's cast to float64 is off by a bit in some places, and its parser is not.
    return array.cast(pa.string()).cast(pa.float64())


def _list(array: pa.Array) -> pa.Array:
    """Returns lists of any kind as lists with offsets, and their values as `plain` does."""
    lengths = array.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
    offsets = np.append(0, np.cumsum(lengths))
    null = array.is_null() if array.null_count else None
    if _is_large(array.type):
        offsets = pa.array(offsets, pa.int64())
        return pa.LargeListArray.from_arrays(offsets, plain(array.flatten()), mask=null)
    offsets = pa.array(offsets, pa.int32())
    return pa.ListArray.from_arrays(offsets, plain(array.flatten()), mask=null)


def _is_storage(type_: pa.DataType) -> bool:
    return isinstance(type_, pa.BaseExtensionType) and not isinstance(type_, UnknownType)


def _is_list_view(type_: pa.DataType) -> bool:
    return bool(pa.types.is_list_view(type_) or pa.types.is_large_list_view(type_))


def _is_text_view(type_: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(type_) or pa.types.is_binary_view(type_))


def _with_offsets(text_view: pa.DataType) -> pa.DataType:
    return pa.large_string() if pa.types.is_string_view(text_view) else pa.large_binary()


def _stays_coded(dictionary: pa.DataType) -> bool:
    value_type = dictionary.value_type
    return is_text(value_type) and not pa.types.is_dictionary(value_type)


def _is_other_list(type_: pa.DataType) -> bool:
    return bool(pa.types.is_fixed_size_list(type_)) or _is_list_view(type_)


def _is_large(type_: pa.DataType) -> bool:
    return bool(pa.types.is_large_list(type_) or pa.types.is_large_list_view(type_))
