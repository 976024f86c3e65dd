"""The archive of a run's states: what goes in comes out, and damage is seen."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import Key, State, same
from heads.statistics.codec import encode
from pipeline.evaluate import evaluate
from pipeline.evaluation.state_key import StateKey
from pipeline.runs.states_zip import SLICES, unzip_states, zip_states
from pipeline.slicing.table import SliceTable, SpecSlices
from tests.pipeline.tables import binary_table, evaluator_of, law, plan_of, rows_of

CONFIG = """
slices: [g, {column: w, edges: [0.5]}]
confidence: {key: id, max_slices: 2}
heads:
  one: {type: binary, logits: s, label: y, weight: w, metrics: [average_loss, roc_auc]}
  two: {type: binary, probability: p, label: y, metrics: [precision]}
"""
SLICE: Key = (("c", "string", 'a "quoted" \u00e9 \U0001f600 /'),)
OTHER: Key = (("c", "other", None), ("d", "bucket", "[0, inf)"))
TABLE = SliceTable(
    (
        SpecSlices(((("c", "bool", True),), SLICE, (("c", "missing", None),)), (7, 3, 0)),
        SpecSlices(((("c", "int", -5), ("d", "float", "nan")), OTHER), (2, None), 12),
        SpecSlices((), ()),
    ),
    frozenset({SLICE, OTHER}),
)


@cache
def parts() -> tuple[SliceTable, dict[StateKey, State]]:
    plan = plan_of(CONFIG)
    rows = binary_table(300, 1)
    evaluator = evaluator_of(plan, rows_of(rows.combine_chunks().to_batches()[0]))
    return evaluator.table, evaluate(rows, plan).states


def encoded(states: Iterable[tuple[StateKey, State]]) -> list[tuple[StateKey, bytes]]:
    return [(key, encode(state)) for key, state in states]


def assert_same(found: dict[StateKey, State], expected: dict[StateKey, State]) -> None:
    assert found.keys() == expected.keys()
    assert all(same(state, found[key]) for key, state in expected.items())


def test_an_archive_holds_what_was_put_in() -> None:
    table, states = parts()
    assert len({key.head for key in states}) == len({key.partition for key in states}) == 2
    found, back = unzip_states(zip_states(table, encoded(states.items())))
    assert found == table
    assert_same(back, states)


def test_slices_of_every_kind_come_back() -> None:
    found, states = unzip_states(zip_states(TABLE, []))
    assert found == TABLE
    assert states == {}


@given(st.data())
@law
def test_the_order_of_states_changes_no_byte(data: st.DataObject) -> None:
    table, states = parts()
    shuffled = data.draw(st.permutations(list(states.items())))
    assert zip_states(table, encoded(shuffled)) == zip_states(table, encoded(states.items()))


def test_equal_rows_make_equal_archives_and_other_rows_other_ones() -> None:
    table, states = parts()
    content = zip_states(table, encoded(states.items()))
    rows = binary_table(300, 1)
    backwards = rows.take(pa.array(np.arange(300)[::-1]))
    again = evaluate(backwards, plan_of(CONFIG)).states
    hashes = {key for key, state in states.items() if state.statistic.coverage == "overall"}
    assert hashes
    mended = {key: states[key] if key in hashes else state for key, state in again.items()}
    assert zip_states(table, encoded(mended.items())) == content
    assert zip_states(table, encoded(again.items())) != content


def test_an_archive_that_is_cut_short_is_a_value_error() -> None:
    table, states = parts_of_two()
    content = zip_states(table, encoded(states))
    for size in range(0, len(content), 11):
        with pytest.raises(ValueError, match=r"."):
            unzip_states(content[:size])


@pytest.mark.parametrize("bit", [0, 1, 3, 7])
def test_a_flipped_bit_is_a_value_error_or_in_what_nobody_reads(bit: int) -> None:
    table, states = parts_of_two()
    content = zip_states(table, encoded(states))
    harmless = 0
    for place in range(0, len(content) - 22, 3):
        damaged = bytearray(content)
        damaged[place] ^= 1 << bit
        try:
            found, back = unzip_states(bytes(damaged))
        except ValueError:
            continue
        # The time of a member, say. A member may be lost: loading a run looks for that.
        harmless += 1
        assert found == table
        assert all(same(dict(states)[key], state) for key, state in back.items())
    assert harmless < len(content) // 12


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"h/0/0": b""},
        {SLICES: b"{}"},
        {SLICES: b"[]"},
        {SLICES: b"\xff"},
        {SLICES: b'{"specs": [[]], "largest": []}'},
        {SLICES: b'{"specs": [], "largest": [1]}'},
        {SLICES: b'{"specs": [], "largest": []}', "h/0/0": b"HCST"},
        {SLICES: b'{"specs": [], "largest": []}', "h/0": b""},
        {SLICES: b'{"specs": [], "largest": []}', "h/x/0": b""},
    ],
    ids=lambda members: ", ".join(f"{k}: {v!r}" for k, v in members.items()) or "empty",
)
def test_an_archive_of_something_else_is_a_value_error(members: dict[str, bytes]) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match=r"."):
        unzip_states(stream.getvalue())


def test_what_is_wrong_is_said() -> None:
    with pytest.raises(ValueError, match="this is no archive of states, or it is damaged"):
        unzip_states(b"nothing of the kind")


def parts_of_two() -> tuple[SliceTable, list[tuple[StateKey, State]]]:
    """A small archive."""
    table, states = parts()
    small = sorted(states.items(), key=lambda pair: len(pair[1]))[:2]
    return table, small
