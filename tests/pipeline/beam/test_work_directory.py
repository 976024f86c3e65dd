"""The work directory of a run."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from pipeline.beam import work_directory
from pipeline.beam.files import exists
from pipeline.beam.work_directory import WorkDirectory, load
from pipeline.errors.faults import StorageError


@pytest.mark.parametrize("store", ["here", "elsewhere"])
def test_what_is_kept_is_loaded_and_removed(
    store: str, tmp_path: Path, memory: dict[str, bytes]
) -> None:
    directory = WorkDirectory(str(tmp_path / "out") if store == "here" else "mem://b/out")
    values = [{"number": number} for number in range(20)]
    paths = [directory.keep(f"{value['number']}.findings", value) for value in values]
    assert directory.keep("0.findings", values[0]) == paths[0]
    assert list(load(paths[::-1])) == values[::-1]
    directory.remove()
    assert not any(map(exists, paths))
    directory.remove()


def test_what_cannot_be_removed_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(path: str) -> None:
        raise StorageError(f"{path}: Forbidden")

    monkeypatch.setattr(work_directory, "delete_directory", refuse)
    with caplog.at_level(logging.WARNING):
        WorkDirectory("mem://b/out").remove()
    assert caplog.messages == [
        "mem://b/out/.work: Forbidden; delete what is left in mem://b/out/.work"
    ]
