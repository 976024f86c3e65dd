"""Populations with a number as label: any number, or a count.

What is true of them is that of one very large sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from typing import Literal

import numpy as np
from coverage_samples import (
    FOLDS,
    HEAVY,
    SEED,
    Design,
    Draw,
    Floats,
    Sample,
    cluster_of_rows,
    gamma,
    generator,
    lognormal,
    segments_of,
    single,
)

from heads import PoissonRegressionHead, RegressionHead
from heads.base import BaseHead
from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import NoInterval
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import report_metrics
from heads.metrics.decile_calibration import DecileMean
from heads.metrics.error_quantiles import ErrorQuantile
from heads.statistics import Scored, Segments
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import measure_state

TRUE_ROWS = 4_000_000
"""How many rows the true values are of."""


@dataclass(frozen=True)
class Forecast:
    """How a model predicts: `centre` of the label + `offset` + `slope` * z + `noise` * u.

    Attributes:
        offset: what the model predicts too much.
        slope: how much it follows z, which the label depends on.
        noise: how much it follows u, a standard normal that the label does not depend on.
    """

    offset: float
    slope: float
    noise: float


def heavy_tails(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_t(5, shape)


def normal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.standard_normal(shape)


CANDIDATE, WORSE = Forecast(0.1, 1.9, 0.4), Forecast(-0.2, 1.6, 0.7)
CANDIDATE_OF_COUNTS, WORSE_OF_COUNTS = Forecast(0.05, 0.45, 0.1), Forecast(-0.1, 0.35, 0.2)


@dataclass(frozen=True)
class RegressionPopulation:
    """A population of labels `centre` + 2 z + `effect` * h + e, or of counts.

    Rows of one cluster share h and a part of z; both are standard normals. The logarithm of the
    mean of a count is 1 + z / 2 + `effect` * h / 2.

    Attributes:
        kind: the type of the head.
        design: how rows are sampled.
        rows: how many rows there are; None for as many as the program is told.
        errors: draws e.
        effect: how much labels depend on the cluster.
        shared: the share of the variance of z that is between clusters.
        models: the candidate and the baseline.
    """

    kind: Literal["regression", "poisson"]
    design: Design
    rows: int | None = None
    errors: Draw = normal
    effect: float = 0.0
    shared: float = 0.0
    models: tuple[Forecast, Forecast] = (CANDIDATE, WORSE)

    @property
    def name(self) -> str:
        return self.design.name

    @cached_property
    def head(self) -> BaseHead:
        return PoissonRegressionHead() if self.kind == "poisson" else RegressionHead()

    def context(self) -> MetricContext:
        return MetricContext(
            self.kind,
            (),
            ScoreSpace("logits"),
            weighted=self.design.weights is not None,
            report=True,
            folds=FOLDS,
            clustered=self.design.clusters is not None,
            pinball=(0.5, 0.9),
            error_quantiles=(0.1, 0.9),
            interval=True,
        )

    def true_values(self, rows: int) -> tuple[dict[str, float], dict[str, float]]:
        # Weights are independent of all else, and as many clusters as rows are as good as rows.
        clustered = bool(self.effect or self.shared)
        design = Design("truth", clusters=TRUE_ROWS) if clustered else Design("truth")
        found = _true_values(replace(self, design=design, rows=None), TRUE_ROWS)
        # A sum is that of so many rows.
        factor = rows * self.design.mean_weight / TRUE_ROWS
        metrics = report_metrics(self.context())
        candidate, baseline = (
            {n: value * factor if metrics[n].total else value for n, value in values.items()}
            for values in found
        )
        return candidate, baseline

    def draw(self, rows: int, repetitions: int, batch: int, seed: int) -> Sample:
        design = self.design
        rng = generator(f"{self.kind} {self.name}", rows, batch, seed)
        shape = (repetitions, rows)
        z, effect = rng.standard_normal(shape), np.zeros(shape)
        cluster = cluster_of_rows(design, rng, rows, repetitions)
        if cluster is not None and design.clusters is not None:
            of_cluster = rng.standard_normal((2, repetitions * design.clusters))
            z *= np.sqrt(1 - self.shared)
            z += np.sqrt(self.shared) * of_cluster[0][cluster]
            effect = self.effect * of_cluster[1][cluster]
        if self.kind == "poisson":
            centre = 1.0
            labels = rng.poisson(np.exp(centre + (z + effect) / 2)).astype(np.float64)
        else:
            # So far from 0 that errors relative to the label have a mean.
            centre = 20.0
            labels = single(centre + 2 * z + effect + self.errors(rng, shape))
        scores = []
        for model in self.models:
            noise = model.noise * rng.standard_normal(shape)
            scores.append(single(centre + model.offset + model.slope * z + noise).reshape(-1, 1))
        weights = None
        if design.weights is not None:
            weights = single(design.weights(rng, shape)).ravel()
        segments = segments_of(design, cluster, rows, repetitions, batch)
        return Sample((scores[0], scores[1]), labels.reshape(-1, 1), weights, segments)

    def interval(self, scored: Scored) -> Floats:
        """Returns the interval that a model predicts for the labels, `[n, 2]`."""
        half = 1.2 + 0.02 * np.abs(scored.probability)
        return scored.probability + np.array([-1.0, 1.0]) * half


@cache
def _true_values(
    population: RegressionPopulation, rows: int
) -> tuple[dict[str, float], dict[str, float]]:
    metrics = {
        name: metric
        for name, metric in report_metrics(population.context()).items()
        if not isinstance(metric.method, NoInterval)
    }
    sample = population.draw(rows, 1, 0, SEED)
    found = []
    for scores in sample.scores:
        scored = population.head.score(scores, sample.labels, None)
        scored = replace(scored, interval=population.interval(scored))
        found.append(_values_of(scored, metrics))
    if population.models[0] == population.models[1]:
        both = {name: (value + found[1][name]) / 2 for name, value in found[0].items()}
        found = [both, both]
    return found[0], found[1]


def _values_of(scored: Scored, metrics: Mapping[str, Metric]) -> dict[str, float]:
    """Returns the metrics of a sample; those of histograms, which would round it, by definition."""
    prediction, label = scored.probability.ravel(), scored.label.ravel()
    error = prediction - label
    order = np.argsort(prediction, kind="stable")
    columns = {"prediction": prediction, "label": label, "error": error}
    tenths = {name: np.array_split(values[order], 10) for name, values in columns.items()}
    states, found = {}, {}
    for name, metric in metrics.items():
        if isinstance(metric, ErrorQuantile):
            values = np.abs(error) if metric.absolute else error
            found[name] = float(np.quantile(values, metric.quantile))
        elif isinstance(metric, DecileMean):
            found[name] = float(tenths[metric.column][metric.decile - 1].mean())
        else:
            statistic = metric.statistic.without_folds()
            if statistic not in states:
                every = Segments.overall(len(scored))
                states[statistic] = measure_state(statistic, scored, every)
            found[name] = float(metric.compute(states[statistic]).value[0])
    return found


def _populations(kind: Literal["regression", "poisson"]) -> tuple[RegressionPopulation, ...]:
    counts = kind == "poisson"
    models = (CANDIDATE_OF_COUNTS, WORSE_OF_COUNTS) if counts else (CANDIDATE, WORSE)
    plain = RegressionPopulation(kind, Design("independent rows"), models=models)
    equal = Design("40 equal clusters", clusters=40)
    unequal = Design("40 unequal clusters", clusters=40, sizes=lognormal)
    tails = replace(plain, design=Design("heavy tails"), errors=heavy_tails)
    return (
        plain,
        replace(plain, design=Design("gamma weights", gamma, mean_weight=2.0)),
        *(() if counts else (tails,)),
        replace(plain, design=equal, effect=0.3, shared=0.15),
        replace(plain, design=unequal, effect=0.3, shared=0.15),
        replace(plain, design=Design("heavy weights", lognormal, mean_weight=HEAVY)),
        replace(plain, design=Design("20 rows"), rows=20),
        replace(plain, design=Design("100 rows"), rows=100),
        replace(plain, design=Design("two equally good models"), models=(models[0], models[0])),
    )


REGRESSION = _populations("regression")
POISSON = _populations("poisson")
