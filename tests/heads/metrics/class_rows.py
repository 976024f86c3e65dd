"""Rows of several classes, random and degenerate, and their metrics."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from heads.metrics.core.context import HeadType, MetricContext
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.registry import pair_metrics, report_metrics
from heads.statistics import Scored, Segments, State, Statistic
from heads.statistics.cuts import ScoreSpace
from heads.statistics.measure import measure_state

Floats = npt.NDArray[np.float64]

CLASSES = 4
THRESHOLDS = (0.25, 0.75)


def make_context(
    head: HeadType, *, weighted: bool, named: tuple[int, ...] | None = None
) -> MetricContext:
    """Returns the context of a head of four classes, with all metrics of the report."""
    named_classes = tuple(range(CLASSES)) if named is None else named
    several = head in ("multi_class", "multi_label")
    return MetricContext(
        head,
        tuple("abcd") if several else ("0", "1"),
        ScoreSpace("probabilities"),
        THRESHOLDS,
        weighted,
        named_classes if several else (),
        tuple("abcd"[i] for i in named_classes) if several else (),
        report=True,
        top=(2,) if several else (),
        baseline=ScoreSpace("probabilities"),
    )


def exclusive(
    rng: np.random.Generator, n: int, labels: tuple[int, ...], predictions: tuple[int, ...]
) -> Scored:
    """Returns rows of exclusive classes, with the given classes as labels and as predictions."""
    score = rng.integers(0, 8, (n, CLASSES)) / 8.0
    left_out = [k for k in range(CLASSES) if k not in predictions]
    score[:, left_out] = -1.0
    score -= score.min(axis=1, keepdims=True) - 0.125
    score /= score.sum(axis=1, keepdims=True)
    label = rng.choice(np.array(labels, np.float64), (n, 1))
    predicted = score.argmax(axis=1)
    return Scored(score, score, label, rng.random(n), weights(rng, n), predicted)


def independent(
    rng: np.random.Generator, n: int, columns: int = CLASSES, labels: tuple[float, ...] = (0, 1)
) -> Scored:
    """Returns rows of independent classes, with ties of scores."""
    score = rng.integers(0, 9, (n, columns)) / 8.0
    label = rng.choice(np.array(labels, np.float64), (n, columns))
    loss, weight = rng.random(n), weights(rng, n)
    class_loss = np.abs(score - label)
    return Scored(score, score, label, loss, weight, kind="probabilities", class_loss=class_loss)


def weights(rng: np.random.Generator, n: int) -> Floats:
    return rng.choice(np.array([0.0, 0.5, 1.0, 3.25]), n) + 0.125


class Results(Mapping[str, Values]):
    """The values of metrics over all rows; a metric is computed when it is asked for."""

    def __init__(self, metrics: dict[str, Metric], rows: Scored) -> None:
        self._metrics = metrics
        self._rows = rows
        self._states: dict[Statistic, State] = {}

    def __getitem__(self, name: str) -> Values:
        metric = self._metrics[name]
        if metric.statistic not in self._states:
            segments = Segments.overall(len(self._rows))
            self._states[metric.statistic] = measure_state(metric.statistic, self._rows, segments)
        return metric.compute(self._states[metric.statistic])

    def __iter__(self) -> Iterator[str]:
        return iter(self._metrics)

    def __len__(self) -> int:
        return len(self._metrics)


def values(head: HeadType, rows: Scored, *, weighted: bool, pair: bool = False) -> Results:
    """Returns the metrics over all rows, of a model or of a model and its baseline."""
    context = make_context(head, weighted=weighted)
    return Results(pair_metrics(context) if pair else report_metrics(context), rows)


def defined(results: Results, name: str) -> float:
    """Returns the value of a metric, which must be defined."""
    assert results[name].reason(0) is None, name
    return float(results[name].value[0])


def samples(head: HeadType, count: int = 12) -> list[tuple[Scored, Floats | None]]:
    """Returns samples of rows with and without weights, and the weights for scikit-learn."""
    rng = np.random.default_rng(5)
    out: list[tuple[Scored, Floats | None]] = []
    everything = tuple(range(CLASSES))
    kinds = [(everything, everything), ((0, 2), everything), ((1, 3), (1, 2)), ((2,), (0, 1, 2))]
    for number in range(count):
        n = int(rng.integers(2, 80))
        if head == "multi_class":
            rows = exclusive(rng, n, *kinds[number % len(kinds)])
        else:
            rows = independent(rng, n, labels=(0, 0, 0, 1) if number % 2 else (0, 1))
            if number % 3 == 2:
                rows.label[:, number % CLASSES] = 0
        out += [(rows, rows.weight), (replace(rows, weight=None), None)]
    return out
