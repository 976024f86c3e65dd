"""Tests of keys and their text, of segments, and of taking rows of a batch."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, Key, Scored, Segments
from heads.statistics.keys import key_text, parse_key
from tests.laws.batches import KEYS, law

_texts = st.text('a7"\\\n \u2028\ud800é', max_size=4)
_conditions = (
    st.tuples(_texts, st.just("string"), _texts)
    | st.tuples(_texts, st.just("int"), st.integers(-(2**63), 2**64))
    | st.tuples(_texts, st.just("float"), st.floats().map(repr))
    | st.tuples(_texts, st.just("bool"), st.booleans())
    | st.tuples(_texts, st.just("missing"), st.none())
)
_keys = st.lists(_conditions, max_size=3).map(tuple)


@law
@given(key=_keys)
def test_the_text_of_a_key_gives_the_key_back(key: Key) -> None:
    back = parse_key(key_text(key))
    assert back == key
    assert [type(value) for _, _, value in back] == [type(value) for _, _, value in key]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[",
        "{}",
        "null",
        "[1]",
        "[[]]",
        '[["a", "int"]]',
        '[["a", "int", 1, 2]]',
        '[["a","int",1]]',
        '[["a", "int", 1.0]]',
        '[["a", "float", NaN]]',
        '[["a", "int", []]]',
        '[["a", null, 1]]',
        '[[1, "int", 1]]',
        '[["a", "string", "\\u0062"]]',
        "[" * 5000,
        '[["a", "int", ' + "1" * 5000 + "]]",
    ],
)
def test_other_texts_are_no_keys(text: str) -> None:
    with pytest.raises(ValueError, match="is no key of a slice"):
        parse_key(text)


def test_different_keys_have_different_texts() -> None:
    assert len({key_text(key) for key in KEYS}) == len(KEYS)


def test_overall_is_one_segment() -> None:
    segments = Segments.overall(3)
    assert len(segments) == 3
    assert tuple(segments.keys) == (OVERALL,)
    assert np.array_equal(segments.index, [0, 0, 0])
    assert segments.index.dtype == np.int64


def test_taking_rows_takes_them_of_every_column() -> None:
    rng = np.random.default_rng(0)
    n = 6

    def scored(baseline: Scored | None) -> Scored:
        return Scored(
            rng.random((n, 2)),
            rng.random((n, 2)),
            rng.random((n, 2)),
            rng.random(n),
            rng.random(n),
            rng.integers(0, 2, n),
            "probabilities",
            baseline,
            rng.integers(0, 2**64, n, np.uint64),
            class_loss=rng.random((n, 2)),
            interval=rng.random((n, 2)),
        )

    whole, rows = scored(scored(None)), np.array([4, 0, 4, 2])
    taken = whole.take(rows)
    assert len(taken) == 4
    assert taken.baseline is not None
    for part, source in ((taken, whole), (taken.baseline, whole.baseline)):
        for column in fields(Scored):
            taken_values, values = getattr(part, column.name), getattr(source, column.name)
            if isinstance(values, np.ndarray):
                assert np.array_equal(taken_values, values[rows]), column.name
                assert taken_values.flags.c_contiguous
        assert (part.kind, part.cut) == ("probabilities", 0.5)
    names = ("weight", "predicted", "baseline", "identity", "interval", "class_loss")
    bare = replace(whole, **dict.fromkeys(names)).take(rows)
    assert [getattr(bare, name) for name in names] == [None] * 6
