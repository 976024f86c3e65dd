"""The interface of heads, which users may implement for a head of their own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from heads.estimator_spec import (
    DEFAULT_SERVING_KEY,
    PREDICT_SERVING_KEY,
    EstimatorSpec,
    ExportOutput,
    Optimizer,
    PredictOutput,
    train_op,
)
from heads.inputs import Features
from heads.keys import ModeKeys, check_mode


class Head(ABC):
    """The interface of heads, as `tf.estimator.Head`.

    For a head of one's own, write the properties and methods below; `create_estimator_spec` is made
    from them. What is documented here holds for all heads.
    """

    @property
    @abstractmethod
    def name(self) -> str | None:
        """The name that metric keys end with, or None."""

    @property
    @abstractmethod
    def logits_dimension(self) -> Any:
        """The size of the last dimension of the logits."""

    @property
    @abstractmethod
    def loss_reduction(self) -> str:
        """The name of the loss reduction, as given."""

    @abstractmethod
    def loss(
        self,
        labels: Any,
        logits: Any,
        features: Features | None = None,
        mode: str | None = None,
        regularization_losses: Any = None,
    ) -> Any:
        """Returns the training loss: the weighted and reduced loss plus regularization losses.

        Args:
            labels: the labels of the batch.
            logits: the logits of the batch.
            features: feature values by name, such as the weights.
            mode: a value of `ModeKeys`.
            regularization_losses: a list of numbers to add to the reduced loss.
        """

    @abstractmethod
    def predictions(self, logits: Any, keys: Iterable[str] | None = None) -> dict[Any, Any]:
        """Returns the predictions of a batch by key.

        Args:
            logits: the logits of the batch.
            keys: the wanted `PredictionKeys`; None for all that the head has.
        """

    @abstractmethod
    def metrics(self, regularization_losses: Any = None) -> dict[str, Any]:
        """Returns new metrics by key; `result()` of a metric is its value so far.

        Args:
            regularization_losses: if not None, the metric `regularization_loss` is added.
        """

    @abstractmethod
    def update_metrics(
        self,
        eval_metrics: dict[str, Any],
        features: Features | None,
        logits: Any,
        labels: Any,
        regularization_losses: Any = None,
    ) -> dict[str, Any]:
        """Adds a batch to metrics and returns the metrics.

        Args:
            eval_metrics: the metrics that `metrics` returned.
            features: as for `loss`.
            logits: as for `loss`.
            labels: as for `loss`.
            regularization_losses: as for `loss`.
        """

    def _summary_key(self, key: str) -> str:
        """Returns a metric key with the name of the head, as `tf.estimator.Head` has it."""
        return f"{key}/{self.name}" if self.name else key

    def create_estimator_spec(
        self,
        features: Features | None,
        mode: str,
        logits: Any,
        labels: Any = None,
        optimizer: Optimizer | None = None,
        trainable_variables: list[Any] | tuple[Any, ...] | None = None,
        train_op_fn: Callable[[Any], Any] | None = None,
        update_ops: list[Any] | tuple[Any, ...] | None = None,
        regularization_losses: Any = None,
    ) -> EstimatorSpec:
        """Returns the spec that a model function returns for a batch in a mode.

        Args:
            features: as for `loss`.
            mode: a value of `ModeKeys`; the spec has export outputs for PREDICT, metrics for EVAL,
                and a train op for TRAIN.
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
            ValueError: as `loss`, for an unknown mode, and for arguments that do not define a
                single train op.
        """
        return self._estimator_spec(
            features,
            mode,
            logits,
            labels,
            regularization_losses,
            lambda loss: train_op(loss, optimizer, trainable_variables, train_op_fn, update_ops),
        )

    def _estimator_spec(
        self,
        features: Features | None,
        mode: str,
        logits: Any,
        labels: Any,
        regularization_losses: Any,
        make_train_op: Callable[[Any], Any],
    ) -> EstimatorSpec:
        check_mode(mode)
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(mode, predictions, export_outputs=self._exports(predictions))
        loss = self.loss(labels, logits, features, mode, regularization_losses)
        if mode == ModeKeys.TRAIN:
            return EstimatorSpec(mode, predictions, loss, train_op=make_train_op(loss))
        metrics = self.update_metrics(
            self.metrics(regularization_losses),
            features,
            logits,
            labels,
            # By name: in `tf.estimator.Head`, the mode comes before them.
            regularization_losses=regularization_losses,
        )
        return EstimatorSpec(mode, predictions, loss, eval_metric_ops=metrics)

    def _exports(self, predictions: Mapping[str, Any]) -> dict[str, ExportOutput]:
        """Returns the export outputs of a PREDICT spec by signature name."""
        output = PredictOutput(predictions)
        return {DEFAULT_SERVING_KEY: output, PREDICT_SERVING_KEY: output}
