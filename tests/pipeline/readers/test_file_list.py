"""Tests listings: the files that globs match, each once, and what cannot be listed."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest

from pipeline.readers import file_list
from pipeline.readers.file_list import (
    CanonicalNames,
    Listing,
    Match,
    Matches,
    list_local,
    make_listing,
)
from pipeline.readers.shards import Shard
from pipeline.readers.stamps import Stamp, stamp_of
from pipeline.readers.storage import open_local
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.walk import Found, walk
from pipeline.readers.would_read import would_read


def touch(directory: Path, *names: str) -> None:
    for name in names:
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (len(name) % 7))


def listing_of(directory: Path, *patterns: str) -> Listing:
    return list_local([f"{directory}/{pattern}" for pattern in patterns])


def listed(directory: Path, *patterns: str) -> list[str]:
    return [os.path.relpath(shard.path, directory) for shard in listing_of(directory, *patterns)]


def notes(directory: Path, *patterns: str) -> list[str]:
    return [note.replace(f"{directory}/", "") for note in listing_of(directory, *patterns).notes]


def problems(directory: Path, *patterns: str) -> list[str]:
    lines = listing_of(directory, *patterns).problems
    return [line.replace(f"{directory}/", "") for line in lines]


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


def test_every_glob_must_match_data(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "_b.parquet", "c/_d.parquet")
    (tmp_path / "empty").mkdir()
    none = "no file matches"
    assert problems(tmp_path, "a*", "day2/*", "gone") == [f"{none} day2/*", f"{none} gone"]
    assert problems(tmp_path, "day2/*") == [f"{none} day2/*"]
    assert problems(tmp_path, "a*", "_b*") == [f"{none} _b*: all are passed over (_b.parquet)"]
    assert problems(tmp_path, "a*", "c") == [f"{none} c: all are passed over (c/_d.parquet)"]
    assert problems(tmp_path, "empty", "empty/", "empty/*") == [
        f"{none} empty: the folder is empty",
        f"{none} empty/: the folder is empty",
        f"{none} empty/*",
    ]
    assert problems(tmp_path, "{a,b}.parquet") == [
        f"{none} {{a,b}}.parquet; braces are not expanded: give --input twice"
    ]
    assert list_local([""]).problems == ("no file matches ''",)
    touch(tmp_path, "{a,b}.parquet")
    assert problems(tmp_path, "{a,b}.parquet") == []


def test_a_name_that_is_a_glob_is_told_how_to_be_written(tmp_path: Path) -> None:
    touch(tmp_path, "run[1]/a.parquet")
    how = "'[', '*' and '?' are of globs: give what has this name as"
    (line,) = list_local([f"{tmp_path}/run[1]"]).problems
    assert line == f"no file matches {tmp_path}/run[1]; {how} {tmp_path}/run[[]1]"
    assert listed(tmp_path, "run[[]1]") == ["run[1]/a.parquet"]


def test_a_file_under_several_names_is_listed_once(tmp_path: Path) -> None:
    touch(tmp_path, "real/z.parquet", "real/other.parquet")
    (tmp_path / "a.parquet").symlink_to(tmp_path / "real/z.parquet")
    (tmp_path / "latest").symlink_to("real")
    assert listed(tmp_path, "*.parquet", "real/z*") == ["real/z.parquet"]
    assert notes(tmp_path, "*.parquet", "real/z*") == [
        "a.parquet is the same file as real/z.parquet and read once"
    ]
    assert listed(tmp_path, "*/*") == ["real/other.parquet", "real/z.parquet"]
    assert notes(tmp_path, "*/z*") == ["latest is the same folder as real and read once"]
    (tmp_path / "none").symlink_to("empty")
    (tmp_path / "empty").mkdir()
    (tmp_path / "first").symlink_to("real")
    assert notes(tmp_path, "*/*") == [
        "2 names are of folders read under another name: first is real, latest is real"
    ]
    (tmp_path / "first").unlink()
    assert notes(tmp_path, "*/*", "latest/z*") == [
        "latest/z.parquet is the same file as real/z.parquet and read once",
        "latest is the same folder as real and read once",
    ]
    # If only a link matches, its name counts: it may tell the format when the file does not.
    (tmp_path / "real/3f5a").write_bytes(b"x")
    (tmp_path / "b.parquet").symlink_to("real/3f5a")
    assert listed(tmp_path, "b*") == ["b.parquet"]
    # Two links lead to the same file, and the file itself does not match.
    (tmp_path / "c.parquet").symlink_to("real/3f5a")
    assert listed(tmp_path, "[bc]*") == ["b.parquet"]


def test_what_cannot_be_read_is_a_problem(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet")
    (tmp_path / "b.parquet").symlink_to("gone.parquet")
    os.mkfifo(tmp_path / "c.parquet")
    os.mkfifo(tmp_path / "_c.parquet")
    (tmp_path / "d.parquet").symlink_to("d.parquet")
    assert problems(tmp_path, "*") == [
        "b.parquet is a link to nothing",
        "c.parquet is a named pipe, not a file",
        "d.parquet cannot be read: Too many levels of symbolic links",
    ]
    assert problems(tmp_path, "a*", "_c*") == [
        "no file matches _c*: all are passed over (_c.parquet)"
    ]


def test_a_file_that_vanishes_while_files_are_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.parquet", "b.parquet")
    gone = Found(str(tmp_path / "gone.parquet"), str(tmp_path / "gone.parquet"), "file")
    monkeypatch.setattr(file_list, "walk", lambda pattern: [*walk(pattern), gone])
    assert problems(tmp_path, "*") == ["gone.parquet cannot be read: No such file or directory"]


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
    paths = [(globs[0], "gs://b/x//a.pq"), (globs[0], "gs://b/x/a.pq"), (globs[1], "gs://b/x/a.pq")]
    matches = Matches(
        files=[Match(glob, path, Stamp(3), path, path) for glob, path in paths],
        passed=[(globs[0], "gs://b/_t/a.pq")],
    )
    listing = make_listing(globs, matches, open_local)
    assert [shard.path for shard in listing] == ["gs://b/x//a.pq", "gs://b/x/a.pq"]
    assert listing.notes == (
        "gs://b/x/a.pq is matched by 2 globs and read once",
        "passed over, as hidden, temporary or beginning with '_': 1 file (gs://b/_t/a.pq)",
    )
    assert listing.problems == ()


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


def test_a_name_that_is_no_text_is_an_error(tmp_path: Path) -> None:
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/a\xff.parquet")).touch()
    with pytest.raises(ValueError, match=r"/a\\udcff.parquet': the name is not UTF-8; rename it"):
        list_local([str(tmp_path / "*")])


def test_names_that_are_no_text_can_be_told(tmp_path: Path) -> None:
    for name in (b"_\xff.parquet", b"a\xff.tmp"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    os.mkfifo(os.fsencode(tmp_path) + b"/\xfe.parquet")
    touch(tmp_path, "a.parquet")
    listing = listing_of(tmp_path, "*", os.fsdecode(b"\xfd*"))
    for line in (*listing.notes, *listing.problems):
        line.encode()
    assert any("_\\xff.parquet" in note for note in listing.notes)
    assert any("\\xfe.parquet is a named pipe" in problem for problem in listing.problems)
    assert any("no file matches" in line and "\\xfd*" in line for line in listing.problems)


def test_a_file_of_another_format_is_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "notes.txt")
    with pytest.raises(ValueError, match=r"notes.txt: cannot tell the format"):
        listed(tmp_path, "*")


def test_two_stars_match_directories_of_any_depth(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "x/b.parquet", "x/y/c.parquet", "x/y/.hidden/d.parquet")
    assert listed(tmp_path, "**/*.parquet") == ["a.parquet", "x/b.parquet", "x/y/c.parquet"]
    assert listed(tmp_path, "*/*.parquet") == ["x/b.parquet"]


def test_a_folder_is_read_as_the_files_below_it(tmp_path: Path) -> None:
    # Spark writes a directory of this name.
    touch(tmp_path, "x/b.parquet", "out.parquet/part-0.parquet", "out.parquet/_SUCCESS")
    touch(tmp_path, "out.parquet/.part-0.parquet.crc", "out.parquet/_old/part-1.parquet")
    touch(tmp_path, "out.parquet/day=1/part-2.parquet", "c.parquet")
    below = ["out.parquet/day=1/part-2.parquet", "out.parquet/part-0.parquet"]
    for pattern in ("*.parquet", "**/*.parquet", "*t", "out.parquet", "out.parquet/", "o*/", "*/"):
        assert set(below) <= set(listed(tmp_path, pattern)), pattern
    assert listed(tmp_path, "out.parquet") == listed(tmp_path, "out.parquet/") == below
    assert listed(tmp_path, "*.parquet") == ["c.parquet", *below]
    assert listed(tmp_path, "*/") == [*below, "x/b.parquet"]
    passed = "passed over, as hidden, temporary or beginning with '_': 3 files and folders"
    for pattern in ("*.parquet", "out.parquet"):
        assert notes(tmp_path, pattern) == [
            "out.parquet is a folder: all files below it are read",
            f"{passed} (out.parquet/.part-0.parquet.crc, out.parquet/_SUCCESS, out.parquet/_old/)",
        ]
    assert notes(tmp_path, "*")[0] == (
        "2 matches are folders, of which all files below are read: out.parquet, x"
    )
    assert listed(tmp_path, "**") == ["c.parquet", *below, "x/b.parquet"]


def test_files_of_a_job_that_has_not_finished_are_passed_over(tmp_path: Path) -> None:
    # Hadoop committers and Spark write here first; what they leave are copies.
    touch(tmp_path, "out/part-0.parquet", "out/_temporary/0/task/part-0.parquet")
    assert listed(tmp_path, "out/**/*.parquet") == ["out/part-0.parquet"]


def test_hard_links_are_the_same_file(tmp_path: Path) -> None:
    touch(tmp_path, "b.parquet", "other.parquet")
    os.link(tmp_path / "b.parquet", tmp_path / "a.parquet")
    (tmp_path / "d").mkdir()
    os.link(tmp_path / "b.parquet", tmp_path / "d/c.parquet")
    assert listed(tmp_path, "*.parquet", "d/*") == ["a.parquet", "other.parquet"]
    noted = ["b.parquet is the same file as a.parquet and read once"]
    assert notes(tmp_path, "*.parquet") == notes(tmp_path, "a*", "b*") == noted
    # A link to one of two names, and one of a name that does not match.
    (tmp_path / "link.parquet").symlink_to("d/c.parquet")
    assert listed(tmp_path, "[bl]*") == ["b.parquet"]
    assert listed(tmp_path, "[l]*") == ["link.parquet"]


def test_inodes_that_are_made_up_join_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.parquet", "b.parquet")
    stat = os.stat

    def zero(path: str, **more: object) -> os.stat_result:
        status = list(stat(path, **more))
        status[1] = 0
        return os.stat_result(status)

    monkeypatch.setattr(file_list.os, "stat", zero)
    assert listed(tmp_path, "*") == ["a.parquet", "b.parquet"]


def test_directories_that_state_a_column_twice_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "k=1/day=1/k=2/b.parquet", "k=1/c.parquet")
    assert problems(tmp_path, "**") == [
        "directories state the column 'k' more than once, and which value counts no one can tell:"
        " k=1/day=1/k=2/b.parquet"
    ]


def put_records(path: Path, compression: str | None = None) -> None:
    write_records(path, [b"x", b"y"], compression)


def test_first_bytes_tell_the_format_where_the_name_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_records(tmp_path / "r")
    put_records(tmp_path / "x-00000-of-00001.gz", "gzip")
    put_records(tmp_path / "y.tfrecord", "gzip")
    (tmp_path / "000000_0").write_bytes(b"PAR1" + bytes(20))
    (tmp_path / "a.parq").write_bytes(b"PAR1" + bytes(20))
    (tmp_path / "empty").touch()
    (tmp_path / "z.parquet").write_bytes(b"no Parquet")
    opened: list[str] = []
    monkeypatch.setattr(
        file_list, "open_local", lambda path: opened.append(path) or open_local(path)
    )
    formats = {os.path.basename(s.path): s.format for s in listing_of(tmp_path, "*")}
    assert formats == {
        "000000_0": "parquet",
        "a.parq": "parquet",
        "empty": "tfrecord",
        "r": "tfrecord",
        "x-00000-of-00001.gz": "tfrecord",
        "y.tfrecord": "tfrecord",
        "z.parquet": "parquet",
    }
    # Where the name tells it, or there is nothing to read, no file is opened.
    assert sorted(map(os.path.basename, opened)) == [
        "000000_0",
        "a.parq",
        "r",
        "x-00000-of-00001.gz",
    ]
    opened.clear()
    forced = list_local([str(tmp_path / "*")], "parquet")
    assert {shard.format for shard in forced} == {"parquet"}
    assert not opened


def test_all_files_that_tell_no_format_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet")
    for number in range(30):
        (tmp_path / f"{number:02}.csv").write_text("s,y")
    (tmp_path / "30.parquet.gz").write_bytes(gzip.compress(b"PAR1"))
    with pytest.raises(ValueError, match=r"00\.csv") as caught:
        listing_of(tmp_path, "*")
    lines = caught.value.args
    assert lines[0].startswith(f"{tmp_path}/00.csv: cannot tell the format from the name, nor from")
    assert lines[0].endswith("it begins b's,y'. Write .csv files anew as Parquet")
    assert lines[3] == "... and 27 more files like these"
    assert "Name Parquet files .parquet and TFRecord" in lines[4]
    assert len(lines) == 5


def test_a_file_that_cannot_be_looked_into_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a").write_bytes(b"PAR1")
    (tmp_path / "b").write_bytes(b"PAR1")

    def refuse(path: str) -> object:
        raise PermissionError(13, "Permission denied") if path.endswith("a") else OSError(5, "EIO")

    monkeypatch.setattr(file_list, "open_local", refuse)
    assert problems(tmp_path, "*") == [
        "a: unreadable_file: the file cannot be opened: Permission denied",
        "b: cannot be read: EIO; run again when it can",
    ]


def test_stamps_are_those_of_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet")
    (shard,) = listing_of(tmp_path, "*")
    assert shard.stamp == stamp_of((tmp_path / "a.parquet").stat())


def test_what_would_be_read_is_what_is_listed(tmp_path: Path) -> None:
    touch(tmp_path, "a.parquet", "d/b.parquet")
    for pattern in ("*", "**", "d", "*.parquet", "d/../*", "*/"):
        for name in ("a.json", "_a.json", "d/x.parquet", "d/e/f.pb", "x.tmp", "y.parquet"):
            path = tmp_path / name
            expected = would_read([f"{tmp_path}/{pattern}"], [str(path)])
            path.parent.mkdir(exist_ok=True)
            path.touch()
            real = {os.path.realpath(shard.path) for shard in listing_of(tmp_path, pattern)}
            assert (str(path) in real) == (expected is not None), (pattern, name)
            path.unlink()
