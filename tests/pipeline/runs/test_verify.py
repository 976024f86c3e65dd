"""Finished runs are verified before they are believed, or refused by the name of a file."""

from __future__ import annotations

import builtins
import json
import os
import socket
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from pipeline import cli
from pipeline.errors.faults import StorageError
from pipeline.errors.problems import ConfigError
from pipeline.readers.storage import open_local
from pipeline.runs import verify
from pipeline.runs.load import load_run
from pipeline.runs.manifest import sha256, success_bytes
from pipeline.runs.read import read_run
from pipeline.runs.verify import open_run
from tests.pipeline.whole_runs import config, finish_run, seal, table

FILES = {"report.json": b"a report\n", "states.zip": b"states"}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of files that hold nothing of the kind."""
    directory = tmp_path / "run"
    directory.mkdir()
    for name, content in FILES.items():
        (directory / name).write_bytes(content)
    return seal(directory)


def refusal(run: Path) -> str:
    """What is said of a run whose files are read."""
    with pytest.raises(ConfigError) as caught:
        read_run(str(run), list(FILES))
    message = str(caught.value)
    assert message.startswith(f"{run}: the run cannot be read, run it again with this release: ")
    assert "\n" not in message
    return message.partition("this release: ")[2]


def resealed(run: Path, **changes: Any) -> Path:
    """The run with changes to its manifest that `_SUCCESS` vouches for."""
    data = json.loads((run / "manifest.json").read_bytes())
    identity = data["id"]
    data |= changes
    content = json.dumps({key: value for key, value in data.items() if value != "gone"}).encode()
    (run / "manifest.json").write_bytes(content)
    (run / "_SUCCESS").write_bytes(success_bytes(identity, content))
    return run


def test_files_that_are_what_the_manifest_says(run: Path) -> None:
    opened = open_run(str(run))
    assert {name: opened.read(name) for name in FILES} == FILES
    assert opened.manifest["files"].keys() == FILES.keys()


@pytest.mark.parametrize("name", ["_SUCCESS", "manifest.json", *FILES])
def test_every_other_byte_is_refused(run: Path, name: str) -> None:
    content = (run / name).read_bytes()
    changes = [content[:-1], content + b"\n", content + b"\0", content[::-1], b"{}", b"[]", b"1"]
    for place in range(len(content)):
        for bit in (1, 32):
            changed = bytearray(content)
            changed[place] ^= bit
            changes.append(bytes(changed))
    for changed in changes:
        (run / name).write_bytes(changed)
        assert refusal(run).startswith(("_SUCCESS: ", f"{name}: ", "manifest.json: it is "))


@pytest.mark.parametrize("name", ["_SUCCESS", "manifest.json", *FILES])
def test_files_of_another_run_are_refused(run: Path, name: str, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    for file, content in FILES.items():
        (other / file).write_bytes(content[::-1])
    seal(other)
    (run / name).write_bytes((other / name).read_bytes())
    said = refusal(run)
    assert said.endswith("it was changed, or is of another run")
    assert said.startswith("manifest.json" if name == "_SUCCESS" else name)


def test_a_manifest_of_another_run_is_refused(run: Path) -> None:
    said = refusal(resealed(run, id="another"))
    assert said.startswith("manifest.json: it is of the run another, and _SUCCESS of the run run-")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"headcount_manifest": 99}, "'headcount_manifest' has version 99, and this release"),
        ({"headcount_manifest": 0}, "has version 0"),
        ({"headcount_manifest": True}, "it has no 'headcount_manifest', the version"),
        ({"headcount_manifest": "gone"}, "it has no 'headcount_manifest', the version"),
        ({"files": "gone"}, "key 'files' is missing"),
        ({"files": []}, "files: expected a mapping, not a list"),
        ({"files": {"../x": {"bytes": 1, "sha256": "0" * 64}}}, "files.'../x': '../x' is not"),
        ({"files": {"/x": {"bytes": 1, "sha256": "0" * 64}}}, "is not of the form"),
        ({"files": {"x": {"bytes": -1, "sha256": "0" * 64}}}, "files.x.bytes: expected a count"),
        ({"files": {"x": {"bytes": 1.0, "sha256": "0" * 64}}}, "files.x.bytes: expected a count"),
        ({"files": {"x": {"bytes": 1, "sha256": "0"}}}, "files.x.sha256: '0' is not"),
        ({"files": {"x": {"bytes": 1}}}, "files.x: key 'sha256' is missing"),
        ({"files": {}}, "report.json: manifest.json does not list it"),
        ({"id": "../x"}, "id: '../x' is not of the form"),
        ({"predictions": 1}, "predictions: expected text"),
        ({"versions": {"numpy": None}}, "versions.numpy: expected text, not null"),
    ],
)
def test_a_manifest_is_strict(run: Path, changes: dict[str, Any], said: str) -> None:
    assert said in refusal(resealed(run, **changes))


def test_a_manifest_may_say_more(run: Path) -> None:
    opened = open_run(str(resealed(run, job="0" * 64)))
    assert opened.read("report.json") == FILES["report.json"]


@pytest.mark.parametrize("content", [b"", b"\n"])
def test_a_run_of_an_older_release_is_refused(run: Path, content: bytes) -> None:
    (run / "_SUCCESS").write_bytes(content)
    assert refusal(run).startswith("_SUCCESS: it is empty, as in older releases: nothing")


def test_a_size_is_told_before_a_byte_is_read(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Stream(BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise AssertionError("a byte was read")

    def open_file(path: str) -> BinaryIO:
        if not path.endswith("report.json"):
            return open_local(path)
        return Stream((run / "report.json").read_bytes())

    (run / "report.json").write_bytes(FILES["report.json"] + b"more")
    with pytest.raises(ConfigError, match=r"has 13 bytes, and manifest\.json lists 9"):
        open_run(str(run), open_file).read("report.json")
    seal(run)
    monkeypatch.setitem(verify._MAX_BYTES, "report.json", 12)
    with pytest.raises(ConfigError, match="it has 13 bytes, and at most 12 are read"):
        open_run(str(run), open_file).read("report.json")


@pytest.mark.parametrize("name", ["_SUCCESS", "manifest.json"])
def test_files_that_nothing_lists_are_bounded(run: Path, name: str) -> None:
    with open(run / name, "r+b") as stream:
        stream.truncate(1 << 40)
    assert refusal(run).startswith(f"{name}: it has 1,099,511,627,776 bytes, and at most")


def test_a_file_that_ends_while_it_is_read(run: Path) -> None:
    def open_file(path: str) -> BinaryIO:
        stream: BinaryIO = open_local(path)
        if path.endswith("report.json"):
            (run / "report.json").write_bytes(b"")
        return stream

    with pytest.raises(ConfigError, match=r"report\.json: it (changed while|has 0 bytes)"):
        open_run(str(run), open_file).read("report.json")


# --- places -------------------------------------------------------------------------------------


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(path))


def make_pipe(path: Path) -> int:
    """A pipe with a writer, for whoever would open it must not wait for ever."""
    os.mkfifo(path)
    return os.open(path, os.O_RDWR)


PLACES: dict[str, tuple[Callable[[Path], Any], str]] = {
    "directory": (Path.mkdir, "it is no regular file"),
    "pipe": (make_pipe, "it is no regular file"),
    "socket": (make_socket, "it is no regular file"),
    "device": (lambda path: path.symlink_to("/dev/zero"), "it is a link to a place outside"),
    "link out": (lambda path: path.symlink_to(path.parents[1] / "out"), "it is a link to a place"),
    "link up": (lambda path: path.symlink_to("../run2/file"), "it is a link to a place outside"),
    "link to itself": (lambda path: path.symlink_to(path.name), "Too many levels"),
    "nothing": (lambda path: None, "No such file"),
}


@pytest.mark.parametrize("name", ["_SUCCESS", "manifest.json", *FILES])
@pytest.mark.parametrize("what", PLACES)
def test_what_is_no_file_of_the_run_is_not_opened(run: Path, name: str, what: str) -> None:
    make, said = PLACES[what]
    # The content fits, but is in another place.
    (run.parent / "out").write_bytes((run / name).read_bytes())
    (run.parent / "run2").mkdir()
    (run.parent / "run2" / "file").write_bytes((run / name).read_bytes())
    (run / name).unlink()
    made = make(run / name)
    if what == "nothing" and name == "_SUCCESS":
        with pytest.raises(ConfigError, match="holds no finished run: there is no _SUCCESS in it"):
            open_run(str(run))
    else:
        assert refusal(run).startswith(f"{name}: {said}")
    if what == "pipe":
        os.close(made)


def test_a_run_may_be_reached_by_links(run: Path) -> None:
    (run.parent / "latest").symlink_to("run")
    (run / "report.json").rename(run / "kept")
    (run / "report.json").symlink_to("kept")
    assert open_run(f"{run.parent}/latest/").read("report.json") == FILES["report.json"]


def test_commands_open_nothing_outside_of_their_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [finish_run(tmp_path / str(number), config(), table(60)) for number in (0, 1)]
    (tmp_path / "schema.pbtxt").write_text('feature { name: "s" type: FLOAT }')
    for run in runs:
        report = json.loads((run / "report.json").read_bytes())
        report["config"]["schema_file"] = str(tmp_path / "schema.pbtxt")
        (run / "report.json").write_text(json.dumps(report))
        seal(run)
    opened: list[str] = []
    real = builtins.open

    def watched(file: Any, *given: Any, **named: Any) -> Any:
        opened.append(str(file))
        return real(file, *given, **named)

    monkeypatch.setattr(builtins, "open", watched)
    assert cli.main(["show", str(runs[0])]) == 2
    assert cli.main(["diff", *map(str, runs)]) == 2
    monkeypatch.undo()
    said = "report.json: config.schema_file: a report names no files"
    assert capsys.readouterr().err.count(said) == 2
    assert len(opened) == 8
    assert {str(Path(path).parent) for path in opened} == set(map(str, runs))


def test_files_elsewhere(run: Path) -> None:
    opened = []

    def open_file(path: str) -> BinaryIO:
        opened.append(path)
        return BytesIO((run / path.rpartition("/")[2]).read_bytes())

    place = open_run("s3://b/out/", open_file)
    assert place.read("report.json") == FILES["report.json"]
    names = ("_SUCCESS", "manifest.json", "report.json")
    assert opened == [f"s3://b/out/{name}" for name in names]


@pytest.mark.parametrize("name", ["_SUCCESS", "manifest.json", "report.json"])
def test_a_store_that_is_not_reached_is_no_damaged_run(run: Path, name: str) -> None:
    def open_file(path: str) -> BinaryIO:
        if path.endswith(name):
            raise StorageError(path)
        return open_local(path)

    with pytest.raises(StorageError):
        open_run(str(run), open_file).read("report.json")


def test_no_file_is_hashed_twice(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[bytes] = []
    monkeypatch.setattr(verify, "sha256", lambda content: hashed.append(content) or sha256(content))
    finish_run(run.parent / "whole", config(), table(60))
    hashed.clear()
    load_run(str(run.parent / "whole"))
    assert len(hashed) == 3
