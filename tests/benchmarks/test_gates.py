"""The simulation of gates: its pairs are what it says, it runs, stops and goes on."""

from __future__ import annotations

import json
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import roc_auc_score

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = spec_from_file_location("gates_simulation", BENCHMARKS / "gates.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_pairs_are_what_they_are_said_to_be(simulation: ModuleType) -> None:
    scenario = next(found for found in simulation.SCENARIOS if found.lost == 0.1)
    rows = simulation.Simulation(scenario, 60_000, slices=2).table(0)
    names = "slice", "label", "candidate", "baseline"
    slices, label, candidate, baseline = (rows[name].to_numpy() for name in names)
    for number, expected in enumerate((simulation.ROC_AUC, simulation.ROC_AUC - scenario.lost)):
        here = slices == number
        assert roc_auc_score(label[here], candidate[here]) == pytest.approx(expected, abs=0.006)
        assert roc_auc_score(label[here], baseline[here]) == pytest.approx(0.8, abs=0.006)
        # They are the logits of calibrated probabilities.
        assert expit(candidate[here]).mean() == pytest.approx(label[here].mean(), abs=0.006)
        negative = here & (label == 0)
        correlation = np.corrcoef(candidate[negative], baseline[negative])[0, 1]
        assert correlation == pytest.approx(simulation.CORRELATION, abs=0.01)


def test_a_stopped_program_goes_on_where_it_was(simulation: ModuleType, tmp_path: Path) -> None:
    options = ["--rows", "200", "--slices", "2"]
    stopped, whole = tmp_path / "stopped.json", tmp_path / "whole.json"
    for pairs in ("1", "3"):
        simulation.main([*options, "--pairs", pairs, "--output", str(stopped)])
    simulation.main([*options, "--pairs", "3", "--output", str(whole)])
    assert stopped.read_text() == whole.read_text()
    found = json.loads(whole.read_text())["scenarios"]
    assert found.keys() == {scenario.name for scenario in simulation.SCENARIOS}
    for scenario in simulation.SCENARIOS:
        measured = found[scenario.name]["200"]
        assert measured["pairs"] == 3
        for name, gate in scenario.gates.items():
            twice = scenario.twice and gate.against != "run"
            tally = measured["gates"][name]
            assert tally["verdicts"] == (6 if twice else 3)
            assert (tally["flipped"] is not None) == twice


def test_what_was_lost_is_found(simulation: ModuleType) -> None:
    scenario = next(found for found in simulation.SCENARIOS if found.lost == 0.1)
    (found,) = simulation.Simulation(scenario, 5_000, slices=2).simulate(2, {})
    tally = found["gates"]["best_end"]
    assert (tally["failed"], tally["found"], tally["others"]) == (2, 2, 0)


def test_what_was_written_is_whole(simulation: ModuleType) -> None:
    measured = json.loads((BENCHMARKS / "gates.json").read_text())
    assert measured["slices"] == simulation.SLICES
    for scenario in simulation.SCENARIOS:
        for rows in simulation.ROWS:
            found = measured["scenarios"][scenario.name][str(rows)]
            assert found["gates"].keys() == scenario.gates.keys()
            assert found["pairs"] == scenario.pairs
