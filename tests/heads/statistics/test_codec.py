"""Tests of the codec: damaged bytes raise a ValueError that says so, and nothing else."""

from __future__ import annotations

import json
import struct
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.statistics import (
    STATISTICS,
    ClassFlips,
    ClassOutcomes,
    ConfusionMatrix,
    DistinctScores,
    Flips,
    LabelSums,
    RowSums,
    Scored,
    ScoreHistogram,
    Segments,
    State,
    Statistic,
    ThresholdCounts,
    codec,
    same,
)
from heads.statistics.codec import MAGIC, MAX_BYTES, VERSION, decode, encode
from heads.statistics.measure import measure_state
from tests.laws.batches import law
from tests.laws.states import assert_canonical

PREFIX = struct.Struct("<4sHII")


def _state(statistic: Statistic, rows: int = 12) -> State:
    rng = np.random.default_rng(3)
    class_ids = isinstance(statistic, ConfusionMatrix | ClassOutcomes | ClassFlips | LabelSums)

    def scored() -> Scored:
        return Scored(
            rng.normal(size=(rows, 2)),
            rng.random((rows, 2)),
            rng.choice([0.0, 1.0], (rows, 1 if class_ids else 2)),
            np.where(np.arange(rows) == 5, np.nan, rng.lognormal(0, 20, rows)),
            rng.random(rows),
            rng.integers(0, 2, rows),
        )

    keys = ((("country", "string", "CH"), ("age", "int", 7)), (("country", "missing", None),))
    segments = Segments(rng.integers(0, 2, rows), keys, fold=rng.integers(0, 3, rows))
    return measure_state(statistic, replace(scored(), baseline=scored()), segments)


STATES = {
    statistic.stable_name: _state(statistic)
    for statistic in (
        RowSums(values=("loss",), weighted=True, keep_unweighted=True, squares=True, folds=3),
        LabelSums(values=("loss",), weighted=True, folds=3),
        ClassOutcomes(classes=2, weighted=True),
        ConfusionMatrix(classes=2, weighted=True, coverage="largest_only"),
        Flips(cuts=(0.0, 0.5), classes=2, weighted=True, folds=3),
        ClassFlips(weighted=True),
        ThresholdCounts(cuts=(-1.0, 0.0, 0.5), classes=2, values=("probability",), weighted=True),
        ScoreHistogram(classes=2, weighted=True, max_cells=4, folds=3),
        DistinctScores(classes=2, weighted=True, max_cells=8),
    )
}
each_state = pytest.mark.parametrize("data", list(map(encode, STATES.values())), ids=list(STATES))
any_state = st.sampled_from(list(map(encode, STATES.values())))


def parts(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Returns the header and the columns of an encoded state."""
    text = data.decode("latin-1")
    header, end = json.JSONDecoder().raw_decode(text, text.index('{"'))
    return header, data[end:]


def with_header(header: object, columns: bytes) -> bytes:
    """Returns the bytes of a state with the given header."""
    text = json.dumps(header, separators=(",", ":")).encode()
    return PREFIX.pack(MAGIC, VERSION, len(text), zlib.crc32(text + columns)) + text + columns


def with_checksum(data: bytes) -> bytes:
    """Returns the same bytes with the right checksum, so that the rest of them is read."""
    if len(data) < PREFIX.size:
        return data
    magic, version, length, _ = PREFIX.unpack_from(data)
    body = data[PREFIX.size :]
    return PREFIX.pack(magic, version, length, zlib.crc32(body)) + body


def assert_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="state"):
        decode(data)


def assert_refused_or_whole(data: bytes) -> None:
    """Checks that decoding raises a clear ValueError or gives a valid state, in little memory."""
    tracemalloc.start()
    try:
        refusal = "a whole state"
        state = decode(data)
        assert_canonical(state)
        for column in ("rows", *state.sums):
            state[column]
        encode(state)
    except ValueError as error:
        refusal = str(error)
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert "state" in refusal
    assert peak < 4_000_000 + 100 * len(data)


def test_every_statistic_is_tried() -> None:
    assert set(STATES) == set(STATISTICS), "add a state of the new statistic to STATES"


@each_state
def test_the_layout_is_as_described(data: bytes) -> None:
    # If not, the tests below damage other bytes than they mean to.
    assert with_header(*parts(data)) == data


@each_state
def test_cut_short_anywhere(data: bytes) -> None:
    for length in range(len(data)):
        assert_refused(data[:length])
        assert_refused(with_checksum(data[:length]))


@each_state
def test_bytes_too_many(data: bytes) -> None:
    assert_refused(data + b"\0")
    assert_refused(data + data)
    assert_refused(with_checksum(data + b"\0"))


@pytest.mark.parametrize("data", [b"", b"PAR1", b"HCSX" + bytes(40), bytes(100), b"\xff" * 100])
def test_other_bytes(data: bytes) -> None:
    assert_refused(data)


@pytest.mark.parametrize("version", [1, VERSION + 1, 2**16 - 1])
def test_another_version(version: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec, "VERSION", version)
        data = encode(STATES["row_sums"])
    with pytest.raises(
        ValueError,
        match=f"format version {version}, .*{'newer' if version > VERSION else 'that wrote it'}",
    ):
        decode(data)


@each_state
def test_an_unknown_statistic(data: bytes) -> None:
    # Another release may write such a state.
    with pytest.MonkeyPatch.context() as patch:
        header, _ = parts(data)
        patch.delitem(STATISTICS, header["statistic"])
        with pytest.raises(ValueError, match=f"{header['statistic']}.*release that wrote it"):
            decode(data)


@each_state
def test_a_flipped_bit_in_the_header(data: bytes) -> None:
    for at in range(len(data) - len(parts(data)[1])):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[at] ^= 1 << bit
            assert_refused(bytes(damaged))


Change = Callable[[bytes], bytes]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    """Draws a function that damages bytes."""
    place = draw(st.floats(0, 1))
    new = draw(st.binary(min_size=1, max_size=6))
    drop = draw(st.integers(0, 8))

    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + new + data[at + drop :]

    return change


@settings(law, max_examples=100)
@given(data=any_state, damage=st.lists(changes(), min_size=1, max_size=3))
def test_any_damage(data: bytes, damage: list[Change]) -> None:
    for change in damage:
        data = change(data)
    assert_refused_or_whole(data)
    assert_refused_or_whole(with_checksum(data))


ODD: tuple[object, ...] = (
    *(None, True, -1, 0, 1, 64, 2**31, 2**63, 10**30, 1.5, float("nan"), "rows"),
    *([], [[]], [1], {}),
)


def paths(value: Any) -> Iterator[tuple[str | int, ...]]:
    """Yields the paths to a JSON value and to the values inside; to some of those in long lists."""
    yield ()
    if isinstance(value, (dict, list)):
        names = list(value) if isinstance(value, dict) else list(range(len(value)))
        for name in names[:6] + names[6:][-1:]:
            for path in paths(value[name]):
                yield (name, *path)


def replaced(value: Any, path: tuple[str | int, ...], new: object) -> Any:
    """Returns a JSON value in which the value at a path is replaced."""
    if not path:
        return new
    changed = value.copy()
    changed[path[0]] = replaced(value[path[0]], path[1:], new)
    return changed


@pytest.mark.slow
@each_state
def test_any_odd_value_in_the_header(data: bytes) -> None:
    header, columns = parts(data)
    for path in paths(header):
        for new in ODD:
            assert_refused_or_whole(with_header(replaced(header, path, new), columns))


@each_state
def test_a_missing_entry_of_the_header(data: bytes) -> None:
    header, columns = parts(data)
    for name in header:
        without = {key: value for key, value in header.items() if key != name}
        assert_refused(with_header(without, columns))


@pytest.mark.parametrize(
    "header", [b"[" * 100_000, b'{"a":' * 50_000, b"1" * 10_000, b"\xff\xfe", b"", b"null", b"[]"]
)
def test_a_header_that_is_no_object(header: bytes) -> None:
    assert_refused(PREFIX.pack(MAGIC, VERSION, len(header), zlib.crc32(header)) + header)


@each_state
def test_a_column_of_as_many_rows_as_the_header_claims(data: bytes) -> None:
    for number, (name, _, width) in enumerate(parts(data)[0]["columns"]):
        for rows in (-1, 2**31, 2**62, 10**30, 1.5, "3", None, True):
            header, columns = parts(data)
            header["columns"][number] = [name, rows, width]
            assert_refused(with_header(header, columns))


@each_state
def test_more_columns_than_a_state_has(data: bytes) -> None:
    header, columns = parts(data)
    header["columns"] += [["limb:weight", 0, 1]] * 20_000
    assert_refused(with_header(header, columns))


@each_state
def test_cells_counted_from_the_end(data: bytes) -> None:
    """-1 would be the last cell to NumPy."""
    header, columns = parts(data)
    offset = 0
    for name, rows, width in header["columns"]:
        if name == "cell":
            changed = columns[:offset] + b"\xff" * width + columns[offset + width :]
            assert_refused(with_header(header, changed))
        offset += rows * width


@each_state
def test_a_state_of_another_statistic_than_is_asked_for(data: bytes) -> None:
    state = decode(data)
    digest = state.statistic.digest
    assert same(decode(data, digest=digest), state)
    header, columns = parts(data)
    # It is told before anything is made of the parameters.
    header["parameters"]["folds"] = 10**9
    for other in (data, with_header(header, columns)):
        with pytest.raises(ValueError, match="is of another statistic than its name says"):
            decode(other, digest="0" * 16)


@each_state
def test_more_bytes_than_a_state_may_have(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "MAX_BYTES", len(data) - 1)
    with pytest.raises(ValueError, match=f"has {len(data):,} bytes, more than"):
        decode(data)


@each_state
def test_the_size_limit(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    state = decode(data)
    monkeypatch.setattr(codec, "MAX_BYTES", len(data))
    assert encode(state) == data
    monkeypatch.setattr(codec, "MAX_BYTES", len(data) - 1)
    with pytest.raises(ValueError, match=r"Lower the number of slices") as caught:
        encode(state)
    assert type(state.statistic).__name__ in str(caught.value)


def test_a_state_past_the_limit_of_the_shuffle() -> None:
    # Distinct random scores, each in a separate cell: about 17 bytes for each table row.
    n = 600_000
    rng = np.random.default_rng(0)
    column = np.zeros((n, 1))
    scored = Scored(rng.normal(size=(n, 1)), column, column, np.zeros(n))
    state = measure_state(ScoreHistogram(max_cells=n), scored, Segments.overall(n))
    assert len(state) * 8 < MAX_BYTES
    with pytest.raises(ValueError, match="8,388,608"):
        encode(state)


@pytest.mark.parametrize("value", [0, 127, 128, -128, -129, 2**31, -(2**31), 2**63 - 1, -(2**63)])
def test_the_widths_of_integers(value: int) -> None:
    key = (("id", "int", value),)
    state = measure_state(
        RowSums(values=("loss",)),
        Scored(*(np.zeros((2, 1)),) * 3, np.array([1.0, 2.0**36 * (value % 97)])),
        Segments(np.zeros(2, np.int64), (key,)),
    )
    back = decode(encode(state))
    assert back.keys == (key,)
    assert back["loss"].tolist() == state["loss"].tolist()


def test_keys_come_back_as_they_were() -> None:
    conditions: list[tuple[str, str | int | bool | None]] = [
        ("string", ""),
        ("string", "7"),
        ("int", 7),
        ("float", "7.0"),
        ("bool", True),
        ("missing", None),
        ("string", "\ud800 lone, é, \U0001f600, \x00"),
        ("int", 2**63 - 1),
    ]
    keys = [(("c", kind, value),) for kind, value in conditions]
    n = len(keys)
    column = np.zeros((n, 1))
    state = measure_state(
        RowSums(values=("loss",)),
        Scored(column, column, column, np.ones(n)),
        Segments(np.arange(n), keys),
    )
    back = decode(encode(state))
    assert sorted(back.keys, key=repr) == sorted(keys, key=repr)
    kinds = {type(key[0][2]) for key in back.keys}
    assert kinds == {str, int, bool, type(None)}
