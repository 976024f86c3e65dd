"""Rows, their metrics in the report and by `update_metrics`, and what the page says of both."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest

from docs.metrics_page import DIFFERENCES
from heads import BinaryClassHead, MultiClassHead, MultiLabelHead, binary_classification_head
from heads.base import BaseHead
from heads.metrics.core.context import HeadType
from heads.statistics.cuts import AUC_THRESHOLDS, ScoreSpace
from pipeline.evaluate import evaluate
from tests.heads.statistics.exactly import around_single
from tests.pipeline.tables import plan_of, slices_of

Array = npt.NDArray[Any]
Figures = Mapping[str, float | None]

HEADS: tuple[HeadType, ...] = ("binary", "multi_class", "multi_label", "contrib_binary")
BINARY: tuple[HeadType, ...] = ("binary", "contrib_binary")
THRESHOLDED: tuple[HeadType, ...] = (*BINARY, "multi_label")
CLASSES = 3
# The fourth is where logits that differ are the furthest from that of the threshold.
THRESHOLDS = (0.1, 0.3, 0.5, 0.5014158783027636, 0.75, 0.9)


@dataclass(frozen=True)
class Rows:
    """Rows of a head.

    Attributes:
        logits: `[n, k]`, of the dtype in which they are stored.
        labels: `[n, k]`; `[n, 1]` of a multi-class head.
        weights: `[n]` or None.
    """

    logits: Array
    labels: Array
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.logits)

    def take(self, rows: Array) -> Rows:
        weights = None if self.weights is None else self.weights[rows]
        return Rows(self.logits[rows], self.labels[rows], weights)


def single_row(logit: float, label: float) -> Rows:
    """A row of a binary head, of a logit that float32 holds."""
    return Rows(np.array([[logit]], np.float32), np.array([[label]]))


def make_head(head: HeadType, weighted: bool = False, thresholds: Sequence[float] = ()) -> BaseHead:
    weight = "w" if weighted else None
    if head == "binary":
        return BinaryClassHead(weight, thresholds)
    if head == "contrib_binary":
        return binary_classification_head(weight, thresholds)
    if head == "multi_class":
        return MultiClassHead(CLASSES, weight)
    classes = range(CLASSES)
    return MultiLabelHead(CLASSES, weight, thresholds, classes_for_class_based_metrics=classes)


def estimator(
    head: HeadType, rows: Rows, thresholds: Sequence[float] = THRESHOLDS
) -> dict[str, float]:
    """The metrics of `update_metrics`, of which a call adds a few rows."""
    made = make_head(head, rows.weights is not None, thresholds)
    metrics = made.metrics()
    for first in range(0, len(rows), 150):
        part = rows.take(np.arange(first, min(first + 150, len(rows))))
        made.update_metrics(metrics, {"w": part.weights}, part.logits, part.labels)
    return {name: metric.result() for name, metric in metrics.items()}


def probabilities(head: HeadType, logits: Array) -> Array:
    """The probabilities `[n, k]` that the estimator predicts, float32."""
    key = "logistic" if head in BINARY else "probabilities"
    return make_head(head).predictions(logits, [key])[key]


def slices(
    head: HeadType,
    rows: Rows,
    thresholds: Sequence[float] = THRESHOLDS,
    scores: Array | None = None,
    groups: Array | None = None,
) -> dict[Any, dict[str, Any]]:
    """The slices of the report.

    Args:
        head: the type of the head.
        rows: the rows.
        thresholds: the thresholds of the head.
        scores: probabilities `[n, k]` that are stored in place of the logits.
        groups: int64 `[n]`, a column to slice by; None for no slices.
    """
    several = head.startswith("multi")
    stored = rows.logits if scores is None else scores
    columns = {
        "s": list(stored) if several else stored[:, 0],
        "y": list(rows.labels) if head == "multi_label" else rows.labels[:, 0],
    }
    keys = [f"type: {head}", "logits: s" if scores is None else "probability: s"]
    keys += ["label: {column: y, form: multi_hot}" if head == "multi_label" else "label: y"]
    keys += [f"n_classes: {CLASSES}"] * several
    keys += [f"thresholds: {list(thresholds)}"] * (head != "multi_class")
    if rows.weights is not None:
        columns["w"] = rows.weights
        keys += ["weight: w"]
    names = list(make_head(head, thresholds=thresholds).metrics())
    text = f"heads: {{h: {{{', '.join(keys)}, metrics: {names}}}}}"
    if groups is None:
        text += "\nconfidence: {folds: 0}"
    else:
        columns["g"] = groups
        text += "\nslices: [g]\nconfidence: {folds: 10, max_slices: 2}"
    return slices_of(evaluate(pa.table(columns), plan_of(text)))


def values(entry: dict[str, Any], *, weighted: bool = True) -> dict[str, float | None]:
    """The metrics of a slice, or without weights those of `unweighted`."""
    return {
        name: (metric if weighted else metric["unweighted"])["value"]
        for name, metric in entry["metrics"].items()
    }


def report(
    head: HeadType,
    rows: Rows,
    thresholds: Sequence[float] = THRESHOLDS,
    scores: Array | None = None,
) -> dict[str, float | None]:
    """The metrics of all rows in the report."""
    return values(slices(head, rows, thresholds, scores)[None])


def family(name: str, head: HeadType) -> str:
    """The name that the page has for a metric."""
    if name == "accuracy" and head == "multi_class":
        return "accuracy of multi_class"
    name = re.sub(r"positive_threshold_.*", "positive_threshold_T", name)
    return re.sub(r"/class\d$", "/CLASS", name)


def _names(metrics: str) -> frozenset[str]:
    """The names in a row of the table of the page."""
    text = metrics.removesuffix(" of the binary heads").replace("` of `", " of ")
    return frozenset(text.replace("`", "").replace("; ", ", ").split(", "))


NO_DIGIT, LIKELIER, AT_THRESHOLD, MEAN, LOSS, _ = map(_names, DIFFERENCES)
"""The names in the rows of the table of the page, but for that of the regression heads."""


def of(names: Iterable[str], figures: Figures, head: HeadType) -> dict[str, Any]:
    """Those figures whose metrics the page has under some names."""
    wanted = set(names)
    return {name: value for name, value in figures.items() if family(name, head) in wanted}


def assert_same(
    names: Iterable[str],
    estimated: Figures,
    reported: Figures,
    head: HeadType,
    relative: float = 0.0,
) -> None:
    """Asserts that metrics are equal, or nearly; what the report has as null is 0 elsewhere."""
    for name, value in of(names, estimated, head).items():
        shown = 0.0 if reported[name] is None else reported[name]
        assert shown == (pytest.approx(value, rel=relative, abs=0) if relative else value), name


def assert_near(rows: Rows, estimated: Figures, reported: Figures, head: HeadType) -> None:
    """Asserts that means of probability and loss are within the bounds of the page."""
    for name, value in of(MEAN, estimated, head).items():
        assert reported[name] == pytest.approx(value, rel=0, abs=5e-8), name
    loss = reported["average_loss"]
    assert loss is not None
    largest = np.average(np.abs(rows.logits.astype(float)).max(axis=1), weights=rows.weights)
    assert abs(loss - estimated["average_loss"]) <= 2.4e-7 * (loss + largest)


@cache
def near_cuts() -> Array:
    """Logits next to where the estimator's float32 probability passes a threshold."""
    space = ScoreSpace("logits", float32=True)
    cuts = [space.bucket(index) for index in range(1, AUC_THRESHOLDS - 1)]
    for threshold in THRESHOLDS:
        # As often as those of the areas, taken together.
        cuts += [space.above(threshold), space.at_least(threshold)] * 15
    return np.array([near for cut in cuts for near in around_single(cut, 2)])


def stream(head: HeadType, seed: int, *, rounded: bool = True, count: int = 400) -> Rows:
    """Rows whose logits are of many sizes, tied, or next to a cut.

    Args:
        head: the type of the head.
        seed: tells streams apart.
        rounded: whether float32 holds the logits; it always holds the labels.
        count: how many rows.
    """
    rng = np.random.default_rng([seed, HEADS.index(head)])
    columns = CLASSES if head.startswith("multi") else 1
    logits = rng.normal(0, rng.choice([0.1, 1.0, 5.0, 40.0]), (count, columns))
    tied = rng.random(logits.shape) < 0.2
    logits[tied] = logits[tied].round(1)
    cut = rng.random(logits.shape) < 0.3
    logits[cut] = rng.choice(near_cuts(), int(cut.sum()))
    if rounded:
        logits = logits.astype(np.float32)
    if head == "multi_class":
        return Rows(logits, rng.integers(0, CLASSES, (count, 1)))
    labels = rng.integers(0, 2, logits.shape).astype(np.float32)
    soft = rng.random(labels.shape) < 0.2
    labels[soft] = rng.random(int(soft.sum()))
    return Rows(logits, labels)


def single_weights(seed: int, count: int = 400) -> Array:
    """Weights of many sizes that float32 holds, and zeros."""
    rng = np.random.default_rng(seed)
    sizes = rng.choice([0.0, 0.1, 1.0, 2.5, 1e6], count)
    return (sizes * rng.random(count)).astype(np.float32)


def far(logits: Array, thresholds: Sequence[float] = THRESHOLDS) -> npt.NDArray[np.bool_]:
    """Which rows `[n]` have no logit near a threshold, by the bounds of the page."""
    out = np.ones(len(logits), bool)
    exact = logits.astype(float)
    rounding = np.where(exact == logits.astype(np.float32), 0.0, 6e-8 * np.abs(exact))
    for threshold in thresholds:
        middle = math.log(threshold) - math.log1p(-threshold)
        out &= (np.abs(exact - middle) > 1.2e-7 / (1 - threshold) + rounding).all(axis=1)
    return out
