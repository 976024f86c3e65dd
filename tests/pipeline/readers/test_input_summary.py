"""Tests the summary of shards: the types of their columns, and where they differ."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any, BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.wording import MOST
from pipeline.readers.file_list import list_local
from pipeline.readers.input_summary import (
    InputSummary,
    SchemaGroup,
    merge_summaries,
    summarize_inputs,
    type_differences,
)
from pipeline.readers.shards import Shard
from pipeline.readers.storage import open_local
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from tests.pipeline.tables import law, write

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint64()]
FLOATS = [pa.float16(), pa.float32(), pa.float64()]
TEXTS = [
    pa.string(),
    pa.large_string(),
    pa.binary(),
    pa.large_binary(),
    pa.dictionary(pa.int32(), pa.string()),
    pa.dictionary(pa.int8(), pa.large_string()),
]
OTHERS = [[pa.bool_()], [pa.date32()], [pa.timestamp("us")], [pa.decimal128(5, 2)]]
FAMILIES = [INTEGERS, FLOATS, TEXTS, *OTHERS]
LISTS = [pa.list_, pa.large_list, lambda t: pa.list_(t, 3)]
FORMS: list[list[pa.DataType]] = [
    *FAMILIES,
    *([make(t) for t in family for make in LISTS] for family in FAMILIES),
]
NULLS = pa.null()


def alike(type_: pa.DataType, *paths: str, format_: Any = "parquet") -> SchemaGroup:
    return SchemaGroup(format_, {"c": type_}, tuple(sorted(paths)[:MOST]), len(paths))


@pytest.mark.parametrize("forms", FORMS, ids=lambda forms: str(forms[0]))
def test_types_that_may_stand_for_one_another(forms: Sequence[pa.DataType]) -> None:
    groups = [alike(type_, str(i)) for i, type_ in enumerate([*forms, NULLS])]
    assert type_differences("c", groups) == []
    assert type_differences("c", groups[::-1]) == []


def test_types_that_may_not() -> None:
    for forms, other_forms in itertools.permutations(FORMS, 2):
        a, b = forms[0], other_forms[-1]
        groups = [alike(a, "x", "y"), alike(b, "z"), alike(NULLS, "n")]
        assert type_differences("c", groups) == [
            f"1 file has column 'c' as {b}, where 2 files have {a}: z"
        ], (a, b)


def test_lists_of_nulls_are_lists() -> None:
    nothing = pa.list_(pa.null())
    assert type_differences("c", [alike(nothing, "x"), alike(pa.list_(pa.int8()), "y")]) == []
    assert type_differences("c", [alike(nothing, "x"), alike(pa.int8(), "y", "z")]) == [
        f"1 file has column 'c' as {nothing}, where 2 files have int8: x"
    ]


def test_features_are_like_single_values_and_lists() -> None:
    features = alike(pa.list_(pa.int64()), "f", format_="tfrecord")
    assert type_differences("c", [features, alike(pa.int8(), "p")]) == []
    assert type_differences("c", [features, alike(pa.large_list(pa.int8()), "p")]) == []
    (line,) = type_differences("c", [features, alike(pa.string(), "p")])
    assert line.endswith(": p")
    # Single values and lists still differ from each other.
    (line,) = type_differences(
        "c", [features, alike(pa.int8(), "p", "q"), alike(pa.list_(pa.int8()), "r")]
    )
    assert line.endswith(": r")
    # A feature without a kind, and text in bytes.
    nothing = alike(NULLS, "g", format_="tfrecord")
    assert type_differences("c", [nothing, alike(pa.list_(pa.string()), "p")]) == []
    text = alike(pa.list_(pa.binary()), "h", format_="tfrecord")
    assert type_differences("c", [text, alike(pa.string(), "p")]) == []


def test_a_line_for_each_that_is_unlike_most() -> None:
    groups = [
        alike(pa.string(), *(f"s{i:02}" for i in range(25))),
        alike(pa.int8(), *(f"a{i}" for i in range(20))),
        alike(pa.int64(), *(f"b{i}" for i in range(10))),
        alike(pa.float32(), "f"),
        SchemaGroup("parquet", {}, ("none",), 1),
    ]
    names = ", ".join(f"s{i:02}" for i in range(20))
    assert type_differences("c", groups) == [
        "1 file has column 'c' as float, where 30 files have int64, int8: f",
        "25 files have column 'c' as string, where 30 files have int64, int8:"
        f" {names}, ... and 5 more",
    ]
    # In case of a tie, the kind of the first group is the one to compare with.
    assert type_differences("c", [alike(pa.string(), "x"), alike(pa.int8(), "a")]) == [
        "1 file has column 'c' as int8, where 1 file has string: a"
    ]


@law
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=12))
def test_files_that_differ_against_brute_force(picks: list[tuple[int, int]]) -> None:
    types = [FORMS[form % len(FORMS)][k % len(FORMS[form % len(FORMS)])] for form, k in picks]
    lines = type_differences("c", [alike(type_, f"{i:02}") for i, type_ in enumerate(types)])
    forms = [form % len(FORMS) for form, _ in picks]
    assert bool(lines) == (len(set(forms)) > 1)
    listed = {int(name) for line in lines for name in line.rpartition(": ")[2].split(", ")}
    rest = {form for i, form in enumerate(forms) if i not in listed}
    # The files that are not listed have the same form, and no listed file has this form.
    assert len(rest) == 1
    assert not rest & {forms[i] for i in listed}


def shards_of(directory: Path) -> Sequence[Shard]:
    return list_local([str(directory / "**")]).shards


def test_shards_that_are_alike_are_together(tmp_path: Path) -> None:
    for i in range(40):
        odd = pa.array([1], pa.int32() if i % 2 else pa.int64())
        write(tmp_path / f"{i:02}.parquet", pa.table({"x": odd, f"other{i}": [1]}))
    write(tmp_path / "d/x=1/a.parquet", pa.table({"y": [1.0]}))
    first, second, third = summarize_inputs(shards_of(tmp_path), ["x", "y"], open_local).groups
    names = [[Path(path).stem for path in group.paths] for group in (first, second, third)]
    even = [f"{i:02}" for i in range(0, 40, 2)]
    assert names == [even, [f"{i:02}" for i in range(1, 40, 2)], ["a"]]
    assert first.types == {"x": pa.int64()}
    assert second.types == {"x": pa.int32()}
    assert third.types == {"x": pa.string(), "y": pa.float64()}


def test_files_are_closed(tmp_path: Path) -> None:
    streams: list[BinaryIO] = []

    def opened(path: str) -> BinaryIO:
        streams.append(open_local(path))
        return streams[-1]

    write(tmp_path / "a.parquet", pa.table({"x": [1]}))
    write_records(str(tmp_path / "b.tfrecord"), [encode_example({"x": [1]})])
    (tmp_path / "c.parquet").write_bytes(b"broken")
    assert len(summarize_inputs(shards_of(tmp_path), ["x"], opened).groups) == 2
    assert len(streams) >= 3
    assert all(stream.closed for stream in streams)


def test_shards_that_say_nothing_are_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"broken")
    (tmp_path / "b.tfrecord").write_bytes(b"broken")
    write_records(str(tmp_path / "c.tfrecord.gz"), [], "gzip")
    gone = Shard(str(tmp_path / "gone.parquet"), 1, "parquet")
    gone_too = Shard(str(tmp_path / "gone.tfrecord"), 1, "tfrecord")
    summary = summarize_inputs([*shards_of(tmp_path), gone, gone_too], ["x"], open_local)
    assert summary == InputSummary()


def test_features_of_records(tmp_path: Path) -> None:
    first = [encode_example({"x": [1], "y": []})] * 5
    (tmp_path / "k=v").mkdir()
    write_records(str(tmp_path / "k=v/a.tfrecord"), [*first, encode_example({"z": [b"w"]})])
    (group,) = summarize_inputs(
        shards_of(tmp_path), ["k", "x", "y", "z", "none"], open_local
    ).groups
    assert (group.format, group.types) == (
        "tfrecord",
        {"k": pa.string(), "x": pa.list_(pa.int64()), "y": pa.null(), "z": pa.list_(pa.binary())},
    )


def test_the_more_files_the_fewer_records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.readers.input_summary._RECORDS", 40)
    records = [encode_example({"x": [1]})] * 15 + [encode_example({"z": [1]})]
    for name in "ab":
        write_records(str(tmp_path / f"{name}.tfrecord"), records)
    (both,) = summarize_inputs(shards_of(tmp_path), ["x", "z"], open_local).groups
    assert both.types.keys() == {"x", "z"}
    write_records(str(tmp_path / "c.tfrecord"), records)
    (three,) = summarize_inputs(shards_of(tmp_path), ["x", "z"], open_local).groups
    assert three.types.keys() == {"x"}
    # However many files there are, a few records of each are looked at.
    monkeypatch.setattr("pipeline.readers.input_summary._RECORDS", 0)
    write_records(str(tmp_path / "d.tfrecord"), [*records[:9], records[-1]])
    groups = summarize_inputs(shards_of(tmp_path), ["x", "z"], open_local).groups
    assert [(len(group.paths), list(group.types)) for group in groups] == [
        (3, ["x"]),
        (1, ["x", "z"]),
    ]


@law
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=60), st.randoms())
def test_what_is_known_of_many_shards_does_not_depend_on_how_they_come(
    drawn: list[tuple[int, bool]], random: Random
) -> None:
    kinds = [pa.int64(), pa.string(), pa.float32()]
    paths = [f"{i:03}" for i in range(len(drawn))]
    summaries = [
        InputSummary((alike(kinds[kind], path),), (f"{path}: other",) * wrong, int(wrong))
        for path, (kind, wrong) in zip(paths, drawn, strict=True)
    ]
    random.shuffle(summaries)
    cut = random.randrange(len(summaries) + 1)
    parts = [merge_summaries(summaries[:cut]), merge_summaries(summaries[cut:])]
    merged = merge_summaries(parts)
    assert merged == merge_summaries(summaries)
    paths_by_kind = {
        kind: [p for p, (k, _) in zip(paths, drawn, strict=True) if k == kind] for kind in (0, 1, 2)
    }
    wrong = [f"{path}: other" for path, (_, w) in zip(paths, drawn, strict=True) if w]
    assert merged == InputSummary(
        tuple(
            sorted(
                (alike(kinds[kind], *names) for kind, names in paths_by_kind.items() if names),
                key=lambda group: group.paths,
            )
        ),
        tuple(wrong[:MOST]),
        len(wrong),
    )
    # All shards are counted, and only the first are named.
    lines = type_differences("c", merged.groups)
    counted = sum(int(line.split(" ")[0]) for line in lines)
    assert counted == len(drawn) - max(map(len, paths_by_kind.values()))
