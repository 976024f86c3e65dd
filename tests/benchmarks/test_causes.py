"""The simulation of causes runs, and finds the causes of losses that are plain."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "benchmarks" / "causes.py"


def test_plain_losses_have_their_true_causes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    spec = spec_from_file_location("benchmark_of_causes", PROGRAM)
    assert spec is not None
    assert spec.loader is not None
    program = module_from_spec(spec)
    spec.loader.exec_module(program)
    truth = "country=BR and country=DE"
    monkeypatch.setattr(program, "TRUTHS", {truth: program.TRUTHS[truth]})
    program.main(["--repetitions", "1", "--noise", "4"])
    row = capsys.readouterr().out.splitlines()[2]
    assert row.startswith(f"| {truth} | 100.0% | 100.0% | 100.0% |")
