"""A few of the trials of `kills`, which has as many as one likes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engines.kills import run_trials, table

pytestmark = pytest.mark.engines


def test_runs_that_are_killed_and_interrupted(tmp_path: Path) -> None:
    made = run_trials(16, 1, tmp_path)
    faults = [(trial, found) for trial, outcome in made if (found := outcome.faults(trial))]
    assert not faults, table(made)
    assert sum(not outcome.over for _, outcome in made) > 8
