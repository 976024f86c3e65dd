"""Folders of which the files must not be read as they are found, or change while they are read."""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tests.faults.corpus import (
    CONFIG,
    FAULTS,
    HEAD,
    OK,
    ROWS,
    Make,
    columns,
    fault,
    parquet,
    records,
    spoil,
    tfrecord,
)

__all__ = ["FAULTS"]  # those of the corpus, and these


def beside(name: str, put: Callable[[Path], object]) -> Make:
    """A good file, and something of a name that would be a file of data."""

    def make(place: Path, rng: np.random.Generator) -> None:
        parquet(place / "a.parquet", columns(rng))
        (place / name).parent.mkdir(exist_ok=True)
        put(place / name)

    return make


def bind(path: Path) -> None:
    # The name of a socket must be short, wherever the test is.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as bound:
            bound.bind(path.name)
    finally:
        os.chdir(here)


for _name, _put, _said in (
    ("a named pipe", os.mkfifo, "is a named pipe"),
    ("a socket", bind, "is a socket"),
    ("a link to a device", lambda path: path.symlink_to("/dev/null"), "is a device"),
    ("a link to nothing", lambda path: path.symlink_to("gone"), "is a link to nothing"),
    ("a link to itself", lambda path: path.symlink_to(path.name), "Too many levels"),
):
    fault(f"{_name} beside the data", rf"b\.parquet.*{_said}", inputs=("*",))(
        beside("b.parquet", _put)
    )


def two_folders(place: Path, rng: np.random.Generator) -> None:
    for day in (1, 2):
        (place / f"day={day}").mkdir()
        parquet(place / f"day={day}/a.parquet", columns(rng))


for _globs in (("*/*.parquet",), ("**",), ("",), ("day=1", "day=2")):
    fault(
        f"a folder that nobody may list, by {' and '.join(_globs) or 'the folder above'}",
        r"day=2 cannot be read: Permission denied",
        inputs=_globs,
        refused=("day=2",),
    )(two_folders)
fault(
    "a file that nobody may read",
    r"b\.parquet.*cannot be opened: Permission denied",
    refused=("b.parquet",),
)(spoil("s", 0, 0.5))
fault(
    "a file that nobody may read, of a name that tells no format",
    r"b.*cannot be opened: Permission denied",
    inputs=("*",),
    refused=("b",),
)(beside("b", lambda path: path.write_bytes(b"PAR1")))


@fault("links in circles", exit=OK, inputs=("**",), report={"rows.read": ROWS})
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    for name in ("x", "y", "z"):
        (place / name).symlink_to(".")


@fault(
    "an input that matches nothing beside one that does", r"gone\*", inputs=("*.parquet", "gone*")
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.parquet", columns(rng))


@fault("braces", r"braces are not expanded: give --input twice", inputs=("{a,b}.parquet",))
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))


def spark(place: Path, rng: np.random.Generator) -> None:
    """A file, and a folder beside it that is named like one."""
    parquet(place / "a.parquet", columns(rng))
    (place / "b.parquet").mkdir()
    parquet(place / "b.parquet/part-0.parquet", columns(rng))
    for name in ("_SUCCESS", ".part-0.parquet.crc"):
        (place / "b.parquet" / name).touch()


for _globs in (("*",), ("*.parquet",), ("",), ("b.parquet", "a*")):
    fault(
        f"a folder of Spark, by {' and '.join(_globs) or 'the folder above'}",
        exit=OK,
        inputs=_globs,
        report={"rows.read": 2 * ROWS, "notes.0": r"is a folder|are folders"},
    )(spark)
for _name, _mark in (
    ("Delta Lake", "_delta_log/0.json"),
    ("Hudi", ".hoodie/hoodie.properties"),
    ("Iceberg", "metadata/v1.metadata.json"),
):
    for _glob in ("", "*.parquet"):
        fault(
            f"a table of {_name} as {_glob or 'a folder'}",
            rf"{_name} table.*--input for each file of its current version",
            inputs=(_glob,),
        )(beside(_mark, Path.touch))
fault("a folder that is being written", r"has _temporary/", inputs=("",))(
    beside("_temporary/0", Path.touch)
)


@fault(
    "names that tell no format",
    exit=OK,
    inputs=("*",),
    report={"rows.read": 4 * ROWS},
    beam=True,
)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "000000_0", columns(rng))
    parquet(place / "a.parq", columns(rng))
    tfrecord(place / "examples-00000-of-00001.gz", records(rng))
    tfrecord(place / "records", records(rng))


@fault("a forced format", exit=OK, inputs=("*",), config=f"format: parquet\n{HEAD}")
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.tfrecord", columns(rng))


@fault("Parquet under another name", r"b\.tfrecord: wrong_format: .*begins as Parquet")
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "b.tfrecord", columns(rng))


@fault("a file of text", r"notes\.txt.*cannot tell the format", inputs=("*",), exit=CONFIG)
def _(place: Path, rng: np.random.Generator) -> None:
    parquet(place / "a.parquet", columns(rng))
    (place / "notes.txt").write_text("to do: nothing")


for _name, _link in (("hard links", os.link), ("links", os.symlink)):

    @fault(
        f"{_name} to a file",
        exit=OK,
        report={"rows.read": ROWS, "notes.0": r"b\.parquet is the same file as .*a\.parquet"},
    )
    def _(
        place: Path, rng: np.random.Generator, link: Callable[[Path, Path], None] = _link
    ) -> None:
        parquet(place / "a.parquet", columns(rng))
        link(place / "a.parquet", place / "b.parquet")


def copied(rows: int, name: str = "b.parquet") -> Make:
    def make(place: Path, rng: np.random.Generator) -> None:
        parquet(place / "a.parquet", columns(rng, rows))
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy(place / "a.parquet", place / name)

    return make


_SAME = r"a\.parquet.*, .*b\.parquet hold the same 100 rows"
fault("a copy of 100 rows", f"{_SAME}.*allow_duplicate_files", beam=True)(copied(100))
fault("a copy in another partition", r"hold the same 100 rows", inputs=("**",))(
    copied(100, "day=2/a.parquet")
)
fault("a copy of 99 rows", exit=OK, report={"notes.0": "hold the same 99 rows"})(copied(99))
fault(
    "a copy of 100 rows, which is allowed",
    exit=OK,
    config=f"allow_duplicate_files: true\n{HEAD}",
    report={"rows.read": 200, "notes.0": _SAME},
)(copied(100))


@fault("a copy in another order and coding", f"{_SAME}.*allow_duplicate_files")
def _(place: Path, rng: np.random.Generator) -> None:
    table = pa.table(columns(rng, 100))
    pq.write_table(table, place / "a.parquet")
    pq.write_table(table.take(list(rng.permutation(100))), place / "b.parquet", compression="gzip")


@fault("a column in two directories", r"column 'g' more than once.*g=a/g=b", inputs=("**",))
def _(place: Path, rng: np.random.Generator) -> None:
    (place / "g=a/g=b").mkdir(parents=True)
    parquet(place / "g=a/g=b/a.parquet", columns(rng))


def rewritten(place: Path) -> None:
    parquet(place / "b.parquet", columns(np.random.default_rng(7)))


def replaced(place: Path) -> None:
    """By a file of the same size that claims to be as old."""
    content = (place / "b.parquet").read_bytes()
    status = (place / "b.parquet").stat()
    (place / "new").write_bytes(content)
    os.utime(place / "new", ns=(status.st_atime_ns, status.st_mtime_ns))
    os.replace(place / "new", place / "b.parquet")


def grown(place: Path) -> None:
    with (place / "b.parquet").open("ab") as stream:
        stream.write(b"x")


def made_pipe(place: Path) -> None:
    (place / "b.parquet").unlink()
    os.mkfifo(place / "b.parquet")


_CHANGED = r"b\.parquet: changed_file: the file changed while the run read it"
for _what, _meanwhile, _said in (
    ("is written again", rewritten, _CHANGED),
    ("is replaced", replaced, _CHANGED),
    ("grows", grown, _CHANGED),
    ("is emptied", lambda place: (place / "b.parquet").write_bytes(b""), _CHANGED),
    ("becomes a pipe", made_pipe, _CHANGED),
    ("is deleted", lambda place: (place / "b.parquet").unlink(), r"b\.parquet: missing_file"),
):
    fault(
        f"a file that {_what} during the run",
        _said,
        meanwhile=_meanwhile,
        beam=_what in ("is written again", "is deleted"),
    )(spoil("s", 0, 0.5))
