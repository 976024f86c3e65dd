"""The batch that the estimator interface of a head works on."""

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
    """A batch whose logits, labels, losses and weights were checked, in this order.

    Attributes:
        logits: float32 `lead + [logits_dimension]`.
        labels: the labels as numbers, `lead + [1]` or `lead + [n_classes]`.
        losses: the unreduced loss, `lead + [1]`; of a regression head `lead + [label_dimension]`.
        weights: float32 `lead + [1]`, or None without a weight column; of a regression head also
            `lead + [label_dimension]`.
        scored: the same examples as rows `[D0 * ... * DN]` that statistics measure.
    """

    logits: Float32
    labels: Array
    losses: Array
    weights: Float32 | None
    scored: Scored


def as_rows(array: Array) -> Array:
    """Reshapes an array `lead + [k]` to rows `[n, k]`, C-contiguous."""
    return np.ascontiguousarray(array.reshape(-1, array.shape[-1]))
