"""What a statistic measures: a batch after the head, and the segment of each row."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from heads.statistics.cuts import ScoreKind
from heads.statistics.exact import Columns, Floats, Summand

Made = TypeVar("Made")


@dataclass(frozen=True, eq=False)
class Scored:
    """One batch of `n` rows after the head; arrays are float64 and C-contiguous.

    Attributes:
        score: `[n, k]`, what the files store: logits, or probabilities where those are declared.
            `k` is 1 for a binary head, else the number of classes.
        probability: `[n, k]`, the probability of each class; of the positive one for a binary head.
        label: `[n, k]` in [0, 1]; for a multi-class head `[n, 1]`, the class id.
        loss: `[n]`, the unreduced loss of each row.
        weight: `[n]`, or None where every row counts as one.
        predicted: int64 `[n]`, class ids of a multi-class head, else None.
        kind: what the scores are.
        baseline: the same rows as another model scored them, or None.
        identity: uint64 `[n]`, a hash that tells the rows of a run from others, or None.
        skip_weightless: whether an infinite value of a row without weight counts nothing in
            weighted sums, where IEEE arithmetic has infinity times 0 as NaN.
        passes: how often the batch will be measured, in other segments.
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
    _summands: dict[tuple[str, bool, int], Summand] = field(
        default_factory=dict, init=False, repr=False
    )
    _made: dict[Hashable, Any] = field(default_factory=dict, init=False, repr=False)
    _columns: dict[tuple[object, ...], Columns] = field(
        default_factory=dict, init=False, repr=False
    )

    def __len__(self) -> int:
        return len(self.loss)

    def memo(self, key: Hashable, make: Callable[[], Made]) -> Made:
        """What is made of the batch once for all segments that it is measured in.

        Args:
            key: tells what is made.
            make: makes it; called where nothing is kept under the key.
        """
        if key not in self._made:
            self._made[key] = make()
        made: Made = self._made[key]
        return made

    def columns(self, sums: Mapping[str, tuple[str, bool]], repeat: int) -> Columns:
        """What elements add to some sums, made once for all segments that they are added in.

        Args:
            sums: for each sum the value, and whether it is multiplied by the weight.
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
        """A value of `VALUES`, or the `weight` or its square, cut into limbs once for all.

        Args:
            name: which value.
            repeat: how many elements a row gives; values by row are repeated so often.
            weighted: whether the value is multiplied by the weight.
        """
        key = (name, weighted, repeat)
        if key not in self._summands:
            self._summands[key] = Summand(self._value(name, repeat, weighted=weighted))
        return self._summands[key]

    def _value(self, name: str, repeat: int, *, weighted: bool) -> Floats:
        if name == "weight":
            return _repeated(self._weight(), repeat)
        if name == "weight_squared":
            with np.errstate(over="ignore", invalid="ignore"):
                return _repeated(_short(np.square(self._weight())), repeat)
        value = self._row_value(name)
        if len(value) != len(self) * repeat:
            value = _repeated(value, repeat)
        if not weighted:
            return value
        weight = self.summand("weight", repeat, weighted=False).values
        with np.errstate(over="ignore", invalid="ignore"):
            product = weight * value
        if self.skip_weightless and not np.isfinite(value).all():
            product[weight == 0] = 0.0
        return product

    def _row_value(self, name: str) -> Floats:
        kind, _, number = name.partition("_")
        if kind == "top":
            return (self.label_rank < int(number)).astype(np.float64)
        return VALUES[name](self)

    def _weight(self) -> Floats:
        if self.weight is None:
            raise ValueError("A weighted statistic needs weights; give the head a weight column.")
        return self.weight

    def take(self, rows: npt.NDArray[np.int64]) -> Scored:
        """Some rows, which may come several times."""
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
        )

    @property
    def cut(self) -> float:
        """A score above it is predicted positive, in heads whose classes are independent."""
        return 0.0 if self.kind == "logits" else 0.5

    @cached_property
    def score_bits(self) -> npt.NDArray[np.uint64]:
        """The bits of the scores, uint64 `[n * k]`; those of -0.0 are those of 0.0."""
        return (self.score.ravel() + 0.0).view(np.uint64)

    @cached_property
    def probability_bits(self) -> npt.NDArray[np.uint64]:
        """The bits of the probabilities, uint64 `[n * k]`; those of -0.0 are those of 0.0."""
        return (self.probability.ravel() + 0.0).view(np.uint64)

    @cached_property
    def label_set(self) -> npt.NDArray[np.int64]:
        """Whether each label is not 0, as 1 or 0, int64 `[n * k]`."""
        present: npt.NDArray[np.int64] = (self.label.ravel() != 0).astype(np.int64)
        return present

    @cached_property
    def classes(self) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The class of each label and of each prediction `[n]` of a multi-class head."""
        if self.predicted is None:
            raise ValueError("Predicted classes are needed; use a multi-class head.")
        return self.label.ravel().astype(np.int64), self.predicted

    @cached_property
    def label_rank(self) -> npt.NDArray[np.int64]:
        """How many classes are ranked before that of the label `[n]`; of equals the first leads."""
        own, _ = self.classes
        column = own[:, np.newaxis]
        score = np.take_along_axis(self.score, column, axis=1)
        before = np.arange(self.score.shape[1]) < column
        rank: npt.NDArray[np.int64] = np.count_nonzero(
            (self.score > score) | ((self.score == score) & before), axis=1
        )
        return rank


def _repeated(values: Floats, repeat: int) -> Floats:
    return values if repeat == 1 else np.repeat(values, repeat)


def _short(values: Floats) -> Floats:
    """Values rounded to 24 bits, which mostly are one limb: enough for an effective size.

    Values so large that this overflows stay as they are.

    T. J. Dekker, "A floating-point technique for extending the available precision", 1971.
    """
    large = values * (2.0**29 + 1)
    short = large - (large - values)
    finite = np.isfinite(large)
    return short if finite.all() else np.where(finite, short, values)


def _soft_label(scored: Scored) -> Floats:
    label = scored.label.ravel()
    soft: Floats = np.where(label == (label != 0), 0.0, label)
    return soft


def _coverage(scored: Scored) -> Floats:
    """How far down the ranking one must go to meet every label of the row; 0 without labels."""
    positive = scored.label != 0
    lowest = np.where(positive, scored.score, np.inf).min(axis=1, keepdims=True)
    reached: Floats = np.count_nonzero(scored.score >= lowest, axis=1).astype(np.float64)
    return reached


def _exact_match(scored: Scored) -> Floats:
    right = (scored.score > scored.cut) == (scored.label == 1)
    hard = (scored.label == 0) | (scored.label == 1)
    match: Floats = (right & hard).all(axis=1).astype(np.float64)
    return match


def _identity(scored: Scored) -> npt.NDArray[np.uint64]:
    assert scored.identity is not None
    return scored.identity


VALUES: dict[str, Callable[[Scored], Floats]] = {
    "loss": lambda scored: scored.loss,
    "probability": lambda scored: scored.probability.ravel(),
    "soft_label": _soft_label,
    "squared_error": lambda scored: np.square(scored.probability - scored.label).ravel(),
    "coverage": _coverage,
    "exact_match": _exact_match,
    "hit": lambda scored: (scored.classes[0] == scored.classes[1]).astype(np.float64),
    # 35 bits in the range of one limb.
    "identity": lambda scored: np.ldexp((_identity(scored) >> np.uint64(29)).astype(float), -26),
}
"""What exact sums are kept of, by name: float64 `[n]`, or `[n * k]` for values by class.

There is also `top_K` for any K: 1 where the label is among the K highest scores of a row, else 0.
`soft_label` is a label between 0 and 1, and 0 in place of labels that are 0 or 1: rows are counted
by those anyway.
"""
