"""Types of stored JSON."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import pytest

from pipeline.report.stored_json import (
    Misfit,
    Type,
    at_least_0,
    check_version,
    count,
    flag,
    list_of,
    mapping_of,
    matching,
    number,
    or_null,
    parse_json,
    record,
    share,
    text,
)

VALUES: list[Any] = [None, True, False, 0, 1, -1, 2, 0.5, 1.0, -0.5, 2.5, "", "x", [], ["x"], {}]
VALUES += [math.nan, math.inf, 1 << 63, (1 << 63) - 1, -(1 << 63), {"a": 1}, {"a": 1, "b": 2}]
FITS: dict[str, tuple[Type, list[Any]]] = {
    "text": (text, ["", "x"]),
    "flag": (flag, [True, False]),
    "count": (count, [0, 1, 2, (1 << 63) - 1]),
    "number": (number, [0, 1, -1, 2, 0.5, 1.0, -0.5, 2.5, (1 << 63) - 1]),
    "at_least_0": (at_least_0, [0, 1, 2, 0.5, 1.0, 2.5, (1 << 63) - 1]),
    "share": (share, [0, 1, 0.5, 1.0]),
    "matching": (matching("[a-x]"), ["x"]),
    "or_null": (or_null(flag), [None, True, False]),
    "list_of": (list_of(text), [[], ["x"]]),
    "mapping_of": (mapping_of(count), [{}, {"a": 1}, {"a": 1, "b": 2}]),
    "mapping_of keys": (mapping_of(count, matching("a")), [{}, {"a": 1}]),
    "record": (record({"a": count}), [{"a": 1}]),
    "record with more": (record({"a": count}, more=True), [{"a": 1}, {"a": 1, "b": 2}]),
    "record of choice": (record({}, {"a": count}), [{}, {"a": 1}]),
}


@pytest.mark.parametrize("name", FITS)
def test_values_of_a_type(name: str) -> None:
    kind, fitting = FITS[name]
    for value in VALUES:
        if any(type(value) is type(other) and value == other for other in fitting):
            kind(value)
        else:
            with pytest.raises(Misfit):
                kind(value)


@pytest.mark.parametrize(
    ("kind", "value", "said"),
    [
        (list_of(mapping_of(record({"a": count}))), [{}, {"k": {"a": -1}}], "[1].k.a: expected a"),
        (record({"a": list_of(text)}), {"a": ["x", 1]}, "a[1]: expected text, not the number 1"),
        (record({"a": text}), {"b": 1}, "unknown key 'b'"),
        (record({"a": text}), {}, "key 'a' is missing"),
        (mapping_of(text), {"\x1b[2J": 1}, "'\\x1b[2J': expected text"),
        (text, None, "expected text, not null"),
    ],
)
def test_a_misfit_tells_its_place(kind: Type, value: Any, said: str) -> None:
    with pytest.raises(Misfit) as caught:
        kind(value)
    assert str(caught.value).startswith(said)


def test_a_million_faults_take_the_memory_of_the_first() -> None:
    kind, value = list_of(mapping_of(text)), [{"a": 1}] * 1_000_000
    tracemalloc.start()
    with pytest.raises(Misfit, match=r"\[0\]\.a: expected text"):
        kind(value)
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


@pytest.mark.parametrize("content", [b"NaN", b"[Infinity]", b"-Infinity", b'"\xff"', b"1 2", b""])
def test_what_is_no_json(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"^it is no JSON: "):
        parse_json(content)


def test_deep_data_are_refused() -> None:
    assert parse_json(b"[" * 200 + b"]" * 200)
    for depth in (202, 3_000_000):
        with pytest.raises(ValueError, match="it is no JSON: recursion limit exceeded"):
            parse_json(b"[" * depth + b"]" * depth)


@pytest.mark.parametrize("data", [[], None, {}, {"v": "1"}, {"v": True}, {"v": 1.0}])
def test_data_without_a_version(data: Any) -> None:
    with pytest.raises(ValueError, match="it has no 'v', the version of its layout"):
        check_version(data, "v", 1)


def test_data_of_another_version() -> None:
    check_version({"v": 1}, "v", 1)
    with pytest.raises(ValueError, match="'v' has version 2, and this release of headcount reads"):
        check_version({"v": 2}, "v", 1)
