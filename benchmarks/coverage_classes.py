"""Populations with labels of several classes, exclusive or independent, of which one is scarce.

What is true of them is that of one very large sample.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Literal

import numpy as np
from coverage_samples import (
    FOLDS,
    HEAVY,
    SEED,
    Design,
    Floats,
    Model,
    Sample,
    cluster_of_rows,
    gamma,
    generator,
    lognormal,
    segments_of,
    single,
)
from scipy.special import expit

from heads import MultiClassHead, MultiLabelHead
from heads.base import BaseHead
from heads.metrics.core.context import MetricContext
from heads.metrics.core.methods import NoInterval
from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored, Segments
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import make_accumulator

CLASSES = ("a", "b", "c", "scarce")
TRUE_ROWS = 4_000_000
"""How many rows the true values are of: their error is that of an interval of 2,000 over 45."""
_BATCH = 250_000
BETTER, WORSE = Model(0.0, 1.4, 0.9), Model(0.0, 1.7, 0.75)
# A nineteenth of the labels, and one of a hundred, are of the scarce class.
ORDINARY: Mapping[str, tuple[float, ...]] = {
    "multi_class": (0.9, 0.5, 0.0, -1.9),
    "multi_label": (-0.2, -1.3, -3.7),
}
SCARCE: Mapping[str, tuple[float, ...]] = {
    "multi_class": (0.9, 0.5, 0.0, -3.9),
    "multi_label": (-0.2, -1.3, -5.62),
}


@dataclass(frozen=True)
class ClassPopulation:
    """A population: class k has logit intercept(k) + `slope` * z(k) + `effect` * h(k).

    An exclusive class is the label with the probability of the softmax, an independent one with
    that of the sigmoid. Rows of one cluster share h and a part of z; both are standard normals, and
    z(k) and h(k) are independent of those of other classes. A model scores every class as `Model`
    says.

    Attributes:
        kind: the type of the head.
        design: how rows are sampled.
        intercepts: the intercepts of the classes.
        slope: how much labels depend on z.
        effect: how much they depend on the cluster.
        shared: the share of the variance of z that is between clusters.
        models: the candidate and the baseline.
    """

    kind: Literal["multi_class", "multi_label"]
    design: Design
    intercepts: tuple[float, ...]
    slope: float = 1.5
    effect: float = 0.0
    shared: float = 0.0
    models: tuple[Model, Model] = (BETTER, WORSE)

    rows = None

    @property
    def name(self) -> str:
        return self.design.name

    def interval(self, _: Scored) -> None:
        return None

    @property
    def class_names(self) -> tuple[str, ...]:
        return (*CLASSES[: len(self.intercepts) - 1], CLASSES[-1])

    @cached_property
    def head(self) -> BaseHead:
        number = len(self.intercepts)
        return MultiClassHead(number) if self.kind == "multi_class" else MultiLabelHead(number)

    def context(self) -> MetricContext:
        number = len(self.intercepts)
        return MetricContext(
            self.kind,
            self.class_names,
            ScoreSpace("logits"),
            thresholds=(0.3,),
            weighted=self.design.weights is not None,
            named_classes=tuple(range(number)),
            class_suffixes=self.class_names,
            report=True,
            folds=FOLDS,
            clustered=self.design.clusters is not None,
            top=(2,),
        )

    def true_values(self, rows: int) -> tuple[dict[str, float], dict[str, float]]:
        # Weights are independent of all else, and as many clusters as rows are as good as rows.
        design = Design("truth", clusters=_BATCH) if self.effect or self.shared else Design("truth")
        found = _true_values(replace(self, design=design), TRUE_ROWS)
        # A sum is that of so many rows.
        factor = rows * self.design.mean_weight / TRUE_ROWS
        metrics = report_metrics(self.context())
        candidate, baseline = (
            {n: value * factor if metrics[n].total else value for n, value in values.items()}
            for values in found
        )
        return candidate, baseline

    def draw(self, rows: int, repetitions: int, batch: int, seed: int) -> Sample:
        design, number = self.design, len(self.intercepts)
        rng = generator(f"{self.kind} {self.name}", rows, batch, seed)
        shape = (repetitions, rows, number)
        intercepts = np.array(self.intercepts)
        z = rng.standard_normal(shape)
        logit = np.broadcast_to(intercepts, shape)
        cluster = cluster_of_rows(design, rng, rows, repetitions)
        if cluster is not None and design.clusters is not None:
            of_cluster = rng.standard_normal((2, repetitions * design.clusters, number))
            z *= np.sqrt(1 - self.shared)
            z += np.sqrt(self.shared) * of_cluster[0][cluster]
            logit = logit + self.effect * of_cluster[1][cluster]
        labels = self._labels(rng, logit + self.slope * z)
        scores = []
        for model in self.models:
            noise = np.sqrt(1 - model.correlation**2) * rng.standard_normal(shape)
            logits = intercepts + model.offset + model.spread * (model.correlation * z + noise)
            scores.append(single(logits).reshape(-1, number))
        weights = None
        if design.weights is not None:
            weights = single(design.weights(rng, shape[:2])).ravel()
        segments = segments_of(design, cluster, rows, repetitions, batch)
        return Sample((scores[0], scores[1]), labels, weights, segments)

    def _labels(self, rng: np.random.Generator, logit: Floats) -> Floats:
        """The labels of rows: `[n, 1]` of exclusive classes, `[n, k]` of independent ones."""
        number = logit.shape[-1]
        if self.kind == "multi_label":
            drawn = rng.random(logit.shape) < expit(logit)
            return drawn.reshape(-1, number).astype(np.float64)
        # The largest of logits with Gumbel noise has the probabilities of the softmax.
        noisy = logit + rng.gumbel(size=logit.shape)
        return noisy.argmax(axis=-1).reshape(-1, 1).astype(np.float64)


@lru_cache(maxsize=8)
def _true_values(
    population: ClassPopulation, rows: int
) -> tuple[dict[str, float], dict[str, float]]:
    """The metrics of both models in a very large sample."""
    context = replace(population.context(), folds=1)
    metrics = {
        name: metric
        for name, metric in report_metrics(context).items()
        if not isinstance(metric.method, NoInterval)
    }
    statistics = {metric.statistic for metric in metrics.values()}
    sums = [{statistic: make_accumulator(statistic) for statistic in statistics} for _ in "ab"]
    for sample in _batches(population, rows):
        for scores, accumulators in zip(sample.scores, sums, strict=True):
            scored = population.head.score(scores, sample.labels, None)
            for accumulator in accumulators.values():
                accumulator.add(scored, Segments.overall(len(scores)))
    found = []
    for accumulators in sums:
        states = {statistic: total.freeze() for statistic, total in accumulators.items()}
        found.append(
            {
                name: float(metric.compute(states[metric.statistic]).value[0])
                for name, metric in metrics.items()
            }
        )
    if population.models[0] == population.models[1]:
        both = {name: (value + found[1][name]) / 2 for name, value in found[0].items()}
        found = [both, both]
    return found[0], found[1]


def _batches(population: ClassPopulation, rows: int) -> Iterator[Sample]:
    for batch in range(rows // _BATCH):
        yield population.draw(_BATCH, 1, batch, SEED)


def _populations(kind: Literal["multi_class", "multi_label"]) -> tuple[ClassPopulation, ...]:
    ordinary, scarce = ORDINARY[kind], SCARCE[kind]
    equal = Design("40 equal clusters", clusters=40)
    unequal = Design("40 unequal clusters", clusters=40, sizes=lognormal)
    return (
        ClassPopulation(kind, Design("independent rows"), ordinary),
        ClassPopulation(kind, Design("gamma weights", gamma, mean_weight=2.0), ordinary),
        ClassPopulation(kind, Design("heavy weights", lognormal, mean_weight=HEAVY), ordinary),
        ClassPopulation(kind, equal, ordinary, effect=0.4, shared=0.15),
        ClassPopulation(kind, unequal, ordinary, effect=0.4, shared=0.15),
        ClassPopulation(kind, Design("20 rows of a class"), scarce),
        ClassPopulation(kind, Design("two equally good models"), ordinary, models=(BETTER, BETTER)),
    )


MULTI_CLASS = _populations("multi_class")
MULTI_LABEL = _populations("multi_label")
