"""The scored batch that statistics measure, and the values that exact sums are kept of."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from heads.statistics.cuts import ScoreKind
from heads.statistics.exact import Floats
from heads.statistics.products import exact_product, product, short_square
from heads.statistics.regression_values import EXACT_FACTORS, OF_PREDICTION, pinball_loss
from heads.statistics.score_cells import logit_bits, probability_bits
from heads.statistics.summands import Columns, Summand

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Scored:
    """A batch of `n` rows that a head scored; arrays are float64 and C-contiguous.

    Attributes:
        score: `[n, k]`, the scores as stored: logits, or probabilities if these are declared.
            `k` is 1 for a binary head, else the number of classes.
        probability: `[n, k]`, the probability of each class; for a binary head, of class 1; for a
            regression head `[n, 1]`, the prediction.
        label: `[n, k]` in [0, 1]; for a multi-class head `[n, 1]`, the class id; for a regression
            head `[n, 1]`, any number.
        loss: `[n]`, the unreduced loss of each row.
        weight: `[n]`, or None if all rows have weight 1.
        predicted: int64 `[n]`, class ids of a multi-class head, else None.
        kind: whether the scores are logits, probabilities or predictions.
        baseline: the same rows as another model scored them, or None.
        identity: uint64 `[n]`, hashes that distinguish the rows of a run, or None.
        class_loss: `[n, k]`, the losses of independent classes that `loss` is the mean of; `[n, 1]`
            of other heads; None if they are not known.
        skip_weightless: whether rows of weight 0 add 0 to weighted sums even if their value is
            infinite or NaN; in IEEE arithmetic, infinity times 0 is NaN.
        passes: how often the batch will be measured, each time in other segments.
        interval: `[n, 2]`, the lower and the upper end of an interval that a regression model
            predicts for the label; None for none.
    """

    score: Floats
    probability: Floats
    label: Floats
    loss: Floats
    weight: Floats | None = None
    predicted: npt.NDArray[np.int64] | None = None
    kind: ScoreKind = "logits"
    baseline: Scored | None = None
    identity: npt.NDArray[np.uint64] | None = None
    skip_weightless: bool = False
    passes: int = 1
    class_loss: Floats | None = None
    interval: Floats | None = None
    _summands: dict[tuple[str, bool, int], Summand] = field(
        default_factory=dict, init=False, repr=False
    )
    _memos: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)
    _columns: dict[tuple[object, ...], Columns] = field(
        default_factory=dict, init=False, repr=False
    )

    def __len__(self) -> int:
        return len(self.loss)

    def memo(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """Returns what `make` returned for a key, and calls it only once for each key.

        Args:
            key: the name of the result.
            make: computes the result; called if no result is kept under the key.
        """
        if key not in self._memos:
            self._memos[key] = make()
        made: Made = self._memos[key]
        return made

    def columns(self, sums: Mapping[str, tuple[str, bool]], repeat: int) -> Columns:
        """Returns the values that elements add to some sums, made once for all passes.

        Args:
            sums: for each sum, the name of its value, and whether it is multiplied by the weight.
            repeat: how many elements a row gives.
        """
        key = (*sums.items(), repeat)
        if key not in self._columns:
            self._columns[key] = Columns(
                {
                    name: self.summand(value, repeat, weighted=weighted)
                    for name, (value, weighted) in sums.items()
                },
                self.passes,
            )
        return self._columns[key]

    def summand(self, name: str, repeat: int, *, weighted: bool) -> Summand:
        """Returns a value of all elements, cut into limbs only once.

        Args:
            name: a name of `VALUES` or `EXACT_FACTORS`, of `NUMBERED` with its number, `pinball_Q`,
                `weight` or `weight_squared`.
            repeat: how many elements a row gives; a value of a row is repeated so often.
            weighted: whether the value is multiplied by the weight.
        """
        key = (name, weighted, repeat)
        if key not in self._summands:
            self._summands[key] = self._summand(name, repeat, weighted=weighted)
        return self._summands[key]

    def _summand(self, name: str, repeat: int, *, weighted: bool) -> Summand:
        if name == "weight":
            return Summand(self._weight()).repeated(repeat)
        if name == "weight_squared":
            return short_square(self._weight()).repeated(repeat)
        if name in EXACT_FACTORS:
            factors = [VALUES[factor](self) for factor in EXACT_FACTORS[name]]
            if not weighted:
                return exact_product(factors)
            return exact_product([self._weight(), *factors], skip_weightless=self.skip_weightless)
        value = self._row_value(name)
        if len(value) != len(self) * repeat:
            value = _repeated(value, repeat)
        if not weighted:
            return Summand(value)
        weight = self.summand("weight", repeat, weighted=False).values
        return product(weight, value, skip_weightless=self.skip_weightless)

    def _row_value(self, name: str) -> Floats:
        kind, _, number = name.rpartition("_")
        if kind == "pinball":
            with np.errstate(invalid="ignore", over="ignore"):
                return pinball_loss(self.probability.ravel(), self.label.ravel(), float(number))
        if number.isdecimal():
            return NUMBERED[kind](self, int(number))
        return VALUES[name](self)

    def _weight(self) -> Floats:
        if self.weight is None:
            raise ValueError("A weighted statistic needs weights; give the head a weight column.")
        return self.weight

    def take(self, rows: npt.NDArray[np.int64]) -> Scored:
        """Returns a batch of the given rows, which may repeat."""
        return Scored(
            self.score.take(rows, axis=0),
            self.probability.take(rows, axis=0),
            self.label.take(rows, axis=0),
            self.loss.take(rows),
            None if self.weight is None else self.weight.take(rows),
            None if self.predicted is None else self.predicted.take(rows),
            self.kind,
            None if self.baseline is None else self.baseline.take(rows),
            None if self.identity is None else self.identity.take(rows),
            self.skip_weightless,
            class_loss=None if self.class_loss is None else self.class_loss.take(rows, axis=0),
            interval=None if self.interval is None else self.interval.take(rows, axis=0),
        )

    @property
    def cut(self) -> float:
        """The score above which a class is predicted, in heads whose classes are independent."""
        return 0.0 if self.kind == "logits" else 0.5

    @cached_property
    def logit_bits(self) -> npt.NDArray[np.uint64]:
        """The plain bits of the scores, which are logits, uint64 `[n * k]`."""
        return logit_bits(self.score.ravel())

    @cached_property
    def probability_bits(self) -> npt.NDArray[np.uint64]:
        """The plain bits of the probabilities, uint64 `[n * k]`."""
        return probability_bits(self.probability.ravel())

    @cached_property
    def prediction_bits(self) -> npt.NDArray[np.uint64]:
        """The plain bits of the predictions of a regression head, uint64 `[n]`."""
        return logit_bits(self.probability.ravel())

    @cached_property
    def error_bits(self) -> npt.NDArray[np.uint64]:
        """The plain bits of prediction - label, uint64 `[n]`."""
        return logit_bits(VALUES["error"](self))

    @cached_property
    def label_set(self) -> npt.NDArray[np.int64]:
        """1 for labels that are not 0, else 0, int64 `[n * k]`."""
        present: npt.NDArray[np.int64] = (self.label.ravel() != 0).astype(np.int64)
        return present

    @cached_property
    def classes(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The classes of the labels and of the predictions of a multi-class head, each `[n]`."""
        if self.predicted is None:
            raise ValueError("Predicted classes are needed; use a multi-class head.")
        return self.label.ravel().astype(np.int64), self.predicted

    @cached_property
    def label_rank(self) -> npt.NDArray[np.int64]:
        """How many classes rank before the label `[n]`; of equal scores the first ranks first."""
        label_class, _ = self.classes
        column = label_class[:, np.newaxis]
        score = np.take_along_axis(self.score, column, axis=1)
        before = np.arange(self.score.shape[1]) < column
        rank: npt.NDArray[np.int64] = np.count_nonzero(
            (self.score > score) | ((self.score == score) & before), axis=1
        )
        return rank

    @cached_property
    def ranking(self) -> npt.NDArray[np.int64]:
        """The classes `[n, k]` by falling score; of equal scores the first ranks first."""
        return np.argsort(-self.score, axis=1, kind="stable").astype(np.int64, copy=False)


def _repeated(values: Floats, repeat: int) -> Floats:
    return values if repeat == 1 else np.repeat(values, repeat)


def _soft_label(scored: Scored) -> Floats:
    """Returns labels `[n * k]`, with 0 in place of 1."""
    label = scored.label.ravel()
    soft: Floats = np.where(label == (label != 0), 0.0, label)
    return soft


def _soft_product(scored: Scored) -> Floats:
    """Returns the products of probability and soft label `[n * k]`, 0 for labels of 0 or 1."""
    product: Floats = scored.probability.ravel() * _soft_label(scored)
    return product


def _excess_brier(scored: Scored) -> Floats:
    """Returns (label - probability) * (1 - 2 * probability) of the only class, `[n]`."""
    probability = scored.probability
    excess: Floats = ((scored.label - probability) * (1 - 2 * probability)).ravel()
    return excess


def _excess_brier_variance(scored: Scored) -> Floats:
    """Returns the variance of the excess if the probability of the only class is right, `[n]`."""
    probability = scored.probability
    variance: Floats = (np.square(1 - 2 * probability) * probability * (1 - probability)).ravel()
    return variance


def _symmetric_difference(scored: Scored) -> Floats:
    """Returns 2 |p - q| / (p + q) of the only class, q being the baseline's, `[n]`; 0 if both are
    0.
    """
    assert scored.baseline is not None
    candidate, baseline = scored.probability.ravel(), scored.baseline.probability.ravel()
    both = candidate + baseline
    difference: Floats = 2 * np.abs(candidate - baseline) / np.where(both == 0, 1.0, both)
    return difference


def _coverage(scored: Scored) -> Floats:
    """Returns how many classes score no lower than the lowest label `[n]`; 0 without labels."""
    positive = scored.label != 0
    lowest = np.where(positive, scored.score, np.inf).min(axis=1, keepdims=True)
    reached: Floats = np.count_nonzero(scored.score >= lowest, axis=1).astype(np.float64)
    return reached


def _exact_match(scored: Scored) -> Floats:
    """Returns 1 for rows whose predicted classes are exactly the labels, else 0, `[n]`."""
    right = (scored.score > scored.cut) == (scored.label == 1)
    hard = (scored.label == 0) | (scored.label == 1)
    match: Floats = (right & hard).all(axis=1).astype(np.float64)
    return match


def _class_loss(scored: Scored) -> Floats:
    """Returns the loss of each class, `[n * k]`."""
    if scored.class_loss is None:
        raise ValueError("Losses of classes are needed; score the rows by a head.")
    return scored.class_loss.ravel()


def _class_brier(scored: Scored) -> Floats:
    """Returns the sum of the squared errors of the probabilities of exclusive classes, `[n]`."""
    label, _ = scored.classes
    errors = scored.probability.copy()
    errors[np.arange(len(errors)), label] -= 1.0
    total: Floats = np.square(errors, out=errors).sum(axis=1)
    return total


def _top_labels(scored: Scored, number: int) -> Floats:
    """Returns how many of the highest scores are of labels, `[n]`."""
    labels = np.take_along_axis(scored.label, scored.ranking[:, :number], axis=1)
    number_of_labels: Floats = np.count_nonzero(labels, axis=1).astype(np.float64)
    return number_of_labels


def _identity(scored: Scored) -> npt.NDArray[np.uint64]:
    assert scored.identity is not None
    return scored.identity


def _of_prediction(name: str) -> Callable[[Scored], Floats]:
    """Returns a function that returns a value of each row of a regression head, `[n]`."""

    def value(scored: Scored) -> Floats:
        with np.errstate(invalid="ignore", over="ignore", divide="ignore"):
            return OF_PREDICTION[name](scored.probability.ravel(), scored.label.ravel())

    return value


def _ends(scored: Scored) -> Floats:
    if scored.interval is None:
        raise ValueError("Predicted intervals are needed; give the head their lower and upper end.")
    return scored.interval


def _covered(scored: Scored) -> Floats:
    """Returns 1 for rows whose label is within the predicted interval, ends included, else 0."""
    ends, label = _ends(scored), scored.label.ravel()
    covered: Floats = ((ends[:, 0] <= label) & (label <= ends[:, 1])).astype(np.float64)
    return covered


def _interval_width(scored: Scored) -> Floats:
    with np.errstate(over="ignore"):
        width: Floats = _ends(scored)[:, 1] - _ends(scored)[:, 0]
    return width


def _squared_error(scored: Scored) -> Floats:
    with np.errstate(over="ignore", invalid="ignore"):
        squared: Floats = np.square(scored.probability - scored.label).ravel()
    return squared


VALUES: dict[str, Callable[[Scored], Floats]] = {
    "loss": lambda scored: scored.loss,
    "probability": lambda scored: scored.probability.ravel(),
    "soft_label": _soft_label,
    "soft_product": _soft_product,
    "soft_square": lambda scored: np.square(_soft_label(scored)),
    "squared_error": _squared_error,
    "excess_brier": _excess_brier,
    "excess_brier_variance": _excess_brier_variance,
    "symmetric_difference": _symmetric_difference,
    "coverage": _coverage,
    "exact_match": _exact_match,
    "labels": lambda scored: np.count_nonzero(scored.label, axis=1).astype(np.float64),
    "class_loss": _class_loss,
    "class_brier": _class_brier,
    "hit": lambda scored: (scored.classes[0] == scored.classes[1]).astype(np.float64),
    "covered": _covered,
    "interval_width": _interval_width,
    **{name: _of_prediction(name) for name in OF_PREDICTION},
    # 35 bits in the range of a single limb.
    "identity": lambda scored: np.ldexp((_identity(scored) >> np.uint64(29)).astype(float), -26),
}
"""The values that exact sums are kept of, by name: float64 `[n]`, or `[n * k]` for values by class.

There is also `pinball_Q` for any quantile Q, the pinball loss of a prediction of that quantile.
`soft_label` is the label if it lies between 0 and 1, else 0: rows with label 0 or 1 are counted.
"""

NUMBERED: dict[str, Callable[[Scored, int], Floats]] = {
    "top": lambda scored, number: (scored.label_rank < number).astype(np.float64),
    "top_labels": _top_labels,
    "probability": lambda scored, class_: scored.probability[:, class_].copy(),
    "label": lambda scored, class_: (scored.classes[0] == class_).astype(np.float64),
}
"""Values `[n]` whose names end with a number, such as `top_3`.

Of a number K of the highest scores: `top` is 1 if the label is among them, else 0, and `top_labels`
is how many labels are. Of an exclusive class: its `probability`, and 1 for a `label` of it, else 0.
"""
