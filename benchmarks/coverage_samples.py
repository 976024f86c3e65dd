"""Samples of known populations: what `coverage.py` measures, whatever the head."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from heads.base import BaseHead
from heads.metrics.core.context import MetricContext
from heads.statistics import Key, Scored, Segments
from pipeline.extract.folds import folds_by_key, folds_by_row

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Draw = Callable[[np.random.Generator, tuple[int, ...]], Floats]

SEED = 20_261_123
FOLDS = 20
HEAVY = float(np.exp(1.5**2 / 2))
"""The mean of weights that `lognormal` draws."""


def gamma(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.gamma(2.0, 1.0, shape)


def lognormal(rng: np.random.Generator, shape: tuple[int, ...]) -> Floats:
    return rng.lognormal(0.0, 1.5, shape)


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
class Design:
    """How rows are sampled. Without clusters every row is one, and its fold is that of its number.

    Attributes:
        name: what the sampling of the population is called.
        weights: draws weights; None for none.
        mean_weight: the mean of the weights that are drawn.
        clusters: how many clusters a repetition has.
        sizes: draws how large clusters are in relation to one another; None if they are equal.
    """

    name: str
    weights: Draw | None = None
    mean_weight: float = 1.0
    clusters: int | None = None
    sizes: Draw | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Rows of some repetitions, one after the other; arrays as the `score` of a head takes them.

    Attributes:
        scores: logits of the candidate and of the baseline, `[n, k]` each.
        labels: `[n, 1]`, or `[n, k]` of independent classes.
        weights: `[n]`, or None.
        segments: which repetition and fold each row is of.
    """

    scores: tuple[Floats, Floats]
    labels: Floats
    weights: Floats | None
    segments: Segments


class Population(Protocol):
    """What intervals are simulated of."""

    @property
    def name(self) -> str: ...

    @property
    def rows(self) -> int | None:
        """How many rows there are; None for as many as the program is told."""

    @property
    def head(self) -> BaseHead: ...

    def interval(self, scored: Scored) -> Floats | None:
        """Returns the interval that a regression model predicts for the labels; None for none."""

    def context(self) -> MetricContext:
        """Returns what the metrics of both models depend on."""

    def true_values(self, rows: int) -> tuple[dict[str, float], dict[str, float]]:
        """Returns the metrics of the candidate and the baseline that have an interval."""

    def draw(self, rows: int, repetitions: int, batch: int, seed: int) -> Sample:
        """Returns some repetitions; the same for the same numbers, whatever else is drawn."""


def generator(name: str, rows: int, batch: int, seed: int) -> np.random.Generator:
    return np.random.default_rng([seed, zlib.crc32(name.encode()), rows, batch])


def cluster_of_rows(
    design: Design, rng: np.random.Generator, rows: int, repetitions: int
) -> Ints | None:
    """The cluster of each row `[repetitions, rows]`, counted on from repetition to repetition."""
    number = design.clusters
    if number is None:
        return None
    if design.sizes is None:
        cluster = np.tile(np.arange(rows) * number // rows, (repetitions, 1))
    else:
        sizes = design.sizes(rng, (repetitions, number))
        shares = sizes / sizes.sum(axis=1, keepdims=True)
        counts = rng.multinomial(rows, shares)
        cluster = np.stack([np.repeat(np.arange(number), row_counts) for row_counts in counts])
    return cluster + number * np.arange(repetitions)[:, np.newaxis]


def segments_of(
    design: Design, cluster: Ints | None, rows: int, repetitions: int, batch: int
) -> Segments:
    """The segment of each row: its repetition, and its fold."""
    if cluster is None:
        fold = folds_by_row(f"{design.name}-{batch}", np.arange(repetitions * rows), FOLDS)
    else:
        assert design.clusters is not None
        # The clusters of every repetition have names of their own, so that it has folds of its own.
        names = cluster.ravel() + batch * repetitions * design.clusters
        fold = folds_by_key(pa.array(names), FOLDS)
    keys: list[Key] = [(("repetition", "int", number),) for number in range(repetitions)]
    return Segments(np.repeat(np.arange(repetitions), rows), keys, fold=fold)


def single(values: Floats) -> Floats:
    """Values that a float32 column can hold."""
    return values.astype(np.float32).astype(np.float64)
