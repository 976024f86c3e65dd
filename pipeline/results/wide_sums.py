"""Sums of weights as numbers of any magnitude, for the slices of a state."""

from __future__ import annotations

import math
from typing import NamedTuple

from heads.statistics import Key, State
from heads.statistics.threshold_counts import LABEL_KINDS


class WideSum(NamedTuple):
    """A number that may be beyond the range of float64: `factor * 2**exponent`."""

    factor: float
    exponent: int = 0

    def __float__(self) -> float:
        """Returns the number; infinity if it is too large for float64."""
        try:
            return math.ldexp(self.factor, self.exponent)
        except OverflowError:
            return math.copysign(math.inf, self.factor)

    def plus(self, other: WideSum) -> WideSum:
        """Returns the sum of two numbers, rounded once."""
        if not (self.factor and other.factor):
            return self if self.factor else other
        exponent = max(self.exponent, other.exponent)
        parts = (math.ldexp(part.factor, part.exponent - exponent) for part in (self, other))
        return WideSum(sum(parts), exponent)

    def times(self, factor: int) -> WideSum:
        """Returns a multiple of the number."""
        return WideSum(self.factor * factor, self.exponent)

    def over(self, other: WideSum) -> float | None:
        """Returns the quotient of two numbers; None if the other is 0."""
        if not other.factor:
            return None
        return float(WideSum(self.factor / other.factor, self.exponent - other.exponent))


class SliceSums:
    """A merged state and its sums by slice; each sum is made once for all slices.

    Attributes:
        state: the merged state.
        place: the position of each slice in the state, by key.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.place = {key: at for at, key in enumerate(state.keys)}
        self._by_slice: dict[tuple[str, int | None], list[WideSum]] = {}

    def total(self, key: Key, column: str, kind: int | None = None) -> WideSum:
        """Returns the sum of a column over one slice, for one kind of label or for all (None)."""
        if (column, kind) not in self._by_slice:
            rows = None if kind is None else self.state.group % LABEL_KINDS == kind
            factor, exponent = self.state.wide_by_segment(column, rows)
            sums = zip(factor.tolist(), exponent.tolist(), strict=True)
            self._by_slice[column, kind] = [WideSum(*parts) for parts in sums]
        return self._by_slice[column, kind][self.place[key]]

    def taken(self, key: Key) -> State:
        """Returns the state of one slice alone."""
        return self.state.take([self.place[key]])
