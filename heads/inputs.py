"""Checks of logits and weights: they are cast to float32, and are never broadcast."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from heads.arrays import Array, as_array, is_sparse
from heads.results import as_result

Float32 = npt.NDArray[np.float32]
Features = Any
"""Feature values by name: a mapping, or a table of Arrow, pandas or polars."""


@runtime_checkable
class NumericColumn(Protocol):
    """A weight column with a normalizer, as `tf.feature_column.numeric_column` makes it."""

    @property
    def key(self) -> str:
        """The name of the feature."""

    @property
    def normalizer_fn(self) -> Callable[[Array], Any] | None:
        """A function applied to the feature before it is cast to float32, or None."""


WeightColumn = str | NumericColumn


def as_float32(values: npt.ArrayLike, name: str) -> Float32:
    """Casts numbers, bools or nested lists of them to float32, C-contiguous.

    Values beyond the range of float32 become infinite, as in IEEE rounding.

    Raises:
        TypeError: if the values are not numbers.
        ValueError: if values are masked or missing, or rows are of different lengths.
    """
    array = as_array(values, name)
    if array.dtype.kind not in "biuf":
        raise TypeError(
            f"{name} must be numbers or bools. Given dtype: {array.dtype}. Convert them first."
        )
    with np.errstate(over="ignore"):
        return np.asarray(array, np.float32, order="C")


def as_logits(logits: npt.ArrayLike, logits_dimension: int) -> Float32:
    """Returns logits as float32 `[D0, ..., DN, logits_dimension]`.

    Raises:
        TypeError: if the logits are not numbers.
        ValueError: if their rank is below 2 or their last dimension is not `logits_dimension`.
    """
    array = as_float32(logits, "logits")
    if array.ndim < 2:
        raise ValueError(
            f"logits must have rank at least 2. Received rank {array.ndim}, shape {array.shape}. "
            f"Reshape them to [batch_size, {logits_dimension}]."
        )
    if array.shape[-1] != logits_dimension:
        raise ValueError(
            f"logits shape must be [D0, D1, ... DN, logits_dimension], got {array.shape}. This "
            f"head has logits_dimension={logits_dimension}: check n_classes and the model's output."
        )
    return array


def example_weights(
    column: WeightColumn | None,
    features: Features | None,
    logits_shape: tuple[int, ...],
    *,
    per_logit: bool = False,
) -> Float32 | None:
    """Returns weights as float32 `lead + [1]`, or None for a head without a weight column.

    A head that takes a weight for each logit may get weights `lead + [logits_dimension]`.

    The values are not changed, even if they are zero, negative or NaN.

    Args:
        column: the name of a feature, or a `NumericColumn`.
        features: feature values by name; the weights are `lead` or `lead + [1]`.
        logits_shape: `lead + [logits_dimension]`.
        per_logit: whether there may be a weight for each logit.

    Raises:
        TypeError: if the column has another type or the weights are not numbers.
        ValueError: if the feature is missing, sparse, a scalar or has a wrong shape.
    """
    if column is None:
        return None
    normalizer = None
    if isinstance(column, str):
        key = column
    elif isinstance(column, NumericColumn):
        key, normalizer = column.key, column.normalizer_fn
    else:
        raise TypeError(
            "Weight column must be either a string or NumericColumn. "
            f"Given type: {type(column)}. Pass the name of the feature that holds the weights."
        )
    feature = _feature(key, features)
    if normalizer is not None:
        feature = normalizer(as_result(feature))
    given = as_float32(feature, f"Weights {key!r}")
    lead = logits_shape[:-1]
    weights = given[..., np.newaxis] if given.ndim == len(lead) else given
    if weights.shape != (*lead, 1) and not (per_logit and weights.shape == logits_shape):
        more = " or [D0, D1, ... DN, logits_dimension]" if per_logit else ""
        raise ValueError(
            f"weights shape must be [D0, D1, ... DN] or [D0, D1, ... DN, 1]{more}, logits_shape: "
            f"{logits_shape}. weights_shape: {given.shape}. Give feature {key!r} one weight for "
            "each example."
        )
    return weights


def regularization_sum(losses: Any) -> float:
    """Returns the sum of a list of regularization losses.

    Raises:
        TypeError: if they are not a list of numbers.
    """
    values = None
    if isinstance(losses, Iterable) and not isinstance(losses, str | bytes | Mapping):
        values = [as_array(loss, "regularization_losses") for loss in losses]
    if values is None or any(value.ndim or value.dtype.kind not in "iuf" for value in values):
        raise TypeError(
            f"regularization_losses must be a list of numbers. Given: {losses!r}. Wrap a single "
            "loss in a list."
        )
    return sum(map(float, values))


def _feature(key: str, features: Features) -> Array:
    names = _feature_names(features)
    if key not in names:
        raise ValueError(
            f"Feature {key} is not in features dictionary. Add it, or set weight_column=None. "
            f"Given features: {names}."
        )
    given = features[key]
    feature = None if is_sparse(given) else as_array(given, f"Weights {key!r}")
    if feature is None or feature.ndim == 0:
        raise ValueError(
            f"Feature (key: {key}) cannot have rank 0 nor be sparse. Give each example one weight."
        )
    return feature[:, np.newaxis] if feature.ndim == 1 else feature


def _feature_names(features: Features) -> list[str]:
    if features is None:
        return []
    if isinstance(features, Mapping):
        return list(features)
    for attribute in ("column_names", "columns"):
        if hasattr(features, attribute):
            return list(getattr(features, attribute))
    raise TypeError(
        "features must be a dictionary of values by name, or a table. Given type: "
        f"{type(features)}. Pass weights by the name that weight_column says."
    )
