"""The head of classification into exactly one of several classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.base import BaseHead
from heads.batch import Array
from heads.class_scores import ClassScores, ExclusiveScores, Real
from heads.head_arguments import class_count
from heads.inputs import WeightColumn
from heads.keys import PredictionKeys
from heads.label_words import Vocabulary, check_vocabulary_words, class_names
from heads.labels import class_id_labels
from heads.losses import (
    REDUCTIONS,
    LossFn,
    check_loss_fn,
    check_reduction,
)
from heads.metrics.core.context import MetricContext
from heads.statistics import Scored
from heads.statistics.cuts import ScoreKind, ScoreSpace


class MultiClassHead(BaseHead):
    """The head of exclusive classes with softmax cross entropy, as `tf.estimator.MultiClassHead`.

    Logits are `[D0, ..., DN, n_classes]`. Labels are `[D0, ..., DN, 1]` or `[D0, ..., DN]`, integer
    class ids in [0, n_classes), or words of `label_vocabulary`. The example loss is
    `log(sum(exp(x))) - x[label]`.

    | prediction | shape | dtype | what |
    |---|---|---|---|
    | `logits` | lead + [n] | float32 | `x` |
    | `probabilities` | lead + [n] | float32 | `exp(x) / sum(exp(x))` |
    | `class_ids` | lead + [1] | int64 | the first class with the largest logit; NaN is ignored |
    | `classes` | lead + [1] | str | the name of `class_ids` |
    | `all_class_ids` | [D0, n] | int32 | 0, ..., n - 1 |
    | `all_classes` | [D0, n] | str | the class names |

    Metrics: `average_loss` and `accuracy`.

    Args:
        n_classes: number of classes, above 2.
        weight_column: the feature with the weight of each example, lead or lead + [1]: its name, or
            an object with `key` and `normalizer_fn`. With None, all examples have weight 1.
        label_vocabulary: list or tuple of n_classes words.
        loss_reduction: `sum_over_batch_size`, `auto` (the same) or `sum`.
        loss_fn: `loss_fn(labels, logits, [features], [loss_reduction])` returns the losses lead +
            [1]; it gets the loss reduction only if that parameter has no default.
        name: appended to the metric keys.

    Raises:
        TypeError: for words or a number of classes of another type.
        ValueError: for too few classes, a vocabulary of another length, an unknown reduction or a
            `loss_fn` with unknown parameters.

    >>> import numpy as np
    >>> head = MultiClassHead(n_classes=3)
    >>> logits = np.array([[10, 0, 0], [0, 10, 0]], np.float32)
    >>> labels = np.array([[1], [1]], np.int64)
    >>> features = {"x": np.array([[42]], np.float32)}
    >>> print(f"{head.loss(labels, logits, features=features):.2f}")
    5.00
    >>> metrics = head.update_metrics(head.metrics(), features, logits, labels)
    >>> for key in sorted(metrics):
    ...     print(f"{key} : {metrics[key].result():.2f}")
    accuracy : 0.50
    average_loss : 5.00
    """

    def __init__(
        self,
        n_classes: int,
        weight_column: WeightColumn | None = None,
        label_vocabulary: Vocabulary | None = None,
        loss_reduction: str = "sum_over_batch_size",
        loss_fn: LossFn | None = None,
        name: str | None = None,
    ) -> None:
        if n_classes is None:
            raise ValueError("n_classes cannot be None. Give the number of classes.")
        n_classes = class_count(n_classes)
        if label_vocabulary is not None:
            if not isinstance(label_vocabulary, list | tuple):
                raise ValueError(
                    "label_vocabulary should be a list or a tuple. Given type: "
                    f"{type(label_vocabulary)}. List the words in the order of the class ids."
                )
            if len(label_vocabulary) != n_classes:
                raise ValueError(
                    '"label_vocabulary" does not have "n_classes" items. len(label_vocabulary)='
                    f"{len(label_vocabulary)}, n_classes={n_classes}. Give each class one word."
                )
        check_reduction(loss_reduction, REDUCTIONS)
        arguments = check_loss_fn(loss_fn, ("features", "loss_reduction")) if loss_fn else ()
        if n_classes <= 2:
            raise ValueError(f"n_classes must be > 2: {n_classes}. Use BinaryClassHead for two.")
        check_vocabulary_words(label_vocabulary or ())
        self._n_classes = n_classes
        super().__init__(
            MetricContext(
                "multi_class",
                class_names(label_vocabulary, n_classes),
                ScoreSpace("logits", float32=True),
                weighted=weight_column is not None,
            ),
            weight_column=weight_column,
            label_vocabulary=label_vocabulary,
            loss_reduction=loss_reduction,
            loss_fn=loss_fn or None,
            loss_fn_arguments=arguments,
            name=name,
        )

    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        return ExclusiveScores(scores, kind)

    def _measured_labels(self, labels: Array, dtype: np.dtype[Any]) -> npt.NDArray[np.float64]:  # noqa: ARG002
        return labels.astype(np.float64, copy=False)

    def _predictors(
        self,
        scored: Scored,
        dtype: np.dtype[Any],
    ) -> dict[str, Callable[[], Array]]:
        predicted = scored.predicted
        assert predicted is not None
        return {
            PredictionKeys.LOGITS: lambda: scored.score.astype(dtype, copy=False),
            PredictionKeys.PROBABILITIES: lambda: scored.probability.astype(dtype, copy=False),
            PredictionKeys.CLASS_IDS: lambda: predicted[:, np.newaxis],
            PredictionKeys.CLASSES: lambda: self._class_names[predicted][:, np.newaxis],
        }

    def _class_lists(self, rows: int) -> dict[str, Callable[[], Array]]:
        return {
            PredictionKeys.ALL_CLASS_IDS: lambda: self._all_class_ids(rows),
            PredictionKeys.ALL_CLASSES: lambda: self._all_classes(rows),
        }

    def _processed(
        self, labels: Any, logits_shape: tuple[int, ...]
    ) -> npt.NDArray[np.integer[Any]]:
        return class_id_labels(labels, logits_shape, self._label_vocabulary, self._n_classes)
