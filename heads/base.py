"""The base class of the heads, which compute everything from the logits.

`score` turns scores, labels and weights into a `Scored` batch: stored scores in float64, and logits
of the estimator interface in float32. Predictions, losses and metrics are computed from that batch.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.batch import Array, Batch, as_rows
from heads.class_scores import ClassScores, ExclusiveScores, Real
from heads.estimator_spec import (
    CLASSIFY_SERVING_KEY,
    DEFAULT_SERVING_KEY,
    PREDICT_SERVING_KEY,
    ClassificationOutput,
    ExportOutput,
    PredictOutput,
)
from heads.head import Head
from heads.inputs import (
    Features,
    Float32,
    WeightColumn,
    as_logits,
    example_weights,
    regularization_sum,
)
from heads.keys import MetricKeys, PredictionKeys, check_unused_mode
from heads.label_words import Vocabulary
from heads.losses import LossFn, as_scalar, call_loss_fn, reduce_loss
from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import estimator_metrics
from heads.results import as_result
from heads.running_metric import RegularizationLoss, RunningMetric, Tally, running_metrics
from heads.statistics import Scored
from heads.statistics.cuts import ScoreKind

RegularizationLosses = Sequence[float]


class BaseHead(Head):
    """The base class of the heads of TensorFlow 1 and 2."""

    def __init__(
        self,
        context: MetricContext,
        *,
        weight_column: WeightColumn | None,
        label_vocabulary: Vocabulary | None,
        loss_reduction: str,
        loss_fn: LossFn | None,
        loss_fn_arguments: tuple[str, ...],
        name: str | None,
    ) -> None:
        if name is not None and not isinstance(name, str):
            raise TypeError(f"name must be a str or None. Given: {name!r}. Pass arguments by name.")
        self._context = context
        self._weight_column = weight_column
        self._label_vocabulary = label_vocabulary
        self._loss_reduction = loss_reduction
        self._loss_fn = loss_fn
        self._loss_fn_arguments = loss_fn_arguments
        self._name = name
        self._class_names = np.array(context.class_names, np.str_)

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
        return self._context.columns

    @property
    def context(self) -> MetricContext:
        """The settings that the metrics depend on, such as class names and thresholds."""
        return self._context

    def score(
        self,
        scores: Real,
        labels: Array | None = None,
        weights: Array | None = None,
        kind: ScoreKind = "logits",
    ) -> Scored:
        """Turns scores, labels and weights into the batch that statistics measure.

        Args:
            scores: float32 or float64 `[n, logits_dimension]`, C-contiguous; losses and
                probabilities are computed in this dtype, see `heads.class_scores`.
            labels: valid labels, numbers `[n, logits_dimension]`, or class ids `[n, 1]` of a
                multi-class head; None if only predictions are needed.
            weights: `[n]`, or None if all rows have weight 1.
            kind: whether the scores are logits, probabilities, or predictions of a regression head.

        Returns:
            The batch; its float64 arrays hold values of the dtype of the scores. Labels and losses
            are NaN without `labels`.
        """
        class_scores = self._class_scores(scores, kind)
        label, losses = np.full((2, len(scores), 1), np.nan)
        if labels is not None:
            label = self._measured_labels(labels, scores.dtype)
            losses = class_scores.class_losses(labels)
        return Scored(
            score=scores.astype(np.float64, copy=False),
            probability=class_scores.probability.astype(np.float64, copy=False),
            label=label,
            loss=class_scores.row_losses(losses).astype(np.float64, copy=False),
            weight=None if weights is None else weights.astype(np.float64, copy=False),
            predicted=class_scores.predicted if isinstance(class_scores, ExclusiveScores) else None,
            kind=kind,
            class_loss=losses.astype(np.float64, copy=False),
        )

    def row_predictions(self, scored: Scored) -> dict[str, Array]:
        """Returns the predictions of scored rows, `[n, width]` by key; numbers are float64.

        Unknown logits are left out, and so are predictions that list all classes in every row.
        """
        predictors = self._predictors(scored, np.dtype(np.float64))
        if scored.kind != "logits":
            predictors.pop(PredictionKeys.LOGITS, None)
        return {key: make() for key, make in predictors.items()}

    def predictions(
        self, logits: npt.ArrayLike, keys: Iterable[str] | None = None
    ) -> dict[str, Array]:
        """Returns the predictions of a batch by key.

        Args:
            logits: numbers `[D0, ..., DN, logits_dimension]`, rounded to float32.
            keys: the wanted `PredictionKeys`; None or an empty list for all that the head has.

        Returns:
            Arrays by key, with `numpy()`; the docstring of the class has a table of their shapes
            and dtypes.

        Raises:
            TypeError: if the logits are not numbers.
            ValueError: if the head has no prediction of a key, or the logits have a wrong shape.
        """
        array = as_logits(logits, self.logits_dimension)
        lead = array.shape[:-1]
        by_row = self._predictors(self.score(as_rows(array)), array.dtype)
        predictors = {key: (make, lead) for key, make in by_row.items()}
        predictors |= {k: (make, lead[:1]) for k, make in self._class_lists(len(array)).items()}
        if isinstance(keys, str):
            raise ValueError(
                f"keys must be a list of PredictionKeys. Given: {keys!r}. Make it one."
            )
        wanted = [] if keys is None else list(keys)
        for key in wanted:
            if key not in list(predictors):
                raise ValueError(
                    f"Prediction key must be in PredictionKeys, given: {key}. Use one of "
                    f"{list(predictors)}, or none for all."
                )
        return {
            key: as_result((rows := make()).reshape(*shape, rows.shape[1]))
            for key, (make, shape) in predictors.items()
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
        """Returns the training loss: the weighted and reduced loss plus regularization losses.

        Args:
            labels: the labels of the batch, see the docstring of the class.
            logits: numbers `[D0, ..., DN, logits_dimension]`, rounded to float32.
            features: feature values by name, such as the weights and what `loss_fn` reads.
            mode: ignored, as the loss is the same in all modes.
            regularization_losses: a list of numbers to add to the reduced loss.

        Returns:
            A float32 scalar, or a scalar of the dtype that `loss_fn` returns, with `numpy()`.

        Raises:
            TypeError: if an input has the wrong dtype.
            ValueError: for a wrong shape, a label out of range, or a missing feature.
        """
        check_unused_mode(mode)
        loss = self._reduced(self._batch(labels, logits, features))
        if regularization_losses is not None:
            total = float(loss) + regularization_sum(regularization_losses)
            loss = as_scalar(total, np.result_type(loss.dtype, np.float32))
        return as_result(loss)

    def example_loss(
        self, labels: Any, logits: npt.ArrayLike, features: Features | None = None
    ) -> Array:
        """Returns the loss of each example, neither weighted nor reduced.

        The arguments and errors are those of `loss`; weights are not read.

        Returns:
            Losses `[D0, ..., DN]`, so `[n]` for logits `[n, logits_dimension]`; float32, or the
            dtype that `loss_fn` returns.
        """
        array = as_logits(logits, self.logits_dimension)
        processed = self._processed(labels, array.shape)
        losses = self._caller_losses(processed, array, features)
        if losses is None:
            loss = self.score(as_rows(array), as_rows(processed)).loss
            losses = loss.astype(np.float32).reshape(*array.shape[:-1], 1)
        example_losses: Array = as_result(losses[..., 0])
        return example_losses

    def metrics(
        self, regularization_losses: RegularizationLosses | None = None
    ) -> dict[str, RunningMetric]:
        """Returns new metrics by key; metrics of the same statistic share its counts.

        Args:
            regularization_losses: if not None, the metric `regularization_loss` is added; pass
                them to `update_metrics` too.
        """
        running = running_metrics(self._metrics.values(), self._weighted_context, self._summary_key)
        if regularization_losses is not None:
            key = self._summary_key(MetricKeys.LOSS_REGULARIZATION)
            running[key] = RegularizationLoss(key)
        return running

    def update_metrics(
        self,
        eval_metrics: dict[str, RunningMetric],
        features: Features | None,
        logits: npt.ArrayLike,
        labels: Any,
        regularization_losses: RegularizationLosses | None = None,
        *,
        mode: str | None = None,
    ) -> dict[str, RunningMetric]:
        """Adds a batch to metrics and returns the metrics.

        All inputs are checked before the batch is added: a batch that fails changes no metric.

        Args:
            eval_metrics: the metrics that `metrics` returned.
            features: as for `loss`.
            logits: as for `loss`.
            labels: as for `loss`.
            regularization_losses: a list of numbers, whose sum is a value of `regularization_loss`.
            mode: ignored, as metrics are the same in all modes.

        Raises:
            KeyError: if a metric of the head is missing from `eval_metrics`.
            TypeError: as `loss`, and for metrics of another head.
            ValueError: as `loss`.
        """
        check_unused_mode(mode)
        batch = self._batch(labels, logits, features)
        return self._updated(eval_metrics, batch, regularization_losses)

    @cached_property
    def _weighted_context(self) -> MetricContext:
        """The context of metrics to which batches with and without weights may be added."""
        return replace(self._context, weighted=True)

    @cached_property
    def _metrics(self) -> dict[str, Metric]:
        return estimator_metrics(self._weighted_context)

    @abstractmethod
    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        """Returns the formulas of the head for scores `[n, logits_dimension]`."""

    @abstractmethod
    def _predictors(self, scored: Scored, dtype: np.dtype[Any]) -> dict[str, Callable[[], Array]]:
        """Returns functions by key, in order; each computes a prediction `[n, width]` of the rows.

        The values in `scored` were computed in `dtype`, and predictions have this dtype.
        """

    @abstractmethod
    def _class_lists(self, rows: int) -> dict[str, Callable[[], Array]]:
        """Returns functions by key for predictions that list all classes, `[rows, classes]`."""

    @abstractmethod
    def _processed(self, labels: Any, logits_shape: tuple[int, ...]) -> Array:
        """Returns the labels, checked, with words replaced by class ids."""

    def _measured_labels(self, labels: Array, dtype: np.dtype[Any]) -> npt.NDArray[np.float64]:
        """Returns labels as statistics measure them; in float32, tiny fractions become 0."""
        return labels.astype(dtype, copy=False).astype(np.float64, copy=False)

    def _reduced(self, batch: Batch) -> Any:
        """Returns the weighted and reduced loss, a scalar of the dtype of the losses."""
        return reduce_loss(batch.losses, batch.weights, self._loss_reduction)

    def _check_measurable(self, batch: Batch) -> None:
        """Raises ValueError if metrics cannot take the batch; by default they take any batch."""

    def _exports(self, predictions: Mapping[str, Array]) -> dict[str, ExportOutput]:
        """Returns the export outputs of a PREDICT spec by signature name."""
        classify = ClassificationOutput(
            scores=predictions[PredictionKeys.PROBABILITIES],
            classes=as_result(self._all_classes(len(predictions[PredictionKeys.LOGITS]))),
        )
        return {
            DEFAULT_SERVING_KEY: classify,
            CLASSIFY_SERVING_KEY: classify,
            PREDICT_SERVING_KEY: PredictOutput(predictions),
        }

    def _all_class_ids(self, rows: int) -> npt.NDArray[np.int32]:
        # A binary head has one column of logits for two classes.
        return np.tile(np.arange(max(self.logits_dimension, 2), dtype=np.int32), (rows, 1))

    def _all_classes(self, rows: int) -> npt.NDArray[np.str_]:
        return np.tile(self._class_names, (rows, 1))

    def _tally(self, eval_metrics: Mapping[str, RunningMetric], metric: Metric) -> Tally:
        key = self._summary_key(metric.name)
        if key not in eval_metrics:
            raise KeyError(
                f"eval_metrics lacks {key!r}: pass what metrics() of this head returned, and "
                "regularization_losses to both or to neither."
            )
        running = eval_metrics[key]
        if not isinstance(running, RunningMetric) or running.tally.statistic != metric.statistic:
            raise TypeError(
                f"eval_metrics has a metric {key!r} of another head: pass what metrics() of this "
                "head returned."
            )
        return running.tally

    def _caller_losses(
        self, labels: Array, logits: Float32, features: Features | None
    ) -> Array | None:
        """Returns the losses of the caller's `loss_fn`, `lead + [1]`; None without `loss_fn`."""
        if self._loss_fn is None:
            return None
        return call_loss_fn(
            self._loss_fn,
            self._loss_fn_arguments,
            labels,
            logits,
            features,
            self._loss_reduction,
        )

    def _batch(self, labels: Any, logits: npt.ArrayLike, features: Features | None) -> Batch:
        array = as_logits(logits, self.logits_dimension)
        processed = self._processed(labels, array.shape)
        losses = self._caller_losses(processed, array, features)
        weights = example_weights(self._weight_column, features, array.shape)
        row_weights = None if weights is None else weights.ravel()
        scored = self.score(as_rows(array), as_rows(processed), row_weights)
        if losses is None:
            losses = scored.loss.astype(np.float32).reshape(*array.shape[:-1], 1)
        else:
            # Metrics sum losses that are rounded to float32.
            with np.errstate(over="ignore"):
                rounded = losses.astype(np.float32).astype(np.float64).ravel()
            scored = replace(scored, loss=rounded)
        return Batch(array, processed, losses, weights, scored)

    def _updated(
        self,
        eval_metrics: dict[str, RunningMetric],
        batch: Batch,
        regularization_losses: RegularizationLosses | None,
    ) -> dict[str, RunningMetric]:
        self._check_measurable(batch)
        updates = {self._tally(eval_metrics, m): batch.scored for m in self._metrics.values()}
        if regularization_losses is not None:
            tally = self._tally(eval_metrics, RegularizationLoss.mean)
            updates[tally] = RegularizationLoss.scored(regularization_losses)
        for tally, added in updates.items():
            tally.add(added)
        return eval_metrics
