"""Tests shards: the files that globs match, formats from names, and columns of directories."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers.shards import (
    CanonicalNames,
    Listing,
    Match,
    Shard,
    WorkItem,
    file_format,
    is_data,
    list_local,
    make_listing,
    make_shard,
)
from pipeline.readers.storage import open_local
from tests.pipeline.tables import law


def touch(directory: Path, *names: str) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (len(name) % 7))


def listed(directory: Path, *patterns: str) -> list[str]:
    shards = list_local([str(directory / pattern) for pattern in patterns])
    return [os.path.relpath(shard.path, directory) for shard in shards]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.parquet", ("parquet", None)),
        ("a.PARQUET", ("parquet", None)),
        ("a.pq", ("parquet", None)),
        ("a.snappy.parquet", ("parquet", None)),
        ("dir.tfrecord/a.parquet", ("parquet", None)),
        ("part-00000-of-00010.parquet", ("parquet", None)),
        ("a.parquet-00000-of-00010", ("parquet", None)),
        ("a.tfrecord", ("tfrecord", None)),
        ("a.tfrecords", ("tfrecord", None)),
        ("a.tfrecord.gz", ("tfrecord", "gzip")),
        ("a.TFRecords.GZ", ("tfrecord", "gzip")),
        ("a.tfrecord.gz-00000-of-00010", ("tfrecord", "gzip")),
        ("a.tfrecord-00000-of-00010.gz", ("tfrecord", "gzip")),
    ],
)
def test_formats(name: str, expected: tuple[str, str | None]) -> None:
    assert file_format(name) == file_format(f"/x/{name}") == expected
    shard = make_shard(name, 7)
    assert (shard.path, shard.bytes, shard.format, shard.compression) == (name, 7, *expected)


@pytest.mark.parametrize(
    "name", ["a", "a.csv", "a.parquet.gz", "parquet", "a.parquet/b", "a.parquet-1-of-2-3", "a.gz"]
)
def test_names_that_tell_no_format(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name}: cannot tell the format") as caught:
        make_shard(name, 1)
    assert ".parquet" in str(caught.value)
    assert ".tfrecord" in str(caught.value)


def test_files_are_listed_once_and_in_order(tmp_path: Path) -> None:
    touch(tmp_path, "b.parquet", "a.pq", "c/d.tfrecord", "a.txt")
    assert listed(tmp_path, "*.p*", "*.parquet", "c/*", "b.parquet") == [
        "a.pq",
        "b.parquet",
        "c/d.tfrecord",
    ]
    assert listed(tmp_path, "nothing*", "no.parquet") == []
    assert list_local([]) == Listing(())
    (shard,) = list_local([str(tmp_path / "b.parquet")])
    assert shard == Shard(str(tmp_path / "b.parquet"), 2, "parquet")


def test_a_file_spelled_in_two_ways_is_listed_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "d/a.parquet")
    monkeypatch.chdir(tmp_path)
    assert len(list_local(["d/*.parquet", "./d/*.parquet"])) == 1
    assert len(list_local(["d/*.parquet", "d//a.parquet"])) == 1


def notes(directory: Path, *patterns: str) -> list[str]:
    listing = list_local([str(directory / pattern) for pattern in patterns])
    return [note.replace(f"{directory}/", "") for note in listing.notes]


def test_a_file_of_several_globs_is_noted(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "b.parquet", "d/c.parquet")
    assert notes(tmp_path, "*.parquet", "d/*") == []
    assert notes(tmp_path, "*.parquet", "a*", "a.parquet") == [
        "a.parquet is matched by 3 globs and read once"
    ]
    assert notes(tmp_path, "**", "*.parquet") == [
        "2 files are matched by several globs and read once: a.parquet, b.parquet"
    ]
    # The same glob, given twice, counts once.
    assert notes(tmp_path, "*.parquet", "*.parquet") == []


def test_a_glob_without_files_is_noted_beside_others(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "_b.parquet")
    assert notes(tmp_path, "a*", "day2/*") == ["no file matches day2/*"]
    assert notes(tmp_path, "a*", "_b*") == [
        "no file matches _b*",
        "passed over, as hidden, temporary or beginning with '_': 1 file (_b.parquet)",
    ]
    assert notes(tmp_path, "day2/*") == []


def test_a_file_under_several_names_is_listed_once(tmp_path: Path) -> None:
    touch(tmp_path, "real/z.parquet", "real/other.parquet")
    (tmp_path / "a.parquet").symlink_to(tmp_path / "real/z.parquet")
    (tmp_path / "latest").symlink_to("real")
    assert listed(tmp_path, "*.parquet", "real/z*") == ["real/z.parquet"]
    assert notes(tmp_path, "*.parquet", "real/z*") == [
        "real/z.parquet is matched by 2 globs and read once"
    ]
    assert listed(tmp_path, "*/*") == ["real/other.parquet", "real/z.parquet"]
    assert notes(tmp_path, "*/z*") == [
        "latest/z.parquet is the same file as real/z.parquet and read once"
    ]
    assert notes(tmp_path, "*/*") == [
        "2 names are of files read under another name: latest/other.parquet is"
        " real/other.parquet, latest/z.parquet is real/z.parquet"
    ]
    # If only a link matches, its name counts: it may tell the format when the file does not.
    (tmp_path / "real/3f5a").write_bytes(b"x")
    (tmp_path / "b.parquet").symlink_to("real/3f5a")
    assert listed(tmp_path, "b*") == ["b.parquet"]
    # Two links lead to the same file, and the file itself does not match.
    (tmp_path / "c.parquet").symlink_to("real/3f5a")
    assert listed(tmp_path, "[bc]*") == ["b.parquet"]


def test_a_link_to_nothing_is_not_lost(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").symlink_to("gone.parquet")
    (shard,) = list_local([str(tmp_path / "*")])
    assert shard.path == str(tmp_path / "a.parquet")
    assert shard.bytes > 0
    with pytest.raises(FileNotFoundError):
        open_local(shard.path)


def test_what_two_dots_mean_depends_on_links(tmp_path: Path) -> None:
    touch(tmp_path, "x/y/a.parquet", "x/b.parquet", "b.parquet")
    (tmp_path / "l").symlink_to("x/y")
    (shard,) = list_local([str(tmp_path / "l/../b.parquet")])
    assert os.path.realpath(shard.path) == str(tmp_path / "x/b.parquet")
    names = CanonicalNames()
    assert names.of(shard.path) == names.of(str(tmp_path / "x//./b.parquet"))
    assert names.of(shard.path) != names.of(str(tmp_path / "b.parquet"))


def test_names_elsewhere_are_taken_as_they_are() -> None:
    globs = ["gs://b/*", "gs://b/x*"]
    matches = [Match(globs[0], f"gs://b/{name}", 3) for name in ("x//a.pq", "x/a.pq", "_t/a.pq")]
    listing = make_listing(globs, [*matches, Match(globs[1], "gs://b/x/a.pq", 3)])
    assert [shard.path for shard in listing] == ["gs://b/x//a.pq", "gs://b/x/a.pq"]
    assert listing.notes == (
        "gs://b/x/a.pq is matched by 2 globs and read once",
        "passed over, as hidden, temporary or beginning with '_': 1 file (gs://b/_t/a.pq)",
    )


def test_temporary_files_are_passed_over_and_noted(tmp_path: Path) -> None:
    kept = ["a.tmp.parquet", "part.parquet", "x.tmp/b.parquet", "k=a~/c.parquet"]
    left = ["a.parquet.tmp", "a.parquet.TEMP", "b.parquet~", "c.parquet.part"]
    inside = ["beam-temp-out-1/d.parquet", "x/_temporary/0/e.parquet", "beam-temp-f.parquet"]
    touch(tmp_path, *kept, *left, *inside)
    assert listed(tmp_path, "**") == sorted(kept)
    (note,) = notes(tmp_path, "**")
    assert note == (
        "passed over, as hidden, temporary or beginning with '_': 7 files (a.parquet.TEMP,"
        " a.parquet.tmp, b.parquet~, beam-temp-f.parquet, beam-temp-out-1/d.parquet, ... and 2"
        " more)"
    )
    # A directory that the glob names may be of any name.
    assert listed(tmp_path, "beam-temp-out-1/*") == ["beam-temp-out-1/d.parquet"]


def test_hidden_files_and_files_about_the_data_are_passed_over(tmp_path: Path) -> None:
    touch(tmp_path, "_SUCCESS", "_metadata", ".a.parquet", "_a.parquet", "a_.parquet")
    touch(tmp_path, ".a.parquet.crc")
    assert listed(tmp_path, "*", ".*", "_*") == ["a_.parquet"]
    # This holds even if a glob names them.
    assert listed(tmp_path, "_a.parquet", ".a.parquet") == []


def test_directories_that_the_glob_names_may_be_hidden(tmp_path: Path) -> None:
    touch(tmp_path, "_x/.y/a.parquet", "_x/_z/b.parquet", "_x/.y/_b.parquet")
    assert listed(tmp_path, "_x/.y/*.parquet") == ["_x/.y/a.parquet"]
    assert listed(tmp_path, "_x/.y/a.parquet") == ["_x/.y/a.parquet"]
    assert listed(tmp_path, "_x/**/*.parquet", "_*/_z/*.parquet") == []
    for path, pattern, expected in [
        ("gs://b/out/a.parquet", "gs://b/out/**", True),
        ("gs://b/_out/a.parquet", "gs://b/_out/*", True),
        ("gs://b/out/_temporary/a.parquet", "gs://b/out/**", False),
        ("gs://b/_out/a.parquet", "gs://b/*/a.parquet", False),
        ("../_a/x.parquet", "../_a/x.parquet", True),
        ("./x.parquet", "./*", True),
        ("x1/../y.parquet", "x*/../y.parquet", True),
        ("x1/./y.parquet", "x*/./y.parquet", True),
    ]:
        assert is_data(path, pattern) == expected, path


def test_a_name_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.parquet")).touch()
    with pytest.raises(ValueError, match=r"/a\\udcff.parquet': the name is not UTF-8; rename"):
        list_local([str(tmp_path / "*")])


def test_a_file_of_another_format_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "notes.txt")
    with pytest.raises(ValueError, match=r"notes.txt: cannot tell the format"):
        listed(tmp_path, "*")


def test_two_stars_match_directories_of_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "x/b.parquet", "x/y/c.parquet", "x/y/.hidden/d.parquet")
    assert listed(tmp_path, "**/*.parquet") == ["a.parquet", "x/b.parquet", "x/y/c.parquet"]
    assert listed(tmp_path, "*/*.parquet") == ["x/b.parquet"]


def test_directories_are_no_files(tmp_path: Path) -> None:
    # Spark writes a directory of this name.
    touch(tmp_path, "x/b.parquet", "out.parquet/part-0.parquet")
    assert listed(tmp_path, "*.parquet") == []
    assert listed(tmp_path, "**") == ["out.parquet/part-0.parquet", "x/b.parquet"]


def test_files_of_a_job_that_has_not_finished_are_passed_over(tmp_path: Path) -> None:
    # Hadoop committers and Spark write here first; what they leave are copies.
    touch(tmp_path, "out/part-0.parquet", "out/_temporary/0/task/part-0.parquet")
    assert listed(tmp_path, "out/**/*.parquet") == ["out/part-0.parquet"]


def directories(path: str) -> dict[str, str | None]:
    return Shard(path, 1, "parquet").directory_columns()


def test_columns_of_directories() -> None:
    assert directories("a.parquet") == {}
    assert directories("site=A/day=2026-11-01/a.parquet") == {"site": "A", "day": "2026-11-01"}
    assert directories("/r/site=A/x/day=1/a.parquet") == {"site": "A", "day": "1"}
    assert directories("gs://b/site=A/a.parquet") == {"site": "A"}
    # The name of the file states nothing; of a repeated column the nearest directory counts.
    assert directories("site=A/site=B/x=1.parquet") == {"site": "B"}
    assert directories("k=a=b/k2=/a.parquet") == {"k": "a=b", "k2": ""}
    # As Hive writes them: percent signs are codes, plus signs are not.
    assert directories("c%20d=A%2FB%3D%25/e=1+1/a.parquet") == {"c d": "A/B=%", "e": "1+1"}
    assert directories("g=%C3%A9/a.parquet") == {"g": "é"}
    # How Hive, Spark and Arrow write null.
    assert directories("g=__HIVE_DEFAULT_PARTITION__/h=__hive/a.pq") == {"g": None, "h": "__hive"}
    # Neither a name nor what it codes need be UTF-8.
    assert directories("g=%FF/h=\udcff/a.pq") == {"g": "\udcff", "h": "\udcff"}


text = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@law
@given(st.dictionaries(text.filter(bool), text, max_size=3))
def test_every_value_can_be_stated_by_a_directory(columns: dict[str, str]) -> None:
    parts = [f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in columns.items()]
    assert directories("/".join(["/data", *parts, "a.parquet"])) == columns


def test_work_items_are_told_apart_by_name() -> None:
    shards = [make_shard("a.parquet", 1), make_shard("b.parquet", 1)]
    items = [WorkItem(shard, 0, groups) for shard in shards for groups in [(0, 1), (0, 2), (1, 2)]]
    assert len({item.name for item in items}) == len(items)
    assert items == sorted(items)
    assert WorkItem(shards[0], 3, (1, 2)).name == "a.parquet#1-2"
    assert WorkItem(make_shard("a.tfrecord", 1)).name == "a.tfrecord#0-0"


def test_opening_a_file(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet")
    with open_local(str(tmp_path / "a.parquet")) as stream:
        assert (stream.seekable(), stream.read()) == (True, b"xx")
