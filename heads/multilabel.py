"""The head of classification into any number of classes at once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from heads.base import BaseHead
from heads.batch import Array
from heads.class_scores import ClassScores, IndependentScores, Real
from heads.head_arguments import class_count, items_of, threshold_items
from heads.inputs import WeightColumn
from heads.keys import PredictionKeys
from heads.label_words import Vocabulary, check_vocabulary_words, class_names
from heads.labels import indicator_labels
from heads.losses import (
    REDUCTIONS,
    LossFn,
    check_loss_fn,
    check_reduction,
)
from heads.metrics.core.context import MetricContext
from heads.statistics import Scored
from heads.statistics.cuts import ScoreKind, ScoreSpace


class MultiLabelHead(BaseHead):
    """The head of independent classes with sigmoid cross entropy, as `tf.estimator.MultiLabelHead`.

    Logits are `[D0, ..., DN, n_classes]`. Labels are indicators `[D0, ..., DN, n_classes]`, numbers
    in [0, 1] (fractions are soft labels), also as a matrix of scipy.sparse; or class ids or words:
    as `SparseLabels` or any object with its attributes, or as a list for each example, also in an
    Arrow array. Lists that all have n_classes numbers are indicators. The example loss is the mean
    over classes of `max(x, 0) - x * y + log(1 + exp(-|x|))`.

    | prediction | shape | dtype | what |
    |---|---|---|---|
    | `logits` | lead + [n] | float32 | `x` |
    | `probabilities` | lead + [n] | float32 | `1 / (1 + exp(-x))` |
    | `classes` | [D0, n] | str | the class names |

    Metrics: `average_loss`, `auc` and `auc_precision_recall` over all pairs of example and class;
    also over these pairs, for each threshold, `accuracy/positive_threshold_T`,
    `precision/positive_threshold_T`, `recall/positive_threshold_T`; and for each chosen class
    `probability_mean/C`, `auc/C`, `auc_precision_recall/C`, where C is the word of the class, or
    `classI` for class id I without a vocabulary.

    Args:
        n_classes: number of classes, above 1.
        weight_column: the feature with the weight of each example, lead or lead + [1]: its name, or
            an object with `key` and `normalizer_fn`. With None, all examples have weight 1.
        thresholds: probabilities in (0, 1); above a threshold, a class is predicted.
        label_vocabulary: list or tuple of n_classes words.
        loss_reduction: `sum_over_batch_size`, `auto` (the same) or `sum`.
        loss_fn: `loss_fn(labels, logits, [features], [loss_reduction])` returns the losses lead +
            [1]; it gets the loss reduction only if that parameter has no default.
        classes_for_class_based_metrics: the classes that have separate metrics, all given as ids or
            all as words.
        name: appended to the metric keys.

    Raises:
        TypeError: for thresholds, words, classes or a number of classes of another type.
        ValueError: for too few classes, a threshold outside (0, 1), a vocabulary of another length,
            an unknown reduction or class, or a `loss_fn` with unknown parameters.

    >>> import numpy as np
    >>> head = MultiLabelHead(n_classes=2)
    >>> logits = np.array([[-1., 1.], [-1.5, 1.5]], np.float32)
    >>> labels = np.array([[1, 0], [1, 1]], np.int64)
    >>> features = {"x": np.array([[41], [42]], np.int32)}
    >>> print(f"{head.loss(labels, logits, features=features):.2f}")
    1.13
    >>> metrics = head.update_metrics(head.metrics(), features, logits, labels)
    >>> for key in sorted(metrics):
    ...     print(f"{key} : {metrics[key].result():.2f}")
    auc : 0.33
    auc_precision_recall : 0.77
    average_loss : 1.13
    """

    def __init__(
        self,
        n_classes: int,
        weight_column: WeightColumn | None = None,
        thresholds: Iterable[float] | None = None,
        label_vocabulary: Vocabulary | None = None,
        loss_reduction: str = "sum_over_batch_size",
        loss_fn: LossFn | None = None,
        classes_for_class_based_metrics: Iterable[int | str] | None = None,
        name: str | None = None,
    ) -> None:
        n_classes = None if n_classes is None else class_count(n_classes)
        if n_classes is None or n_classes < 2:
            raise ValueError(
                f"n_classes must be > 1 for multi-label classification. Given: {n_classes}. Use "
                "BinaryClassHead for one class."
            )
        checked = _thresholds(thresholds)
        _check_vocabulary(label_vocabulary, n_classes)
        arguments = check_loss_fn(loss_fn, ("features", "loss_reduction")) if loss_fn else ()
        check_reduction(loss_reduction, REDUCTIONS)
        names = class_names(label_vocabulary, n_classes)
        wanted = items_of(
            classes_for_class_based_metrics, "classes_for_class_based_metrics", "ids or words"
        )
        chosen_ids = _class_ids(wanted, label_vocabulary, names)
        suffixes = tuple(names[i] if label_vocabulary else f"class{i}" for i in chosen_ids)
        self._n_classes = n_classes
        super().__init__(
            MetricContext(
                "multi_label",
                names,
                ScoreSpace("logits", float32=True),
                checked,
                weight_column is not None,
                chosen_ids,
                suffixes,
            ),
            weight_column=weight_column,
            label_vocabulary=label_vocabulary,
            loss_reduction=loss_reduction,
            loss_fn=loss_fn or None,
            loss_fn_arguments=arguments,
            name=name,
        )

    def _class_scores(self, scores: Real, kind: ScoreKind) -> ClassScores:
        return IndependentScores(scores, kind)

    def _predictors(
        self,
        scored: Scored,
        dtype: np.dtype[Any],
    ) -> dict[str, Callable[[], Array]]:
        return {
            PredictionKeys.LOGITS: lambda: scored.score.astype(dtype, copy=False),
            PredictionKeys.PROBABILITIES: lambda: scored.probability.astype(dtype, copy=False),
        }

    def _class_lists(self, rows: int) -> dict[str, Callable[[], Array]]:
        return {PredictionKeys.CLASSES: lambda: self._all_classes(rows)}

    def _processed(self, labels: Any, logits_shape: tuple[int, ...]) -> Array:
        return indicator_labels(labels, logits_shape, self._label_vocabulary, self._n_classes)


def _thresholds(thresholds: Iterable[float] | None) -> tuple[float, ...]:
    given = threshold_items(thresholds)
    for threshold in given:
        if not 0 < threshold < 1:
            raise ValueError(
                f"thresholds must be in (0, 1) range. Given: {threshold}. Give probabilities "
                "inside (0, 1)."
            )
    return given


def _check_vocabulary(vocabulary: Vocabulary | None, n_classes: int) -> None:
    if vocabulary is not None and not isinstance(vocabulary, list | tuple):
        raise ValueError(
            f"label_vocabulary must be a list or tuple. Given type: {type(vocabulary)}. List the "
            "words in the order of the class ids."
        )
    if vocabulary is not None and len(vocabulary) != n_classes:
        raise ValueError(
            f"Length of label_vocabulary must be n_classes ({n_classes}). Given: "
            f"{len(vocabulary)}. Give each class one word."
        )
    check_vocabulary_words(vocabulary or ())


def _class_ids(
    classes: tuple[int | str, ...], vocabulary: Vocabulary | None, names: Sequence[str]
) -> tuple[int, ...]:
    """Returns the distinct ids of the classes that have separate metrics."""
    if not classes:
        return ()
    if isinstance(classes[0], str):
        if not vocabulary:
            raise ValueError(
                "label_vocabulary must be provided when classes_for_class_based_metrics are "
                "strings. Pass it, or pass class ids."
            )
        for name in classes:
            if name not in names:
                raise ValueError(
                    f"{name!r} is not in list label_vocabulary. Correct "
                    "classes_for_class_based_metrics."
                )
        return tuple(dict.fromkeys(names.index(str(name)) for name in classes))
    for index in classes:
        if isinstance(index, bool) or not isinstance(index, int | np.integer):
            raise TypeError(
                f"classes_for_class_based_metrics must be all ids or all words. Given: {classes}."
            )
        if not 0 <= index < len(names):
            raise ValueError(
                "All classes_for_class_based_metrics must be in range "
                f"[0, {len(names) - 1}]. Given: {index}. Correct the class id."
            )
    return tuple(dict.fromkeys(int(index) for index in classes))
