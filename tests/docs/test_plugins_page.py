"""What `docs/plugins.md` shows: its module, its configuration, and its commands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import heads.testing
from pipeline import cli
from tests.docs.test_docs import DATA, ROOT, commands
from tests.pipeline.beam.without_beam import run_without_beam

PAGE = ROOT / "docs" / "plugins.md"
MODULE = ROOT / "configs" / "call_costs.py"


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return str(found)


def test_the_module_is_the_one_that_ships() -> None:
    assert block("python") == MODULE.read_text()


def test_the_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_without_beam(monkeypatch)
    (tmp_path / "costs.yaml").write_text(block("yaml"))
    (tmp_path / "call_costs.py").write_text(block("python"))
    (tmp_path / "data").symlink_to(DATA)
    monkeypatch.chdir(tmp_path)
    run, show, diff = commands(PAGE)
    assert cli.main(run) == 0
    assert cli.main([*run[:-1], "out/new"]) == 0
    capsys.readouterr()
    for command in (show, diff):
        assert cli.main(command) == 0
        assert "call_cost/positive_threshold_0.2" in capsys.readouterr().out


def test_the_laws_are_called_as_they_say() -> None:
    (call,) = re.findall(r"^pytest .*$", heads.testing.__doc__ or "", re.MULTILINE)
    assert f"    {call}\n" in (ROOT / "CONTRIBUTING.md").read_text()
    assert f"    {call.replace('my_metrics', 'call_costs')}\n" in PAGE.read_text()
