"""How often nominal 95 % intervals hold the true value, in simulation.

    .venv/bin/python benchmarks/coverage.py [--repetitions N] [--rows 2000] [--seed N]
        [--scenario NAME ...]

Draws rows of a known population again and again, measures and computes them as a run does, and
prints a Markdown table of the share of intervals that hold what integration says is true. A
repetition is a slice: as many as have together no more rows than the score histogram has cells are
measured at once. So that histogram keeps every score of 2,000 rows apart, as it would of one
repetition alone; the coarse one of the errors has cells as wide as in a run of that many slices.
"""

from __future__ import annotations

import argparse
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from scipy.optimize import brentq
from scipy.special import expit, logit

from heads import BinaryClassHead
from heads.metrics.core.context import MetricContext
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
COMPARED = ("roc_auc", "average_loss")


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
        bar: whether its coverage has to be near to 95 %.
        base_rate: the share of labels that are 1; from 1 on, how many there are on average.
        slope: how much the label depends on z.
        effect: how much it depends on the cluster.
        shared: the share of the variance of z that is between clusters.
        models: the candidate and the baseline.
        weights: draws weights; None for none.
        clusters: how many clusters a repetition has.
        sizes: draws how large clusters are in relation to one another; None if they are equal.
        threshold: the probability above which a row is predicted positive.
    """

    name: str
    bar: bool = False
    base_rate: float = 0.3
    slope: float = 1.4
    effect: float = 0.0
    shared: float = 0.0
    models: tuple[Model, Model] = (Model(0.1, 1.2, 0.9), Model(0.4, 1.6, 0.8))
    weights: Draw | None = None
    clusters: int | None = None
    sizes: Draw | None = None
    threshold: float = 0.5

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are looked at."""
        at = "" if self.threshold == 0.5 else f"/positive_threshold_{self.threshold:g}"
        return "roc_auc", "average_loss", f"precision{at}", f"recall{at}", "calibration_ratio"

    def rate(self, rows: int) -> float:
        """The share of labels that are 1."""
        return self.base_rate if self.base_rate < 1 else self.base_rate / rows


def gamma(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.gamma(2.0, 1.0, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.lognormal(0.0, 1.5, shape)


SHARP = (Model(0.0, 6.0, 0.97), Model(0.0, 5.0, 0.95))
SCENARIOS = (
    Scenario("independent rows", bar=True),
    Scenario("gamma weights", bar=True, weights=gamma),
    Scenario("40 equal clusters", bar=True, clusters=40, effect=0.4, shared=0.15),
    Scenario("100 equal clusters", bar=True, clusters=100, effect=0.4, shared=0.15),
    Scenario("base rate 1 %", base_rate=0.01, threshold=0.04),
    Scenario("precision near one", slope=8.0, models=SHARP, threshold=0.95),
    Scenario("ten positives", base_rate=10, threshold=0.02),
    Scenario("20 positives", base_rate=20, threshold=0.02),
    Scenario("40 unequal clusters", clusters=40, effect=0.4, shared=0.15, sizes=lognormal),
    Scenario("100 unequal clusters", clusters=100, effect=0.4, shared=0.15, sizes=lognormal),
    Scenario("heavy weights", weights=lognormal),
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
    """The metrics of the whole population, by integrating over w."""
    intercept = find_intercept(scenario, rows)
    # Midpoints of narrow intervals, one of which begins at the threshold.
    step, cut = 1e-3, logit(scenario.threshold)
    first = (cut - intercept - model.offset) / model.spread
    w = first + step * (np.arange(np.ceil((-9 - first) / step), (9 - first) / step) + 0.5)
    density = np.exp(-w * w / 2) * step / np.sqrt(2 * np.pi)
    scores = intercept + model.offset + model.spread * w
    slope = scenario.slope * model.correlation
    scatter = np.hypot(scenario.slope * np.sqrt(1 - model.correlation**2), scenario.effect)
    label = mean_label(intercept, slope, scatter, w)
    ones, zeros = density * label, density * (1 - label)
    below = np.cumsum(zeros) - zeros / 2
    above = scores > cut
    values = (
        (ones * below).sum() / (ones.sum() * zeros.sum()),
        (density * np.logaddexp(0, scores) - ones * scores).sum(),
        ones[above].sum() / density[above].sum(),
        ones[above].sum() / ones.sum(),
        (density * expit(scores)).sum() / ones.sum(),
    )
    return dict(zip(scenario.metrics, map(float, values), strict=True))


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
        compared = difference(candidate, {name: baseline[name] for name in COMPARED}, LEVEL)
    return found | {difference_name(name): estimated for name, estimated in compared.items()}


def difference_name(name: str) -> str:
    return f"difference of {name}"


@dataclass
class Tally:
    """The intervals of one metric.

    Attributes:
        truth: the true value.
        parts: lower ends, upper ends, `[2, r]` for each batch.
    """

    truth: float
    parts: list[Floats] = field(default_factory=list)

    def row(self, scenario: Scenario, rows: int, name: str) -> str:
        """The row of the table; the bar is three simulation errors, or 1 % if that is more."""
        lower, upper = np.concatenate(self.parts, axis=1)
        known = ~np.isnan(lower)
        repetitions = int(known.sum())
        none = 1 - known.mean()
        if not repetitions:
            return (
                f"| {scenario.name} | {rows:,} | {name} | {self.truth:.4g} | | | | | {none:.1%} | |"
            )
        below = float((upper[known] < self.truth).mean())
        above = float((lower[known] > self.truth).mean())
        share = 1 - below - above
        error = np.sqrt(LEVEL * (1 - LEVEL) / repetitions)
        width = np.median((upper - lower)[known])
        bar = ""
        if scenario.bar:
            bar = "met" if abs(share - LEVEL) <= max(0.01, 3 * error) and none == 0 else "missed"
        return (
            f"| {scenario.name} | {rows:,} | {name} | {self.truth:.4g} | {share:.2%} | {error:.2%}"
            f" | {below:.1%} / {above:.1%} | {width:.3g} | {none:.1%} | {bar} |"
        )


def simulate(scenario: Scenario, rows: int, repetitions: int, seed: int = SEED) -> dict[str, Tally]:
    """The intervals of many repetitions, by name of the metric."""
    offered = report_metrics(make_context(scenario))
    metrics = [offered[name] for name in scenario.metrics]
    intercept = find_intercept(scenario, rows)
    true, other = (true_values(scenario, model, rows) for model in scenario.models)
    tallies = {name: Tally(value) for name, value in true.items()}
    tallies |= {difference_name(name): Tally(true[name] - other[name]) for name in COMPARED}
    together = max(1, MAX_CELLS // rows)
    for batch, first in enumerate(range(0, repetitions, together)):
        sample = draw(scenario, rows, together, batch, intercept, seed)
        for name, own in estimates(sample, metrics).items():
            ends = np.stack([own.lower, own.upper])
            tallies[name].parts.append(ends[:, : repetitions - first])
    return tallies


def table(scenarios: Sequence[Scenario], rows: int, repetitions: int, seed: int) -> Iterator[str]:
    """The lines of the table."""
    yield (
        "| scenario | rows | metric | true value | coverage | simulation error | below / above"
        " | median width | no interval | bar |"
    )
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for scenario in scenarios:
        for name, tally in simulate(scenario, rows, repetitions, seed).items():
            yield tally.row(scenario, rows, name)


def main() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repetitions", type=int, default=10_000)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--scenario", nargs="+", choices=names, default=names, metavar="NAME")
    arguments = parser.parse_args()
    start = time.process_time()
    for line in table(
        [scenario for scenario in SCENARIOS if scenario.name in arguments.scenario],
        arguments.rows,
        arguments.repetitions,
        arguments.seed,
    ):
        print(line, flush=True)
    seconds = time.process_time() - start
    what = f"{arguments.repetitions:,} repetitions, seed {arguments.seed}"
    print(f"\n{what}; {seconds:.0f} s of processor time.")


if __name__ == "__main__":
    main()
