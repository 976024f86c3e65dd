"""The head of binary classification, with a single logit for each example."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.base import BaseHead
from heads.batch import Array
from heads.class_scores import ClassScores, ExclusiveScores, IndependentScores, Real
from heads.estimator_spec import REGRESS_SERVING_KEY, ExportOutput, RegressionOutput
from heads.head_arguments import check_binary_vocabulary, threshold_items
from heads.inputs import WeightColumn
from heads.keys import PredictionKeys
from heads.label_words import UNKNOWN, Vocabulary, check_vocabulary_words, class_names
from heads.labels import binary_labels
from heads.losses import (
    REDUCTIONS,
    LossFn,
    check_loss_fn,
    check_reduction,
)
from heads.metrics.core.context import MetricContext
from heads.statistics import Scored
from heads.statistics.cuts import ScoreKind, ScoreSpace


class BinaryHead(BaseHead):
    """The base class of the binary heads of TensorFlow 1.x and 2.x."""

    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        return IndependentScores(scores, kind)

    def _predictors(self, scored: Scored, dtype: np.dtype[Any]) -> dict[str, Callable[[], Array]]:
        def probabilities() -> Array:
            if scored.kind == "probabilities":
                return np.hstack([1.0 - scored.probability, scored.probability])
            logits = scored.score.astype(dtype, copy=False)
            return ExclusiveScores(np.hstack([np.zeros_like(logits), logits])).probability

        def class_ids() -> npt.NDArray[np.int64]:
            return (scored.score > scored.cut).astype(np.int64)

        # A vocabulary that is too short does not name class 1.
        names = np.array([*self._context.class_names, UNKNOWN, UNKNOWN][:2])
        return {
            PredictionKeys.LOGITS: lambda: scored.score.astype(dtype, copy=False),
            PredictionKeys.LOGISTIC: lambda: scored.probability.astype(dtype, copy=False),
            PredictionKeys.PROBABILITIES: probabilities,
            PredictionKeys.CLASS_IDS: class_ids,
            PredictionKeys.CLASSES: lambda: names[class_ids()],
        }

    def _class_lists(self, rows: int) -> dict[str, Callable[[], Array]]:
        return {
            PredictionKeys.ALL_CLASS_IDS: lambda: self._all_class_ids(rows),
            PredictionKeys.ALL_CLASSES: lambda: self._all_classes(rows),
        }

    def _processed(self, labels: Any, logits_shape: tuple[int, ...]) -> npt.NDArray[np.float32]:
        return binary_labels(labels, logits_shape, self._label_vocabulary)

    def _exports(self, predictions: Mapping[str, Array]) -> dict[str, ExportOutput]:
        regression = RegressionOutput(predictions[PredictionKeys.LOGISTIC])
        return {**super()._exports(predictions), REGRESS_SERVING_KEY: regression}


class BinaryClassHead(BinaryHead):
    """The head of two classes with sigmoid cross entropy, as `tf.estimator.BinaryClassHead`.

    Logits are `[D0, ..., DN, 1]`. Labels are `[D0, ..., DN, 1]` or `[D0, ..., DN]`, numbers in
    [0, 1] (fractions are soft labels), or words of `label_vocabulary`. The example loss is
    `max(x, 0) - x * y + log(1 + exp(-|x|))`.

    | prediction | shape | dtype | what |
    |---|---|---|---|
    | `logits` | lead + [1] | float32 | `x` |
    | `logistic` | lead + [1] | float32 | `p = 1 / (1 + exp(-x))` |
    | `probabilities` | lead + [2] | float32 | softmax of `[0, x]` |
    | `class_ids` | lead + [1] | int64 | 1 where `x > 0`, else 0 |
    | `classes` | lead + [1] | str | the name of `class_ids` |
    | `all_class_ids` | [D0, 2] | int32 | 0, 1 |
    | `all_classes` | [D0, 2] | str | the class names |

    Metrics: `average_loss`, `accuracy`, `precision`, `recall`, `prediction/mean`, `label/mean`,
    `accuracy_baseline`, `auc`, `auc_precision_recall`, and for each threshold T
    `accuracy/positive_threshold_T`, `precision/positive_threshold_T` and
    `recall/positive_threshold_T`.

    Args:
        weight_column: the feature with the weight of each example, lead or lead + [1]: its name, or
            an object with `key` and `normalizer_fn`. With None, all examples have weight 1.
        thresholds: probabilities in (0, 1); above a threshold, an example is predicted positive.
        label_vocabulary: list or tuple of the words for class 0 and 1.
        loss_reduction: `sum_over_batch_size`, `auto` (the same) or `sum`.
        loss_fn: `loss_fn(labels, logits, [features], [loss_reduction])` returns the losses lead +
            [1]; it gets the loss reduction only if that parameter has no default.
        name: appended to the metric keys.

    Raises:
        TypeError: for thresholds or words of another type.
        ValueError: for a threshold outside (0, 1), an unknown reduction, a vocabulary that is empty
            or no list or tuple, or a `loss_fn` with unknown parameters.

    >>> import numpy as np
    >>> head = BinaryClassHead()
    >>> logits = np.array([[45], [-41]], np.float32)
    >>> labels = np.array([[1], [1]], np.int32)
    >>> features = {"x": np.array([[42]], np.float32)}
    >>> print(f"{head.loss(labels, logits, features=features):.2f}")
    20.50
    >>> metrics = head.update_metrics(head.metrics(), features, logits, labels)
    >>> for key in sorted(metrics):
    ...     print(f"{key} : {metrics[key].result():.2f}")
    accuracy : 0.50
    accuracy_baseline : 1.00
    auc : 0.00
    auc_precision_recall : 1.00
    average_loss : 20.50
    label/mean : 1.00
    precision : 1.00
    prediction/mean : 0.50
    recall : 0.50
    >>> head.predictions(logits, ["class_ids"])["class_ids"].tolist()
    [[1], [0]]
    """

    def __init__(
        self,
        weight_column: WeightColumn | None = None,
        thresholds: Iterable[float] | None = None,
        label_vocabulary: Vocabulary | None = None,
        loss_reduction: str = "sum_over_batch_size",
        loss_fn: LossFn | None = None,
        name: str | None = None,
    ) -> None:
        if label_vocabulary is not None and not isinstance(label_vocabulary, list | tuple):
            raise ValueError(
                "label_vocabulary should be a list or a tuple. Given type: "
                f"{type(label_vocabulary)}. List the words for class 0 and 1."
            )
        check_binary_vocabulary(label_vocabulary)
        checked = binary_thresholds(thresholds)
        check_reduction(loss_reduction, REDUCTIONS)
        arguments = check_loss_fn(loss_fn, ("features", "loss_reduction")) if loss_fn else ()
        check_vocabulary_words(label_vocabulary or ())
        super().__init__(
            MetricContext(
                "binary",
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


def binary_thresholds(thresholds: Iterable[float] | None) -> tuple[float, ...]:
    """Returns the thresholds of a binary head as a tuple of floats.

    Raises:
        TypeError: if the thresholds are not an iterable of numbers.
        ValueError: if a threshold is not inside (0, 1).
    """
    given = threshold_items(thresholds)
    if not all(0 < threshold < 1 for threshold in given):
        raise ValueError(f"thresholds not in (0, 1): ({given},). Give probabilities inside (0, 1).")
    return given
