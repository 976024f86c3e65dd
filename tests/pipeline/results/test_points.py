"""Intervals of figures at points of curves, against half-samples of the rows themselves."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from scipy import stats

from heads.metrics.core.context import MetricContext, OperatingPoints
from heads.metrics.core.methods import (
    AT_AN_END,
    BIASED,
    FEW_ALLOWED,
    FEW_LABELS,
    FEW_MISSED,
    FEW_OF_A_CLASS_FOR_BINS,
    NoInterval,
    RateName,
)
from heads.metrics.core.registry import report_metrics
from heads.statistics.cuts import ScoreSpace
from pipeline.confidence.halves import half_samples
from pipeline.evaluate import evaluate
from pipeline.extract.folds import folds_by_key, folds_by_row
from pipeline.report.metrics_parquet import metrics_table
from tests.pipeline.confidence.by_rows import (
    calibration_ends_by_rows,
    recall_ends_by_rows,
    threshold_ends_by_rows,
)
from tests.pipeline.tables import plan_of, slices_of

Floats = npt.NDArray[np.float64]
Figure = Callable[[Floats, Floats, Floats], float]
ROWS, FOLDS = 2_000, 20
AT = (
    "{recall: [0.8], precision: [0.7], specificity: [0.9], false_positive_rate: [0.05],"
    " sensitivity: [0.8]}"
)


@cache
def columns() -> dict[str, Any]:
    """Few distinct scores, so that coarse cells are fine; a worse score `t` beside `s`."""
    rng = np.random.default_rng(21)
    s = rng.normal(-0.5, 2, ROWS).round(1)
    return {
        "s": s,
        "t": (s + rng.normal(0, 1, ROWS)).round(1),
        "y": (rng.random(ROWS) < 1 / (1 + np.exp(-s))).astype(np.int64),
        "w": rng.gamma(2, 1, ROWS).astype(np.float32).astype(np.float64),
        "id": rng.integers(0, 700, ROWS),
    }


@cache
def fold() -> npt.NDArray[np.int64]:
    return np.asarray(folds_by_key(pa.array(columns()["id"]), FOLDS), np.int64)


def entry_of(more: str = "", changed: dict[str, Any] | None = None, at: str = AT) -> dict[str, Any]:
    if changed is None:
        return entry_of_columns(more, at)
    return evaluated({**columns(), **changed}, more, at)


@cache
def entry_of_columns(more: str, at: str) -> dict[str, Any]:
    return evaluated(columns(), more, at)


def evaluated(data: dict[str, Any], more: str, at: str) -> dict[str, Any]:
    text = (
        f"confidence: {{key: id, folds: {FOLDS}}}\nheads: {{h: {{type: binary, logits: s, label: y,"
        f" at: {at}{more}}}}}"
    )
    found: dict[str, Any] = slices_of(evaluate(pa.table(data), plan_of(text)))[None]
    return found


def counts(score: Floats, label: Floats, weight: Floats) -> tuple[Floats, Floats, Floats]:
    """The distinct scores with a weight, falling, and TP and FP for a threshold at each."""
    values = np.unique(score[weight > 0])[::-1]
    above = score >= values[:, np.newaxis]
    return values, above @ (weight * label), above @ (weight * (1 - label))


def best_f1(score: Floats, label: Floats, weight: Floats) -> float:
    _, hits, misses = counts(score, label, weight)
    return float((2 * hits / (hits + misses + hits[-1])).max())


def threshold_at_best_f1(score: Floats, label: Floats, weight: Floats) -> float:
    values, hits, misses = counts(score, label, weight)
    f1 = 2 * hits / (hits + misses + hits[-1])
    best = values[np.flatnonzero(f1 >= f1.max() - 1e-12)[0]]
    return float(1 / (1 + np.exp(-best)))


def distance(score: Floats, label: Floats, weight: Floats) -> float:
    _, hits, misses = counts(score, label, weight)
    return float(np.abs(hits / hits[-1] - misses / misses[-1]).max())


def recall_at(rate: float) -> Figure:
    def figure(score: Floats, label: Floats, weight: Floats) -> float:
        _, hits, misses = counts(score, label, weight)
        x, y = np.append(0, misses), np.append(0, hits)
        place = int(np.flatnonzero(x <= rate * x[-1])[-1])
        part = (rate * x[-1] - x[place]) / (x[place + 1] - x[place])
        return float((y[place] + part * (y[place + 1] - y[place])) / y[-1])

    return figure


def precision_at_08(score: Floats, label: Floats, weight: Floats) -> float:
    _, hits, misses = counts(score, label, weight)
    x, y = np.append(0, hits), np.append(0, misses)
    wanted = 0.8 * x[-1]
    place = int(np.flatnonzero(x <= wanted)[-1])
    others = y[place] + (wanted - x[place]) / (x[place + 1] - x[place]) * (y[place + 1] - y[place])
    beyond = hits >= wanted
    return float(max(wanted / (wanted + others), (hits / (hits + misses))[beyond].max()))


def specificity_at_08(score: Floats, label: Floats, weight: Floats) -> float:
    _, hits, misses = counts(score, label, weight)
    wanted = 0.8 * hits[-1]
    reached = np.interp(wanted, np.append(0, hits), np.append(0, misses))
    # Of several scores with just that recall the highest.
    false_positive = min(reached, misses[hits >= wanted].min())
    return float(1 - false_positive / misses[-1])


def gain_3(score: Floats, label: Floats, weight: Floats) -> float:
    _, hits, misses = counts(score, label, weight)
    rows = np.append(0, hits + misses)
    return float(np.interp(0.3 * rows[-1], rows, np.append(0, hits)) / hits[-1])


FIGURES: dict[str, Figure] = {
    "best_f1": best_f1,
    "kolmogorov_smirnov": distance,
    "threshold_at_best_f1": threshold_at_best_f1,
    "recall_at_false_positive_rate_0.05": recall_at(0.05),
    "sensitivity_at_specificity_0.9": recall_at(0.1),
    "precision_at_recall_0.8": precision_at_08,
    "specificity_at_sensitivity_0.8": specificity_at_08,
    "gain/decile_3": gain_3,
}
CENTRED = ("best_f1", "kolmogorov_smirnov")


@cache
def replicates(name: str, score: str, weighted: bool) -> tuple[float, Floats]:
    """A figure over all rows, and in half-samples; of a centred one in their other halves too."""
    data = columns()
    label, weight = data["y"].astype(float), data["w"] if weighted else np.ones(ROWS)
    samples = half_samples(FOLDS)
    sides = [samples, ~samples] if name in CENTRED else [samples]
    halves = [
        FIGURES[name](data[score], label, weight * np.where(chosen[fold()], 2.0, 0.0))
        for chosen in np.concatenate(sides)
    ]
    return FIGURES[name](data[score], label, weight), np.array(halves)


def error_and_shift(name: str, whole: float, halves: Floats) -> tuple[float, float]:
    # Hadamard's matrix has a row more than there are half-samples.
    error = math.sqrt(((halves - whole) ** 2).mean() * 19 / 20 * FOLDS / (FOLDS - 1))
    shift = 1 / (2 ** (2 / 3) - 1) * (halves.mean() - whole) if name in CENTRED else 0.0
    return error, shift


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("name", FIGURES)
def test_errors_are_those_of_half_samples(name: str, weighted: bool) -> None:
    entry = entry_of(", baseline: {logits: t}" + (", weight: w" if weighted else ""))
    metric = entry["metrics"][name]
    whole, halves = replicates(name, "s", weighted)
    error, shift = error_and_shift(name, whole, halves)
    assert metric["standard_error"] == pytest.approx(error, rel=1e-9)
    w = columns()["w"] if weighted else np.ones(ROWS)
    mass = np.bincount(fold(), w**2, FOLDS)
    degrees = mass.sum() ** 2 / (mass**2).sum() - 1
    assert metric["degrees_of_freedom"] == pytest.approx(degrees, rel=1e-6)
    t = stats.t.ppf(0.975, metric["degrees_of_freedom"])
    centre = metric["value"] - shift
    half = t * error / (centre * (1 - centre))
    ends = [1 / (1 + math.exp(-math.log(centre / (1 - centre)) - sign * half)) for sign in (-1, 1)]
    assert [metric["lower"], metric["upper"]] == pytest.approx(ends, rel=1e-8)
    # Of both models, half-sample by half-sample.
    other_whole, other_halves = replicates(name, "t", weighted)
    error, _ = error_and_shift(name, whole - other_whole, halves - other_halves)
    metric = entry["difference"][name]
    if name.startswith("gain"):
        # A share of positive labels, of which one more differs in either direction.
        w = w[columns()["y"] > 0]
        error = math.hypot(error, math.sqrt(2) * (w**2).sum() / w.sum() ** 2)
    assert metric["standard_error"] == pytest.approx(error, rel=1e-6)
    # What the best of many is too good by falls out.
    ends = [metric["value"] + sign * t * error for sign in (-1, 1)]
    assert [metric["lower"], metric["upper"]] == pytest.approx(ends, rel=1e-6)


THRESHOLDS: dict[str, tuple[RateName, float]] = {
    "threshold_at_recall_0.8": ("recall", 0.8),
    "threshold_at_precision_0.7": ("precision", 0.7),
    "threshold_at_specificity_0.9": ("false_positive_rate", 1 - 0.9),
    "threshold_at_false_positive_rate_0.05": ("false_positive_rate", 0.05),
    "threshold_at_sensitivity_0.8": ("recall", 0.8),
}


def sigmoid(score: float) -> float:
    return 1 / (1 + math.exp(-score))


@pytest.mark.slow
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("name", THRESHOLDS)
def test_thresholds_have_the_ends_that_tests_give(name: str, weighted: bool) -> None:
    entry = entry_of(", baseline: {logits: t}" + (", weight: w" if weighted else ""))
    data = columns()
    w = data["w"] if weighted else np.ones(ROWS)
    mass = np.bincount(fold(), w**2, FOLDS)
    t = stats.t.ppf(0.975, mass.sum() ** 2 / (mass**2).sum() - 1)
    sides = []
    for of, score in ((entry["metrics"], "s"), (entry["baseline"]["metrics"], "t")):
        rows = data[score], data["y"].astype(float), w, fold()
        ends = [sigmoid(end) for end in threshold_ends_by_rows(rows, *THRESHOLDS[name], t)]
        value = of[name]["value"]
        assert [of[name]["lower"], of[name]["upper"]] == pytest.approx(ends, rel=1e-12)
        assert ends[0] <= value <= ends[1]
        assert "standard_error" not in of[name]
        sides.append((value, *ends))
    # The ends of the difference are as far from it as those of both, by Pythagoras.
    (new, new_lower, new_upper), (old, old_lower, old_upper) = sides
    lower = new - old - math.hypot(new - new_lower, old_upper - old)
    upper = new - old + math.hypot(new_upper - new, old - old_lower)
    metric = entry["difference"][name]
    assert [metric["lower"], metric["upper"]] == pytest.approx([lower, upper], rel=1e-12)


@pytest.mark.parametrize("weighted", [True, False])
def test_a_recall_at_a_precision_has_the_ends_that_tests_give(weighted: bool) -> None:
    name = "recall_at_precision_0.7"
    entry = entry_of(", baseline: {logits: t}" + (", weight: w" if weighted else ""))
    data = columns()
    w = data["w"] if weighted else np.ones(ROWS)
    mass = np.bincount(fold(), w**2, FOLDS)
    degrees = mass.sum() ** 2 / (mass**2).sum() - 1
    t = stats.t.ppf(0.975, degrees)
    sides = []
    for of, score in ((entry["metrics"], "s"), (entry["baseline"]["metrics"], "t")):
        ends = recall_ends_by_rows((data[score], data["y"].astype(float), w, fold()), 0.7, t)
        assert [of[name]["lower"], of[name]["upper"]] == pytest.approx(ends, rel=1e-9)
        assert "standard_error" not in of[name]
        sides.append((of[name]["value"], *ends))
    (new, new_lower, new_upper), (old, old_lower, old_upper) = sides
    below = math.hypot(new - new_lower, old_upper - old)
    above = math.hypot(new_upper - new, old - old_lower)
    metric = entry["difference"][name]
    ends = [new - old - below, new - old + above]
    assert [metric["lower"], metric["upper"]] == pytest.approx(ends, rel=1e-9)
    # Half the level is left where an end is 0.
    error = (above if new < old else below) / t
    p = stats.t.cdf((new - old) / error, degrees)
    assert metric["p_worse"] == pytest.approx(p, rel=1e-6)
    assert "standard_error" not in metric


def test_the_difference_of_open_intervals_reaches_the_bounds() -> None:
    # Two positive labels of the highest scores, and noise.
    rng = np.random.default_rng(4)
    y = (rng.random(ROWS) < 0.2).astype(np.int64)
    s, t = (rng.normal(0, 1, ROWS) for _ in "st")
    s[:2], t[:2], y[:2] = 9, 9, 1
    changed = {"s": s, "t": t, "y": y}
    entry = entry_of(", baseline: {logits: t}", changed, "{precision: [0.9]}")
    name = "recall_at_precision_0.9"
    new, old = entry["metrics"][name], entry["baseline"]["metrics"][name]
    assert new["lower"] is old["lower"] is None
    metric = entry["difference"][name]
    lower = metric["value"] - math.hypot(new["value"], old["upper"] - old["value"])
    assert metric["lower"] == pytest.approx(lower, rel=1e-9)
    assert metric["p_worse"] > 0.1


def test_an_end_is_open_where_no_test_rejects() -> None:
    # Of 20 positive labels, no threshold has a recall that is surely below 0.95.
    y = columns()["y"] * (np.arange(ROWS) % 30 == 0)
    entry = entry_of(changed={"y": y}, at="{recall: [0.97]}")
    metric = entry["metrics"]["threshold_at_recall_0.97"]
    assert metric["lower"] is None
    assert metric["upper"] > metric["value"]
    (row,) = metrics_rows({"y": y}, "threshold_at_recall_0.97", "{recall: [0.97]}")
    assert (row["lower"], row["upper"]) == (None, metric["upper"])
    assert row["no_interval"] is None


def metrics_rows(changed: dict[str, Any], name: str, at: str) -> list[dict[str, Any]]:
    text = f"confidence: {{key: id}}\nheads: {{h: {{type: binary, logits: s, label: y, at: {at}}}}}"
    plan = plan_of(text)
    results = evaluate(pa.table({**columns(), **changed}), plan).results
    rows: list[dict[str, Any]] = metrics_table(plan, results).to_pylist()
    return [row for row in rows if row["metric"] == name]


def wilson(share: float, size: float, level: float) -> tuple[float, float]:
    """Wilson's limits: where the test of a share is rejected, by bisection."""
    z = stats.norm.ppf((1 + level) / 2)

    def end(outside: float) -> float:
        inside = share
        for _ in range(200):
            middle = (inside + outside) / 2
            if abs(share - middle) <= z * math.sqrt(middle * (1 - middle) / size):
                inside = middle
            else:
                outside = middle
        return inside

    return end(0.0), end(1.0)


@pytest.mark.parametrize("reverse", [False, True])
def test_a_distance_of_few_rows_has_newcombes_interval(reverse: bool) -> None:
    rng = np.random.default_rng(3)
    y = (np.arange(ROWS) < 25).astype(np.int64)
    s = (rng.normal(0, 1, ROWS) + np.where(y > 0, 2.5, 0.0)).round(2) * (-1 if reverse else 1)
    metric = entry_of(changed={"s": s, "y": y})["metrics"]["kolmogorov_smirnov"]
    values, hits, misses = counts(s, y.astype(float), np.ones(ROWS))
    recall, false_rate = hits / 25, misses / (ROWS - 25)
    place = int(np.abs(recall - false_rate).argmax())
    threshold = values[place]
    # Student's quantile, as a level of the normal one.
    level = 2 * stats.norm.cdf(stats.t.ppf(0.975, metric["degrees_of_freedom"])) - 1
    limits = []
    for kind, rate in ((y > 0, recall[place]), (y == 0, false_rate[place])):
        by_fold = np.bincount(fold(), kind & (s >= threshold), FOLDS)
        parts = by_fold - rate * np.bincount(fold(), kind, FOLDS)
        varied = FOLDS * parts.var(ddof=1)
        effect = (varied + 1) / (rate * (1 - rate) * kind.sum() + 1)
        limits.append((rate, *wilson(rate, kind.sum() / effect, level)))
    (high, low_high, high_high), (low, low_low, high_low) = sorted(limits, reverse=True)
    assert metric["value"] == pytest.approx(high - low, rel=1e-12)
    lower = high - low - math.hypot(high - low_high, high_low - low)
    upper = high - low + math.hypot(high_high - high, low - low_low)
    assert [metric["lower"], metric["upper"]] == pytest.approx([lower, min(upper, 1)], rel=1e-6)


def test_no_recall_at_a_rate_that_allows_fewer_than_five_rows() -> None:
    y = columns()["y"].copy()
    negatives = int((y == 0).sum())
    for allowed in (4.9, 5.1):
        rate = allowed / negatives
        at = f"{{false_positive_rate: [{rate}], specificity: [{1 - rate}]}}"
        metrics = entry_of(at=at)["metrics"]
        for name in (
            f"recall_at_false_positive_rate_{rate:g}",
            f"sensitivity_at_specificity_{1 - rate:g}",
        ):
            assert (metrics[name].get("no_interval") == FEW_ALLOWED) == (allowed < 5)
            assert ("standard_error" in metrics[name]) == (allowed > 5)


def test_no_specificity_at_a_sensitivity_that_allows_fewer_than_five_rows() -> None:
    positives = int(columns()["y"].sum())
    for allowed in (4.9, 5.1):
        demand = 1 - allowed / positives
        metric = entry_of(at=f"{{sensitivity: [{demand}]}}")["metrics"][
            f"specificity_at_sensitivity_{demand:g}"
        ]
        assert (metric.get("no_interval") == FEW_MISSED) == (allowed < 5)
        assert ("standard_error" in metric) == (allowed > 5)


@pytest.mark.parametrize("keyed", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_a_calibration_error_has_the_ends_of_its_distribution(keyed: bool, weighted: bool) -> None:
    name = "debiased_calibration_error"
    key = "key: id, " if keyed else ""
    text = (
        f"confidence: {{{key}folds: {FOLDS}}}\nheads: {{h: {{type: binary, logits: s, label: y,"
        " baseline: {logits: t}, metrics: [debiased_calibration_error, max_calibration_error]"
        + (", weight: w}}" if weighted else "}}")
    )
    changed = {"s": columns()["s"] * 1.4, "t": columns()["t"] * 1.7}
    table = pa.table({**columns(), **changed})
    entry = slices_of(evaluate(table, plan_of(text)))[None]
    data, w = {**columns(), **changed}, columns()["w"] if weighted else np.ones(ROWS)
    folds = fold() if keyed else np.asarray(folds_by_row("", np.arange(ROWS), FOLDS))
    mass = np.bincount(folds, w**2, FOLDS)
    degrees = mass.sum() ** 2 / (mass**2).sum() - 1
    t, sides = stats.t.ppf(0.975, degrees), []
    for of, score in ((entry["metrics"], "s"), (entry["baseline"]["metrics"], "t")):
        rows = 1 / (1 + np.exp(-data[score])), data["y"].astype(float), w, folds
        ends = calibration_ends_by_rows(rows, FOLDS, t, 0.95, keyed)
        found = of[name]["lower"], of[name]["upper"]
        # Without a key the folds, on which nothing but the degrees depends, are of other rows.
        assert found == pytest.approx(ends, rel=1e-5)
        assert of["max_calibration_error"]["no_interval"] == BIASED
        sides.append((of[name]["value"], *found))
    (new, new_lower, new_upper), (old, old_lower, old_upper) = sides
    metric = entry["difference"][name]
    below = math.hypot(new - new_lower, old_upper - old)
    above = math.hypot(new_upper - new, old - old_lower)
    assert metric["lower"] == pytest.approx(new - old - below, rel=1e-9)
    assert metric["upper"] == pytest.approx(new - old + above, rel=1e-9)
    # A lower error is better.
    error = (above if new < old else below) / t
    p = stats.t.sf((new - old) / error, degrees)
    assert metric["p_worse"] == pytest.approx(p, rel=1e-2)
    assert "p_worse" not in entry["difference"]["max_calibration_error"]


def test_a_calibration_error_of_fewer_than_fifty_of_a_class_has_no_interval() -> None:
    for positives in (49, 50):
        y = np.isin(np.arange(ROWS), np.linspace(0, ROWS - 1, positives).astype(int)).astype(int)
        metric = entry_of(changed={"y": y})["metrics"]["debiased_calibration_error"]
        assert (metric.get("no_interval") == FEW_OF_A_CLASS_FOR_BINS) == (positives < 50)
        assert ("lower" in metric) == (positives == 50)


def test_a_demand_of_nought_or_one_has_no_interval() -> None:
    ends = (0.0, 1.0)
    at = OperatingPoints(ends, ends, ends, ends, ends)
    context = MetricContext(
        "binary", ("0", "1"), ScoreSpace("logits"), report=True, folds=20, at=at
    )
    metrics = report_metrics(context)
    names = [name for name in metrics if name.rpartition("_")[2] in ("0", "1") and "_at_" in name]
    assert len(names) == 30
    for name in names:
        assert metrics[name].method == NoInterval(AT_AN_END)


@pytest.mark.parametrize("few", [False, True])
def test_intervals_do_not_depend_on_the_unit_of_weights(few: bool) -> None:
    # So many scores that fine cells are finer than coarse ones, which have other units.
    changed = {"s": columns()["s"] + np.random.default_rng(2).uniform(0, 0.1, ROWS)}
    if few:
        changed["y"] = columns()["y"] * (np.arange(ROWS) % 20 == 0)
    expected = entry_of(", weight: w", changed)["metrics"]
    for scale in (2.0**-700, 2.0**-40, 2.0**700):
        scaled = entry_of(", weight: w", {**changed, "w": columns()["w"] * scale})["metrics"]
        for name in (
            *FIGURES,
            *THRESHOLDS,
            "recall_at_precision_0.7",
            "debiased_calibration_error",
        ):
            assert scaled[name] == expected[name], (name, scale)


def test_slices_have_the_intervals_that_they_have_alone() -> None:
    group = np.random.default_rng(9).integers(0, 9, ROWS) // 4
    text = (
        f"slices: [g]\nconfidence: {{key: id, folds: {FOLDS}}}\nheads: {{h: {{type: binary,"
        f" logits: s, label: y, weight: w, at: {AT}}}}}"
    )
    table = pa.table({**columns(), "g": group})
    together = slices_of(evaluate(table, plan_of(text)))
    for value in range(3):
        rows = table.filter(pa.array(group == value))
        alone = slices_of(evaluate(rows, plan_of(text)))[None]["metrics"]
        for name in (*FIGURES, *THRESHOLDS):
            assert together["g", "int", value]["metrics"][name] == alone[name], name


def test_a_test_of_calibration_has_no_difference() -> None:
    entry = entry_of(", baseline: {logits: t}")
    assert "spiegelhalter_z" in entry["metrics"]
    assert "spiegelhalter_z" in entry["baseline"]["metrics"]
    assert "spiegelhalter_z" not in entry["difference"]
    assert "excess_brier_score" in entry["difference"]


def test_a_tenth_with_few_positive_labels_has_an_exact_interval() -> None:
    # All of the positive labels are within the first two tenths, and none beyond.
    y = (np.arange(ROWS) < 40).astype(np.int64)
    s = np.where(y > 0, 5.0, 0.0) + np.random.default_rng(1).normal(0, 1, ROWS).round(2)
    entry = entry_of(", baseline: {logits: t}", {"s": s, "y": y})
    upper = 1 - 0.025 ** (1 / 40)
    for name, highest in (("lift/decile_9", 10), ("lift/decile_10", 10)):
        metric = entry["metrics"][name]
        assert metric["value"] == 0
        assert (metric["lower"], metric["upper"]) == (0, pytest.approx(highest * upper, rel=1e-9))
    metric = entry["metrics"]["gain/decile_9"]
    assert (metric["lower"], metric["upper"]) == (pytest.approx(1 - upper, rel=1e-9), 1)


@pytest.mark.parametrize("positives", [14, 15])
def test_figures_of_fewer_than_fifteen_positive_labels_have_no_interval(positives: int) -> None:
    y = np.zeros(ROWS, np.int64)
    y[np.arange(positives) * 17] = 1
    s = columns()["s"] + 2 * y
    metrics = entry_of(changed={"s": s, "y": y})["metrics"]
    for name in ("average_precision", "auc_precision_recall", "best_f1", "threshold_at_best_f1"):
        assert (metrics[name].get("no_interval") == FEW_LABELS) == (positives < 15), name
        assert ("standard_error" in metrics[name]) == (positives == 15), name
    # Exact limits need none.
    assert "lower" in metrics["recall"]
