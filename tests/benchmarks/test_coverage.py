"""The simulation of the intervals: its true values are true, and it runs."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from sklearn.metrics import log_loss, precision_score, recall_score, roc_auc_score

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "coverage.py"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = spec_from_file_location("coverage_simulation", PATH)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Dataclasses look their own module up.
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["gamma weights", "40 equal clusters", "precision near one"])
def test_true_values_are_those_of_a_large_sample(simulation: ModuleType, name: str) -> None:
    scenario = next(case for case in simulation.SCENARIOS if case.name == name)
    if scenario.clusters:
        scenario = replace(scenario, clusters=20_000)
    rows = 200_000
    sample = simulation.draw(scenario, rows, 1, 0, simulation.find_intercept(scenario, rows))
    label, weight = sample.labels.ravel(), sample.weights
    assert label.mean() == pytest.approx(0.3, abs=0.01)
    for scores, model in zip(sample.scores, scenario.models, strict=True):
        probability = 1 / (1 + np.exp(-scores.ravel()))
        positive = probability > scenario.threshold
        mass = np.ones(rows) if weight is None else weight
        expected = (
            roc_auc_score(label, probability, sample_weight=weight),
            log_loss(label, probability, sample_weight=weight),
            precision_score(label, positive, sample_weight=weight),
            recall_score(label, positive, sample_weight=weight),
            (mass * probability).sum() / (mass * label).sum(),
        )
        true = simulation.true_values(scenario, model, rows)
        assert list(true.values()) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("name", ["independent rows", "100 equal clusters"])
def test_most_intervals_hold_the_true_value(simulation: ModuleType, name: str) -> None:
    scenario = next(case for case in simulation.SCENARIOS if case.name == name)
    for tally in simulation.simulate(scenario, 1_000, 48).values():
        lower, upper = np.concatenate(tally.parts, axis=1)
        assert lower.shape == (48,)
        # Fewer than 38 of 48 have a probability of 2e-5 at 95 %.
        assert ((lower <= tally.truth) & (tally.truth <= upper)).sum() >= 38


def test_repetitions_do_not_depend_on_how_many_there_are(simulation: ModuleType) -> None:
    scenario = simulation.SCENARIOS[0]
    few, more = (simulation.simulate(scenario, 1_000, count) for count in (17, 20))
    for name in few:
        np.testing.assert_array_equal(
            np.concatenate(few[name].parts, axis=1),
            np.concatenate(more[name].parts, axis=1)[:, :17],
        )


def test_the_table_tells_what_was_counted(simulation: ModuleType) -> None:
    scenario = simulation.SCENARIOS[0]
    nan = math.nan
    ends = np.array([[0.1, 0.4, 0.6, nan], [0.5, 0.8, 0.7, nan]])
    cells = simulation.Tally(0.45, [ends]).row(scenario, 2_000, "recall").split("|")
    assert [cell.strip() for cell in cells[5:11]] == [
        "66.67%",
        "12.58%",
        "0.0% / 33.3%",
        "0.4",
        "25.0%",
        "missed",
    ]
