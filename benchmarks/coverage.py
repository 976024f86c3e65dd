"""How often nominal 95 % intervals hold the true value, in simulation.

    .venv/bin/python benchmarks/coverage.py [--repetitions N] [--rows 2000] [--seed N]
        [--scenario NAME ...] [--metric NAME ...] [--output FILE]

Draws rows of a known population again and again, measures and computes them as a run does, and
writes the share of intervals that hold what integration says is true, for every metric of a binary
head that has an interval, and for the differences of two models. `benchmarks/coverage.json` is what
it wrote, of which `docs/coverage_page.py` makes a page.

A repetition is a slice: as many as have together no more rows than the score histogram has cells
are measured at once. So that histogram keeps every score of 2,000 rows apart, as it would of one
repetition alone; the coarse one of the errors has cells as wide as in a run of that many slices.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import brentq
from scipy.special import expit, logit

from heads import BinaryClassHead
from heads.metrics.core.context import MetricContext, OperatingPoints
from heads.metrics.core.methods import NoInterval
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import report_metrics
from heads.statistics import Key, Segments
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import measure_state
from heads.statistics.score_histogram import MAX_CELLS
from pipeline.extract.folds import folds_by_key, folds_by_row
from pipeline.results.differences import difference
from pipeline.results.estimated import Estimates
from pipeline.results.estimates import estimate
from pipeline.results.readings import Readings, read_metric
from pipeline.results.state_views import StateViews

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

SEED = 20_261_123
FOLDS, LEVEL = 20, 0.95
WRITTEN = ("coverage", "none", "open", "worse")
AT = OperatingPoints((0.8,), (0.8,), (0.9,), (0.05,))


@dataclass(frozen=True)
class Model:
    """How a model scores: logit = log odds of a row with z = 0, + `offset` + `spread` * w.

    Attributes:
        offset: what is added to the intercept of the label's own log odds.
        spread: the standard deviation of the logits.
        correlation: of w, a standard normal, with what the label depends on, z.
    """

    offset: float
    spread: float
    correlation: float


@dataclass(frozen=True)
class Scenario:
    """A population: a label is 1 with log odds intercept + `slope` * z + `effect` * h.

    Rows of one cluster share h and a part of z; both are standard normals. Without clusters every
    row is one, and its fold is that of its number.

    Attributes:
        name: what it is called.
        base_rate: the share of labels that are 1; from 1 on, how many there are on average.
        slope: how much the label depends on z.
        effect: how much it depends on the cluster.
        shared: the share of the variance of z that is between clusters.
        models: the candidate and the baseline.
        weights: draws weights; None for none.
        clusters: how many clusters a repetition has.
        sizes: draws how large clusters are in relation to one another; None if they are equal.
        threshold: the probability above which a row is predicted positive.
        mean_weight: the mean of the weights that are drawn.
    """

    name: str
    base_rate: float = 0.3
    slope: float = 1.4
    effect: float = 0.0
    shared: float = 0.0
    models: tuple[Model, Model] = (Model(0.1, 1.2, 0.9), Model(0.4, 1.6, 0.8))
    weights: Draw | None = None
    clusters: int | None = None
    sizes: Draw | None = None
    threshold: float = 0.5
    mean_weight: float = 1.0

    def rate(self, rows: int) -> float:
        """The share of labels that are 1."""
        return self.base_rate if self.base_rate < 1 else self.base_rate / rows


def gamma(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.gamma(2.0, 1.0, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.lognormal(0.0, 1.5, shape)


EQUAL = Model(0.1, 1.2, 0.9)
SHARP = (Model(0.0, 6.0, 0.97), Model(0.0, 5.0, 0.95))
SCENARIOS = (
    Scenario("independent rows"),
    Scenario("gamma weights", weights=gamma, mean_weight=2.0),
    Scenario("40 equal clusters", clusters=40, effect=0.4, shared=0.15),
    Scenario("100 equal clusters", clusters=100, effect=0.4, shared=0.15),
    Scenario("base rate 1 %", base_rate=0.01, threshold=0.04),
    Scenario("precision near one", slope=8.0, models=SHARP, threshold=0.95),
    Scenario("ten positives", base_rate=10, threshold=0.02),
    Scenario("20 positives", base_rate=20, threshold=0.02),
    Scenario("40 unequal clusters", clusters=40, effect=0.4, shared=0.15, sizes=lognormal),
    Scenario("100 unequal clusters", clusters=100, effect=0.4, shared=0.15, sizes=lognormal),
    Scenario("heavy weights", weights=lognormal, mean_weight=float(np.exp(1.5**2 / 2))),
    Scenario("two equally good models", models=(EQUAL, EQUAL)),
)


def mean_label(intercept: float, slope: float, scatter: float, w: Floats) -> Floats:
    """The mean of expit(intercept + slope * w + scatter * g) over a standard normal g."""
    # Beyond 8.5 standard deviations is less than 1e-16; the rule converges geometrically.
    g, step = np.linspace(-8.5, 8.5, 341, retstep=True)
    density = np.exp(-g * g / 2) * step / np.sqrt(2 * np.pi)
    out = np.zeros(len(w))
    for point, share in zip(g, density, strict=True):
        out += share * expit(intercept + slope * w + scatter * point)
    return out


def find_intercept(scenario: Scenario, rows: int) -> float:
    """The intercept that gives the population its base rate."""
    scatter, rate = np.hypot(scenario.slope, scenario.effect), scenario.rate(rows)
    zero = np.zeros(1)
    return float(brentq(lambda a: mean_label(a, 0.0, scatter, zero)[0] - rate, -200, 200))


def true_values(scenario: Scenario, model: Model, rows: int) -> dict[str, float]:
    """The metrics of the whole population: of a grid of scores, whose rows weigh their mass."""
    intercept = find_intercept(scenario, rows)
    # Midpoints of narrow intervals, one of which begins at the threshold.
    step, cut = 2.5e-3, logit(scenario.threshold)
    first = (cut - intercept - model.offset) / model.spread
    w = first + step * (np.arange(np.ceil((-9 - first) / step), (9 - first) / step) + 0.5)
    density = np.exp(-w * w / 2) * step / np.sqrt(2 * np.pi)
    slope = scenario.slope * model.correlation
    scatter = np.hypot(scenario.slope * np.sqrt(1 - model.correlation**2), scenario.effect)
    label = mean_label(intercept, slope, scatter, w)
    score = np.tile(intercept + model.offset + model.spread * w, 2)[:, np.newaxis]
    labels = np.repeat([1.0, 0.0], len(w))[:, np.newaxis]
    mass = np.concatenate([density * label, density * (1 - label)])
    scored = BinaryClassHead().score(score, labels, mass)
    found, states = {}, {}
    for name, metric in report_metrics(replace(make_context(scenario), weighted=True)).items():
        if isinstance(metric.method, NoInterval):
            continue
        if metric.statistic not in states:
            statistic = metric.statistic.without_folds()
            states[metric.statistic] = measure_state(statistic, scored, Segments.overall(len(mass)))
        value = float(metric.compute(states[metric.statistic]).value[0])
        # A sum is that of so many rows.
        found[name] = value * rows * scenario.mean_weight if metric.total else value
    place = np.minimum((expit(score[:, 0]) * 10).astype(int), 9)
    errors = np.bincount(place, mass * (expit(score) - labels)[:, 0], 10)
    share = np.bincount(place, mass, 10)
    squares = errors**2 / np.maximum(share, 1e-300)
    found["debiased_calibration_error"] = float(np.sqrt(squares.sum()))
    return found


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of some repetitions, one after the other; arrays as the `score` of a head takes them.

    Attributes:
        scores: logits of the candidate and of the baseline, `[n, 1]` each.
        labels: `[n, 1]`.
        weights: `[n]`, or None.
        segments: which repetition and fold each row is of.
    """

    scores: tuple[Floats, Floats]
    labels: Floats
    weights: Floats | None
    segments: Segments


def draw(
    scenario: Scenario, rows: int, repetitions: int, batch: int, intercept: float, seed: int = SEED
) -> Sample:
    """Some repetitions; the same for the same numbers, whatever else is drawn."""
    rng = np.random.default_rng([seed, zlib.crc32(scenario.name.encode()), rows, batch])
    shape = (repetitions, rows)
    z = rng.standard_normal(shape)
    log_odds = np.full(shape, intercept)
    if scenario.clusters is None:
        fold = folds_by_row(f"{scenario.name}-{batch}", np.arange(repetitions * rows), FOLDS)
    else:
        cluster = _clusters(scenario, rng, rows, repetitions)
        of_cluster = rng.standard_normal((2, repetitions * scenario.clusters))
        z *= np.sqrt(1 - scenario.shared)
        z += np.sqrt(scenario.shared) * of_cluster[0][cluster]
        log_odds += scenario.effect * of_cluster[1][cluster]
        # The clusters of every repetition have names of their own, so that it has folds of its own.
        names = cluster.ravel() + batch * repetitions * scenario.clusters
        fold = folds_by_key(pa.array(names), FOLDS)
    log_odds += scenario.slope * z
    labels = (rng.random(shape) < expit(log_odds)).astype(np.float64)
    scores = []
    for model in scenario.models:
        noise = np.sqrt(1 - model.correlation**2) * rng.standard_normal(shape)
        logits = intercept + model.offset + model.spread * (model.correlation * z + noise)
        scores.append(_single(logits).reshape(-1, 1))
    keys: list[Key] = [(("repetition", "int", number),) for number in range(repetitions)]
    return Sample(
        (scores[0], scores[1]),
        labels.reshape(-1, 1),
        None if scenario.weights is None else _single(scenario.weights(rng, shape)).ravel(),
        Segments(np.repeat(np.arange(repetitions), rows), keys, fold=fold),
    )


def _clusters(scenario: Scenario, rng: np.random.Generator, rows: int, repetitions: int) -> Ints:
    """The cluster of each row `[repetitions, rows]`, counted on from repetition to repetition."""
    number = scenario.clusters
    assert number is not None
    if scenario.sizes is None:
        cluster = np.tile(np.arange(rows) * number // rows, (repetitions, 1))
    else:
        sizes = scenario.sizes(rng, (repetitions, number))
        shares = sizes / sizes.sum(axis=1, keepdims=True)
        counts = rng.multinomial(rows, shares)
        cluster = np.stack([np.repeat(np.arange(number), row_counts) for row_counts in counts])
    return cluster + number * np.arange(repetitions)[:, np.newaxis]


def _single(values: Floats) -> Floats:
    """Values that a float32 column can hold."""
    return values.astype(np.float32).astype(np.float64)


def make_context(scenario: Scenario) -> MetricContext:
    """What the metrics of both models depend on."""
    return MetricContext(
        "binary",
        ("0", "1"),
        ScoreSpace("logits"),
        thresholds=(scenario.threshold,),
        weighted=scenario.weights is not None,
        report=True,
        folds=FOLDS,
        clustered=scenario.clusters is not None,
        at=AT,
    )


def read_model(sample: Sample, model: int, metrics: Sequence[Metric]) -> dict[str, Readings]:
    """What a run reads of the metrics of one model in every repetition."""
    scored = BinaryClassHead().score(sample.scores[model], sample.labels, sample.weights)
    keys, every = tuple(sample.segments.keys), np.ones(len(sample.segments.keys), bool)
    statistics = {s for metric in metrics for s in metric.measured if s is not None}
    views = {
        statistic: StateViews(measure_state(statistic, scored, sample.segments), keys, every)
        for statistic in statistics
    }
    return {
        metric.name: read_metric(
            metric,
            *(None if measured is None else views[measured] for measured in metric.measured),
            weighted=True,
        )
        for metric in metrics
    }


def estimates(sample: Sample, metrics: Sequence[Metric]) -> dict[str, Estimates]:
    """The metrics of the candidate, and its differences from the baseline, as a run has them."""
    with np.errstate(all="ignore"):
        candidate, baseline = (read_model(sample, model, metrics) for model in (0, 1))
        found = estimate(candidate, LEVEL)
        compared = difference(candidate, baseline, LEVEL)
    return found | {difference_name(name): estimated for name, estimated in compared.items()}


def difference_name(name: str) -> str:
    return f"difference of {name}"


@dataclass
class Tally:
    """The intervals of one metric.

    Attributes:
        truth: the true value.
        parts: lower ends, upper ends and p-values, `[3, r]` for each batch.
    """

    truth: float
    parts: list[Floats] = field(default_factory=list)

    def shares(self) -> dict[str, float]:
        """What share of the repetitions has which kind of interval."""
        lower, upper, p = np.concatenate(self.parts, axis=1)
        known = ~np.isnan(lower)
        found = {"truth": self.truth, "intervals": int(known.sum()), "none": 1 - known.mean()}
        if known.any():
            below, above = (upper[known] < self.truth).mean(), (lower[known] > self.truth).mean()
            found |= {"coverage": 1 - below - above, "below": below, "above": above}
            found["open"] = (np.isinf(lower) | np.isinf(upper))[known].mean()
            with np.errstate(invalid="ignore"):
                found["width"] = float(np.median((upper - lower)[known]))
        if not np.isnan(p).all():
            found["worse"] = (p[~np.isnan(p)] <= 1 - LEVEL).mean()
        # JSON has no infinity: most of such intervals are open.
        if np.isinf(found.get("width", 0)):
            del found["width"]
        return {name: float(f"{value:.4g}") for name, value in found.items()}


def simulate(
    scenario: Scenario,
    rows: int,
    repetitions: int,
    seed: int = SEED,
    only: Collection[str] | None = None,
) -> dict[str, Tally]:
    """The intervals of many repetitions, by name of the metric."""
    intercept = find_intercept(scenario, rows)
    true, other = (true_values(scenario, model, rows) for model in scenario.models)
    names = [name for name in true if only is None or name in only]
    offered = report_metrics(make_context(scenario))
    metrics = [offered[name] for name in names]
    tallies = {name: Tally(true[name]) for name in names}
    tallies |= {
        difference_name(name): Tally(true[name] - other[name])
        for name in names
        if offered[name].comparable
    }
    together = max(1, MAX_CELLS // rows)
    for batch, first in enumerate(range(0, repetitions, together)):
        sample = draw(scenario, rows, together, batch, intercept, seed)
        for name, estimated in estimates(sample, metrics).items():
            columns = np.stack([estimated.lower, estimated.upper, estimated.p_worse])
            tallies[name].parts.append(columns[:, : repetitions - first])
    return tallies


def main() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scenario", nargs="+", choices=names, default=names, metavar="NAME")
    parser.add_argument("--metric", nargs="+", metavar="NAME")
    parser.add_argument("--output", default="out/coverage.json", metavar="FILE")
    arguments = parser.parse_args()
    start, rows = time.process_time(), arguments.rows
    found: dict[str, dict[str, dict[str, float]]] = {}
    for scenario in SCENARIOS:
        if scenario.name not in arguments.scenario:
            continue
        tallies = simulate(scenario, rows, arguments.repetitions, arguments.seed, arguments.metric)
        found[scenario.name] = {}
        for name, tally in tallies.items():
            shares = tally.shares()
            told = ", ".join(f"{key} {value:.4g}" for key, value in shares.items())
            print(f"{scenario.name}: {name}: {told}", flush=True)
            found[scenario.name][name] = {key: shares[key] for key in WRITTEN if key in shares}
    content = {"rows": rows, "repetitions": arguments.repetitions, "seed": arguments.seed}
    output = Path(arguments.output)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps({**content, "scenarios": found}, indent=0) + "\n")
    print(f"{time.process_time() - start:.0f} s of processor time.")


if __name__ == "__main__":
    main()
