"""The contract of a statistic: frozen parameters of something to count."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import Columns, Ints
from heads.statistics.scored import Scored

STATISTICS: dict[str, type[Statistic]] = {}
"""Every statistic by its stable name: what the codec can read, and what the laws run over."""

Coverage = Literal["all", "largest", "largest_only", "small_only", "overall"]
"""In which slices a statistic is measured: in all by fold; in all, but by fold only in the largest;
in the largest alone; in all but the largest; or in overall alone."""

# 64 bits: a run has some hundred statistics.
_DIGEST_LETTERS = 16

# What the sums of rows that are not weighted are called beside the weighted ones.
UNWEIGHTED = "row_"


@dataclass(frozen=True, eq=False)
class Elements:
    """What a statistic takes from a batch: `n * repeat` elements, row by row.

    Attributes:
        code: int64 `[n * repeat]`, `group * cells + cell`; None if all are 0.
        repeat: how many elements a row gives.
    """

    code: Ints | None
    repeat: int = 1


@dataclass(frozen=True, kw_only=True)
class Statistic(ABC):
    """What to count, and over what: a frozen dataclass of parameters that are JSON values.

    A subclass says how many groups and cells it has and turns a scored batch into elements; states,
    their merge, codec and laws are derived from that. Two statistics of equal class and parameters
    are the same statistic and are measured once.

    Attributes:
        stable_name: what states are known by, whatever the class is called; it never changes.
        values: what exact sums are kept of, names of `heads.statistics.scored.VALUES`.
        weighted: whether rows carry weights: values are multiplied by them, and they are summed.
        keep_unweighted: whether the sums of values without weights are kept beside those with;
            with weights only.
        squares: whether squared weights are summed; with weights only.
        folds: how many folds rows are told apart by.
        coverage: in which slices it is measured.
    """

    stable_name: ClassVar[str]

    values: tuple[str, ...] = ()
    weighted: bool = False
    keep_unweighted: bool = False
    squares: bool = False
    folds: int = 1
    coverage: Coverage = "all"

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if cls.stable_name in STATISTICS:
            raise TypeError(f"two statistics have the stable name {cls.stable_name!r}")
        STATISTICS[cls.stable_name] = cls

    @property
    def sums(self) -> tuple[str, ...]:
        """The names of the exact sums it keeps beside the count of rows."""
        if not self.weighted:
            return self.values
        squares = ("weight_squared",) if self.squares else ()
        unweighted = (
            tuple(f"{UNWEIGHTED}{name}" for name in self.values) if self.keep_unweighted else ()
        )
        return ("weight", *squares, *self.values, *unweighted)

    @property
    @abstractmethod
    def groups(self) -> int:
        """How many groups a fold of a segment has."""

    @property
    def cells(self) -> int:
        """How many cells a group has."""
        return 1

    @abstractmethod
    def elements(self, scored: Scored) -> Elements:
        """The elements of a batch."""

    def columns(self, scored: Scored, repeat: int) -> Columns:
        """What every element adds to the sums."""
        sums = {}
        for name in self.sums:
            value = name.removeprefix(UNWEIGHTED)
            sums[name] = (value, self.weighted and value == name and value in self.values)
        return scored.columns(sums, repeat)

    def without_folds(self) -> Statistic:
        """The same statistic over all folds together."""
        return self if self.folds == 1 else replace(self, folds=1)

    def without_weights(self) -> Statistic:
        """The statistic of the same rows as if each weighed one."""
        return replace(self, weighted=False, keep_unweighted=False, squares=False)

    def fitting_shift(self, cells: npt.NDArray[np.uint64], shift: int) -> int:  # noqa: ARG002
        """The shift that a state of these cells must have; only an adaptive histogram has any.

        Args:
            cells: uint64 `[m]`, the cells of all table rows.
            shift: the shift that they have.
        """
        return shift

    def cell_limit(self, shift: int) -> int:
        """What every cell of a state of some shift is below."""
        return 0 if shift else self.cells

    def row_bytes(self) -> int:
        """The encoded bytes of one table row of ordinary values: two limbs a sum."""
        return 6 + 12 * len(self.sums)

    def segment_rows(self) -> int:
        """How many table rows a segment has that rows of every kind fall into."""
        return self.folds * self.groups * self.cells

    def parameters(self) -> dict[str, Any]:
        """The parameters that are not default, by name.

        So a parameter that a later release adds, with a default that leaves the statistic as it
        is, changes neither the states nor the digest of those that do not use it.
        """
        given = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in given.items() if value != default}

    @property
    def digest(self) -> str:
        """A text that tells the statistic from all others, the same in every release."""
        return _digest(self)


@lru_cache(maxsize=1024)
def _digest(statistic: Statistic) -> str:
    content = json.dumps([statistic.stable_name, statistic.parameters()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_LETTERS]
