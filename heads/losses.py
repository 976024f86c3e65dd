"""The reduction of losses to a scalar, and the checks of loss functions of the caller."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.arrays import Array, as_array
from heads.results import as_result

Float32 = npt.NDArray[np.float32]
LossFn = Callable[..., npt.ArrayLike]

REDUCTIONS = ("auto", "sum", "sum_over_batch_size")


def check_reduction(reduction: Any, valid: tuple[str, ...]) -> None:
    """Checks the name of a loss reduction.

    Raises:
        ValueError: if the name is not valid.
    """
    if not isinstance(reduction, str) or reduction not in valid:
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
    """Checks the signature of a loss function and returns the names of the arguments that it gets.

    Of parameters that can only be passed by name, those without a default are checked; `self` of a
    bound method and the bound parameters of a `functools.partial` are none. `loss_reduction` is
    passed only if it has no default.

    Args:
        loss_fn: the loss function, any callable.
        optional: the parameters that it may have besides `labels` and `logits`.

    Raises:
        TypeError: if `loss_fn` is not callable.
        ValueError: if it lacks `labels` or `logits`, or has an unknown parameter.
    """
    parameters = _parameters(loss_fn)
    names = tuple(parameters)
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
    return tuple(
        name
        for name, parameter in parameters.items()
        if name != "loss_reduction" or parameter.default is parameter.empty
    )


def _parameters(function: Any) -> dict[str, inspect.Parameter]:
    """Returns the parameters by position, and those by name only that have no default."""
    if not callable(function):
        raise TypeError(f"loss_fn must be callable. Given: {function!r}. Pass a function.")
    if isinstance(function, functools.partial):
        bound = _parameters(function.func)
        positions = list(bound)[len(function.args) :]
        return {name: bound[name] for name in positions if name not in function.keywords}
    try:
        parameters = inspect.signature(function).parameters
    except ValueError:
        return {}  # Functions written in C may not tell.
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return {
        name: parameter
        for name, parameter in parameters.items()
        if parameter.kind in by_position
        or (parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty)
    }


def call_loss_fn(
    loss_fn: LossFn,
    names: tuple[str, ...],
    labels: Array,
    logits: Array,
    features: Any,
    loss_reduction: str | None = None,
    size: int = 1,
) -> Array:
    """Calls a loss function by keyword and checks its result, numbers `lead + [size]`.

    Args:
        loss_fn: the loss function.
        names: the names of the arguments that it gets, as `check_loss_fn` returns them.
        labels: the labels, checked, as numbers.
        logits: float32 `lead + [logits_dimension]`.
        features: feature values by name.
        loss_reduction: the name of the loss reduction of the head.
        size: the number of losses of an example.

    Raises:
        TypeError: if the result holds no numbers.
        ValueError: if the result has another shape.
    """
    arguments = {
        "labels": as_result(labels),
        "logits": as_result(logits),
        "features": features,
        "loss_reduction": loss_reduction,
    }
    losses = as_array(loss_fn(**{name: arguments[name] for name in names}), "losses of loss_fn")
    expected = (*logits.shape[:-1], size)
    if losses.shape != expected:
        raise ValueError(
            f"loss_fn must return Tensor of shape [D0, D1, ... DN, {size}], here "
            f"{expected}. logits_shape: {logits.shape}. loss_shape: {losses.shape}. Return one "
            "loss for each example."
        )
    if losses.dtype.kind not in "iuf":
        raise TypeError(f"loss_fn must return numbers. Given dtype: {losses.dtype}. Convert them.")
    return losses
