"""A run that is whole and not yet published is told by whoever reads its output."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from pipeline import cli
from pipeline.runs.pending import pending_note
from pipeline.runs.publish import publish, recover
from pipeline.runs.stage import Stage, new_stage
from pipeline.runs.store import LocalStore
from tests.pipeline.runs.stores import Crash, crashing

STORE = LocalStore()


def crash_after(output: Path, name: str) -> Stage:
    """A run that is killed when there is a file of its stage."""
    stage = new_stage(str(output), overwrite=True, predictions=None, local=True)
    stage.open(STORE)
    at = 0
    while not STORE.exists(stage.path(name)):
        at += 1
        with suppress(Crash):
            publish(crashing(STORE, at, done=True), stage, "job", {"report.json": b"{}"})
    return stage


@pytest.mark.parametrize("command", [("show",), ("diff", "DIR")])
def test_a_run_in_its_stage_alone_is_told(
    tmp_path: Path, command: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    stage = crash_after(tmp_path, "COMMIT")
    arguments = [str(tmp_path) if part == "DIR" else part for part in command]
    assert cli.main([*arguments, str(tmp_path)]) == 2
    told = capsys.readouterr().err
    assert f"run {stage.id} is whole and not yet published; `headcount run` with this" in told


def test_a_newer_run_is_told_beside_an_older(tmp_path: Path) -> None:
    older = new_stage(str(tmp_path), overwrite=True, predictions=None, local=True)
    older.open(STORE)
    publish(STORE, older, "job", {"report.json": b"{}"})
    stage = crash_after(tmp_path, "COMMIT")
    told = pending_note(STORE, str(tmp_path))
    assert told is not None
    assert f"a newer run {stage.id} is whole" in told
    recover(STORE, str(tmp_path), is_alone=True)
    assert pending_note(STORE, str(tmp_path)) is None


@pytest.mark.parametrize("name", ["report.json", "_SUCCESS"])
def test_a_comparison_does_not_replace_a_file_of_a_run(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    output = str(tmp_path / "link" / name)
    assert cli.main(["diff", str(tmp_path), str(tmp_path), "--output", output]) == 2
    assert "is a file of a run that is compared" in capsys.readouterr().err
    assert not (tmp_path / name).exists()
