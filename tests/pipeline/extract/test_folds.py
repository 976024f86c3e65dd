"""Tests folds: known answers that may never change, a plain reference, and uniform hashes."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pipeline.errors.faults import ColumnError
from pipeline.extract import folds
from pipeline.extract.folds import folds_by_key, folds_by_row, mix, row_identity

law = settings(max_examples=60, deadline=None, derandomize=True, database=None)

MOST = 2**32
TEXTS = [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()]
INTEGERS = [getattr(pa, f"{sign}int{bits}")() for sign in ("", "u") for bits in (8, 16, 32, 64)]
WORD = 2**64 - 1


def plain_mix(state: int, value: int) -> int:
    """Computes SplitMix64 with Python's integers."""
    z = (state + (value + 1) * 0x9E3779B97F4A7C15) & WORD
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & WORD
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & WORD
    return z ^ (z >> 31)


def plain_hash(text: bytes | None) -> int:
    if text is None:
        return 0
    state = plain_mix(0, len(text))
    for at in range(0, len(text), 8):
        state = plain_mix(state, int.from_bytes(text[at : at + 8], "little"))
    return state


def plain_folds(texts: list[bytes | None], count: int) -> list[int]:
    return [(plain_hash(text) >> 32) * count >> 32 for text in texts]


def as_array(values: list[bytes | None], type_: pa.DataType) -> pa.Array:
    """Returns an array of text; the bytes need not be UTF-8, even in a string array."""
    large = type_ in (pa.large_string(), pa.large_binary())
    return pa.array(values, pa.large_binary() if large else pa.binary()).view(type_)


def test_known_answers() -> None:
    """These answers may never change, because the folds of two runs must agree."""
    zero = np.zeros(4, np.uint64)
    # The first outputs of SplitMix64 from seed 0, as published.
    assert [hex(h) for h in mix(zero, np.arange(4, dtype=np.uint64)).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0x6e789e6aa1b965f4",
        "0x6c45d188009454f",
        "0xf88bb8a8724c81ec",
    ]
    assert [hex(h) for h in row_identity("a/part-0.parquet", np.array([0, 1, 2**40])).tolist()] == [
        "0xf242d3400be9571e",
        "0x10f9ab00cbe9b38d",
        "0xeb9e36b1d78033c8",
    ]
    keys = [None, b"", b"a", b"1234567", b"12345678", b"123456789", b"\0", b"-1", "é".encode()]
    assert folds_by_key(pa.array(keys, pa.binary()), MOST).tolist() == [
        0,
        3793791033,
        3831966095,
        16684704,
        2174406040,
        1079975663,
        1186414201,
        4204577770,
        258424833,
    ]
    assert folds_by_row("x.tfrecord.gz", np.arange(8), 20).tolist() == [8, 1, 0, 16, 5, 12, 16, 1]


keys = st.lists(st.none() | st.binary(max_size=40) | st.sampled_from([b"", b"\0", b"\xff" * 8]))


@law
@given(
    values=keys,
    type_=st.sampled_from(TEXTS),
    start=st.integers(0, 5),
    stop=st.integers(0, 5),
    block=st.sampled_from([1, 3, 1000]),
)
def test_keys_hash_as_the_plain_reference(
    values: list[bytes | None], type_: pa.DataType, start: int, stop: int, block: int
) -> None:
    array = as_array(values, type_)
    length = max(len(values) - start - stop, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "_BLOCK", block)
        assert folds_by_key(array, MOST).tolist() == plain_folds(values, MOST)
        part = array.slice(start, length)
        assert folds_by_key(part, 20).tolist() == plain_folds(values[start : start + length], 20)


@law
@given(values=keys, type_=st.sampled_from(TEXTS), index=st.sampled_from(INTEGERS))
def test_a_dictionary_is_its_values(
    values: list[bytes | None], type_: pa.DataType, index: pa.DataType
) -> None:
    values = values[:100]
    coded = as_array(values, type_).dictionary_encode()
    coded = pa.DictionaryArray.from_arrays(coded.indices.cast(index), coded.dictionary)
    assert folds_by_key(coded, MOST).tolist() == plain_folds(values, MOST)
    assert folds_by_key(coded.slice(1), MOST).tolist() == plain_folds(values[1:], MOST)


def test_a_null_in_a_dictionary_is_null_as_one_outside_of_it() -> None:
    values = pa.array(["a", None])
    coded = pa.DictionaryArray.from_arrays(pa.array([1, None, 0], pa.int8()), values)
    assert folds_by_key(coded, MOST).tolist() == plain_folds([None, None, b"a"], MOST)
    empty = pa.DictionaryArray.from_arrays(pa.array([None], pa.int8()), pa.array([], pa.string()))
    assert folds_by_key(empty, MOST).tolist() == [0]


@law
@given(
    values=st.lists(st.none() | st.integers(-(2**63), 2**64 - 1) | st.integers(-200, 300)),
    type_=st.sampled_from(INTEGERS),
)
def test_an_integer_is_its_text(values: list[int | None], type_: pa.DataType) -> None:
    bits = type_.bit_width
    low, high = (0, 2**bits) if pa.types.is_unsigned_integer(type_) else (-(2 ** (bits - 1)), 0)
    high = high or -low
    kept = [v for v in values if v is None or low <= v < high]
    expected = plain_folds([None if v is None else str(v).encode() for v in kept], MOST)
    array = pa.array(kept, type_)
    assert folds_by_key(array, MOST).tolist() == expected
    assert folds_by_key(array.dictionary_encode(), MOST).tolist() == expected
    assert folds_by_key(array.slice(1), MOST).tolist() == expected[1:]


def test_booleans_dates_and_fixed_bytes_are_their_text() -> None:
    day = datetime.date(2024, 2, 29)
    same: list[tuple[pa.Array, list[bytes | None]]] = [
        (pa.array([True, False, None]), [b"true", b"false", None]),
        (pa.array([day, None], pa.date32()), [b"2024-02-29", None]),
        (pa.array([day, None], pa.date64()), [b"2024-02-29", None]),
        (pa.array([b"abc", None], pa.binary(3)), [b"abc", None]),
        (pa.array([b"xyz", b"abc"], pa.binary(3)).slice(1), [b"abc"]),
        (pa.nulls(3), [None] * 3),
        (pa.nulls(3, pa.string()), [None] * 3),
        (pa.nulls(0, pa.string()), []),
        (pa.array(["", ""]), [b"", b""]),
        (pa.array([day, None], pa.date32()).dictionary_encode(), [b"2024-02-29", None]),
    ]
    for array, texts in same:
        assert folds_by_key(array, MOST).tolist() == plain_folds(texts, MOST), array.type


def test_what_lies_under_a_null_does_not_matter() -> None:
    offsets = pa.array([0, 3, 3, 8], pa.int32()).buffers()[1]
    content = pa.py_buffer(b"foohello")
    valid = pa.py_buffer(bytes([0b110]))
    array = pa.Array.from_buffers(pa.string(), 3, [valid, offsets, content])
    assert array.to_pylist() == [None, "", "hello"]
    assert folds_by_key(array, MOST).tolist() == plain_folds([None, b"", b"hello"], MOST)


@pytest.mark.parametrize(
    "array",
    [
        pa.array([1.5]),
        pa.array([1.5], pa.float32()),
        pa.array([1], pa.timestamp("s")),
        pa.array([[1]]),
        pa.array([{"a": 1}]),
        pa.array([1], pa.decimal128(5, 2)),
        pa.array([1.5]).dictionary_encode(),
    ],
    ids=lambda array: str(array.type),
)
def test_other_types_are_no_keys(array: pa.Array) -> None:
    with pytest.raises(ColumnError, match="cannot be a key: use text, bytes, integers, booleans"):
        folds_by_key(array, 20)


@law
@given(name=st.text(max_size=30), numbers=st.lists(st.integers(0, 2**63 - 1)))
def test_rows_hash_as_the_plain_reference(name: str, numbers: list[int]) -> None:
    seed = plain_hash(name.rsplit("/", 1)[-1].encode("utf-8", "surrogateescape"))
    expected = [plain_mix(seed, number) for number in numbers]
    array = np.array(numbers, np.int64)
    assert row_identity(name, array).tolist() == expected
    assert folds_by_row(name, array, 7).tolist() == [(h >> 32) * 7 >> 32 for h in expected]
    assert folds_by_row(name, array, 7).dtype == np.int64


def test_only_the_base_name_and_the_row_matter() -> None:
    numbers = np.arange(100_000)
    whole = row_identity("gs://bucket/day=1/part-7.parquet", numbers)
    for path in ("part-7.parquet", "/other/part-7.parquet"):
        np.testing.assert_array_equal(row_identity(path, numbers), whole)
    parts = [
        row_identity("part-7.parquet", numbers[i : i + 33_333]) for i in range(0, 10**5, 33_333)
    ]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(row_identity("part-7.parquet", numbers[::-1]), whole[::-1])
    assert (row_identity("part-8.parquet", numbers) != whole).all()
    assert numbers.tolist() == list(range(100_000))
    assert row_identity("\udcff", np.arange(1)).tolist() == [plain_mix(plain_hash(b"\xff"), 0)]


@law
@given(pairs=st.lists(st.tuples(st.integers(0, WORD), st.integers(0, WORD)), max_size=20))
def test_mix_is_the_plain_one(pairs: list[tuple[int, int]]) -> None:
    hashes, values = (np.array([pair[i] for pair in pairs], np.uint64) for i in (0, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folds, "_BLOCK", 3)
        assert mix(hashes, values).tolist() == [plain_mix(*pair) for pair in pairs]
    assert hashes.tolist() == [pair[0] for pair in pairs]


N = 60_000
SIMILAR: dict[str, Any] = {
    "integers": np.arange(N),
    "every 20th": np.arange(N) * 20,
    "every 2**20th": np.arange(N) << 20,
    "negative": -np.arange(N),
    "similar texts": [f"user-{i:012d}@example.com" for i in range(N)],
    "long texts that end apart": ["x" * 64 + str(i) for i in range(N)],
    "long texts that begin apart": [str(i) + "x" * 64 for i in range(N)],
    "one letter, so many times": ["a" * (i % 2000) + "b" * (i // 2000) for i in range(N)],
}


def chi_square_p(counts: npt.NDArray[np.int64]) -> float:
    p: float = stats.chisquare(counts.ravel()).pvalue
    return p


@pytest.mark.parametrize("count", [7, 20, 256])
def test_folds_of_similar_keys_are_uniform(count: int) -> None:
    for name, values in SIMILAR.items():
        key_folds = folds_by_key(pa.array(values), count)
        assert chi_square_p(np.bincount(key_folds, minlength=count)) > 1e-4, name


def test_folds_of_rows_are_uniform_and_independent_of_the_file() -> None:
    names = [f"part-{i:05d}-of-00400.parquet" for i in range(400)]
    row_folds = np.array([folds_by_row(name, np.arange(500), 20) for name in names])
    assert chi_square_p(np.bincount(row_folds.ravel(), minlength=20)) > 1e-4
    # Pairs: the same row of two files, and two neighbours of one file.
    neighbours = (
        (row_folds[1:], row_folds[:-1]),
        (row_folds[:, 1:], row_folds[:, :-1]),
    )
    for left, right in neighbours:
        pairs = np.bincount((left * 20 + right).ravel(), minlength=400)
        assert chi_square_p(pairs) > 1e-4
    # The first rows of many files are spread as evenly as many rows of the same file.
    assert chi_square_p(np.bincount(row_folds[:, 0], minlength=20)) > 1e-4


def test_each_bit_changes_half_of_the_hash() -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 2**63, 2000).astype(np.uint64)
    seeds = rng.integers(0, 2**63, 2000).astype(np.uint64)
    for bit in range(64):
        flip = np.uint64(1 << bit)
        for flipped in (mix(seeds, values ^ flip), mix(seeds ^ flip, values)):
            changed = np.bitwise_count(mix(seeds, values) ^ flipped)
            assert abs(changed.mean() - 32) < 0.6


def test_no_two_of_many_rows_or_keys_have_one_hash() -> None:
    hashes = [row_identity(f"part-{i}", np.arange(10_000)) for i in range(20)]
    assert len(np.unique(np.concatenate(hashes))) == 200_000
