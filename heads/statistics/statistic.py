"""The base class of statistics: a statistic says what to count, as frozen parameters."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import Ints
from heads.statistics.scored import Scored
from heads.statistics.summands import Columns

STATISTICS: dict[str, type[Statistic]] = {}
"""All statistics by stable name: those that the codec reads and the tests of laws cover."""

Coverage = Literal["all", "largest", "largest_only", "small_only", "overall"]
"""The slices in which a statistic is measured: all slices by fold; all slices, but by fold only in
the largest; only the largest; all but the largest, and if there are any, overall too, which tells
histograms how coarse they must be; or only the overall slice."""

# 64 bits: a run has some hundred statistics.
_DIGEST_LETTERS = 16

# The prefix of the names of sums without weights that are kept beside the weighted sums.
UNWEIGHTED = "row_"


@dataclass(frozen=True, eq=False)
class Elements:
    """The `n * repeat` elements of a batch that a statistic counts, row by row.

    Attributes:
        code: int64 `[n * repeat]`, `group * cells + cell`; None if all codes are 0.
        repeat: how many elements a row gives.
    """

    code: Ints | None
    repeat: int = 1


@dataclass(frozen=True, kw_only=True)
class Statistic(ABC):
    """The base class of statistics: a frozen dataclass whose parameters are JSON values.

    A subclass says how many groups and cells it has and turns a scored batch into elements; states,
    merges, encoding and tests are the same for all. Two statistics of equal class and parameters
    are the same statistic and are measured once.

    Attributes:
        stable_name: the name of the statistic in states; it never changes, even if the class does.
        values: the values that exact sums are kept of, names of `heads.statistics.scored.VALUES`.
        weighted: whether rows have weights; then values are multiplied by the weights, and the
            weights are summed.
        keep_unweighted: whether sums of values without weights are kept beside the weighted sums;
            only read if `weighted`.
        squares: whether squared weights are summed; only read if `weighted`.
        folds: the number of folds.
        coverage: the slices in which the statistic is measured.
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
        """The names of the exact sums that are kept beside the count of rows."""
        if not self.weighted:
            return self.values
        squares = ("weight_squared",) if self.squares else ()
        unweighted = (
            tuple(f"{UNWEIGHTED}{name}" for name in self.values) if self.keep_unweighted else ()
        )
        return ("weight", *squares, *self.values, *unweighted)

    def weight_power(self, name: str) -> int:
        """Returns the power of the weights that a sum is of: 2 for squared weights, 0 without."""
        if not self.weighted or name.startswith(UNWEIGHTED):
            return 0
        return 2 if name == "weight_squared" else 1

    @property
    @abstractmethod
    def groups(self) -> int:
        """The number of groups in a fold of a segment."""

    @property
    def cells(self) -> int:
        """The number of cells in a group."""
        return 1

    @abstractmethod
    def elements(self, scored: Scored) -> Elements:
        """Returns the elements of a batch."""

    def columns(self, scored: Scored, repeat: int) -> Columns:
        """Returns the values that every element adds to the sums."""
        sums = {}
        for name in self.sums:
            value = name.removeprefix(UNWEIGHTED)
            sums[name] = (value, self.weighted and value == name and value in self.values)
        return scored.columns(sums, repeat)

    def without_folds(self) -> Statistic:
        """Returns the same statistic without a division into folds."""
        return self if self.folds == 1 else replace(self, folds=1)

    def without_weights(self) -> Statistic:
        """Returns the statistic of the same rows as if every row had weight 1."""
        return replace(self, weighted=False, keep_unweighted=False, squares=False)

    def fitting_shift(self, cells: npt.NDArray[np.uint64], shift: int) -> int:  # noqa: ARG002
        """Returns the shift that a state of these cells must have; 0 but for adaptive histograms.

        Args:
            cells: uint64 `[m]`, the cells of all table rows.
            shift: the shift that the cells have.
        """
        return shift

    @property
    def most_distinct(self) -> int | None:
        """How many distinct cells a segment may have before it is closed; None for any number."""
        return None

    def cell_limit(self, shift: int) -> int:
        """Returns the number that all cells of a state with this shift are below."""
        return 0 if shift else self.cells

    def row_bytes(self) -> int:
        """Returns the encoded bytes of a usual table row, whose sums have two limbs."""
        return 6 + 12 * len(self.sums)

    def segment_rows(self) -> int:
        """Returns the number of table rows of a segment that has examples of every kind."""
        return self.folds * self.groups * self.cells

    def parameters(self) -> dict[str, Any]:
        """Returns the parameters that do not have their default value, by name.

        So a later release may add a parameter: statistics that leave it at its default keep their
        states and their digest.
        """
        given = {field.name: (getattr(self, field.name), field.default) for field in fields(self)}
        return {name: value for name, (value, default) in given.items() if value != default}

    @property
    def digest(self) -> str:
        """A text that differs from that of all other statistics; the same in every release.

        Statistics that are equal must give the same JSON: 1 and 1.0, and 0.0 and -0.0, do not.
        """
        return _digest(self)


@lru_cache(maxsize=1024)
def _digest(statistic: Statistic) -> str:
    content = json.dumps([statistic.stable_name, statistic.parameters()], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGEST_LETTERS]
