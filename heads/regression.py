"""The heads of regression: of any numbers, of counts, and of numbers from 0 to 1."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.base import BaseHead
from heads.batch import Array, Batch, as_rows
from heads.class_scores import ClassScores, IndependentScores, Real
from heads.estimator_spec import (
    DEFAULT_SERVING_KEY,
    PREDICT_SERVING_KEY,
    REGRESS_SERVING_KEY,
    ExportOutput,
    PredictOutput,
    RegressionOutput,
)
from heads.inputs import Features, Float32, WeightColumn, as_float32, as_logits, example_weights
from heads.keys import PredictionKeys
from heads.labels import number_labels
from heads.losses import REDUCTIONS, LossFn, call_loss_fn, check_loss_fn, check_reduction
from heads.metrics.core.context import MetricContext, RegressionType
from heads.regression_scores import PoissonScores, SquaredScores
from heads.results import as_result
from heads.statistics import Scored
from heads.statistics.cuts import ScoreKind, ScoreSpace

InverseLink = Callable[[Float32], npt.ArrayLike]


class RegressionHead(BaseHead):
    """The head of numbers with squared loss, as `tf.estimator.RegressionHead`.

    Logits are `[D0, ..., DN, label_dimension]`, and so are labels, which are any numbers; of a
    `label_dimension` of 1 they may be `[D0, ..., DN]`. The loss of every number is
    `(logit - label)^2`; with a weight column it is weighted. `loss` divides the sum by the number
    of labels, `average_loss` divides it by the sum of the weights of all labels.

    | prediction | shape | dtype | what |
    |---|---|---|---|
    | `predictions` | lead + [label_dimension] | float32 | the logits, through `inverse_link_fn` |
    | `logits` | lead + [label_dimension] | float32 | the logits; only with `inverse_link_fn` |

    Metrics: `average_loss`, `prediction/mean` of the predictions, `label/mean`.

    Args:
        label_dimension: the number of labels of an example, at least 1.
        weight_column: the feature with the weights, lead, lead + [1] or lead + [label_dimension]:
            its name, or an object with `key` and `normalizer_fn`. With None, all weights are 1.
        loss_reduction: `sum_over_batch_size`, `auto` (the same) or `sum`.
        loss_fn: `loss_fn(labels, logits, [features])` returns the losses lead +
            [label_dimension].
        inverse_link_fn: the function that turns logits into predictions of the same shape.
        name: appended to the metric keys.

    Raises:
        TypeError: if `loss_fn` or `inverse_link_fn` is no function.
        ValueError: for a `label_dimension` below 1, an unknown reduction, or a `loss_fn` with
            unknown parameters.

    >>> import numpy as np
    >>> head = RegressionHead()
    >>> logits, labels = np.array([[45.0], [41.0]]), np.array([[43.0], [44.0]])
    >>> print(f"{head.loss(labels, logits, features={}):.2f}")
    6.50
    >>> metrics = head.update_metrics(head.metrics(), {}, logits, labels)
    >>> for key in sorted(metrics):
    ...     print(f"{key} : {float(metrics[key].result()):.2f}")
    average_loss : 6.50
    label/mean : 43.50
    prediction/mean : 43.00
    """

    _type: RegressionType = "regression"
    _linked = False
    _label_range: tuple[float, float] | None = None

    def __init__(
        self,
        label_dimension: int = 1,
        weight_column: WeightColumn | None = None,
        loss_reduction: str = "sum_over_batch_size",
        loss_fn: LossFn | None = None,
        inverse_link_fn: InverseLink | None = None,
        name: str | None = None,
    ) -> None:
        if not isinstance(label_dimension, int | np.integer) or label_dimension < 1:
            raise ValueError(
                f"Invalid label_dimension {label_dimension}. Give the number of labels of an"
                " example, at least 1."
            )
        check_reduction(loss_reduction, REDUCTIONS)
        arguments = check_loss_fn(loss_fn, ("features", "loss_reduction")) if loss_fn else ()
        if inverse_link_fn is not None and not callable(inverse_link_fn):
            raise TypeError(f"inverse_link_fn must be callable. Given: {inverse_link_fn!r}.")
        self._label_dimension = int(label_dimension)
        self._inverse_link_fn = inverse_link_fn
        super().__init__(
            MetricContext(
                self._type,
                (),
                ScoreSpace("logits", float32=True),
                weighted=weight_column is not None,
            ),
            weight_column=weight_column,
            label_vocabulary=None,
            loss_reduction=loss_reduction,
            loss_fn=loss_fn or None,
            loss_fn_arguments=arguments,
            name=name,
        )

    @property
    def logits_dimension(self) -> int:
        """The size of the last dimension of the logits, `label_dimension`."""
        return self._label_dimension

    def example_loss(
        self, labels: Any, logits: npt.ArrayLike, features: Features | None = None
    ) -> Array:
        """Returns the loss of each example, neither weighted nor reduced.

        Returns:
            Losses `[D0, ..., DN]`, the means over the labels of an example; float32, or the dtype
            that `loss_fn` returns.
        """
        array = as_logits(logits, self.logits_dimension)
        losses = self._losses(self._processed(labels, array.shape), array, features)
        mean = losses.mean(axis=-1, dtype=np.float64).astype(losses.dtype)
        example_losses: Array = as_result(mean)
        return example_losses

    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        return SquaredScores(scores, kind)

    def _predictors(self, scored: Scored, dtype: np.dtype[Any]) -> dict[str, Callable[[], Array]]:
        linked = self._linked or self._inverse_link_fn is not None
        predictors = {
            PredictionKeys.PREDICTIONS: lambda: self._linked_predictions(scored).astype(
                dtype, copy=False
            )
        }
        if linked:
            predictors[PredictionKeys.LOGITS] = lambda: scored.score.astype(dtype, copy=False)
        return predictors

    def _linked_predictions(self, scored: Scored) -> Array:
        if self._inverse_link_fn is None:
            return scored.probability
        return self._linked_by_caller(scored.score.astype(np.float32))

    def _linked_by_caller(self, logits: Float32) -> Float32:
        assert self._inverse_link_fn is not None
        given = self._inverse_link_fn(as_result(logits))
        predictions = as_float32(given, "Results of inverse_link_fn")
        if predictions.shape != logits.shape:
            raise ValueError(
                f"inverse_link_fn must return predictions of the shape of the logits, here "
                f"{logits.shape}. Given: {predictions.shape}."
            )
        return predictions

    def _class_lists(self, rows: int) -> dict[str, Callable[[], Array]]:  # noqa: ARG002
        return {}

    def _processed(self, labels: Any, logits_shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        return number_labels(labels, logits_shape, self._label_dimension, self._label_range)

    def _losses(self, labels: Array, logits: Float32, features: Features | None) -> Array:
        """Returns the losses of all labels, `lead + [label_dimension]`."""
        if self._loss_fn is not None:
            return call_loss_fn(
                self._loss_fn,
                self._loss_fn_arguments,
                labels,
                logits,
                features,
                self._loss_reduction,
                self._label_dimension,
            )
        column = np.ascontiguousarray(logits.reshape(-1, 1))
        losses = self._class_scores(column, "logits").losses(labels.reshape(-1, 1))
        return losses.reshape(logits.shape)

    def _batch(self, labels: Any, logits: npt.ArrayLike, features: Features | None) -> Batch:
        array = as_logits(logits, self.logits_dimension)
        processed = self._processed(labels, array.shape)
        losses = self._losses(processed, array, features)
        weights = example_weights(self._weight_column, features, array.shape, per_logit=True)
        # Metrics count every label of an example as a row.
        row_weights = None if weights is None else np.broadcast_to(weights, array.shape).ravel()
        column = np.ascontiguousarray(array.reshape(-1, 1))
        scored = self.score(column, processed.reshape(-1, 1), row_weights)
        with np.errstate(over="ignore"):
            rounded = losses.astype(np.float32).astype(np.float64).ravel()
        scored = replace(scored, loss=rounded)
        if self._inverse_link_fn is not None:
            predictions = self._linked_by_caller(as_rows(array)).astype(np.float64).reshape(-1, 1)
            scored = replace(scored, probability=predictions)
        return Batch(array, processed, losses, weights, scored)

    def _exports(self, predictions: Mapping[str, Array]) -> dict[str, ExportOutput]:
        regression = RegressionOutput(predictions[PredictionKeys.PREDICTIONS])
        return {
            DEFAULT_SERVING_KEY: regression,
            REGRESS_SERVING_KEY: regression,
            PREDICT_SERVING_KEY: PredictOutput(predictions),
        }


class PoissonRegressionHead(RegressionHead):
    """The head of counts with Poisson loss, as `tf.estimator.PoissonRegressionHead`.

    As `RegressionHead`, but a logit `x` is the logarithm of the prediction, labels `y` are not
    negative, and the loss is `exp(x) - x y`; the full loss adds `y ln(y) - y + ln(2 pi y) / 2`
    where y > 1. Predictions are `predictions`, `exp(x)`, and `logits`.

    Args:
        label_dimension: as for `RegressionHead`.
        weight_column: as for `RegressionHead`.
        loss_reduction: as for `RegressionHead`.
        compute_full_loss: whether the loss is the full one.
        name: appended to the metric keys.

    Raises:
        ValueError: for a `label_dimension` below 1 or an unknown reduction.

    >>> head = PoissonRegressionHead()
    >>> print(f"{head.loss([[1], [5]], [[1.0], [3.0]]):.5f}")
    5.78733
    """

    _type = "poisson"
    _linked = True
    _label_range = (0.0, np.inf)

    def __init__(
        self,
        label_dimension: int = 1,
        weight_column: WeightColumn | None = None,
        loss_reduction: str = "sum_over_batch_size",
        compute_full_loss: bool = True,
        name: str | None = None,
    ) -> None:
        self._compute_full_loss = compute_full_loss
        super().__init__(label_dimension, weight_column, loss_reduction, name=name)

    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        return PoissonScores(scores, kind, full=self._compute_full_loss)


class LogisticRegressionHead(RegressionHead):
    """The head of numbers from 0 to 1, as `tf.estimator.LogisticRegressionHead`.

    As `RegressionHead` with one label, which is a number in [0, 1]; the loss is that of
    `BinaryClassHead`, `max(x, 0) - x * y + log(1 + exp(-|x|))`. Predictions are `predictions`,
    `1 / (1 + exp(-x))`, and `logits`.

    Args:
        weight_column: as for `RegressionHead`.
        loss_reduction: as for `RegressionHead`.
        name: appended to the metric keys.

    Raises:
        ValueError: for an unknown reduction.

    >>> head = LogisticRegressionHead()
    >>> print(f"{head.loss([[0.5], [1.0]], [[0.0], [-41.0]]):.4f}")
    20.8466
    """

    _type = "logistic_regression"
    _linked = True
    _label_range = (0.0, 1.0)

    def __init__(
        self,
        weight_column: WeightColumn | None = None,
        loss_reduction: str = "sum_over_batch_size",
        name: str | None = None,
    ) -> None:
        super().__init__(1, weight_column, loss_reduction, name=name)

    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        return IndependentScores(scores, "probabilities" if kind == "predictions" else kind)
