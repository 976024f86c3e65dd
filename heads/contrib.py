"""The binary head of TensorFlow 1.x, `tf.contrib.estimator.binary_classification_head`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from heads.base import RegularizationLosses
from heads.batch import Array, Batch
from heads.binary import BinaryHead, binary_thresholds
from heads.estimator_spec import EstimatorSpec, Loss, TrainOpFn, train_op
from heads.head_arguments import check_binary_vocabulary
from heads.inputs import Features, Float32, WeightColumn
from heads.keys import check_unused_mode
from heads.label_words import Vocabulary, check_vocabulary_words, class_names
from heads.losses import LossFn, as_scalar, check_loss_fn, check_reduction, weighted_sum
from heads.metrics.core.context import MetricContext
from heads.results import as_result
from heads.running_metric import RunningMetric
from heads.statistics.cuts import ScoreSpace

# Loss reductions by name: the divisor of the weighted sum, from the weights of all losses.
_DIVISORS: dict[str, Callable[[Float32], float]] = {
    "weighted_sum": lambda _: 1.0,
    "weighted_mean": lambda weights: float(weights.sum(dtype=np.float64)),
    "weighted_sum_over_batch_size": lambda weights: weights.size,
    "weighted_sum_by_nonzero_weights": lambda weights: int(np.count_nonzero(weights)),
}


class LossSpec(NamedTuple):
    """The losses of a batch that `create_loss` returns.

    Attributes:
        training_loss: scalar, the weighted and reduced loss, not regularized.
        unreduced_loss: `lead + [1]`, neither weighted nor reduced.
        weights: float32 `lead + [1]`, or the scalar 1 without a weight column.
        processed_labels: float32 `lead + [1]`.
    """

    training_loss: Any
    unreduced_loss: Array
    weights: Array
    processed_labels: npt.NDArray[np.float32]


class MinimizingOptimizer(Protocol):
    """The interface of optimizers for the head of TensorFlow 1.x."""

    def minimize(self, loss: Loss) -> Any:
        """Returns the op that reduces the loss."""


class ContribBinaryHead(BinaryHead):
    """The head that `binary_classification_head` makes.

    It has the methods of `BinaryClassHead`, and `create_loss`. Its predictions do not include
    `all_class_ids` and `all_classes`.
    """

    def create_loss(
        self, features: Features | None, mode: str | None, logits: npt.ArrayLike, labels: Any
    ) -> LossSpec:
        """Returns the loss of a batch, before and after reduction, without regularization.

        Args:
            features: feature values by name, such as the weights and what `loss_fn` reads.
            mode: ignored, as the loss is the same in all modes.
            logits: numbers `[D0, ..., DN, 1]`, rounded to float32.
            labels: as for `BinaryClassHead`.

        Raises:
            TypeError: if an input has the wrong dtype.
            ValueError: if an input has the wrong shape, a label is out of range, or a feature is
                missing.
        """
        check_unused_mode(mode)
        batch = self._batch(labels, logits, features)
        weights = np.asarray(np.float32(1)) if batch.weights is None else batch.weights
        parts = (self._reduced(batch), batch.losses, weights, batch.labels)
        return LossSpec(*map(as_result, parts))

    def create_estimator_spec(  # type: ignore[override]
        self,
        features: Features | None,
        mode: str,
        logits: npt.ArrayLike,
        labels: Any = None,
        optimizer: MinimizingOptimizer | None = None,
        train_op_fn: TrainOpFn | None = None,
        regularization_losses: RegularizationLosses | None = None,
    ) -> EstimatorSpec:
        """Returns the spec that a model function returns for a batch in a mode.

        Args:
            features: as for `create_loss`.
            mode: a value of `ModeKeys`; the spec has export outputs for PREDICT, metrics for EVAL,
                and a train op for TRAIN.
            logits: as for `create_loss`.
            labels: as for `create_loss`; not read for PREDICT.
            optimizer: an object whose `minimize(loss)` returns the train op. TRAIN needs it or
                `train_op_fn`.
            train_op_fn: takes the loss and returns the train op.
            regularization_losses: floats to add to the reduced loss; an empty list is as None.

        Raises:
            TypeError: as `create_loss`.
            ValueError: as `create_loss`, and if not exactly one of `optimizer` and `train_op_fn` is
                given.
        """

        def make_train_op(loss: Loss) -> Any:
            if optimizer is None:
                return train_op(loss, None, None, train_op_fn, None)
            if train_op_fn is not None:
                raise ValueError(
                    "train_op_fn and optimizer cannot both be set. Leave one of them None."
                )
            return train_op(loss, None, None, optimizer.minimize, None)

        return self._estimator_spec(
            features, mode, logits, labels, regularization_losses, make_train_op
        )

    def metrics(
        self, regularization_losses: RegularizationLosses | None = None
    ) -> dict[str, RunningMetric]:
        """Returns new metrics by key, as `BinaryClassHead.metrics`; an empty list is as None."""
        return super().metrics(_none_if_empty(regularization_losses))

    def _class_lists(self, rows: int) -> dict[str, Callable[[], Array]]:  # noqa: ARG002
        return {}

    def _check_measurable(self, batch: Batch) -> None:
        if np.isnan(batch.logits).any():
            at = np.argwhere(np.isnan(batch.logits))[0].tolist()
            raise ValueError(
                f"Predictions must be in [0, 1]: the logit at {at} is NaN. Remove the example, or "
                "use BinaryClassHead, which counts it as never above a threshold."
            )

    def _updated(
        self,
        eval_metrics: dict[str, RunningMetric],
        batch: Batch,
        regularization_losses: RegularizationLosses | None,
    ) -> dict[str, RunningMetric]:
        return super()._updated(eval_metrics, batch, _none_if_empty(regularization_losses))

    def _reduced(self, batch: Batch) -> Any:
        total = weighted_sum(batch.losses, batch.weights)
        weights = (
            np.ones(batch.losses.shape, np.float32) if batch.weights is None else batch.weights
        )
        divisor = _DIVISORS[self._loss_reduction](weights)
        return as_scalar(total / divisor if divisor else 0.0, batch.losses.dtype)


def _none_if_empty(losses: Any) -> Any:
    return None if losses is None or np.size(losses) == 0 else losses


def binary_classification_head(
    weight_column: WeightColumn | None = None,
    thresholds: Iterable[float] | None = None,
    label_vocabulary: Vocabulary | None = None,
    loss_reduction: str = "weighted_sum_over_batch_size",
    loss_fn: LossFn | None = None,
    name: str | None = None,
) -> ContribBinaryHead:
    """Creates a binary head with the definitions of TensorFlow 1.x.

    Logits, labels, weights and the example loss are as in `BinaryClassHead`. The differences are:

    * `accuracy/positive_threshold_T` counts `p >= T` as positive; precision and recall count
      `p > T` and add 1e-7 to the denominator.
    * `auc` and `auc_precision_recall` are trapezoids over 200 thresholds with 1e-6 added.
    * `accuracy_baseline` is `max(m, 1 - m)` of the label mean `m`, 1 without data.
    * means are 0 if the sum of weights is negative.
    * NaN logits cannot be added to metrics.

    Args:
        weight_column: as for `BinaryClassHead`.
        thresholds: as for `BinaryClassHead`.
        label_vocabulary: as for `BinaryClassHead`.
        loss_reduction: `weighted_sum`; or this sum divided by the sum of weights (`weighted_mean`),
            the number of losses (`weighted_sum_over_batch_size`) or the number of weights that are
            not 0 (`weighted_sum_by_nonzero_weights`). If the divisor is 0, the loss is 0.
        loss_fn: `loss_fn(labels, logits, [features])` returns the losses lead + [1].
        name: appended to the metric keys.

    Raises:
        TypeError: for a vocabulary, thresholds or words of another type.
        ValueError: for a threshold outside (0, 1), an empty vocabulary, an unknown reduction or a
            `loss_fn` with unknown parameters.

    >>> head = binary_classification_head(thresholds=[0.5])
    >>> spec = head.create_loss({}, "eval", logits=[[45.0], [-41.0]], labels=[[1], [1]])
    >>> print(f"{spec.training_loss:.2f}")
    20.50
    """
    if label_vocabulary is not None and not isinstance(label_vocabulary, list | tuple):
        raise TypeError(
            f"label_vocabulary should be a list or a tuple. Given type: {type(label_vocabulary)}. "
            "List the words for class 0 and 1."
        )
    check_binary_vocabulary(label_vocabulary)
    checked = binary_thresholds(thresholds)
    check_reduction(loss_reduction, tuple(_DIVISORS))
    arguments = check_loss_fn(loss_fn, ("features",)) if loss_fn else ()
    check_vocabulary_words(label_vocabulary or ())
    return ContribBinaryHead(
        MetricContext(
            "contrib_binary",
            class_names(label_vocabulary, 2),
            ScoreSpace("logits", float32=True),
            checked,
            weight_column is not None,
        ),
        weight_column=weight_column,
        label_vocabulary=label_vocabulary,
        loss_reduction=loss_reduction,
        loss_fn=loss_fn or None,
        loss_fn_arguments=arguments,
        name=name,
    )
