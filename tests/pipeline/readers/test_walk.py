"""Tests the walk over the files that a glob matches: against `glob`, and on what cannot be read."""

from __future__ import annotations

import errno
import glob
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.readers import walk as walking
from pipeline.readers.walk import Found, is_data_file, is_data_name, walk
from pipeline.readers.would_read import would_read
from tests.pipeline.tables import law

ROOT = Path(__file__).resolve().parents[3]
NAMES = ["a.pq", "b.pq", "x", "k=1", ".h", "_s", "c.tmp", "[a]"]
PARTS = ["*", "**", "*.pq", "x", "k=*", "?", "[ab]*", ".*", "_*", "..", ".", "a.pq", "x*", "**.pq"]

paths = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map("/".join)
patterns = st.builds(
    lambda parts, end: "/".join(parts) + end,
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=4),
    st.sampled_from(["", "", "", "/"]),
)


def plant(root: Path, files: list[str], links: Sequence[tuple[str, str]] = ()) -> None:
    """Makes files and links, as far as they do not contradict each other."""
    for name in files:
        try:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).touch()
        except OSError:
            continue
    for name, goal in links:
        try:
            (root / name).symlink_to(os.path.relpath(root / goal, (root / name).parent))
        except OSError:
            continue


def files(pattern: str) -> set[str]:
    return {found.path for found in walk(pattern) if found.what == "file"}


def is_data(path: str, fixed: str) -> bool:
    *directories, name = path.removeprefix(fixed).split("/")
    return is_data_file(name) and all(map(is_data_name, filter(None, directories)))


def by_glob(pattern: str) -> set[str]:
    """What `walk` should find, by Python's own `glob`; links are not in the tree."""
    expected = set()
    fixed = walking.fixed_part(pattern)
    for path in glob.glob(pattern, recursive=True):
        if os.path.isfile(path):
            expected |= {path} if is_data(path, fixed) else set()
            continue
        named = path.rstrip("/") == pattern.rstrip("/")
        below = [os.path.join(at, name) for at, _, names in os.walk(path) for name in names]
        expected |= {name for name in below if is_data(name, path if named else fixed)}
    return {os.path.normpath(path) for path in expected}


@law
@given(st.lists(paths, max_size=8), patterns)
def test_the_files_are_those_that_glob_finds_and_those_below_its_folders(
    names: list[str], pattern: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = f"{folder}/as/deep/as/parts"
        plant(Path(folder, "in"), names)
        whole = f"{folder}/in/{pattern}"
        found = list(walk(whole))
        assert {os.path.realpath(f.path) for f in found if f.what == "file"} == {
            os.path.realpath(path) for path in by_glob(whole)
        }
        for entry in found:
            assert entry.what in ("file", "folder", "passed", "again")
            assert entry.real == os.path.realpath(entry.path) or entry.path.endswith("/")


@law
@given(
    st.lists(paths, max_size=5),
    st.lists(st.tuples(paths, paths), max_size=3),
    st.lists(patterns, min_size=1, max_size=2),
    paths,
)
def test_what_would_be_read_is_what_is_read_once_it_is_there(
    names: list[str], links: list[tuple[str, str]], globs: list[str], path: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        folder = f"{folder}/as/deep/as/parts"
        root = Path(folder, "in")
        root.mkdir(parents=True)
        plant(root, names, links)
        whole = [f"{folder}/in/{pattern}" for pattern in globs]
        target = root / path
        if target.exists() or target.is_symlink():
            return
        expected = would_read(whole, [str(target)])
        try:
            Path(os.path.realpath(target)).parent.mkdir(parents=True, exist_ok=True)
            Path(os.path.realpath(target)).touch()
        except OSError:
            return
        real = os.path.realpath(target)
        read = any(f.what == "file" and f.real == real for glob_ in whole for f in walk(glob_))
        assert (expected is not None) == read


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("in/*.parquet", "in/metrics.parquet", True),
        ("in/*.parquet", "in/report.json", False),
        ("in/*", "in/report.json", True),
        ("in/*", "in/_SUCCESS", False),
        ("in/*", "in/out/states.zip", True),
        ("in", "in/out/states.zip", True),
        ("in", "in/.headcount/1/report.json", False),
        ("in/", "other/report.json", False),
        ("**", "in/out/report.json", True),
        ("**/part-*", "in/out/predictions/h/part-1", True),
        ("in/a.parquet", "in/a.parquet", True),
        ("link/*", "real/report.json", True),
        ("new/*/*", "new/run/report.json", True),
        ("dangling/*", "later/report.json", True),
        ("dangling/*", "real/report.json", False),
        ("{root}/in/*", "in/report.json", True),
        ("in/*", "{root}/in/report.json", True),
        ("in/*", "in/../in/x", True),
        ("gs://b/in/*", "gs://b/in/report.json", True),
        ("gs://b/in/*", "gs://b/in/out/report.json", True),
        ("gs://b/in", "gs://b/in/out/report.json", True),
        ("gs://b/in/", "gs://b/in/report.json", True),
        ("gs://b/in/*", "gs://b/in/_SUCCESS", False),
        ("gs://b/in/*", "gs://b/input/x", False),
        ("gs://b/in/[b-a]", "gs://b/in/a", False),
        ("gs://b/in/*", "in/x", False),
        ("in/*", "gs://b/in/x", False),
        ("gs://b/**.parquet", "gs://b/out/metrics.parquet", True),
    ],
)
def test_outputs_that_a_glob_would_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str, path: str, expected: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("in", "real"):
        (tmp_path / name).mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "dangling").symlink_to("later")
    root = str(tmp_path)
    path = path.replace("{root}", root)
    # Another path, which no glob reads, makes no difference.
    for paths in ([path], [".hidden/x", path], [path, "s3://elsewhere/_x"]):
        found = would_read(["x", pattern.replace("{root}", root)], paths)
        assert found == (path if expected else None)


def unreadable(pattern: str) -> dict[str, str]:
    return {
        os.path.basename(found.path): found.detail
        for found in walk(pattern)
        if found.what == "unreadable"
    }


def test_what_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pq").touch()
    os.mkfifo("pipe")
    os.mkfifo(".pipe")
    os.mkfifo("_pipe")
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind("socket")
    os.symlink("/dev/null", "device")
    os.symlink("pipe", "to_pipe")
    os.symlink("gone", "dangling")
    os.symlink("circle", "circle")
    os.symlink("gone", "_dangling")
    expected = {
        "pipe": "is a named pipe, not a file",
        "to_pipe": "is a named pipe, not a file",
        "socket": "is a socket, not a file",
        "device": "is a device, not a file",
        "dangling": "is a link to nothing",
        "circle": "cannot be read: Too many levels of symbolic links",
    }
    for pattern in ("*", "**", "", str(tmp_path)):
        assert unreadable(pattern or ".") == expected
        assert [os.path.basename(path) for path in files(pattern or ".")] == ["a.pq"]
    for name, why in expected.items():
        assert unreadable(name) == {name: why}
    assert unreadable("*.pq") == {}


def test_links_where_a_folder_may_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plant(tmp_path, ["day=1/a.pq"], [("day=2", "gone"), ("_day", "gone")])
    os.mkfifo("day=3")
    for pattern in ("*/*.pq", "**/*.pq", "*/a.pq", "day=2/a.pq"):
        # A pipe holds no files, and is none that these globs match.
        assert unreadable(pattern) == {"day=2": "is a link to nothing"}
    assert list(walk("day=3/a.pq")) == list(walk("none/a.pq")) == list(walk("a\0b")) == []


@pytest.mark.parametrize("code", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ELOOP])
def test_a_folder_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    plant(tmp_path, ["a.pq", "closed/b.pq", "_closed/b.pq", "closed/in/c.pq"])
    scan = os.scandir

    def refuse(path: str) -> object:
        if os.path.basename(path).endswith("closed"):
            raise OSError(code, os.strerror(code), path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    why = {"closed": f"cannot be read: {os.strerror(code)}"}
    for pattern in ("**", "*", "**/*.pq", "*/*.pq", "closed/*", "closed", ""):
        found = unreadable(f"{tmp_path}/{pattern}")
        assert found == why
    # Who knows the name needs no list.
    assert files(f"{tmp_path}/closed/b.pq") == {f"{tmp_path}/closed/b.pq"}


def test_permissions_that_bind() -> None:
    """As another user than root, to whom all is open."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        plant(root, ["a.pq", "no_list/b.pq", "no_way/c.pq"])
        root.chmod(0o755)
        (root / "no_list").chmod(0o111)
        (root / "no_way").chmod(0)
        # It imports all before it becomes another user, who may not read modules.
        program = (
            "import json, os, sys\n"
            "from tests.pipeline.readers.test_walk import unreadable\n"
            "if not os.getuid():\n"
            "    os.setuid(65534)\n"
            "print(json.dumps([unreadable(path) for path in sys.argv[1:]]))\n"
        )
        paths = [f"{root}/{end}" for end in ("**", "no_way/c.pq", "*/b.pq")]
        done = subprocess.run(
            [sys.executable, "-c", program, *paths],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            check=True,
        )
        told = json.loads(done.stdout)
        (root / "no_way").chmod(0o755)
    denied = "cannot be read: Permission denied"
    # A name in `no_list` may be used by who knows it.
    assert told == [{"no_list": denied, "no_way": denied}, {"c.pq": denied}, {"b.pq": denied}]


def test_links_in_circles_end(tmp_path: Path) -> None:
    plant(tmp_path, ["a.pq", "d/b.pq"], [("x", ""), ("y", ""), ("d/up", ""), ("d/self", "d")])
    for pattern in ("**", "**/*.pq", "*", "", "**/**"):
        found = [f.real for f in walk(f"{tmp_path}/{pattern}") if f.what == "file"]
        assert set(found) == {f"{tmp_path}/a.pq", f"{tmp_path}/d/b.pq"}
        assert len(found) <= 4
    again = {f.path: f.detail for f in walk(f"{tmp_path}/**") if f.what == "again"}
    assert again == {
        f"{tmp_path}/{name}": str(tmp_path / where)
        for name, where in {"x": "", "y": "", "d/up": "", "d/self": "d"}.items()
    }


def test_many_ways_to_a_folder_are_one(tmp_path: Path) -> None:
    """Two links in each of 30 folders: 2**30 paths."""
    for number in range(30):
        plant(tmp_path, [f"{number}/a.pq"], [(f"{number}/{n}", f"{number + 1}") for n in "xy"])
    plant(tmp_path, ["30/a.pq"])
    assert len(files(f"{tmp_path}/**/*.pq")) == 31
    assert len(files(f"{tmp_path}/0")) == 31


def test_a_folder_behind_a_link_is_walked_under_its_name_if_that_matches(tmp_path: Path) -> None:
    plant(tmp_path, ["real/z.pq", "elsewhere/y.pq"], [("latest", "real"), ("b", "elsewhere")])
    found = list(walk(f"{tmp_path}/*/*.pq"))
    assert Found(f"{tmp_path}/real/z.pq", f"{tmp_path}/real/z.pq", "file") in found
    assert Found(f"{tmp_path}/latest", f"{tmp_path}/real", "again", f"{tmp_path}/real") in found
    assert files(f"{tmp_path}/[bl]*/*") == {f"{tmp_path}/b/y.pq", f"{tmp_path}/latest/z.pq"}
