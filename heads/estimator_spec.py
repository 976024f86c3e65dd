"""The spec that `create_estimator_spec` returns, and the function that makes its train op."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

DEFAULT_SERVING_KEY = "serving_default"
CLASSIFY_SERVING_KEY = "classification"
REGRESS_SERVING_KEY = "regression"
PREDICT_SERVING_KEY = "predict"

Array = npt.NDArray[Any]
Loss = np.number[Any]


@dataclass(frozen=True, eq=False)
class ClassificationOutput:
    """The output of a classification signature.

    Attributes:
        scores: float32 `lead + [n]`, the probability of each class.
        classes: str `[D0, n]`, the class names, the same in each row.
    """

    scores: Array
    classes: Array


@dataclass(frozen=True, eq=False)
class RegressionOutput:
    """The output of a regression signature.

    Attributes:
        value: float32 `lead + [1]`, the probability of the positive class; of a regression head its
            predictions.
    """

    value: Array


@dataclass(frozen=True, eq=False)
class PredictOutput:
    """The output of a predict signature.

    Attributes:
        outputs: all predictions by key.
    """

    outputs: Mapping[str, Array]


ExportOutput = ClassificationOutput | RegressionOutput | PredictOutput


@dataclass(frozen=True, eq=False)
class EstimatorSpec:
    """The results of a head for a batch in a mode.

    Attributes:
        mode: a value of `ModeKeys`.
        predictions: all predictions by key, in every mode; of a `MultiHead` by `(name, key)`.
        loss: scalar, the regularized training loss; None for PREDICT.
        train_op: the op that the optimizer or `train_op_fn` returned, in a tuple with `update_ops`
            if these are given; None except for TRAIN.
        eval_metric_ops: metrics updated with this batch, by key; empty except for EVAL.
        export_outputs: signatures by name; empty except for PREDICT.
    """

    mode: str
    predictions: Mapping[Any, Array]
    loss: Loss | None = None
    train_op: Any = None
    eval_metric_ops: Mapping[str, Any] = field(default_factory=dict)
    export_outputs: Mapping[str, ExportOutput] = field(default_factory=dict)

    def _replace(self, **changes: Any) -> EstimatorSpec:
        """Returns a spec with other values of some attributes, as a named tuple does."""
        return replace(self, **changes)


class Optimizer(Protocol):
    """The interface of optimizers for the heads of TensorFlow 2.x."""

    def get_updates(self, loss: Loss, params: list[Any] | tuple[Any, ...]) -> Any:
        """Returns the op that updates `params` to reduce `loss`."""


TrainOpFn = Callable[[Loss], Any]


def train_op(
    loss: Loss,
    optimizer: Optimizer | None,
    trainable_variables: list[Any] | tuple[Any, ...] | None,
    train_op_fn: TrainOpFn | None,
    update_ops: list[Any] | tuple[Any, ...] | None,
) -> Any:
    """Makes the train op for a regularized training loss.

    Raises:
        ValueError: if not exactly one of `optimizer` and `train_op_fn` is given, if an argument is
            of the wrong kind, or if `train_op_fn` returns None.
    """
    _check_listed("update_ops", update_ops)
    if optimizer is not None:
        if train_op_fn is not None:
            raise ValueError(
                "train_op_fn and optimizer cannot both be set. Leave one of them None."
            )
        if not callable(getattr(optimizer, "get_updates", None)):
            raise ValueError(
                "The given optimizer is not a tf.keras.optimizers.Optimizer instance, nor has it a "
                f"get_updates(loss, params) method. Given: {optimizer!r}. Add the method, or pass "
                "train_op_fn."
            )
        if trainable_variables is None:
            raise ValueError(
                "trainable_variables cannot be None. List the variables that the optimizer updates."
            )
        _check_listed("trainable_variables", trainable_variables)
        op = optimizer.get_updates(loss, trainable_variables)
    elif train_op_fn is not None:
        op = train_op_fn(loss)
    else:
        raise ValueError("train_op_fn and optimizer cannot both be None. Pass one of them.")
    if op is None:
        raise ValueError("Missing train_op. Return something other than None from train_op_fn.")
    return op if update_ops is None else (op, *update_ops)


def _check_listed(name: str, value: Any) -> None:
    if value is not None and not isinstance(value, list | tuple):
        raise ValueError(
            f"{name} should be a list or a tuple. Given type: {type(value)}. Wrap a single one in "
            "a list."
        )
