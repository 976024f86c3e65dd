"""Weighted sums: of the loss by row, and of scores and labels by class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from heads.statistics.base import Elements, Statistic
from heads.statistics.exact import Summand
from heads.statistics.scored import Scored


@dataclass(frozen=True)
class LossSums(Statistic):
    """Rows, and the sums of `weight` and of `weight * loss`.

    Attributes:
        weighted: whether rows carry weights; without, only `loss` is summed and a row counts as
            one.
    """

    weighted: bool = False

    @property
    def sums(self) -> tuple[str, ...]:
        return ("weight", "loss") if self.weighted else ("loss",)

    @property
    def groups(self) -> int:
        return 1

    def elements(self, scored: Scored) -> Elements:
        values = {"loss": Summand(scored.loss)}
        if self.weighted:
            weight = weight_of(scored)
            values = {"weight": weight, "loss": Summand(weight.values * scored.loss)}
        return Elements(None, values)


@dataclass(frozen=True)
class ClassSums(Statistic):
    """By class: rows, and the weighted sums of probability, label and squared error.

    Attributes:
        classes: columns of the score, 1 for a binary head.
        weighted: as in `LossSums`.
    """

    classes: int = 1
    weighted: bool = False

    @property
    def sums(self) -> tuple[str, ...]:
        return (*(("weight",) if self.weighted else ()), "probability", "label", "squared_error")

    @property
    def groups(self) -> int:
        return self.classes

    def elements(self, scored: Scored) -> Elements:
        probability, label = scored.probability.ravel(), scored.label.ravel()
        difference = probability - label
        summands: dict[str, Summand] = {}
        values = {
            "probability": probability,
            "label": label,
            "squared_error": difference * difference,
        }
        if self.weighted:
            weight = weight_of(scored, self.classes)
            values = {name: weight.values * column for name, column in values.items()}
            summands = {"weight": weight}
        code = None if self.classes == 1 else np.tile(np.arange(self.classes), len(scored))
        summands |= {name: Summand(column) for name, column in values.items()}
        return Elements(code, summands, self.classes)


def weight_of(scored: Scored, repeat: int = 1) -> Summand:
    """The weights of a batch, each repeated; ValueError if it has none."""
    if scored.weight is None:
        raise ValueError("A weighted statistic needs weights; give the head a weight column.")
    return scored.weights if repeat == 1 else Summand(np.repeat(scored.weight, repeat))
