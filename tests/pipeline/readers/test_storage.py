"""What storage cannot read now says nothing about the data: it is told by file, and no damage."""

from __future__ import annotations

import errno
import gzip
import io
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pytest

from pipeline.beam import files
from pipeline.cli import main
from pipeline.errors.faults import DataFault, ReadError, StorageError
from pipeline.readers.input_summary import summarize_inputs
from pipeline.readers.manifest import crc32c_of, manifest_differences
from pipeline.readers.read import inspect, read_columns, read_rows, read_to_end
from pipeline.readers.shards import Shard, make_shard
from pipeline.readers.storage import OpenFile, open_listed, open_local
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from tests.pipeline.tables import PLAIN, plan_items, write

NAMES = ["a.parquet", "a.tfrecord", "a.tfrecord.gz"]
NUMBERS = [errno.ESTALE, errno.EIO, errno.ETIMEDOUT]


class Failing(io.BytesIO):
    """A stream that fails at a read and from then on, as one of a network disk does.

    Args:
        content: the content of the file.
        reads: how many reads succeed, and beyond, of all streams together.
        number: the number of the error.
    """

    def __init__(self, content: bytes, reads: list[int], number: int) -> None:
        super().__init__(content)
        self._reads = reads
        self._number = number

    def read(self, size: int | None = -1) -> bytes:
        if not self._reads[0]:
            raise OSError(self._number, os.strerror(self._number))
        self._reads[0] -= 1
        return super().read(size)


def shard_of(path: Path) -> Shard:
    """A shard of 2,000 rows."""
    if path.suffix == ".parquet":
        rows = pa.table({"s": [i / 7 for i in range(2000)], "y": [i % 2 for i in range(2000)]})
        return write(path, rows, row_group_size=700)
    records = [encode_example({"s": [i / 7], "y": [i % 2]}) for i in range(2000)]
    write_records(path, records, "gzip" if path.suffix == ".gz" else None)
    return make_shard(str(path), path.stat().st_size)


def read_all(shard: Shard, open_file: OpenFile) -> int:
    items = inspect(shard, open_file).items
    return sum(len(rows) for item in items for rows in read_rows(item, ["s", "y"], 99, open_file))


ACTIONS: list[Callable[[Shard, OpenFile], object]] = [
    read_all,
    read_columns,
    read_to_end,
    lambda shard, open_file: manifest_differences(shard, None, open_file),
    lambda shard, open_file: summarize_inputs([shard], ["s"], open_file, thorough=True),
]


def error_of(
    action: Callable[[Shard, OpenFile], object], shard: Shard, open_file: OpenFile
) -> ReadError | None:
    try:
        action(shard, open_file)
    except ReadError as error:
        return error
    return None


@pytest.mark.parametrize(("name", "number"), [*zip(NAMES, NUMBERS, strict=True)])
@pytest.mark.parametrize("action", ACTIONS)
def test_an_error_at_any_read_is_told_by_file_and_is_no_damage(
    tmp_path: Path, name: str, number: int, action: Callable[[Shard, OpenFile], object]
) -> None:
    shard = shard_of(tmp_path / name)
    content = Path(shard.path).read_bytes()
    shard = replace(shard, crc32c=7, stamp=None)
    opened = [0]

    def count(path: str) -> BinaryIO:
        return Failing(content, opened, number)

    done = 0
    while True:
        opened[0] = done
        error = error_of(action, shard, count)
        if error is None:
            break
        assert str(error).startswith(f"{shard.path}: cannot be read: {os.strerror(number)}")
        assert pickle.loads(pickle.dumps(error)).args == error.args
        done += 1
    assert done or (action is read_to_end and name == "a.parquet")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_may_not_be_opened(tmp_path: Path, name: str) -> None:
    shard = shard_of(tmp_path / name)

    def refuse(path: str) -> BinaryIO:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)

    for action in (read_all, read_columns):
        with pytest.raises(DataFault, match=rf"{name}: unreadable_file: .*: Permission denied"):
            action(shard, refuse)


def test_errors_of_stores_and_files_that_are_gone() -> None:
    def unreachable(path: str) -> BinaryIO:
        raise StorageError(f"{path}: the line is dead")

    with pytest.raises(ReadError, match=r"^s3://b/a\.pq: the line is dead$"):
        open_listed(unreachable)("s3://b/a.pq")
    with pytest.raises(DataFault, match=r"gone\.pq: missing_file: "):
        open_listed(open_local)("gone.pq")


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_is_gone_while_it_is_read_is_a_fault(tmp_path: Path, name: str) -> None:
    # An object store tells it at the next read, and as FileNotFoundError.
    shard = shard_of(tmp_path / name)
    content = Path(shard.path).read_bytes()
    shard = replace(shard, stamp=None)
    left = [1000]

    def open_failing(path: str) -> BinaryIO:
        return Failing(content, left, errno.ENOENT)

    read_all(shard, open_failing)
    for reads in range(1000 - left[0]):
        left[0] = reads
        with pytest.raises(DataFault, match=f"^{shard.path}: missing_file: "):
            read_all(shard, open_failing)


def test_a_stream_is_closed_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"text")
    with open_listed(open_local)(str(tmp_path / "a")) as stream:
        assert (stream.read(2), stream.seek(1), stream.tell()) == (b"te", 1, 1)
        assert (stream.read(), stream.seekable()) == (b"ext", True)
    assert stream.closed


def test_a_checksum_is_not_passed_over(tmp_path: Path) -> None:
    shard = shard_of(tmp_path / "a.parquet")
    with open_local(shard.path) as stream:
        crc = crc32c_of(stream)
    listed = replace(shard, crc32c=crc ^ 1)
    assert len(manifest_differences(listed, None, open_local)) == 1
    (tmp_path / "a.parquet").unlink()
    assert manifest_differences(listed, None, open_local) == []


@pytest.mark.parametrize(("name", "reads"), [(NAMES[0], 4), (NAMES[2], 0)])
def test_a_run_ends_with_exit_5_and_names_the_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    name: str,
    reads: int,
) -> None:
    shard = shard_of(tmp_path / name)
    content = Path(shard.path).read_bytes()
    left = [reads]
    monkeypatch.setattr(
        files,
        "open_local",
        lambda path: (
            Failing(content, left, errno.ESTALE) if path == shard.path else open_local(path)
        ),
    )
    (tmp_path / "c.yaml").write_text(PLAIN)
    arguments = ["--config", str(tmp_path / "c.yaml"), "--input", shard.path]
    assert main(["run", *arguments, "--output", str(tmp_path / "out")]) == 5
    told = capfd.readouterr().err
    assert f"{shard.path}: cannot be read: Stale file handle" in told
    assert "corrupt" not in told
    assert "truncated" not in told


@pytest.mark.parametrize("name", NAMES)
def test_validate_passes_no_file_that_is_cut_short(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], name: str
) -> None:
    shard = shard_of(tmp_path / name)
    content = Path(shard.path).read_bytes()
    (tmp_path / "c.yaml").write_text(PLAIN)
    arguments = ["validate", "--config", str(tmp_path / "c.yaml"), "--input", shard.path]
    assert main(arguments) == 0
    for size in (len(content) - 1, len(content) - 9, len(content) // 2 + 1, 101, 3):
        Path(shard.path).write_bytes(content[:size])
        capfd.readouterr()
        assert main(arguments) == 4
        assert f"{shard.path}: " in capfd.readouterr().err


def test_validate_says_what_is_wrong_and_what_may_be_left_out(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good, bad = shard_of(tmp_path / "a.parquet"), shard_of(tmp_path / "b.tfrecord.gz")
    content = gzip.decompress(Path(bad.path).read_bytes())
    Path(bad.path).write_bytes(gzip.compress(content[:-5]))
    files_of = ["--input", good.path, "--input", bad.path]
    for more, code in (("", 4), ("on_corrupt: skip_record\n", 4), ("on_corrupt: skip_rest\n", 0)):
        (tmp_path / "c.yaml").write_text(more + PLAIN)
        assert main(["validate", "--config", str(tmp_path / "c.yaml"), *files_of]) == code
        told = capfd.readouterr().err
        assert ("truncated: the file ends within a record" in told) == bool(code)


def test_all_items_are_planned_again_after_an_error(tmp_path: Path) -> None:
    shard = shard_of(tmp_path / "a.parquet")
    left = [1]
    content = Path(shard.path).read_bytes()
    with pytest.raises(ReadError):
        plan_items(shard, lambda path: Failing(content, left, errno.EIO))
    left[0] = 99
    again = [
        row
        for item in plan_items(shard, lambda path: Failing(content, left, errno.EIO))
        for rows in read_rows(item, ["s"], 99, lambda path: Failing(content, left, errno.EIO))
        for row in rows.numbers.tolist()
    ]
    assert again == list(range(2000))
