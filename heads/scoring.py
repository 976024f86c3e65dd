"""Stored scores, labels and weights as a scored batch: the report's door to the statistics.

Probabilities and losses are computed in float64 from the score as it is stored. Stored
probabilities are used as given: no round trip through logits, no clipping, so a probability of 0
for what was observed is an infinite loss. Sums run over contiguous axes only and no BLAS is
called, so a row's values do not depend on the batch it is in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np

from heads.statistics.exact import Floats
from heads.statistics.scored import Scored

ScoreKind = Literal["logits", "probabilities"]
HeadType = Literal["binary", "multi_class", "multi_label", "contrib_binary"]


def score(
    head: HeadType, kind: ScoreKind, scores: Floats, labels: Floats, weights: Floats | None
) -> Scored:
    """A batch of stored scores as its head sees it.

    Args:
        head: type of the head.
        kind: what the scores are.
        scores: `[n, k]`, C-contiguous; `k` is 1 for a binary head.
        labels: `[n, k]` in [0, 1]; for a multi-class head `[n, 1]`, whole class ids in `[0, k)`.
        weights: `[n]`, or None.
    """
    scored = _SCORERS[head](kind, scores, labels, weights)
    return replace(scored, skip_weightless=True)


def _score_classes(
    kind: ScoreKind, scores: Floats, labels: Floats, weights: Floats | None
) -> Scored:
    """Independent classes; the loss of a row is the mean over them."""
    if kind == "logits":
        small = np.abs(scores)
        np.negative(small, out=small)
        np.exp(small, out=small)
        # The difference first: it is 0 where the label is right, and the rest may be tiny.
        losses = np.maximum(scores, 0.0)
        losses -= scores * labels
        losses += np.log1p(small)
        # 1 / (1 + e) for positive logits, e / (1 + e) for negative ones.
        probabilities = np.where(scores >= 0, 1.0, small)
        small += 1.0
        probabilities /= small
    else:
        probabilities = scores
        losses = _cross_entropy(labels, scores) + _cross_entropy(1.0 - labels, 1.0 - scores)
    classes = scores.shape[1]
    loss = losses.ravel() if classes == 1 else losses.sum(axis=1) / classes
    cut = 0.0 if kind == "logits" else 0.5
    return Scored(scores, probabilities, labels, loss, weights, cut=cut)


def _score_exclusive(
    kind: ScoreKind, scores: Floats, labels: Floats, weights: Floats | None
) -> Scored:
    """One class of several; the prediction is the first of the highest scores."""
    own = labels.astype(np.int64)
    predicted = scores.argmax(axis=1)
    if kind == "logits":
        top = predicted[:, np.newaxis]
        with np.errstate(over="ignore"):
            shifted = scores - np.take_along_axis(scores, top, axis=1)
        # The exponential of the highest is 1; what the others add to it may be tiny.
        probabilities = np.exp(shifted)
        np.put_along_axis(probabilities, top, 0.0, axis=1)
        others = probabilities.sum(axis=1, keepdims=True)
        np.put_along_axis(probabilities, top, 1.0, axis=1)
        probabilities /= 1.0 + others
        loss = np.log1p(others) - np.take_along_axis(shifted, own, axis=1)
    else:
        probabilities = scores
        loss = _cross_entropy(np.ones_like(labels), np.take_along_axis(scores, own, axis=1))
    return Scored(scores, probabilities, labels, loss.ravel(), weights, predicted)


def _cross_entropy(labels: Floats, probabilities: Floats) -> Floats:
    """-y log(p), and 0 where y is 0, whatever p is."""
    with np.errstate(divide="ignore", invalid="ignore"):
        product = labels * np.log(probabilities)
    # Subtracted from 0, not negated: a loss of nothing is 0.0, not -0.0.
    return 0.0 - np.where(labels == 0, 0.0, product)


_SCORERS: dict[HeadType, Callable[[ScoreKind, Floats, Floats, Floats | None], Scored]] = {
    "binary": _score_classes,
    "contrib_binary": _score_classes,
    "multi_label": _score_classes,
    "multi_class": _score_exclusive,
}
