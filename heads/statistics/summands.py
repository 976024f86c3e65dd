"""Values to add to exact sums, cut into limbs: whole numbers that float64 adds without rounding."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import ORIGIN, RADIX, ExactColumn, Floats, Ints, limb_exponent

# The rows that have a limb are picked out if they are fewer than 1 in so many.
_FEW = 3
# The number of rows that `Columns.matrix` fills at a time.
_BLOCK = 1 << 14
# Above this exponent the rounding constant of `_cut` would overflow.
_SAFE_EXPONENT = 960


@dataclass(frozen=True, eq=False)
class Part:
    """One limb of many values.

    Attributes:
        limb: the number of the limb, `j` in the docstring of the module.
        values: float64 `[r]`, whole numbers of units `2**exponent`, at most `2**RADIX`.
        exponent: `limb_exponent(limb)`, which is never 0; but 0 for the largest floats, for which
            `values` are in units of the limb.
        rows: `[r]`, the positions of the values that have this limb; None for all, then `r` is `n`.
    """

    limb: int
    values: Floats
    exponent: int
    rows: npt.NDArray[np.intp] | None = None

    def add_up(self, code: Ints, codes: int) -> Ints:
        """Returns sums by code, int64 `[codes]`, in units of the limb; `code` is int64 `[n]`."""
        part_code = code if self.rows is None else code.take(self.rows)
        return self.units(np.bincount(part_code, self.values, codes))

    def units(self, sums: npt.NDArray[Any]) -> Ints:
        """Converts sums of `values` to units of the limb, int64."""
        if self.exponent > -_SAFE_EXPONENT:
            sums = sums * math.ldexp(1.0, -self.exponent)
        else:
            sums = np.ldexp(sums, -self.exponent)
        integers: Ints = sums.astype(np.int64)
        return integers

    def add_to(self, sums: Ints, code: Ints) -> None:
        """Adds the values to `sums`, int64 by code in units of the limb; `code` is int64 `[n]`."""
        part_code = code if self.rows is None else code.take(self.rows)
        np.add.at(sums, part_code, self.integers)

    @cached_property
    def integers(self) -> Ints:
        """The values in units of the limb."""
        return self.units(self.values)


class Summand:
    """Values `[n]` to add to exact sums, cut into limbs once for all statistics that add them.

    Args:
        values: float64 `[n]`.
        raised: int8 `[n]`, by how many limbs each value is raised, so that the summand is `values *
            2**(RADIX * raised)`, which may be beyond the range of float64. None if by 0.
        rest: finite values of `n` rows that are added to these, and raised as they are: what
            float64 could not hold of them.
    """

    def __init__(
        self,
        values: Floats,
        raised: npt.NDArray[np.int8] | None = None,
        rest: tuple[Floats, ...] = (),
    ) -> None:
        self.values = values
        self.raised = raised
        self.rest = rest

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Summand:
        whole = rows.start == 0 and rows.stop >= len(self)
        if whole:
            return self
        raised = None if self.raised is None else self.raised[rows]
        return Summand(self.values[rows], raised, tuple(part[rows] for part in self.rest))

    def repeated(self, repeat: int) -> Summand:
        """Returns every value `repeat` times, one after another."""
        if repeat == 1:
            return self
        raised = None if self.raised is None else np.repeat(self.raised, repeat)
        rest = tuple(np.repeat(part, repeat) for part in self.rest)
        return Summand(np.repeat(self.values, repeat), raised, rest)

    @cached_property
    def specials(self) -> Ints | None:
        """Kinds of values, int64 `[n]`: 1 NaN, 2 +inf, 3 -inf, else 0; None if all are finite."""
        if all(map(math.isfinite, self._extremes)):
            return None
        kinds = [np.isnan(self.values), self.values == np.inf, self.values == -np.inf]
        out: Ints = np.select(kinds, [1, 2, 3])
        return out

    @cached_property
    def parts(self) -> list[Part]:
        """The limbs of the finite values."""
        values, extremes = self.values, self._extremes
        if self.specials is not None:
            values = np.where(self.specials == 0, values, 0.0)
            extremes = _extremes(values)
        parts = self._parts_of(values, extremes)
        for rest in self.rest:
            parts += self._parts_of(rest, _extremes(rest))
        return parts

    def _parts_of(self, values: Floats, extremes: tuple[float, float]) -> list[Part]:
        if self.raised is None:
            return list(_cut(values, extremes))
        parts = []
        for limbs in np.unique(self.raised).tolist():
            rows = np.flatnonzero(self.raised == limbs)
            some = values.take(rows)
            every = None if len(rows) == len(self) else rows
            parts += [
                replace(part, limb=part.limb + limbs) for part in _cut(some, _extremes(some), every)
            ]
        return parts

    def column(self) -> ExactColumn:
        """Returns the values as `n` sums; they are not carried, so they may only be added."""
        limbs = [part.limb for part in self.parts]
        low, high = min(limbs, default=0), max(limbs, default=-1) + 1
        table = np.zeros((len(self), high - low), np.int64)
        for part in self.parts:
            # A part has a row at most once.
            table[slice(None) if part.rows is None else part.rows, part.limb - low] += part.integers
        if self.specials is None:
            return ExactColumn(low, table, np.zeros((len(self), 0), np.int64))
        return ExactColumn(low, table, (self.specials[:, np.newaxis] == [1, 2, 3]).astype(np.int64))

    @cached_property
    def _extremes(self) -> tuple[float, float]:
        return _extremes(self.values)


class Columns:
    """The values that elements add to several sums, by name of the sum.

    Args:
        summands: the values, each `[n]`.
        passes: how often the values will be added, each time in other segments.
    """

    def __init__(self, summands: Mapping[str, Summand], passes: int = 1) -> None:
        self.summands = summands
        self.passes = passes

    def __getitem__(self, rows: slice) -> Columns:
        summands = {name: summand[rows] for name, summand in self.summands.items()}
        same = all(summands[name] is self.summands[name] for name in summands)
        return self if same else Columns(summands, self.passes)

    @cached_property
    def parts(self) -> list[tuple[str, Part]]:
        """All limbs of all sums, with the name of the sum."""
        return [(name, part) for name, summand in self.summands.items() for part in summand.parts]

    @cached_property
    def matrix(self) -> Floats:
        """A column of ones, then the limbs that most values have, `[n, 1 + limbs]`."""
        common = [part.values for _, part in self.parts if part.rows is None]
        rows = max(map(len, self.summands.values()))
        columns = [np.ones(rows), *common]
        out = np.empty((rows, len(columns)))
        # Blocks stay in the cache while they are filled column by column.
        for first in range(0, rows, _BLOCK):
            block = slice(first, first + _BLOCK)
            np.stack([column[block] for column in columns], axis=1, out=out[block])
        return out


def _extremes(values: Floats) -> tuple[float, float]:
    """Returns the lowest and the highest of the values and 0; NaN if a value is NaN."""
    return float(values.min(initial=0.0)), float(values.max(initial=0.0))


def _cut(
    values: Floats,
    extremes: tuple[float, float],
    rows: npt.NDArray[np.intp] | None = None,
) -> Iterator[Part]:
    """Cuts finite values into limbs, from the highest limb down.

    Args:
        values: the values.
        extremes: the lowest and the highest of them, and of 0.
        rows: the positions of the values among those that the parts are of; None for all.
    """
    top = max(map(abs, extremes))
    if top == 0.0:
        return
    limb = (math.frexp(top)[1] - 1 - ORIGIN) // RADIX
    rest = values
    while True:
        exponent = limb_exponent(limb)
        if exponent <= _SAFE_EXPONENT:
            # Adding 1.5 * 2**(52 + exponent) rounds to a multiple of 2**exponent; taking it away
            # again and subtracting the result from the value are both exact.
            shifter = math.ldexp(1.5, 52 + exponent)
            part = rest + shifter
            part -= shifter
            rest = rest - part
            yield Part(limb, part, exponent, rows)
        else:
            part = np.rint(np.ldexp(rest, -exponent))
            # rint may round up past the largest float; the half that is left is exact either way.
            half = np.ldexp(part * 0.5, exponent)
            rest = (rest - half) - half
            yield Part(limb, part, 0, rows)
        more = rest != 0
        left = np.count_nonzero(more)
        if not left:
            return
        if left < len(rest) // _FEW:
            # Few values have lower limbs, so only these are carried on.
            kept = np.flatnonzero(more)
            rest, rows = rest.take(kept), kept if rows is None else rows.take(kept)
        limb -= 1
