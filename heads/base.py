"""What the heads share: the way from logits and labels to loss, predictions, metrics and specs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.estimator_spec import (
    CLASSIFY_SERVING_KEY,
    DEFAULT_SERVING_KEY,
    PREDICT_SERVING_KEY,
    ClassificationOutput,
    EstimatorSpec,
    ExportOutput,
    Optimizer,
    PredictOutput,
    TrainOpFn,
    train_op,
)
from heads.inputs import Features, Float32, WeightColumn, as_logits, example_weights
from heads.keys import MetricKeys, ModeKeys, PredictionKeys
from heads.labels import Vocabulary
from heads.losses import LossFn, as_scalar, call_loss_fn, reduce_loss
from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import estimator_metrics
from heads.running_metric import RegularizationLoss, RunningMetric, Tally
from heads.statistics import Scored, Statistic

Array = npt.NDArray[Any]
RegularizationLosses = Sequence[float]


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch whose logits, labels, losses and weights were found valid, in this order.

    Attributes:
        logits: float32 `lead + [logits_dimension]`.
        labels: as the head processes them, `lead + [1]` or `lead + [n_classes]`.
        losses: the unreduced loss, `lead + [1]`.
        weights: float32 `lead + [1]`, or None without a weight column.
    """

    logits: Float32
    labels: Array
    losses: Array
    weights: Float32 | None

    def row_losses(self) -> npt.NDArray[np.float64]:
        """The losses as the metrics add them, rounded to float32 `[D0 * ... * DN]`."""
        with np.errstate(over="ignore"):
            return self.losses.astype(np.float32).astype(np.float64).ravel()

    def row_weights(self) -> npt.NDArray[np.float64] | None:
        """The weights `[D0 * ... * DN]`."""
        return None if self.weights is None else self.weights.astype(np.float64).ravel()


class BaseHead(ABC):
    """A head without `create_estimator_spec`, whose arguments differ between TensorFlow 1 and 2."""

    def __init__(
        self,
        scope: MetricContext,
        *,
        weight_column: WeightColumn | None,
        label_vocabulary: Vocabulary | None,
        loss_reduction: str,
        loss_fn: LossFn | None,
        loss_fn_arguments: tuple[str, ...],
        name: str | None,
    ) -> None:
        self._scope = scope
        self._weight_column = weight_column
        self._label_vocabulary = label_vocabulary
        self._loss_reduction = loss_reduction
        self._loss_fn = loss_fn
        self._loss_fn_arguments = loss_fn_arguments
        self._name = name
        self._class_names = np.array(scope.class_names, np.str_)

    @property
    def name(self) -> str | None:
        """The name that metric keys end with, or None."""
        return self._name

    @property
    def loss_reduction(self) -> str:
        """The name of the loss reduction, as given."""
        return self._loss_reduction

    @property
    def logits_dimension(self) -> int:
        """The size of the last dimension of the logits."""
        return self._scope.columns

    def predictions(
        self, logits: npt.ArrayLike, keys: Iterable[str] | None = None
    ) -> dict[str, Array]:
        """The predictions of a batch by key.

        Args:
            logits: numbers `[D0, ..., DN, logits_dimension]`, rounded to float32.
            keys: the `PredictionKeys` wanted; None or none for all that the head has.

        Returns:
            Arrays by key; the class docstring has the table of shapes and dtypes.

        Raises:
            TypeError: if the logits are not numbers.
            ValueError: if the head has no prediction of that key, or the logits have another shape.
        """
        predictors = self._predictors()
        wanted = list(keys or ())
        for key in wanted:
            if key not in predictors:
                raise ValueError(
                    f"Prediction key must be in PredictionKeys, given: {key}. Use one of "
                    f"{list(predictors)}, or none for all."
                )
        array = as_logits(logits, self.logits_dimension)
        return {
            key: predict(array)
            for key, predict in predictors.items()
            if not wanted or key in wanted
        }

    def loss(
        self,
        labels: Any,
        logits: npt.ArrayLike,
        features: Features | None = None,
        mode: str | None = None,
        regularization_losses: RegularizationLosses | None = None,
    ) -> Any:
        """The training loss of a batch: the weighted loss, reduced, plus the regularization losses.

        Args:
            labels: the labels of the batch, see the class docstring.
            logits: numbers `[D0, ..., DN, logits_dimension]`, rounded to float32.
            features: holds the weight column, and what `loss_fn` reads.
            mode: the loss is the same in every mode.
            regularization_losses: floats added after the reduction.

        Returns:
            A float32 scalar; of the dtype of the losses where a `loss_fn` returns another.

        Raises:
            TypeError: if an input has the wrong dtype.
            ValueError: if an input has the wrong shape, a label is out of range, or a feature is
                missing.
        """
        del mode
        batch = self._batch(labels, logits, features)
        return self._training_loss(batch, regularization_losses)

    def example_loss(
        self, labels: Any, logits: npt.ArrayLike, features: Features | None = None
    ) -> Array:
        """The loss of each example, neither weighted nor reduced.

        Takes the arguments of `loss` and raises what it raises; weights are not read.

        Returns:
            `[D0, ..., DN]`, hence `[n]` for logits `[n, logits_dimension]`; float32, or the dtype
            that `loss_fn` returns.
        """
        array = as_logits(logits, self.logits_dimension)
        _, losses = self._unweighted(labels, array, features)
        return losses[..., 0]

    def metrics(
        self, regularization_losses: RegularizationLosses | None = None
    ) -> dict[str, RunningMetric]:
        """Fresh metrics by key; metrics that count the same thing share their counts.

        Args:
            regularization_losses: not None adds the metric `regularization_loss`; pass them to
                `update_metrics` too.
        """
        tallies: dict[Statistic, Tally] = {}
        running = {}
        for metric in self._metrics.values():
            tally = tallies.setdefault(metric.statistic, Tally(metric.statistic))
            running[self._key(metric.name)] = RunningMetric(metric, tally)
        if regularization_losses is not None:
            running[self._key(MetricKeys.LOSS_REGULARIZATION)] = RegularizationLoss()
        return running

    def update_metrics(
        self,
        eval_metrics: dict[str, RunningMetric],
        features: Features | None,
        logits: npt.ArrayLike,
        labels: Any,
        mode: str | None = None,
        regularization_losses: RegularizationLosses | None = None,
    ) -> dict[str, RunningMetric]:
        """Adds a batch to metrics and returns them.

        Everything is checked before anything is added: a batch that fails changes no metric.

        Args:
            eval_metrics: what `metrics` returned.
            features: holds the weight column, and what `loss_fn` reads.
            logits: as for `loss`.
            labels: as for `loss`.
            mode: metrics are the same in every mode.
            regularization_losses: floats; their sum is one value of `regularization_loss`.

        Raises:
            KeyError: if a metric of the head is missing from `eval_metrics`.
            TypeError: as `loss`.
            ValueError: as `loss`.
        """
        del mode
        batch = self._batch(labels, logits, features)
        return self._updated(eval_metrics, batch, regularization_losses)

    @cached_property
    def _metrics(self) -> dict[str, Metric]:
        return estimator_metrics(self._scope)

    @abstractmethod
    def _predictors(self) -> dict[str, Callable[[Float32], Array]]:
        """How each prediction is made of logits, by key, in the order of the result."""

    @abstractmethod
    def _processed(self, labels: Any, logits_shape: tuple[int, ...]) -> Array:
        """The labels, checked and looked up."""

    @abstractmethod
    def _default_loss(self, labels: Array, logits: Float32) -> Float32:
        """The loss of processed labels without a `loss_fn`, `lead + [1]`."""

    @abstractmethod
    def _reduced(self, batch: Batch) -> Any:
        """The weighted and reduced loss, a scalar of the dtype of the losses."""

    @abstractmethod
    def _scored(self, batch: Batch) -> Scored:
        """The batch as statistics measure it."""

    def _exports(self, predictions: Mapping[str, Array]) -> dict[str, ExportOutput]:
        """The signatures of a PREDICT spec."""
        classify = ClassificationOutput(
            scores=predictions[PredictionKeys.PROBABILITIES],
            classes=self._all_classes(predictions[PredictionKeys.LOGITS]),
        )
        return {
            DEFAULT_SERVING_KEY: classify,
            CLASSIFY_SERVING_KEY: classify,
            PREDICT_SERVING_KEY: PredictOutput(predictions),
        }

    def _all_class_ids(self, logits: Array) -> npt.NDArray[np.int32]:
        # A binary head has one column of logits for two classes.
        ids = np.arange(max(self.logits_dimension, 2), dtype=np.int32)
        return np.tile(ids, (len(logits), 1))

    def _all_classes(self, logits: Array) -> npt.NDArray[np.str_]:
        return np.tile(self._class_names, (len(logits), 1))

    def _key(self, key: str) -> str:
        return f"{key}/{self._name}" if self._name else key

    def _tally(self, eval_metrics: Mapping[str, RunningMetric], name: str) -> Tally:
        key = self._key(name)
        if key not in eval_metrics:
            raise KeyError(
                f"eval_metrics lacks {key!r}: pass what metrics() of this head returned, and "
                "regularization_losses to both or to neither."
            )
        return eval_metrics[key].tally

    def _unweighted(
        self, labels: Any, logits: Float32, features: Features | None
    ) -> tuple[Array, Array]:
        processed = self._processed(labels, logits.shape)
        if self._loss_fn is None:
            return processed, self._default_loss(processed, logits)
        return processed, call_loss_fn(
            self._loss_fn, self._loss_fn_arguments, processed, logits, features
        )

    def _batch(self, labels: Any, logits: npt.ArrayLike, features: Features | None) -> Batch:
        array = as_logits(logits, self.logits_dimension)
        processed, losses = self._unweighted(labels, array, features)
        weights = example_weights(self._weight_column, features, array.shape)
        return Batch(array, processed, losses, weights)

    def _updated(
        self,
        eval_metrics: dict[str, RunningMetric],
        batch: Batch,
        regularization_losses: RegularizationLosses | None,
    ) -> dict[str, RunningMetric]:
        scored = self._scored(batch)
        updates = {self._tally(eval_metrics, name): scored for name in self._metrics}
        if regularization_losses is not None:
            tally = self._tally(eval_metrics, MetricKeys.LOSS_REGULARIZATION)
            updates[tally] = RegularizationLoss.scored(regularization_losses)
        for tally, added in updates.items():
            tally.add(added)
        return eval_metrics

    def _training_loss(
        self, batch: Batch, regularization_losses: RegularizationLosses | None
    ) -> Any:
        loss = self._reduced(batch)
        if regularization_losses is None:
            return loss
        total = float(loss) + sum(map(float, regularization_losses))
        return as_scalar(total, np.result_type(loss.dtype, np.float32))

    def _estimator_spec(
        self,
        features: Features | None,
        mode: str,
        logits: npt.ArrayLike,
        labels: Any,
        regularization_losses: RegularizationLosses | None,
        make_train_op: TrainOpFn,
    ) -> EstimatorSpec:
        predictions = self.predictions(logits)
        if mode == ModeKeys.PREDICT:
            return EstimatorSpec(mode, predictions, export_outputs=self._exports(predictions))
        batch = self._batch(labels, logits, features)
        loss = self._training_loss(batch, regularization_losses)
        if mode == ModeKeys.EVAL:
            metrics = self._updated(
                self.metrics(regularization_losses), batch, regularization_losses
            )
            return EstimatorSpec(mode, predictions, loss, eval_metric_ops=metrics)
        return EstimatorSpec(mode, predictions, loss, train_op=make_train_op(loss))


class Head(BaseHead):
    """A head with the interface of TensorFlow 2.x, `tf.estimator.Head`."""

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
        """What a model function returns for a batch in a mode.

        Args:
            features: as for `loss`.
            mode: one of `ModeKeys`; PREDICT makes export outputs, EVAL metrics, any other mode a
                train op.
            logits: as for `loss`.
            labels: as for `loss`; PREDICT does not look at them.
            optimizer: an object whose `get_updates(loss, trainable_variables)` returns the train
                op, for example an adapter of a training library. TRAIN needs it or `train_op_fn`.
            trainable_variables: list or tuple, passed on to the optimizer.
            train_op_fn: takes the loss and returns the train op.
            update_ops: list or tuple; the train op becomes a tuple of the train op and these.
            regularization_losses: as for `loss`.

        Raises:
            TypeError: as `loss`.
            ValueError: as `loss`, and for arguments that do not make one train op.
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
