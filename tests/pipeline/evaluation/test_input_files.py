"""The files of a run, and a configuration held against their columns, before a row is read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pytest

from pipeline.errors.faults import BadData
from pipeline.errors.problems import ConfigError
from pipeline.evaluate import evaluate
from pipeline.evaluation.input_files import (
    InputVerdict,
    check_inputs,
    check_some,
    check_types,
    find_shards,
    names_looked_for,
    validate_inputs,
)
from pipeline.evaluation.plan import Plan
from pipeline.readers.file_list import Listing, list_local
from pipeline.readers.input_summary import summarize_inputs
from pipeline.readers.manifest import crc32c_of
from pipeline.readers.shards import Shard
from pipeline.readers.storage import open_local
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from tests.pipeline.tables import plan_of, write

TEXT = """
where: [{column: split, values: [test]}]
slices: [{column: country}]
heads:
  click: {type: binary, logits: score, label: label, weight: weight}
  topic: {type: multi_class, n_classes: 3, logits: scores, label: label}
"""
GOOD: dict[str, Any] = {
    "split": ["test"],
    "country": ["CH"],
    "score": [0.5],
    "scores": [[0.1, 0.2, 0.3]],
    "label": [1],
    "weight": [1.0],
}


def told(
    tmp_path: Path, columns: dict[str, Any], text: str = TEXT, path: str = "a.parquet"
) -> list[str]:
    """The problems of a file with these columns, with the place it is in left out."""
    shard = write(tmp_path / path, pa.table(columns))
    try:
        check_columns(plan_of(text), [shard])
    except ConfigError as error:
        return str(error).replace(str(tmp_path) + "/", "").split("\n")
    return []


def check_columns(plan: Plan, shards: list[Shard]) -> None:
    footers = summarize_inputs(shards, names_looked_for(plan), open_local, plan.reading)
    check_inputs(plan, footers, "c.yaml", open_local)


def test_columns_that_fit(tmp_path: Path) -> None:
    assert told(tmp_path, GOOD) == []
    # Columns that nobody reads may be of any type.
    assert told(tmp_path, GOOD | {"date": pa.array([1], pa.date32())}) == []


def test_every_missing_column_is_told_with_the_nearest_name(tmp_path: Path) -> None:
    columns = {name: GOOD[name] for name in ("split", "country", "scores")}
    assert told(tmp_path, columns | {"Label": [1], "zzzzzzzz": [1.0]}) == [
        "c.yaml: no column 'label' in a.parquet; did you mean 'Label'? it has: split, country,"
        " scores, Label, zzzzzzzz",
        "c.yaml: no column 'score' in a.parquet; did you mean 'scores'? it has: split, country,"
        " scores, Label, zzzzzzzz",
        "c.yaml: no column 'weight' in a.parquet; it has: split, country, scores, Label, zzzzzzzz",
    ]


def test_columns_of_directories_are_columns(tmp_path: Path) -> None:
    columns = {name: values for name, values in GOOD.items() if name not in ("split", "country")}
    assert told(tmp_path, columns, path="split=test/country=CH/a.parquet") == []
    # They are text.
    columns = {name: values for name, values in GOOD.items() if name != "weight"}
    assert told(tmp_path, columns, path="weight=1/a.parquet") == [
        "c.yaml: heads.click: column 'weight' is string, and numbers are needed; store it as"
        " numbers, as text is not converted"
    ]


@pytest.mark.parametrize(
    ("column", "values", "problem"),
    [
        (
            "score",
            ["0.5"],
            "heads.click: column 'score' is string, and numbers are needed; store it as numbers, as"
            " text is not converted",
        ),
        (
            "score",
            [datetime(2026, 1, 1)],
            "heads.click: column 'score' is timestamp[us], and numbers are needed; dates and times"
            " are for slices; store what is meant as a number",
        ),
        (
            "weight",
            [["1"]],
            "heads.click: column 'weight' is string, and numbers are needed; store it as numbers,"
            " as text is not converted",
        ),
        (
            "scores",
            [0.5],
            "heads.topic: column 'scores' is double, and lists are needed; store the scores of a"
            " row, one for each of the 3 classes, as one list",
        ),
        (
            "scores",
            [["a"]],
            "heads.topic: column 'scores' holds string, and numbers are needed; store it as"
            " numbers, as text is not converted",
        ),
        (
            "split",
            [1],
            "where: column 'split' is int64, and 'where' looks for 'test' in it; write the values"
            " as the column has them (quote text, do not quote numbers)",
        ),
    ],
)
def test_a_column_of_the_wrong_type(
    tmp_path: Path, column: str, values: list[Any], problem: str
) -> None:
    assert told(tmp_path, GOOD | {column: values}) == [f"c.yaml: {problem}"]


def test_every_column_of_the_wrong_type_is_told(tmp_path: Path) -> None:
    wrong = {"split": [1], "score": ["a"], "scores": [1.0], "weight": ["a"]}
    problems = told(tmp_path, GOOD | wrong)
    for column in wrong:
        assert any(f"'{column}' is" in problem for problem in problems), column


@pytest.mark.parametrize(
    "values",
    [
        pa.array([1], pa.timestamp("us")),
        pa.array([{"a": 1}]),
        pa.array([[[1]]]),
    ],
    ids=lambda array: str(array.type),
)
def test_a_slice_of_values_that_cannot_be_sliced_by(tmp_path: Path, values: pa.Array) -> None:
    (problem,) = told(tmp_path, GOOD | {"country": values})
    assert "'country'" in problem


def test_a_column_given_twice(tmp_path: Path) -> None:
    table = pa.table(GOOD).append_column("label", pa.array([1]))
    shard = write(tmp_path / "a.parquet", table)
    with pytest.raises((ConfigError, BadData), match="'label'"):
        evaluate(shard.path, plan_of(TEXT))


def test_a_table_is_checked_like_a_file() -> None:
    types = {name: pa.array(values).type for name, values in GOOD.items()}
    check_types(plan_of(TEXT), types, "the table", "plan")
    with pytest.raises(ConfigError, match=r"^plan: no column 'label' in the table; it has: split,"):
        check_types(
            plan_of(TEXT), {n: t for n, t in types.items() if n != "label"}, "the table", "plan"
        )


def test_a_shard_that_cannot_be_read_is_for_the_data_report(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    path.write_bytes(b"broken")
    check_columns(plan_of(TEXT), [Shard(str(path), 6, "parquet")])
    with pytest.raises(BadData, match=r"a\.parquet: corrupt_parquet"):
        evaluate(str(path), plan_of(TEXT))


def found(tmp_path: Path, text: str = TEXT, *patterns: str) -> Listing:
    globs = [str(tmp_path / pattern) for pattern in patterns or ("*",)]
    return find_shards(plan_of(text), globs, "c.yaml", list_local, open_local)


def bad(tmp_path: Path, text: str = TEXT, *patterns: str) -> list[str]:
    """The problems of files, with the place they are in left out."""
    with pytest.raises(BadData) as caught:
        found(tmp_path, text, *patterns)
    return [problem.replace(f"{tmp_path}/", "") for problem in caught.value.problems]


def test_shards_are_found_in_order(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", pa.table(GOOD))
    write(tmp_path / "a.parquet", pa.table(GOOD).slice(0, 0))
    listing = found(tmp_path)
    assert [Path(shard.path).name for shard in listing] == ["a.parquet", "b.parquet"]
    assert (len(listing), listing.notes) == (2, ())


def test_every_shard_that_lacks_a_column_is_told(tmp_path: Path) -> None:
    lacks = pa.table({name: GOOD[name] for name in GOOD if name != "label"})
    for i in range(23):
        write(tmp_path / f"{i:02}.parquet", lacks)
    write(tmp_path / "a.parquet", pa.table(GOOD))
    write(tmp_path / "b.parquet", lacks.drop(["country"]))
    names = ", ".join(f"{i:02}.parquet" for i in range(20))
    assert bad(tmp_path) == [
        "1 file has no column 'country': b.parquet",
        f"24 files have no column 'label': {names}, ... and 4 more",
    ]
    # Of what nobody has the configuration is wrong; it is held against the first.
    (tmp_path / "a.parquet").unlink()
    with pytest.raises(ConfigError) as caught:
        found(tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "").split("\n") == [
        "c.yaml: no column 'label' in 00.parquet; it has: split, country, score, scores, weight",
        "c.yaml: 1 file has no column 'country': b.parquet",
    ]


def test_every_shard_of_a_wrong_type_is_told(tmp_path: Path) -> None:
    text = {"score": ["x"], "label": [0.5]}
    for i, change in enumerate([{}, {}, text, text, {"split": [1]}, {"label": [True]}]):
        write(tmp_path / f"{i}.parquet", pa.table(GOOD | change))
    assert bad(tmp_path) == [
        "2 files have another type: heads.click: column 'score' is string, and numbers are needed;"
        " store it as numbers, as text is not converted: 2.parquet, 3.parquet",
        "1 file has another type: where: column 'split' is int64, and 'where' looks for 'test' in"
        " it; write the values as the column has them (quote text, do not quote numbers):"
        " 4.parquet",
        "1 file has column 'label' as bool, where 2 files have int64: 5.parquet",
    ]
    # What is wrong in all is a fault of the configuration.
    for i in range(6):
        write(tmp_path / f"{i}.parquet", pa.table(GOOD | {"score": ["x"]}))
    write(tmp_path / "5.parquet", pa.table(GOOD | {"score": ["x"], "weight": ["x"]}))
    with pytest.raises(ConfigError) as caught:
        found(tmp_path)
    assert str(caught.value).replace(f"{tmp_path}/", "").split("\n") == [
        "c.yaml: 1 file has another type: heads.click: column 'weight' is string, and numbers are"
        " needed; store it as numbers, as text is not converted: 5.parquet",
        "c.yaml: heads.click: column 'score' is string, and numbers are needed; store it as"
        " numbers, as text is not converted",
    ]


def test_types_of_one_kind_agree(tmp_path: Path) -> None:
    changes: list[dict[str, Any]] = [
        {},
        {"label": pa.array([1], pa.int8()), "score": pa.array([0.5], pa.float32())},
        {"country": pa.array(["CH"]).dictionary_encode(), "weight": pa.nulls(1)},
        {"scores": pa.array([[0.1, 0.2, 0.3]], pa.list_(pa.float32(), 3)), "country": pa.nulls(1)},
    ]
    for i, change in enumerate(changes):
        write(tmp_path / f"{i}.parquet", pa.table(GOOD | change))
    assert found(tmp_path).notes == ()


def test_types_that_can_all_be_read_must_agree(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table(GOOD))
    write(tmp_path / "b.parquet", pa.table(GOOD | {"country": [41], "weight": [2]}))
    assert bad(tmp_path) == [
        "1 file has column 'country' as int64, where 1 file has string: b.parquet",
        "1 file has column 'weight' as int64, where 1 file has double: b.parquet",
    ]


def examples(path: Path, *rows: dict[str, list[Any]]) -> None:
    write_records(str(path), [encode_example(row) for row in rows])


def test_features_that_may_be_missing_in_a_row(tmp_path: Path) -> None:
    full: dict[str, list[Any]] = {
        name: values if name != "scores" else values[0] for name, values in GOOD.items()
    }
    lacks = {name: values for name, values in full.items() if name != "country"}
    examples(tmp_path / "a.tfrecord", lacks)
    with pytest.raises(ConfigError, match=r"no column 'country' in .*a\.tfrecord; it has: label,"):
        found(tmp_path)
    examples(tmp_path / "b.tfrecord", full)
    (note,) = found(tmp_path).notes
    assert note == f"1 file has no 'country' in the first records: {tmp_path}/a.tfrecord"
    # A feature that has no kind is a list of nothing.
    examples(tmp_path / "a.tfrecord", full | {"scores": [], "country": [], "label": []})
    assert found(tmp_path).notes == ()
    # Without a label a row is bad.
    examples(tmp_path / "a.tfrecord", {n: v for n, v in full.items() if n != "label"})
    assert bad(tmp_path) == ["1 file has no column 'label': a.tfrecord"]
    # Parquet files have all columns or are unlike the rest.
    examples(tmp_path / "a.tfrecord", full)
    write(tmp_path / "c.parquet", pa.table(GOOD).drop(["country"]))
    assert bad(tmp_path) == ["1 file has no column 'country': c.parquet"]
    write(tmp_path / "c.parquet", pa.table(GOOD))
    assert found(tmp_path).notes == ()


@pytest.mark.parametrize("form", ["ids", "names"])
def test_lists_of_classes_may_be_empty(tmp_path: Path, form: str) -> None:
    words = ", vocabulary: [a, b]" if form == "names" else ""
    text = f"""
heads:
  h: {{type: multi_label, n_classes: 2, logits: s, label: {{column: y, form: {form}{words}}}}}
"""
    examples(tmp_path / "a.tfrecord", {"s": [0.1, 0.2], "y": ["a"] if words else [1]})
    examples(tmp_path / "b.tfrecord", {"s": [0.1, 0.2]})
    assert found(tmp_path, text).notes == (
        f"1 file has no 'y' in the first records: {tmp_path}/b.tfrecord",
    )
    assert evaluate(str(tmp_path / "*"), plan_of(text)).report["rows"]["read"] == 2


def test_a_rare_feature_is_looked_for_in_more_records(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.readers.input_summary._RECORDS", 1)
    text = "heads: {h: {type: binary, logits: s, label: y}}\nslices: [c]"
    row: dict[str, list[Any]] = {"s": [0.5], "y": [1]}
    examples(tmp_path / "a.tfrecord", *[row] * 20, row | {"c": ["x"]})
    (note,) = found(tmp_path, text).notes
    assert "no 'c' in the first records" in note


def test_damage_that_is_left_out_hides_no_columns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "heads: {h: {type: binary, logits: s, label: y}}"
    row: dict[str, list[Any]] = {"s": [0.5]}
    examples(tmp_path / "a.tfrecord", *[row] * 20)
    content = bytearray((tmp_path / "a.tfrecord").read_bytes())
    content[20] ^= 1
    (tmp_path / "a.tfrecord").write_bytes(content)
    # As it is, the file cannot be read.
    assert bad(tmp_path, text)[0].startswith("a.tfrecord: row 0, byte 0: corrupt_")
    with pytest.raises(ConfigError, match=r"no column 'y' in .*a\.tfrecord; it has: s"):
        found(tmp_path, "on_corrupt: skip_record\n" + text)
    # Nor can it, if the damage is behind the first records.
    content[20] ^= 1
    content[-5] ^= 1
    (tmp_path / "a.tfrecord").write_bytes(content)
    monkeypatch.setattr("pipeline.readers.input_summary._RECORDS", 1)
    assert bad(tmp_path, text)[0].startswith("a.tfrecord: row 19, byte ")


def test_unreadable_shards_are_told(tmp_path: Path) -> None:
    write(tmp_path / "b.parquet", pa.table(GOOD))
    (tmp_path / "a.parquet").write_bytes(b"broken")
    assert [problem.split(": ")[:2] for problem in bad(tmp_path)] == [
        ["a.parquet", "corrupt_parquet"]
    ]
    write(tmp_path / "b.parquet", pa.table(GOOD).drop(["label"]))
    with pytest.raises(ConfigError, match=r"no column 'label' in .*b\.parquet"):
        found(tmp_path)


def test_problems_of_names_sizes_and_the_manifest_are_told_together(tmp_path: Path) -> None:
    size = write(tmp_path / "d/a-00000-of-00002.parquet", pa.table(GOOD)).bytes
    (tmp_path / "d/b.parquet").write_bytes(b"")
    (tmp_path / "m.csv").write_text("path,bytes\nd/a-00000-of-00002.parquet,7\nd/b.parquet,0\n")
    text = f"input_manifest: {tmp_path}/m.csv" + TEXT
    assert [problem.split("; ")[0] for problem in bad(tmp_path, text, "d/*")] == [
        "1 file has no bytes: d/b.parquet",
        "d/a-*-of-2.parquet: 1 of 2 files is missing: 1",
        f"d/a-00000-of-00002.parquet: has {size:,} bytes, and the manifest lists 7",
    ]
    (tmp_path / "m.csv").write_text("path,rows\nd/a-00000-of-00002.parquet,1\nd/b.parquet,0\n")
    allowed = "allow_empty_shards: true\nallow_missing_shards: true\n" + text
    (tmp_path / "d/.c.parquet").write_bytes(b"")
    listing = found(tmp_path, allowed, "d")
    (shard,) = listing
    assert shard.rows == 1
    assert [note.replace(f"{tmp_path}/", "") for note in listing.notes] == [
        "d is a folder: all files below it are read",
        "passed over, as hidden, temporary or beginning with '_': 1 file (d/.c.parquet)",
        "1 file has no bytes, passed over: d/b.parquet",
        "d/a-*-of-2.parquet: 1 of 2 files is missing: 1",
    ]
    # The manifest is read first.
    (tmp_path / "m.csv").write_text("path,row\n")
    with pytest.raises(ConfigError, match=r"m\.csv:1: unknown column 'row'; did you mean 'rows'"):
        found(tmp_path, text, "d/*")


def test_rows_and_checksums_that_a_manifest_lists_are_held_against_the_files(
    tmp_path: Path,
) -> None:
    for name in "abc":
        write(tmp_path / f"{name}.parquet", pa.table(GOOD))
    write(tmp_path / "d.parquet", pa.table(GOOD).drop(["label"]))
    lines = ["a.parquet,1,00000000", "b.parquet,2,00000000", "c.parquet,3,00000001"]
    text = f"input_manifest: {tmp_path}/m.csv" + TEXT
    (tmp_path / "m.csv").write_text("\n".join(["path,rows,crc32c", *lines, "d.parquet,1,00000002"]))
    crc = {
        name: f"{tmp_path}/{name}.parquet: has the CRC32C {crc_of(tmp_path, name)}"
        for name in "abcd"
    }
    assert bad(tmp_path, text, "*.parquet") == [
        line.replace(f"{tmp_path}/", "")
        for line in (
            f"{crc['a']}, and the manifest lists 00000000",
            f"{crc['b']}, and the manifest lists 00000000",
            f"{crc['c']}, and the manifest lists 00000001",
            f"{crc['d']}, and the manifest lists 00000002",
            "b.parquet: has 1 row, and the manifest lists 2",
            "c.parquet: has 1 row, and the manifest lists 3",
            "1 file has no column 'label': d.parquet",
        )
    ]


def crc_of(tmp_path: Path, name: str) -> str:
    with open_local(str(tmp_path / f"{name}.parquet")) as stream:
        return f"{crc32c_of(stream):08x}"


def opened_by(
    tmp_path: Path, text: str, shards: Sequence[Shard]
) -> tuple[set[str], ConfigError | BadData | None]:
    """The files that the check of some opens, and what it says."""
    opened: set[str] = set()

    def open_file(path: str) -> BinaryIO:
        opened.add(path)
        return open_local(path)

    try:
        check_some(plan_of(text), shards, "c.yaml", open_file)
    except (ConfigError, BadData) as error:
        return opened, error
    return opened, None


def test_of_many_files_some_are_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.evaluation.input_files._SOME", 7)
    for i in range(30):
        write(tmp_path / f"{i:02}.parquet", pa.table(GOOD))
    # What is listed of a file is for all of them to be held against.
    shards = [replace(shard, rows=9, crc32c=1) for shard in found(tmp_path)]
    for count in (1, 6, 7, 8, 13, 14, 15, 29, 30):
        opened, error = opened_by(tmp_path, TEXT, shards[:count])
        assert error is None
        # Evenly spread, the first among them, and all if they are few.
        places = sorted(int(Path(path).stem) for path in opened)
        assert len({b - a for a, b in pairwise(places)}) <= 1
        assert places[0] == 0
        assert min(count, 4) <= len(places) <= 7
        assert len(places) == count or count > 7
    _, error = opened_by(tmp_path, TEXT.replace("country", "county"), shards)
    assert "no column 'county'" in str(error)


def test_a_verdict_says_what_the_check_says(tmp_path: Path) -> None:
    def verdict(text: str) -> InputVerdict:
        plan = plan_of(text)
        footers = summarize_inputs(found_names(tmp_path), names_looked_for(plan), open_local)
        return validate_inputs(plan, footers, "c.yaml", open_local)

    write(tmp_path / "a.parquet", pa.table(GOOD))
    assert verdict(TEXT) == InputVerdict()
    with pytest.raises(ConfigError) as caught:
        found(tmp_path, TEXT.replace("country", "county"))
    assert verdict(TEXT.replace("country", "county")) == InputVerdict((str(caught.value),))
    write(tmp_path / "b.parquet", pa.table(GOOD).drop(["label"]))
    assert [p.replace(f"{tmp_path}/", "") for p in verdict(TEXT).problems] == bad(tmp_path)
    (tmp_path / "b.parquet").unlink()
    examples(
        tmp_path / "b.tfrecord",
        {n: v for n, v in GOOD.items() if n != "country"} | {"scores": GOOD["scores"][0]},
    )
    assert verdict(TEXT) == InputVerdict(notes=found(tmp_path).notes) != InputVerdict()


def found_names(tmp_path: Path) -> tuple[Shard, ...]:
    return list_local([str(tmp_path / "*")]).shards


def test_problems_are_bounded(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"a{i}-00001-of-00002.parquet").write_bytes(b"x")
    problems = bad(tmp_path)
    assert len(problems) == 21
    assert problems[-1] == "... and 10 more"


def test_nothing_but_files_of_no_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"")
    assert bad(tmp_path, "allow_empty_shards: true" + TEXT) == [
        "there are no files with bytes",
        "1 file has no bytes, passed over: a.parquet",
    ]


def test_nothing_but_files_that_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.parquet.tmp").write_bytes(b"x")
    assert bad(tmp_path) == ["no file matches *: all are passed over (a.parquet.tmp)"]


def test_no_file_at_all(tmp_path: Path) -> None:
    patterns = [str(tmp_path / "*.parquet"), str(tmp_path / "*.pq")]
    with pytest.raises(BadData) as caught:
        find_shards(plan_of(TEXT), patterns, "c.yaml", list_local, open_local)
    assert caught.value.problems == [f"no file matches {pattern}" for pattern in patterns]


def test_a_file_of_no_known_format_is_a_problem_of_the_input(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x")
    with pytest.raises(ConfigError, match=r"^c.yaml: input: .*a.csv: cannot tell the format"):
        find_shards(plan_of(TEXT), [str(tmp_path / "*")], "c.yaml", list_local, open_local)


@pytest.mark.parametrize(
    "make",
    [lambda t: t, pa.list_, pa.large_list, lambda t: pa.list_(t, 1)],
    ids=["plain", "list", "large_list", "fixed_size_list"],
)
def test_single_values_may_be_in_lists(
    tmp_path: Path, make: Callable[[pa.DataType], pa.DataType]
) -> None:
    columns = GOOD | {
        name: pa.array([], make(pa.array(GOOD[name]).type))
        for name in ("split", "country", "score", "label", "weight")
    }
    columns["scores"] = pa.array([], pa.list_(pa.float32()))
    assert told(tmp_path, columns) == []
