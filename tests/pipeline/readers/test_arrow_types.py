"""Columns of all types as the few that are read: the same values, in the type announced."""

from __future__ import annotations

import math
import pickle
import random
from collections.abc import Callable
from decimal import Decimal, getcontext
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.arrow_types import (
    UnknownType,
    is_list,
    is_number,
    is_text,
    is_whole,
    plain,
    plain_batch,
    plain_type,
)
from tests.pipeline.tables import law

Make = Callable[[list[Any]], pa.Array]


def coded(array: pa.Array) -> pa.Array:
    """The values in a dictionary, which Arrow does not make of all types."""
    values = [value for value in dict.fromkeys(array.to_pylist()) if value is not None]
    indices = [None if v is None else values.index(v) for v in array.to_pylist()]
    return pa.DictionaryArray.from_arrays(
        pa.array(indices, pa.int16()), pa.array(values, array.type)
    )


NUMBERS: dict[str, Make] = {
    **{
        str(type_): (lambda values, type_=type_: pa.array(values, pa.int64()).cast(type_))
        for type_ in (pa.int8(), pa.int64(), pa.float16(), pa.float32(), pa.float64())
    },
    **{
        str(type_): (
            lambda values, type_=type_: pa.array(
                [None if v is None else Decimal(v) for v in values], type_
            )
        )
        for type_ in (
            pa.decimal32(9, 0),
            pa.decimal64(18, 0),
            pa.decimal128(38, 0),
            pa.decimal256(76, 0),
            pa.decimal32(9, 4),
            pa.decimal64(18, 3),
            pa.decimal128(38, 20),
            pa.decimal256(76, 1),
        )
    },
}
TEXTS: dict[str, Make] = {
    str(type_): (lambda values, type_=type_: pa.array(values, type_))
    for type_ in (pa.string(), pa.large_string(), pa.string_view())
}
FORMS: dict[str, Callable[[pa.Array], pa.Array]] = {
    "as it is": lambda array: array,
    "coded": coded,
    "in runs": lambda array: (
        array
        if pa.types.is_string_view(array.type) or pa.types.is_float16(array.type)
        else pc.run_end_encode(array)
    ),
}


def assert_plain(array: pa.Array) -> pa.Array:
    """Checks the result of `plain` for an array and parts of it, and returns that of the array."""
    for part in (array.slice(0, 0), array.slice(1), array.slice(1, 2), array):
        found = plain(part)
        found.validate(full=True)
        assert found.to_pylist() == part.to_pylist()
        wide = pa.types.is_uint64(found.type) or pa.types.is_decimal(found.type)
        assert wide or found.type == plain_type(array.type)
        assert plain(found) is found
    return plain(array)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("make", NUMBERS.values(), ids=NUMBERS)
def test_numbers(make: Make, form: Callable[[pa.Array], pa.Array]) -> None:
    array = assert_plain(form(make([3, None, -5, 3, 100])))
    assert is_number(array.type)
    assert not pa.types.is_decimal(array.type)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("make", TEXTS.values(), ids=TEXTS)
def test_texts(make: Make, form: Callable[[pa.Array], pa.Array]) -> None:
    array = assert_plain(form(make(["a", None, "longer than twelve bytes", "a", ""])))
    assert is_text(array.type)


def lists_of(values: pa.Array) -> dict[str, pa.Array]:
    """Three lists of two values, the second of which is null, of all kinds."""
    null = pa.array([False, True, False])
    offsets, sizes = [0, 2, 4], [2, 2, 2]
    return {
        "list": pa.ListArray.from_arrays([*offsets, 6], values, mask=null),
        "large": pa.LargeListArray.from_arrays([*offsets, 6], values, mask=null),
        "fixed": pa.FixedSizeListArray.from_arrays(values, 2, mask=null),
        "view": pa.ListViewArray.from_arrays(offsets[::-1], sizes, values, mask=null),
        "large view": pa.LargeListViewArray.from_arrays(offsets[::-1], sizes, values, mask=null),
    }


@pytest.mark.parametrize("name", lists_of(pa.array([0] * 6)))
@pytest.mark.parametrize(
    "values",
    [
        pa.array([1.5, 2, 3, None, 5, 6]),
        pa.array(list("abcdef"), pa.string_view()),
        pa.array([Decimal(i) for i in range(6)], pa.decimal128(38, 0)),
        coded(pa.array([1, 2, 1, 2, None, 1])),
    ],
    ids=lambda array: str(array.type),
)
def test_lists(name: str, values: pa.Array) -> None:
    array = assert_plain(lists_of(values)[name])
    assert pa.types.is_list(array.type) or pa.types.is_large_list(array.type)


def test_lists_of_lists() -> None:
    type_ = pa.list_(pa.list_(pa.decimal128(5, 0), 2))
    array = assert_plain(pa.array([[[Decimal(1), Decimal(2)]], None, [], [None]], type_))
    assert array.type == pa.list_(pa.list_(pa.int64()))


def test_extensions_are_what_they_store() -> None:
    tensor = pa.fixed_shape_tensor(pa.float32(), (2,))
    lists = pa.array([[1.0, 2.0], None], tensor.storage_type)
    assert_plain(pa.ExtensionArray.from_storage(tensor, lists))
    words = pa.ExtensionArray.from_storage(pa.json_(), pa.array(["{}", None]))
    assert plain(words).equals(pa.array(["{}", None]))
    bits = pa.ExtensionArray.from_storage(pa.bool8(), pa.array([1, 0], pa.int8()))
    assert plain(bits).to_pylist() == [1, 0]


@law
@given(
    st.lists(st.integers(-(10**38) + 1, 10**38 - 1) | st.integers(-9, 9) | st.none(), max_size=5)
)
def test_integers_of_any_size_stay_exact(values: list[int | None]) -> None:
    array = pa.array([None if v is None else Decimal(v) for v in values], pa.decimal128(38, 0))
    found = assert_plain(array)
    assert is_whole(found.type)
    inside = all(v is None or -(2**63) <= v < 2**64 for v in values)
    assert pa.types.is_integer(found.type) or not inside or min(v or 0 for v in values) < 0


def test_powers_of_ten_are_integers() -> None:
    values = pa.array([Decimal(1200), None, Decimal(-500)], pa.decimal128(5, -2))
    assert plain(values).equals(pa.array([1200, None, -500]))
    most = pa.array([Decimal(99) * 10**36], pa.decimal128(2, -36))
    assert plain(most).to_pylist() == [99 * 10**36]


def test_other_decimals_become_the_nearest_float() -> None:
    getcontext().prec = 99
    source = random.Random(5)
    for type_ in (pa.decimal128(38, 18), pa.decimal128(38, 37), pa.decimal256(76, 30)):
        digits = [source.randrange(10 ** source.randrange(1, type_.precision)) for _ in range(500)]
        values = [Decimal(d * source.choice([1, -1])).scaleb(-type_.scale) for d in digits]
        found = plain(pa.array(values, type_))
        assert found.type == pa.float64()
        assert found.to_pylist() == [float(value) for value in values]


@pytest.mark.parametrize(
    "array",
    [
        pa.array([{"a": 1}]),
        pa.array([1], pa.date32()),
        pa.array([1], pa.timestamp("us")),
        pa.array([1], pa.duration("s")),
        pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int64())),
        pa.nulls(2),
        pa.nulls(1, UnknownType("because")),
        pa.array([[["a"]]]),
        pa.array(["a"]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_all_else_stays_as_it_is(array: pa.Array) -> None:
    assert plain(array) is array
    assert plain_type(array.type) == array.type


def test_a_batch_of_plain_columns_is_the_same() -> None:
    batch = pa.record_batch({"x": [1], "y": ["a"], "z": [[1.5]]})
    assert plain_batch(batch) is batch
    views = pa.record_batch({"x": [1], "y": pa.array(["a"], pa.string_view())})
    assert plain_batch(views).to_pydict() == {"x": [1], "y": ["a"]}


def test_an_unknown_type_says_why_and_travels() -> None:
    type_ = UnknownType("it is new")
    assert str(type_) == "of a type that Arrow does not read (it is new)"
    again = pickle.loads(pickle.dumps(type_))
    assert (again, str(again)) == (type_, str(type_))
    assert len({type_, again, UnknownType("it is old")}) == 1
    assert not any(is_kind(type_) for is_kind in (is_number, is_text, is_list))


def test_nan_of_half_floats_in_dictionaries() -> None:
    words = pa.DictionaryArray.from_arrays(
        pa.array([0, 1, None]), pa.array([1.5, math.nan], pa.float32()).cast(pa.float16())
    )
    first, second, third = plain(words).to_pylist()
    assert (first, math.isnan(second), third) == (1.5, True, None)
