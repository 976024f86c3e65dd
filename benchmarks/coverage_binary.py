"""Populations with a label of two kinds, and what integration says is true of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from coverage_samples import (
    FOLDS,
    HEAVY,
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
from scipy.optimize import brentq
from scipy.special import expit, logit

from heads import BinaryClassHead
from heads.metrics.core.context import MetricContext, OperatingPoints
from heads.metrics.core.methods import NoInterval
from heads.metrics.core.registry import report_metrics
from heads.statistics import Scored, Segments
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import measure_state

AT = OperatingPoints((0.8,), (0.8,), (0.9,), (0.05,), (0.9,))
BETTER, WORSE = Model(0.1, 1.2, 0.9), Model(0.4, 1.6, 0.8)
SHARP = Model(0.0, 6.0, 0.97), Model(0.0, 5.0, 0.95)


@dataclass(frozen=True)
class BinaryPopulation:
    """A population: a label is 1 with log odds intercept + `slope` * z + `effect` * h.

    Rows of one cluster share h and a part of z; both are standard normals.

    Attributes:
        design: how rows are sampled.
        base_rate: the share of labels that are 1; from 1 on, how many there are on average.
        slope: how much the label depends on z.
        effect: how much it depends on the cluster.
        shared: the share of the variance of z that is between clusters.
        models: the candidate and the baseline.
        threshold: the probability above which a row is predicted positive.
    """

    design: Design
    base_rate: float = 0.3
    slope: float = 1.4
    effect: float = 0.0
    shared: float = 0.0
    models: tuple[Model, Model] = (BETTER, WORSE)
    threshold: float = 0.5

    rows = None

    @property
    def name(self) -> str:
        return self.design.name

    def interval(self, _: Scored) -> None:
        return None

    @cached_property
    def head(self) -> BinaryClassHead:
        return BinaryClassHead()

    def context(self) -> MetricContext:
        return MetricContext(
            "binary",
            ("0", "1"),
            ScoreSpace("logits"),
            thresholds=(self.threshold,),
            weighted=self.design.weights is not None,
            report=True,
            folds=FOLDS,
            clustered=self.design.clusters is not None,
            at=AT,
        )

    def true_values(self, rows: int) -> tuple[dict[str, float], dict[str, float]]:
        candidate, baseline = (self.true_values_of(model, rows) for model in self.models)
        return candidate, baseline

    def true_values_of(self, model: Model, rows: int) -> dict[str, float]:
        """The metrics of all: of a grid of scores, whose rows weigh their mass."""
        intercept = self.intercept(rows)
        # Midpoints of narrow intervals, one of which begins at the threshold.
        step, cut = 2.5e-3, logit(self.threshold)
        first = (cut - intercept - model.offset) / model.spread
        w = first + step * (np.arange(np.ceil((-9 - first) / step), (9 - first) / step) + 0.5)
        density = np.exp(-w * w / 2) * step / np.sqrt(2 * np.pi)
        slope = self.slope * model.correlation
        scatter = np.hypot(self.slope * np.sqrt(1 - model.correlation**2), self.effect)
        label = mean_label(intercept, slope, scatter, w)
        score = np.tile(intercept + model.offset + model.spread * w, 2)[:, np.newaxis]
        labels = np.repeat([1.0, 0.0], len(w))[:, np.newaxis]
        mass = np.concatenate([density * label, density * (1 - label)])
        scored = self.head.score(score, labels, mass)
        found, states = {}, {}
        for name, metric in report_metrics(replace(self.context(), weighted=True)).items():
            if isinstance(metric.method, NoInterval):
                continue
            if metric.statistic not in states:
                statistic, segments = metric.statistic.without_folds(), Segments.overall(len(mass))
                states[metric.statistic] = measure_state(statistic, scored, segments)
            value = float(metric.compute(states[metric.statistic]).value[0])
            # A sum is that of so many rows.
            found[name] = value * rows * self.design.mean_weight if metric.total else value
        place = np.minimum((expit(score[:, 0]) * 10).astype(int), 9)
        errors = np.bincount(place, mass * (expit(score) - labels)[:, 0], 10)
        share = np.bincount(place, mass, 10)
        squares = errors**2 / np.maximum(share, 1e-300)
        found["debiased_calibration_error"] = float(np.sqrt(squares.sum()))
        return found

    def intercept(self, rows: int) -> float:
        """The intercept that gives the population its base rate."""
        rate = self.base_rate if self.base_rate < 1 else self.base_rate / rows
        scatter, zero = np.hypot(self.slope, self.effect), np.zeros(1)
        return float(brentq(lambda a: mean_label(a, 0.0, scatter, zero)[0] - rate, -200, 200))

    def draw(self, rows: int, repetitions: int, batch: int, seed: int) -> Sample:
        design, intercept = self.design, self.intercept(rows)
        rng, shape = generator(self.name, rows, batch, seed), (repetitions, rows)
        z = rng.standard_normal(shape)
        log_odds = np.full(shape, intercept)
        cluster = cluster_of_rows(design, rng, rows, repetitions)
        if cluster is not None and design.clusters is not None:
            of_cluster = rng.standard_normal((2, repetitions * design.clusters))
            z *= np.sqrt(1 - self.shared)
            z += np.sqrt(self.shared) * of_cluster[0][cluster]
            log_odds += self.effect * of_cluster[1][cluster]
        log_odds += self.slope * z
        labels = (rng.random(shape) < expit(log_odds)).astype(np.float64)
        scores = []
        for model in self.models:
            noise = np.sqrt(1 - model.correlation**2) * rng.standard_normal(shape)
            logits = intercept + model.offset + model.spread * (model.correlation * z + noise)
            scores.append(single(logits).reshape(-1, 1))
        weights = None if design.weights is None else single(design.weights(rng, shape)).ravel()
        segments = segments_of(design, cluster, rows, repetitions, batch)
        return Sample((scores[0], scores[1]), labels.reshape(-1, 1), weights, segments)


def mean_label(intercept: float, slope: float, scatter: float, w: Floats) -> Floats:
    """The mean of expit(intercept + slope * w + scatter * g) over a standard normal g."""
    # Beyond 8.5 standard deviations is less than 1e-16; the rule converges geometrically.
    g, step = np.linspace(-8.5, 8.5, 341, retstep=True)
    density = np.exp(-g * g / 2) * step / np.sqrt(2 * np.pi)
    out = np.zeros(len(w))
    for point, share in zip(g, density, strict=True):
        out += share * expit(intercept + slope * w + scatter * point)
    return out


def _clustered(clusters: int, *, equal: bool) -> BinaryPopulation:
    kind = "equal" if equal else "unequal"
    sizes = None if equal else lognormal
    design = Design(f"{clusters} {kind} clusters", clusters=clusters, sizes=sizes)
    return BinaryPopulation(design, effect=0.4, shared=0.15)


POPULATIONS = (
    BinaryPopulation(Design("independent rows")),
    BinaryPopulation(Design("gamma weights", gamma, mean_weight=2.0)),
    _clustered(40, equal=True),
    _clustered(100, equal=True),
    BinaryPopulation(Design("base rate 1 %"), base_rate=0.01, threshold=0.04),
    BinaryPopulation(Design("precision near one"), slope=8.0, models=SHARP, threshold=0.95),
    BinaryPopulation(Design("ten positives"), base_rate=10, threshold=0.02),
    BinaryPopulation(Design("20 positives"), base_rate=20, threshold=0.02),
    _clustered(40, equal=False),
    _clustered(100, equal=False),
    BinaryPopulation(Design("heavy weights", lognormal, mean_weight=HEAVY)),
    BinaryPopulation(Design("two equally good models"), models=(BETTER, BETTER)),
)
