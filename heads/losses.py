"""The reduction of losses to a scalar, and the checks of loss functions of the caller."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Float32 = npt.NDArray[np.float32]
LossFn = Callable[..., npt.ArrayLike]

REDUCTIONS = ("auto", "sum", "sum_over_batch_size")


def check_reduction(reduction: Any, valid: tuple[str, ...]) -> None:
    """Checks the name of a loss reduction.

    Raises:
        ValueError: if the name is not valid.
    """
    if reduction not in valid:
        raise ValueError(f"Invalid loss_reduction: {reduction}. Use one of {', '.join(valid)}.")


def reduce_loss(losses: Array, weights: Float32 | None, reduction: str) -> Any:
    """Weighs losses and reduces them to a scalar of their dtype.

    `sum` is `sum(w * loss)`; `sum_over_batch_size` and `auto` divide this sum by the number of
    losses, including losses of weight 0. Without losses, the result is 0. Integer losses are
    reduced in float32, and the result is truncated.

    Args:
        losses: `lead + [1]`.
        weights: `lead + [1]`, or None if all weights are 1.
        reduction: a name of `REDUCTIONS`.
    """
    total = weighted_sum(losses, weights)
    if reduction != "sum":
        total /= max(losses.size, 1)
    return as_scalar(total, losses.dtype)


def weighted_sum(losses: Array, weights: Float32 | None) -> float:
    """Returns `sum(w * loss)`; products are in the dtype of the losses, their sum in float64."""
    values = losses.astype(np.float32) if losses.dtype.kind != "f" else losses
    with np.errstate(invalid="ignore", over="ignore"):
        products = values if weights is None else values * weights.astype(values.dtype)
        return float(products.sum(dtype=np.float64))


def as_scalar(value: float, dtype: np.dtype[Any]) -> Any:
    """Casts a value to a scalar of a dtype; beyond the range of a float it becomes infinite."""
    with np.errstate(over="ignore"):
        return np.asarray(value).astype(dtype)[()]


def check_loss_fn(loss_fn: Any, optional: tuple[str, ...]) -> tuple[str, ...]:
    """Checks the signature of a loss function and returns the names of its parameters.

    Only parameters that can be passed by position are checked, without `self` of a bound method and
    without the bound parameters of a `functools.partial`.

    Args:
        loss_fn: the loss function, any callable.
        optional: the parameters that it may have besides `labels` and `logits`.

    Raises:
        TypeError: if `loss_fn` is not callable.
        ValueError: if it lacks `labels` or `logits`, or has an unknown parameter.
    """
    names = _argument_names(loss_fn)
    for name in ("labels", "logits"):
        if name not in names:
            raise ValueError(
                f"loss_fn must contain argument: {name}. Given arguments: {names}. Name its "
                "parameters labels and logits."
            )
    unexpected = [name for name in names if name not in ("labels", "logits", *optional)]
    if unexpected:
        raise ValueError(
            f"loss_fn has unexpected args: {unexpected}. Bind them with functools.partial; it may "
            f"have labels, logits, {', '.join(optional)}."
        )
    return names


def _argument_names(function: Any) -> tuple[str, ...]:
    if not callable(function):
        raise TypeError(f"loss_fn must be callable. Given: {function!r}. Pass a function.")
    if isinstance(function, functools.partial):
        names = _argument_names(function.func)[len(function.args) :]
        return tuple(name for name in names if name not in function.keywords)
    return tuple(
        parameter.name
        for parameter in inspect.signature(function).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    )


def call_loss_fn(
    loss_fn: LossFn,
    names: tuple[str, ...],
    labels: Array,
    logits: Array,
    features: Any,
    size: int = 1,
) -> Array:
    """Calls a loss function by keyword and checks the shape of its result, `lead + [size]`.

    Raises:
        ValueError: if the result has another shape.
    """
    arguments = {"labels": labels, "logits": logits}
    if "features" in names:
        arguments["features"] = features
    losses = np.asarray(loss_fn(**arguments))
    expected = (*logits.shape[:-1], size)
    if losses.shape != expected:
        raise ValueError(
            f"loss_fn must return Tensor of shape [D0, D1, ... DN, {size}], here "
            f"{expected}. logits_shape: {logits.shape}. loss_shape: {losses.shape}. Return one "
            "loss for each example."
        )
    return losses
