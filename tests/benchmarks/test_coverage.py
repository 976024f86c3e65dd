"""The simulation of the intervals: its true values are true, it runs, and has every metric."""

from __future__ import annotations

import json
import math
import re
import sys
from dataclasses import replace
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, get_args

import numpy as np
import pytest
from sklearn.metrics import (
    log_loss,
    mean_squared_error,
    precision_score,
    recall_score,
    roc_auc_score,
)

from heads.metrics.core.context import HeadType, MetricContext
from heads.metrics.core.methods import NoInterval
from heads.metrics.core.registry import report_metrics

ROOT = Path(__file__).resolve().parents[2]
BENCHMARKS = ROOT / "benchmarks"


@pytest.fixture(scope="module")
def simulation() -> ModuleType:
    spec = spec_from_file_location("coverage_simulation", BENCHMARKS / "coverage.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    # Dataclasses look their own module up, and the program finds those that are beside it.
    sys.modules[spec.name] = module
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(BENCHMARKS))
    return module


def population_of(simulation: ModuleType, name: str, head: str = "binary") -> Any:
    return next(one for one in simulation.HEADS[head] if one.name == name)


@pytest.mark.parametrize("name", ["gamma weights", "40 equal clusters", "precision near one"])
def test_true_values_are_those_of_a_large_sample(simulation: ModuleType, name: str) -> None:
    population = population_of(simulation, name)
    if population.design.clusters:
        population = replace(population, design=replace(population.design, clusters=20_000))
    rows = 200_000
    sample = population.draw(rows, 1, 0, simulation.SEED)
    label, weight = sample.labels.ravel(), sample.weights
    assert label.mean() == pytest.approx(0.3, abs=0.01)
    for scores, model in zip(sample.scores, population.models, strict=True):
        probability = 1 / (1 + np.exp(-scores.ravel()))
        positive = probability > population.threshold
        mass = np.ones(rows) if weight is None else weight
        order = np.argsort(-scores.ravel())
        hits, misses = (np.cumsum((mass * kind)[order]) for kind in (label, 1 - label))
        at = "" if population.threshold == 0.5 else f"/positive_threshold_{population.threshold:g}"
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
        true = population.true_values_of(model, rows)
        assert {name: true[name] for name in expected} == pytest.approx(expected, rel=0.03)


SOME = ("roc_auc", "average_loss", "precision", "best_f1", "threshold_at_recall_0.8")


@pytest.mark.parametrize("name", ["independent rows", "100 equal clusters"])
def test_most_intervals_hold_the_true_value(simulation: ModuleType, name: str) -> None:
    found = simulation.simulate(population_of(simulation, name), 1_000, 48, only=SOME)
    assert set(found) == {*SOME, *(f"difference of {metric}" for metric in SOME)}
    for tally in found.values():
        lower, upper, _ = np.concatenate(tally.parts, axis=1)
        assert lower.shape == (48,)
        # Fewer than 38 of 48 have a probability of 2e-5 at 95 %.
        assert ((lower <= tally.truth) & (tally.truth <= upper)).sum() >= 38


@pytest.mark.parametrize("head", ["multi_class", "multi_label"])
def test_intervals_of_several_classes_hold_what_a_large_sample_has(
    simulation: ModuleType, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    classes = simulation.coverage_classes
    monkeypatch.setattr(classes, "TRUE_ROWS", 20_000)
    monkeypatch.setattr(classes, "_BATCH", 10_000)
    population = population_of(simulation, "40 equal clusters", head)
    true, _ = population.true_values(1_000)
    context = population.context()
    offered = report_metrics(context)
    assert set(true) == {n for n, m in offered.items() if not isinstance(m.method, NoInterval)}
    assert all(math.isfinite(value) for value in true.values())
    sample = population.draw(20_000, 1, 9, 1)
    probability = 1 / (1 + np.exp(-sample.scores[0][:, 0]))
    label = sample.labels[:, 0] == (0 if head == "multi_class" else 1)
    if head == "multi_label":
        area = roc_auc_score(label, probability)
        assert true["roc_auc/a"] == pytest.approx(area, abs=0.03)
    else:
        right = sample.scores[0].argmax(axis=1) == sample.labels[:, 0]
        assert true["accuracy"] == pytest.approx(right.mean(), abs=0.03)
    names = ("average_loss", "recall/macro", "roc_auc/scarce")
    found = simulation.simulate(population, 1_000, 48, only=names)
    for tally in found.values():
        lower, upper, _ = np.concatenate(tally.parts, axis=1)
        assert lower.shape == (48,)
        known = ~np.isnan(lower)
        held = (lower <= tally.truth) & (tally.truth <= upper)
        assert held.sum() >= 0.79 * known.sum()


@pytest.mark.parametrize("head", ["regression", "poisson"])
def test_intervals_of_numbers_hold_what_a_large_sample_has(
    simulation: ModuleType, head: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulation.coverage_regression, "TRUE_ROWS", 20_000)
    population = population_of(simulation, "40 equal clusters", head)
    true, _ = population.true_values(1_000)
    assert set(true) == with_interval(population.context())
    assert all(math.isfinite(value) for value in true.values())
    sample = population.draw(20_000, 1, 9, 1)
    prediction = np.exp(sample.scores[0]) if head == "poisson" else sample.scores[0]
    label = sample.labels
    error = np.abs(prediction - label)
    assert true["mse"] == pytest.approx(mean_squared_error(label, prediction), rel=0.05)
    assert true["median_absolute_error"] == pytest.approx(np.median(error), rel=0.05)
    names = ("rmse", "median_error", "bias/decile_3", "pearson")
    found = simulation.simulate(population, 1_000, 48, only=names)
    for tally in found.values():
        lower, upper, _ = np.concatenate(tally.parts, axis=1)
        assert lower.shape == (48,)
        held = (lower <= tally.truth) & (tally.truth <= upper)
        assert held.sum() >= 0.79 * (~np.isnan(lower)).sum()


HEAD_TYPES = get_args(HeadType)
SIMULATED_AS = {"contrib_binary": "binary", "logistic_regression": "regression"}
"""The types of heads whose metrics were simulated as those of another type."""


def with_interval(context: MetricContext) -> set[str]:
    offered = report_metrics(context)
    return {name for name, metric in offered.items() if not isinstance(metric.method, NoInterval)}


@pytest.mark.parametrize("head", HEAD_TYPES)
def test_every_metric_that_has_an_interval_was_simulated(simulation: ModuleType, head: str) -> None:
    simulated = SIMULATED_AS.get(head, head)
    measured = json.loads((BENCHMARKS / "coverage.json").read_text())["heads"][simulated]
    page = (ROOT / "docs" / "coverage.md").read_text()
    for population in simulation.HEADS[simulated]:
        context = population.context()
        names = with_interval(replace(context, head=head))
        found = set(measured["scenarios"][population.name])
        assert {name for name in found if not name.startswith("difference of ")} >= names
        compared = {n for n, m in report_metrics(context).items() if m.comparable}
        assert {f"difference of {name}" for name in names & compared} <= found
        for name in names:
            told = re.sub(r"positive_threshold_[^/]+", "positive_threshold_T", name)
            assert f"| `{told}` |" in page, name


def test_the_true_values_of_a_label_are_of_every_metric(simulation: ModuleType) -> None:
    population = population_of(simulation, "independent rows")
    found = population.true_values_of(population.models[0], 1_000)
    assert set(found) == with_interval(population.context())
    assert len(found) > 100
    assert all(math.isfinite(value) for value in found.values())


def test_repetitions_do_not_depend_on_how_many_there_are(simulation: ModuleType) -> None:
    population = population_of(simulation, "independent rows")
    few, more = (simulation.simulate(population, 1_000, count, only=SOME[:2]) for count in (17, 20))
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


def test_entries_of_slices_are_judged_together(simulation: ModuleType) -> None:
    p = np.full(30, 0.5)
    # Below 5 % alone, and together with nine others only the second.
    p[3], p[12] = 0.03, 0.004
    p[20:] = math.nan
    found = simulation.Tally(0.0, [np.stack([p - 1, p + 1, p])]).shares()
    assert (found["worse"], found["worse_entries"]) == (0.1, 0.3333)
