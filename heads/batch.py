"""A batch of the estimator's doors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.inputs import Float32
from heads.statistics import Scored

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch whose logits, labels, losses and weights were found valid, in this order.

    Attributes:
        logits: float32 `lead + [logits_dimension]`.
        labels: as the head processes them, `lead + [1]` or `lead + [n_classes]`.
        losses: the unreduced loss, `lead + [1]`.
        weights: float32 `lead + [1]`, or None without a weight column.
        scored: the `D0 * ... * DN` rows as statistics measure them.
    """

    logits: Float32
    labels: Array
    losses: Array
    weights: Float32 | None
    scored: Scored


def as_rows(array: Array) -> Array:
    """An array `lead + [k]` as rows `[n, k]`, C-contiguous."""
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]))
