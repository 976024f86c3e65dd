"""Files of finished runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors.problems import ConfigError
from pipeline.runs.read import read_run
from tests.pipeline.whole_runs import seal


@pytest.fixture
def run(tmp_path: Path) -> Path:
    for name, content in {"a": "1", "b": "22"}.items():
        (tmp_path / name).write_text(content)
    return seal(tmp_path)


@pytest.mark.parametrize("end", ["", "/", "//"])
def test_files_in_the_order_asked_for(run: Path, end: str) -> None:
    assert read_run(f"{run}{end}", ["b", "a"]) == [b"22", b"1"]


def test_no_run(run: Path) -> None:
    (run / "_SUCCESS").unlink()
    for place in (run, run / "none"):
        with pytest.raises(ConfigError, match=f"^{place}: holds no finished run"):
            read_run(str(place), ["a"])
    with pytest.raises(ConfigError, match=f"^{run}/a: is a file; name the directory .* {run}$"):
        read_run(f"{run}/a", ["a"])


def test_a_file_that_is_missing(run: Path) -> None:
    with pytest.raises(ConfigError, match=f"^{run}: .* run it again .*: c: manifest.json does not"):
        read_run(str(run), ["a", "c"])
