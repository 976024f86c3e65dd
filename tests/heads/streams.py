"""Streams of batches for heads, and functions that feed them to heads."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import settings
from hypothesis import strategies as st

law = settings(max_examples=30, deadline=None, derandomize=True, database=None)
slow_law = settings(law, max_examples=12)

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Rows:
    """Rows `[n]` to cut into batches."""

    logits: Array
    labels: Array
    weights: Array

    def __len__(self) -> int:
        return len(self.logits)

    def batch(self, rows: slice = slice(None)) -> dict[str, Any]:
        """Returns the arguments of `loss` and `update_metrics` for some rows."""
        features = {"w": self.weights[rows]}
        return {"features": features, "logits": self.logits[rows], "labels": self.labels[rows]}


def results(head: Any, rows: Rows, bounds: Sequence[int] = ()) -> dict[str, float]:
    """Returns the metrics of rows that are cut into batches at the bounds."""
    metrics = head.metrics()
    edges = [0, *sorted(bounds), len(rows)]
    for first, last in itertools.pairwise(edges):
        head.update_metrics(metrics, **rows.batch(slice(first, last)))
    return {key: metric.result() for key, metric in metrics.items()}


@st.composite
def rows(draw: st.DrawFn, kind: str, classes: int = 1, least: int = 0) -> Rows:
    """Draws rows of a binary, multi_class or multi_label head, with ties and hard cases."""
    n = draw(st.integers(least, 40))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.1, 1.0, 5.0, 100.0]))
    logits = rng.normal(0, scale, (n, classes)).astype(np.float32)
    if draw(st.booleans()):
        logits = logits.round(1)
    if kind == "multi_class":
        labels: Array = rng.integers(0, classes, (n, 1))
    else:
        labels = rng.integers(0, 2, (n, classes)).astype(np.float32)
        if draw(st.booleans()):
            soft = rng.random(labels.shape) < 0.3
            labels[soft] = rng.random(int(soft.sum()))
    weights = rng.choice([0.0, 0.1, 1.0, 2.5, 1e6], n) * rng.random(n)
    return Rows(logits, labels, weights.astype(np.float32))


def bounds(n: int) -> st.SearchStrategy[list[int]]:
    """Draws the bounds that cut `n` rows into batches, which may be empty."""
    return st.lists(st.integers(0, n), max_size=6)
