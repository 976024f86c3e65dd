"""The head of several objectives, which joins the heads of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.base import RegularizationLosses
from heads.batch import Array
from heads.estimator_spec import (
    DEFAULT_SERVING_KEY,
    PREDICT_SERVING_KEY,
    EstimatorSpec,
    ExportOutput,
    PredictOutput,
    TrainOpFn,
)
from heads.head import Head
from heads.inputs import Features, as_logits, regularization_sum
from heads.keys import MetricKeys, ModeKeys, check_unused_mode
from heads.losses import as_scalar
from heads.results import as_result
from heads.running_metric import RegularizationLoss, RunningMetric

Logits = npt.ArrayLike | Mapping[str, npt.ArrayLike]
PredictionKey = tuple[str, Any]
"""The name of a head, and a key of its predictions."""


class MultiHead(Head):
    """The head of several heads, as `tf.estimator.MultiHead`.

    Logits are a dict by name of the head, or an array `[D0, ..., DN, logits_dimension]` with the
    logits of all heads side by side, in their order. Labels are a dict by name of the head.
    Predictions have keys `(name, key)`. Metrics are those of every head, whose keys end with its
    name, and `loss/NAME`, the mean over batches of the training loss of the head. All add up over
    batches. The export outputs for PREDICT are those of every head, by `NAME` and
    `NAME/SIGNATURE`; the default is that of the first head, and `predict` has the predictions of
    all by `NAME/KEY`.

    Args:
        heads: the heads, which must have different names; the first is served by default.
        head_weights: what the training loss of each head is multiplied by; None for 1.

    Raises:
        ValueError: if there is no head, or not a weight for each; if a head has no name, or the
            name of another.

    >>> from heads.multilabel import MultiLabelHead
    >>> head = MultiHead([MultiLabelHead(2, name="head1"), MultiLabelHead(3, name="head2")])
    >>> logits = np.array([[-10.0, 10, 20, -20, 20], [-15.0, 10, -30, 20, -20]], np.float32)
    >>> labels = {"head1": [[1, 0], [1, 1]], "head2": [[0, 1, 0], [1, 1, 0]]}
    >>> print(f"{head.loss(labels, logits, features={}):.2f}")
    23.75
    >>> metrics = head.update_metrics(head.metrics(), {}, logits, labels)
    >>> [f"{float(metrics[key].result()):.2f}" for key in ("auc/head2", "loss/head1")]
    ['0.33', '8.75']
    >>> head.predictions(logits)["head1", "logits"].tolist()
    [[-10.0, 10.0], [-15.0, 10.0]]
    """

    def __init__(self, heads: Sequence[Head], head_weights: Sequence[float] | None = None) -> None:
        if not heads:
            raise ValueError(f"Must specify heads. Given: {heads}. List at least one.")
        if head_weights and len(head_weights) != len(heads):
            raise ValueError(
                "heads and head_weights must have the same size. Given len(heads): "
                f"{len(heads)}. Given len(head_weights): {len(head_weights)}."
            )
        names = []
        for head in heads:
            if not head.name:
                raise ValueError(
                    f"All given heads must have name specified. Given: {head}. Give it a name."
                )
            names.append(head.name)
        if len(set(names)) < len(names):
            raise ValueError(f"All given heads must have different names. Given: {names}.")
        self._heads = dict(zip(names, heads, strict=True))
        self._head_weights = tuple(map(float, head_weights or [1.0] * len(heads)))

    @property
    def name(self) -> str:
        """The names of the heads, joined by `_`."""
        return "_".join(self._heads)

    @property
    def logits_dimension(self) -> int:
        """The size of the last dimension of the logits of all heads side by side."""
        return sum(head.logits_dimension for head in self._heads.values())

    @property
    def loss_reduction(self) -> str:
        """The name of the loss reduction of all heads.

        Raises:
            ValueError: if the heads have different reductions.
        """
        reductions = [head.loss_reduction for head in self._heads.values()]
        if len(set(reductions)) > 1:
            raise ValueError(
                f"The loss_reduction must be the same for different heads. Given: {reductions}"
            )
        return reductions[0]

    def loss(
        self,
        labels: Any,
        logits: Logits,
        features: Features | None = None,
        mode: str | None = None,
        regularization_losses: RegularizationLosses | None = None,
    ) -> Any:
        """Returns the training loss: the weighted sum of those of the heads, and regularization.

        Args:
            labels: the labels of every head, by its name.
            logits: the logits of all heads, see the docstring of the class.
            features: feature values by name, for all heads.
            mode: ignored, as the loss is the same in all modes.
            regularization_losses: floats to add to the sum.

        Returns:
            A scalar, float32 but for losses of another dtype.

        Raises:
            TypeError: as `loss` of a head.
            ValueError: as `loss` of a head, and if the labels or logits of a head are missing.
        """
        check_unused_mode(mode)
        losses = self._losses(labels, self._logits_of_heads(logits), features)
        return self._merged(losses, regularization_losses)

    def predictions(
        self, logits: Logits, keys: Iterable[str | PredictionKey] | None = None
    ) -> dict[PredictionKey, Array]:
        """Returns the predictions of all heads by `(name, key)`.

        Args:
            logits: the logits of all heads.
            keys: the wanted keys, with or without the name of a head; None or nothing for all.

        Raises:
            TypeError: as `predictions` of a head.
            ValueError: as `predictions` of a head, and if no head has a prediction of a key.
        """
        found: dict[PredictionKey, Array] = {
            (name, key): prediction
            for name, of_head in self._logits_of_heads(logits).items()
            for key, prediction in self._heads[name].predictions(of_head).items()
        }
        wanted = list(keys or ())
        known: set[str | PredictionKey] = {*found, *(key for _, key in found)}
        for given in wanted:
            if given not in known:
                raise ValueError(
                    f"Prediction key must be in PredictionKeys, given: {given}. Use one of"
                    f" {list(found)}, or none for all."
                )
        return {
            (name, key): prediction
            for (name, key), prediction in found.items()
            if not wanted or (name, key) in wanted or key in wanted
        }

    def metrics(
        self, regularization_losses: RegularizationLosses | None = None
    ) -> dict[str, RunningMetric]:
        """Returns new metrics of all heads by key.

        Args:
            regularization_losses: if not None, the metric `regularization_loss/NAME` of this head
                is added; pass them to `update_metrics` too.
        """
        running: dict[str, RunningMetric] = {}
        if regularization_losses is not None:
            key = self._regularization_key
            running[key] = RegularizationLoss(key)
        for name, head in self._heads.items():
            key = f"{MetricKeys.LOSS}/{name}"
            running[key] = RegularizationLoss(key)
            running |= head.metrics()
        return running

    def update_metrics(
        self,
        eval_metrics: dict[str, RunningMetric],
        features: Features | None,
        logits: Logits,
        labels: Any,
        regularization_losses: RegularizationLosses | None = None,
    ) -> dict[str, RunningMetric]:
        """Adds a batch to metrics and returns the metrics.

        Args:
            eval_metrics: the metrics that `metrics` returned.
            features: as for `loss`.
            logits: as for `loss`.
            labels: as for `loss`.
            regularization_losses: floats, whose sum is a value of `regularization_loss/NAME`.

        Raises:
            KeyError: if a metric is missing from `eval_metrics`.
            TypeError: as `loss`.
            ValueError: as `loss`.
        """
        of_heads = self._logits_of_heads(logits)
        losses = self._losses(labels, of_heads, features)
        added = {f"{MetricKeys.LOSS}/{name}": [loss] for name, loss in losses.items()}
        if regularization_losses is not None:
            added[self._regularization_key] = [regularization_sum(regularization_losses)]
        missing = [key for key in added if key not in eval_metrics]
        if missing:
            raise KeyError(
                f"eval_metrics lacks {missing}: pass what metrics() of this head returned, and"
                " regularization_losses to both or to neither."
            )
        for name, head in self._heads.items():
            head.update_metrics(eval_metrics, features, of_heads[name], labels[name])
        for key, values in added.items():
            eval_metrics[key].tally.add(RegularizationLoss.scored(values))
        return eval_metrics

    def _estimator_spec(
        self,
        features: Features | None,
        mode: str,
        logits: Logits,
        labels: Any,
        regularization_losses: RegularizationLosses | None,
        make_train_op: TrainOpFn,
    ) -> EstimatorSpec:
        spec = super()._estimator_spec(
            features, mode, logits, labels, regularization_losses, make_train_op
        )
        if mode != ModeKeys.PREDICT:
            return spec
        return replace(spec, export_outputs=self._exports_of_heads(features, logits))

    @property
    def _regularization_key(self) -> str:
        return f"{MetricKeys.LOSS_REGULARIZATION}/{self.name}"

    def _logits_of_heads(self, logits: Logits) -> dict[str, npt.ArrayLike]:
        if isinstance(logits, Mapping):
            missing = [name for name in self._heads if name not in logits]
            if missing:
                raise ValueError(f"logits has missing values for head(s): {missing}")
            return {name: logits[name] for name in self._heads}
        sizes = [head.logits_dimension for head in self._heads.values()]
        shape = np.shape(logits)
        if not shape or shape[-1] != sum(sizes):
            raise ValueError(
                f"Could not split logits of shape {list(shape)} among the heads with individual"
                f" logits dimensions: {sizes}. The last dimension of the logits should equal"
                f" {sum(sizes)}."
            )
        array = as_logits(logits, sum(sizes))
        return dict(zip(self._heads, np.split(array, np.cumsum(sizes)[:-1], axis=-1), strict=True))

    def _losses(
        self, labels: Any, logits: Mapping[str, npt.ArrayLike], features: Features | None
    ) -> dict[str, Any]:
        """Returns the training loss of every head, not yet weighted, by its name."""
        if not isinstance(labels, Mapping):
            raise ValueError(f"labels must be a dict. Given: {labels}. Use the names of the heads.")
        missing = [name for name in self._heads if name not in labels]
        if missing:
            raise ValueError(f"labels has missing values for head(s): {missing}")
        return {
            name: head.loss(labels[name], logits[name], features)
            for name, head in self._heads.items()
        }

    def _merged(
        self, losses: Mapping[str, Any], regularization_losses: RegularizationLosses | None
    ) -> Any:
        dtype = np.result_type(np.float32, *(np.asarray(loss).dtype for loss in losses.values()))
        weighted = zip(losses.values(), self._head_weights, strict=True)
        total = sum(float(loss) * weight for loss, weight in weighted)
        if regularization_losses is not None:
            total += regularization_sum(regularization_losses)
        return as_result(as_scalar(total, dtype))

    def _exports_of_heads(
        self, features: Features | None, logits: Logits
    ) -> dict[str, ExportOutput]:
        """Returns the outputs of the heads by `NAME` and `NAME/SIGNATURE`, and those of all."""
        exports: dict[str, ExportOutput] = {}
        predictions: dict[str, Array] = {}
        for name, of_head in self._logits_of_heads(logits).items():
            head = self._heads[name]
            spec = head.create_estimator_spec(features, ModeKeys.PREDICT, of_head)
            for signature, output in spec.export_outputs.items():
                is_default = signature == DEFAULT_SERVING_KEY
                if is_default:
                    exports.setdefault(DEFAULT_SERVING_KEY, output)
                exports[name if is_default else f"{name}/{signature}"] = output
                if signature == PREDICT_SERVING_KEY and isinstance(output, PredictOutput):
                    predictions |= {f"{name}/{key}": of for key, of in output.outputs.items()}
        exports[PREDICT_SERVING_KEY] = PredictOutput(predictions)
        return exports
