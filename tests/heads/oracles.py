"""Metrics computed from their definitions, row by row and threshold by threshold."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np

AUC_THRESHOLDS = [-1e-7, *(i / 199 for i in range(1, 199)), 1 + 1e-7]


def confusion(
    probabilities: Sequence[float],
    labels: Sequence[float],
    weights: Sequence[float],
    threshold: float,
) -> tuple[float, float, float, float]:
    """Returns TP, FP, FN and TN of `p > threshold`; a label that is not 0 is positive."""
    cells = {(a, b): 0.0 for a in (True, False) for b in (True, False)}
    for p, y, w in zip(probabilities, labels, weights, strict=True):
        cells[bool(p > np.float32(threshold)), bool(y != 0)] += float(w)
    return cells[True, True], cells[True, False], cells[False, True], cells[False, False]


def areas(
    probabilities: Sequence[float], labels: Sequence[float], weights: Sequence[float]
) -> tuple[float, float]:
    """Returns the estimator's `auc` and `auc_precision_recall`, also for negative weights."""
    points = [confusion(probabilities, labels, weights, t) for t in AUC_THRESHOLDS]
    roc = precision_recall = 0.0
    for (tp, fp, fn, tn), (tp2, fp2, fn2, tn2) in itertools.pairwise(points):
        if tp + fn and fp + tn:
            width = fp / (fp + tn) - fp2 / (fp2 + tn2)
            roc += width * (tp / (tp + fn) + tp2 / (tp2 + fn2)) / 2
        if tp + fn > 0 and tp + fp - tp2 - fp2 > 0:
            slope = (tp - tp2) / (tp + fp - tp2 - fp2)
            both = tp + fp > 0 and tp2 + fp2 > 0
            logarithm = math.log((tp + fp) / (tp2 + fp2)) if both else 0.0
            step = tp - tp2 + (tp2 - slope * (tp2 + fp2)) * logarithm
            precision_recall += slope * step / (tp + fn)
    return roc, precision_recall


def contrib_areas(
    probabilities: Sequence[float], labels: Sequence[float], weights: Sequence[float]
) -> tuple[float, float]:
    """Returns `auc` and `auc_precision_recall` of TensorFlow 1.x."""
    e = 1e-6
    points = [confusion(probabilities, labels, weights, t) for t in AUC_THRESHOLDS]
    recall = [(tp + e) / (tp + fn + e) for tp, _, fn, _ in points]
    fallout = [fp / (fp + tn + e) for _, fp, _, tn in points]
    precision = [(tp + e) / (tp + fp + e) for tp, fp, _, _ in points]
    return _area(fallout, recall), _area(recall, precision)


def _area(x: Sequence[float], y: Sequence[float]) -> float:
    return sum((x[i] - x[i + 1]) * (y[i] + y[i + 1]) / 2 for i in range(len(x) - 1))
