"""Runs on Prism, Beam's other portable runner: the bytes of the local runner."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines import installing
from tests.engines.runs import Expected, told_options

pytestmark = pytest.mark.engines


def assert_same_on_prism(expected: Expected, directory: Path) -> None:
    prism = installing.go_program(installing.PRISM)
    options = [*told_options("PrismRunner"), f"--prism_location={prism}"]
    # What Beam keeps for the next time, and leaves, it leaves here.
    environment = {"HOME": str(directory), "TMPDIR": str(directory)}
    expected.inputs.run(directory / "out", options, environment=environment)
    expected.assert_same(directory / "out")


def test_shipped_configurations(shipped: Expected, tmp_path: Path) -> None:
    assert_same_on_prism(shipped, tmp_path)


def test_generated_rows(few_slices: Expected, tmp_path: Path) -> None:
    assert_same_on_prism(few_slices, tmp_path)
