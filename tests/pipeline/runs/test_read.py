"""Files of finished runs."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest

from pipeline.errors.faults import StorageError
from pipeline.errors.problems import ConfigError
from pipeline.runs.read import read_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name, content in {"_SUCCESS": "\n", "a": "1", "b": "22"}.items():
        (tmp_path / name).write_text(content)
    return tmp_path


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_files_in_the_order_asked_for(run: Path, end: str) -> None:
    assert read_run(f"{run}{end}", ["b", "a"]) == [b"22", b"1"]


def test_files_elsewhere() -> None:
    opened = []

    def open_file(path: str) -> BinaryIO:
        opened.append(path)
        return BytesIO(path.encode())

    assert read_run("s3://b/out/", ["a"], open_file) == [b"s3://b/out/a"]
    assert opened == ["s3://b/out/_SUCCESS", "s3://b/out/a"]


def test_no_run(run: Path) -> None:
    (run / "_SUCCESS").unlink()
    for place in (run, run / "none", run / "a"):
        with pytest.raises(ConfigError, match=f"^{place}: holds no finished run"):
            read_run(str(place), ["a"])


def test_a_file_that_is_missing(run: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{run}: .* run it again: c: No such file"):
        read_run(str(run), ["a", "c"])


def test_a_store_that_is_not_reached_is_no_damaged_run() -> None:
    def open_file(path: str) -> BinaryIO:
        raise StorageError(path)

    with pytest.raises(StorageError):
        read_run("s3://b/out", ["a"], open_file)
