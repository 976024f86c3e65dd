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

from heads.metrics.core.methods import NoInterval
from heads.metrics.core.registry import report_metrics

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
        order = np.argsort(-scores.ravel())
        hits, misses = (np.cumsum((mass * kind)[order]) for kind in (label, 1 - label))
        at = "" if scenario.threshold == 0.5 else f"/positive_threshold_{scenario.threshold:g}"
        expected = {
            "roc_auc": roc_auc_score(label, probability, sample_weight=weight),
            "average_loss": log_loss(label, probability, sample_weight=weight),
            f"precision{at}": precision_score(label, positive, sample_weight=weight),
            f"recall{at}": recall_score(label, positive, sample_weight=weight),
            "calibration_ratio": (mass * probability).sum() / (mass * label).sum(),
            "best_f1": (2 * hits / (hits + misses + hits[-1])).max(),
            "kolmogorov_smirnov": np.abs(hits / hits[-1] - misses / misses[-1]).max(),
            "recall_at_false_positive_rate_0.05": np.interp(0.05 * misses[-1], misses, hits)
            / hits[-1],
            "true_positives" + at: (mass * label * positive).sum(),
        }
        true = simulation.true_values(scenario, model, rows)
        assert {name: true[name] for name in expected} == pytest.approx(expected, rel=0.03)


SOME = ("roc_auc", "average_loss", "precision", "best_f1", "threshold_at_recall_0.8")


@pytest.mark.parametrize("name", ["independent rows", "100 equal clusters"])
def test_most_intervals_hold_the_true_value(simulation: ModuleType, name: str) -> None:
    scenario = next(case for case in simulation.SCENARIOS if case.name == name)
    found = simulation.simulate(scenario, 1_000, 48, only=SOME)
    assert set(found) == {*SOME, *(f"difference of {metric}" for metric in SOME)}
    for tally in found.values():
        lower, upper, _ = np.concatenate(tally.parts, axis=1)
        assert lower.shape == (48,)
        # Fewer than 38 of 48 have a probability of 2e-5 at 95 %.
        assert ((lower <= tally.truth) & (tally.truth <= upper)).sum() >= 38


def test_every_metric_that_has_an_interval_is_there(simulation: ModuleType) -> None:
    scenario = simulation.SCENARIOS[0]
    offered = report_metrics(simulation.make_context(scenario))
    with_interval = {n for n, m in offered.items() if not isinstance(m.method, NoInterval)}
    found = simulation.true_values(scenario, scenario.models[0], 1_000)
    assert set(found) == with_interval
    assert len(found) > 100
    assert all(math.isfinite(value) for value in found.values())


def test_repetitions_do_not_depend_on_how_many_there_are(simulation: ModuleType) -> None:
    scenario = simulation.SCENARIOS[0]
    few, more = (simulation.simulate(scenario, 1_000, count, only=SOME[:2]) for count in (17, 20))
    for name in few:
        np.testing.assert_array_equal(
            np.concatenate(few[name].parts, axis=1),
            np.concatenate(more[name].parts, axis=1)[:, :17],
        )


def test_shares_are_of_what_was_counted(simulation: ModuleType) -> None:
    nan, inf = math.nan, math.inf
    ends = np.array([[0.1, 0.4, 0.6, nan], [0.5, inf, 0.7, nan], [0.01, 0.2, 0.3, nan]])
    found = simulation.Tally(0.45, [ends]).shares()
    assert found == {
        "truth": 0.45,
        "intervals": 3,
        "none": 0.25,
        "coverage": 0.6667,
        "below": 0.0,
        "above": 0.3333,
        "open": 0.3333,
        "width": 0.4,
        "worse": 0.3333,
    }
