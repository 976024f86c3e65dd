"""The archive of a run's states: what goes in comes out, and damage is seen."""

from __future__ import annotations

import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import Key, State, same
from heads.statistics.codec import encode
from pipeline.evaluate import evaluate
from pipeline.evaluation.state_key import StateKey
from pipeline.runs import states_zip
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


# --- other archives than a run writes -----------------------------------------------------------


def archive_of(
    members: Iterable[tuple[str, bytes]], compression: int = zipfile.ZIP_STORED
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", compression) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, compression)
    return stream.getvalue()


def members_of(content: bytes) -> list[tuple[str, bytes]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def whole() -> bytes:
    table, states = parts_of_two()
    return zip_states(table, encoded(states))


NO_SLICES = b'{"headcount_states": 3, "specs": [], "largest": []}'


def test_only_states_that_are_wanted_are_read() -> None:
    _, states = parts_of_two()
    kept, other = (key for key, _ in states)
    members = [
        (name, b"no state" if name == str(other) else content)
        for name, content in members_of(whole())
    ]
    _, found = unzip_states(archive_of(members), {kept.series})
    assert found.keys() == {kept}
    with pytest.raises(ValueError, match=f"^{other}: These bytes are no headcount state"):
        unzip_states(archive_of(members), {other.series})


@pytest.mark.parametrize(
    "method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=str
)
def test_a_compressed_member_is_refused(method: int) -> None:
    with pytest.raises(ValueError, match=r"'slices\.json' is compressed or encrypted"):
        unzip_states(archive_of(members_of(whole()), method))


@pytest.mark.parametrize("name", [SLICES, "h/0/0123456789abcdef/0"])
@pytest.mark.parametrize("block", [bytes(3), b"[[[", b"[],"])
def test_an_archive_takes_no_more_memory_than_its_size_allows(name: str, block: bytes) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open(name, "w") as member:
            for _ in range(60):
                member.write(block * (1 << 18))
        if name != SLICES:
            archive.writestr(SLICES, NO_SLICES)
    content = stream.getvalue()
    assert len(content) < 1 << 20
    tracemalloc.start()
    with pytest.raises(ValueError, match="is compressed or encrypted"):
        unzip_states(content)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 4 << 20


def test_a_directory_of_many_states_is_refused_before_it_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(states_zip, "MAX_STATES", 100)
    key = StateKey("h", 0, "0" * 16)
    few = [(SLICES, NO_SLICES)] + [(str(key._replace(partition=i)), b"x") for i in range(100)]
    with pytest.raises(ValueError, match="h/0/0000000000000000/0: These bytes are no"):
        unzip_states(archive_of(few))
    more = [*few, (str(key._replace(partition=100)), b"x")]
    with pytest.raises(ValueError, match="the archive has more than 100 states"):
        unzip_states(archive_of(more))
    large = [*few[:-1], *more[-2:-1], (str(key._replace(partition=100)), bytes(101 << 12))]
    with pytest.raises(ValueError, match="These bytes are no"):
        unzip_states(archive_of(large))


def with_sizes(content: bytes, size: int) -> bytes:
    """The archive with another size of its last member, in its directory."""
    at = content.rindex(b"PK\1\2")
    return content[: at + 20] + size.to_bytes(4, "little") * 2 + content[at + 28 :]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda content: with_sizes(content, 9 << 20), "and at most 8,388,608 are read"),
        (lambda content: with_sizes(content, 5 << 20), "take more bytes than the archive has"),
        (lambda content: archive_of([*members_of(content)[1:]]), r"or not slices\.json"),
        (
            lambda content: archive_of([*members_of(content), ("h/0/0123456789abcdef/1/x", b"")]),
            "'h/0/0123456789abcdef/1/x' is the name of no state",
        ),
        (
            lambda content: archive_of([*members_of(content), ("h/0/0123456789abcdef/01", b"")]),
            "is the name of no state",
        ),
        (
            lambda content: archive_of([*members_of(content), ("../etc/passwd", b"")]),
            "is the name of no state",
        ),
    ],
)
def test_members_that_a_run_does_not_write_are_refused(
    change: Callable[[bytes], bytes], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        unzip_states(change(whole()))


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
@pytest.mark.parametrize("which", [0, 1])
def test_a_member_that_is_there_twice_is_refused(which: int) -> None:
    members = members_of(whole())
    with pytest.raises(ValueError, match="it has a member twice"):
        unzip_states(archive_of([*members, members[which]]))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"headcount_states": 99}, "'headcount_states' has version 99, and this release"),
        ({"headcount_states": 1}, "has version 1, and this release of headcount reads 3"),
        ({"headcount_states": "2"}, "it has no 'headcount_states'"),
        ({"more": 1}, "unknown key 'more'"),
        ({"specs": {}}, "specs: expected a list"),
        ({"specs": [{"slices": []}]}, r"specs\[0\]: key 'merged_into_other' is missing"),
        (
            {"specs": [{"slices": [["[]"]], "merged_into_other": 0}]},
            r"specs\[0\]\.slices\[0\]: expected a key and a count",
        ),
        (
            {"specs": [{"slices": [["[]", -1]], "merged_into_other": 0}]},
            "expected a count, not the number -1",
        ),
        ({"largest": [1]}, r"largest\[0\]: expected text"),
        ({"largest": ["["]}, "is no key of a slice"),
        ({"largest": ['[["a", "int", 1.0]]']}, "is no key of a slice"),
        ({"largest": ['[["a","int",1]]']}, "is no key of a slice"),
        ({"largest": ["[" * 5000]}, "is no key of a slice"),
    ],
)
def test_a_table_of_slices_is_strict(change: dict[str, Any], said: str) -> None:
    content = json.dumps(json.loads(NO_SLICES) | change).encode()
    with pytest.raises(ValueError, match=said):
        unzip_states(archive_of([(SLICES, content)]))
