"""The contract of a statistic: frozen parameters of something to count."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from heads.statistics.accumulator import Accumulator
from heads.statistics.exact import ExactColumn, Ints, Summand
from heads.statistics.scored import Scored, Segments
from heads.statistics.state import State

STATISTICS: dict[str, type[Statistic]] = {}
"""Every statistic by class name: what the codec can read, and what the laws are tested over."""


@dataclass(frozen=True, eq=False)
class Elements:
    """What a statistic takes from a batch: `n * repeat` elements, row by row.

    Attributes:
        code: int64 `[n * repeat]`, `group * cells + cell`; None if all are 0.
        values: `[n * repeat]` by the name of the exact sum that each adds to.
        repeat: how many elements a row gives.
    """

    code: Ints | None
    values: Mapping[str, Summand]
    repeat: int = 1


@dataclass(frozen=True)
class Statistic(ABC):
    """What to count, and over what: a frozen dataclass of parameters that are JSON values.

    A subclass says how many groups and cells it has and turns a scored batch into elements; states,
    their merge, codec and laws are derived from that. Two statistics of equal class and parameters
    are the same statistic and are measured once.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        STATISTICS[cls.__name__] = cls

    @property
    def sums(self) -> tuple[str, ...]:
        """The names of the exact sums it keeps beside the count of rows."""
        return ()

    @property
    @abstractmethod
    def groups(self) -> int:
        """How many groups a segment has."""

    @property
    def cells(self) -> int:
        """How many cells a group has."""
        return 1

    @abstractmethod
    def elements(self, scored: Scored) -> Elements:
        """The elements of a batch."""

    def accumulator(self) -> Accumulator:
        """Something that adds batches in place."""
        return Accumulator(self)

    def measure(self, scored: Scored, segments: Segments) -> State:
        """The state of one batch."""
        accumulator = self.accumulator()
        accumulator.add(scored, segments)
        return accumulator.freeze()

    def zero(self) -> State:
        """The state of no rows, the identity of merge."""
        empty = np.zeros(0, np.int64)
        return State(
            self,
            (),
            empty,
            empty,
            empty.astype(np.uint64),
            {"rows": empty},
            {name: ExactColumn.zeros(0) for name in self.sums},
        )

    def settle(self, state: State) -> State:
        """The last step to canonical form; only an adaptive histogram has one."""
        return state

    def cell_limit(self, shift: int) -> int:
        """What every cell of a state of some shift is below."""
        return 0 if shift else self.cells

    def row_bytes(self) -> int:
        """An upper bound of the encoded bytes of one table row."""
        return 16 + 8 + 24 * len(self.sums)

    def segment_bytes(self) -> int:
        """An upper bound of the encoded bytes of one segment."""
        return self.groups * self.cells * self.row_bytes()

    def parameters(self) -> dict[str, Any]:
        """The parameters by name."""
        return {field.name: getattr(self, field.name) for field in fields(self)}
