"""The contexts of every type of head, of whose metrics laws are tested."""

from __future__ import annotations

from typing import get_args

import numpy as np
import numpy.typing as npt

from heads.metrics.core.context import HeadType, MetricContext, OperatingPoints, RegressionType
from heads.statistics.cuts import ScoreSpace

Floats = npt.NDArray[np.float64]

AT = OperatingPoints(
    recall=(0.1, 0.8, 1.0),
    precision=(0.3, 0.5, 1.0),
    specificity=(0.1, 0.9, 1.0),
    false_positive_rate=(0.01, 0.1, 0.5),
    sensitivity=(0.0, 0.2, 0.8, 1.0),
)


def make_context(
    head: HeadType = "binary",
    *,
    weighted: bool = False,
    thresholds: tuple[float, ...] = (0.25, 0.5, 0.9),
    folds: int = 1,
    space: ScoreSpace | None = None,
) -> MetricContext:
    """Returns the context of a head, with thresholds, operating points and metrics by class."""
    several = head in ("multi_class", "multi_label")
    names = ("a", "b", "c") if several else ("0", "1")
    if head in get_args(RegressionType):
        return MetricContext(
            head,
            (),
            space or ScoreSpace("logits"),
            weighted=weighted,
            report=True,
            folds=folds,
            pinball=(0.5, 0.9),
            error_quantiles=(0.1, 0.9),
            interval=True,
        )
    return MetricContext(
        head,
        names,
        space or ScoreSpace("logits"),
        thresholds,
        weighted,
        (0, 1, 2) if several else (),
        names if several else (),
        report=True,
        folds=folds,
        at=AT,
        top=(1, 2) if several else (),
        logit_thresholds=() if head == "multi_class" else (-0.5, 1.0),
    )


def sigmoid(score: npt.ArrayLike) -> Floats:
    """Returns the probabilities of logits, in the shape of the logits."""
    s = np.asarray(score, np.float64)
    small = np.exp(-np.abs(s))
    probability: Floats = np.where(s >= 0, 1.0, small) / (1 + small)
    return probability
