"""The base class of the heads of TensorFlow 2.x."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from heads.base import BaseHead, RegularizationLosses
from heads.batch import Batch
from heads.estimator_spec import (
    EstimatorSpec,
    Optimizer,
    TrainOpFn,
    train_op,
)
from heads.inputs import Features
from heads.losses import reduce_loss


class Head(BaseHead):
    """The base class of heads with the interface of TensorFlow 2.x, `tf.estimator.Head`."""

    def create_estimator_spec(
        self,
        features: Features | None,
        mode: str,
        logits: npt.ArrayLike,
        labels: Any = None,
        optimizer: Optimizer | None = None,
        trainable_variables: list[Any] | tuple[Any, ...] | None = None,
        train_op_fn: TrainOpFn | None = None,
        update_ops: list[Any] | tuple[Any, ...] | None = None,
        regularization_losses: RegularizationLosses | None = None,
    ) -> EstimatorSpec:
        """Returns the spec that a model function returns for a batch in a mode.

        Args:
            features: as for `loss`.
            mode: a value of `ModeKeys`; the spec has export outputs for PREDICT, metrics for EVAL,
                and a train op for any other mode.
            logits: as for `loss`.
            labels: as for `loss`; not read for PREDICT.
            optimizer: an object whose `get_updates(loss, trainable_variables)` returns the train
                op, for example an adapter of a training library. TRAIN needs it or `train_op_fn`.
            trainable_variables: list or tuple, passed on to the optimizer.
            train_op_fn: takes the loss and returns the train op.
            update_ops: list or tuple; the train op becomes a tuple of the train op and these ops.
            regularization_losses: as for `loss`.

        Raises:
            TypeError: as `loss`.
            ValueError: as `loss`, and for arguments that do not define a single train op.
        """
        return self._estimator_spec(
            features,
            mode,
            logits,
            labels,
            regularization_losses,
            lambda loss: train_op(loss, optimizer, trainable_variables, train_op_fn, update_ops),
        )

    def _reduced(self, batch: Batch) -> Any:
        return reduce_loss(batch.losses, batch.weights, self._loss_reduction)
