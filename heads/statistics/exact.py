"""Exact sums of floats: integer limbs on a fixed absolute radix grid.

A float64 is a whole multiple of 2**-1074, so any sum of finite floats is an integer in that unit
and addition of integers does not depend on order. A value is cut into limbs of `RADIX` bits at
fixed absolute positions: limb `j` counts units of `2**(RADIX * j + ORIGIN)`. Limbs are small
enough that a float64 `bincount` over a batch of at most `MAX_ROWS` rows adds them without rounding.

`ORIGIN` puts limb 0 over the bits 2**-26 .. 2**9, so that a float32 weight between 1/8 and 512
touches one limb only.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics.rounding import round_sums

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RADIX = 36
ORIGIN = -26
MAX_ROWS = 1 << 17
# A limb grows by less than 2**53 for each batch added, and int64 ends at 2**63.
MAX_ADDS = 512

_HALF = 1 << (RADIX - 1)
# The limbs that sums of float64 can touch: the smallest is 2**-1074, and int64 counts the rows.
_LOWEST, _HIGHEST = -30, 31
# The rows that have a limb are picked out if they are fewer than 1 in so many.
_FEW = 3
# The number of rows that `Columns.matrix` fills at a time.
_BLOCK = 1 << 14
# Above this exponent the rounding constant of `_cut` would overflow.
_SAFE_EXPONENT = 960


def limb_exponent(limb: int) -> int:
    """Returns the exponent `e` of a limb: a unit of the limb counts `2**e`."""
    return RADIX * limb + ORIGIN


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
    """

    def __init__(self, values: Floats) -> None:
        self.values = values

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, rows: slice) -> Summand:
        whole = rows.start == 0 and rows.stop >= len(self)
        return self if whole else Summand(self.values[rows])

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
        """The limbs of the finite values, the highest first."""
        if self.specials is None:
            return list(_cut(self.values, self._extremes))
        finite = np.where(self.specials == 0, self.values, 0.0)
        return list(_cut(finite, _extremes(finite)))

    def column(self) -> ExactColumn:
        """Returns the values as `n` sums; they are not carried, so they may only be added."""
        limbs = [part.limb for part in self.parts]
        low, high = min(limbs, default=0), max(limbs, default=-1) + 1
        table = np.zeros((len(self), high - low), np.int64)
        for part in self.parts:
            table[slice(None) if part.rows is None else part.rows, part.limb - low] = part.integers
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
        rows = len(common[0])
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


def _cut(values: Floats, extremes: tuple[float, float]) -> Iterator[Part]:
    """Cuts finite values into limbs, from the highest limb down."""
    top = max(map(abs, extremes))
    if top == 0.0:
        return
    limb = (math.frexp(top)[1] - 1 - ORIGIN) // RADIX
    rest, rows = values, None
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


@dataclass(frozen=True, eq=False)
class ExactColumn:
    """A column of exact sums `[m]`, a sum for each table row, in canonical form.

    Attributes:
        low: index of the lowest limb kept.
        limbs: int64 `[m, limbs]`, balanced digits in `[-2**35, 2**35)`, lowest limb first; the
            first and the last limb have a digit that is not zero, or there are no limbs.
        specials: int64 `[m, 3]`, how often NaN, +inf and -inf were added; `[m, 0]` if none was.
    """

    low: int
    limbs: Ints
    specials: Ints

    def __len__(self) -> int:
        return len(self.limbs)

    @classmethod
    def zeros(cls, rows: int) -> ExactColumn:
        """Returns the sums of rows to which nothing was added."""
        return cls(0, np.zeros((rows, 0), np.int64), np.zeros((rows, 0), np.int64))

    @classmethod
    def carried(cls, low: int, limbs: Ints, specials: Ints) -> ExactColumn:
        """Brings limbs `[m, limbs]` that are not carried to canonical form."""
        low, limbs = _carry(low, limbs)
        return _trimmed(low, limbs, specials)

    def is_canonical(self) -> bool:
        """Returns whether the column is canonical: balanced digits, and no needless limbs."""
        ends = (
            self.limbs[:, [0, -1]].any(axis=0) if self.limbs.shape[1] else np.array([not self.low])
        )
        balanced = (self.limbs >= -_HALF) & (self.limbs < _HALF)
        counted = self.specials.shape[1] in (0, 3) and (self.specials >= 0).all()
        needed = self.specials.any() or not self.specials.shape[1]
        possible = self.low >= _LOWEST and self.low + self.limbs.shape[1] <= _HIGHEST + 1
        return bool(possible and ends.all() and balanced.all() and counted and needed)

    def take(self, rows: npt.NDArray[np.intp]) -> ExactColumn:
        """Returns the sums of some rows, in canonical form."""
        return _trimmed(self.low, self.limbs[rows], self.specials[rows])

    def to_float(self) -> Floats:
        """Returns sums rounded once to float64 `[m]`; NaN and infinities follow IEEE addition."""
        out = round_sums(self.limbs, RADIX, limb_exponent(self.low))
        if self.specials.shape[1]:
            nan, plus, minus = (self.specials[:, i] > 0 for i in range(3))
            out[plus] = np.inf
            out[minus] = -np.inf
            out[nan | (plus & minus)] = np.nan
        return out


def add_columns(
    columns: list[ExactColumn],
    starts: npt.NDArray[np.intp],
    order: npt.NDArray[np.intp] | None,
) -> ExactColumn:
    """Concatenates columns, reorders their rows and adds runs of rows.

    Args:
        columns: the columns, which are put below each other.
        starts: `[m]`, the first row of each run of rows that are added together, after reordering.
        order: `[rows]`, the new order of the rows; None keeps their order.
    """
    used = [column for column in columns if column.limbs.shape[1]]
    low = min((column.low for column in used), default=0)
    high = max((column.low + column.limbs.shape[1] for column in used), default=0)
    rows = sum(map(len, columns))
    limbs = np.zeros((rows, high - low), np.int64)
    specials = np.zeros((rows, 3 if any(c.specials.shape[1] for c in columns) else 0), np.int64)
    begin = 0
    for column in columns:
        end = begin + len(column)
        first = column.low - low
        width = column.limbs.shape[1]
        if width:
            limbs[begin:end, first : first + width] = column.limbs
        if column.specials.shape[1]:
            specials[begin:end] = column.specials
        begin = end
    limbs, specials = (_add_runs(table, starts, order) for table in (limbs, specials))
    if len(starts) == rows:
        return _trimmed(low, limbs, specials)
    return ExactColumn.carried(low, limbs, specials)


def _add_runs(
    table: Ints, starts: npt.NDArray[np.intp], order: npt.NDArray[np.intp] | None
) -> Ints:
    """Reorders the rows of a table and adds runs of rows, which is fastest column by column."""
    out = np.empty((len(starts), table.shape[1]), np.int64)
    for place in range(table.shape[1]):
        column = table[:, place] if order is None else table[:, place].take(order)
        out[:, place] = column if len(starts) == len(column) else np.add.reduceat(column, starts)
    return out


def sorting_order(numbers: Ints) -> npt.NDArray[np.intp]:
    """Returns an order `[n]` that sorts integers of at least 0; equal numbers in any order."""
    bits = max(1, (len(numbers) - 1).bit_length())
    if int(numbers.max(initial=0)) < 1 << (63 - bits):
        # Sorting numbers that hold their place is several times as fast as argsort.
        return np.sort((numbers << bits) | np.arange(len(numbers))) & ((1 << bits) - 1)
    return np.argsort(numbers)


def _carry(low: int, limbs: Ints) -> tuple[int, Ints]:
    """Carries limbs `[m, limbs]` until all digits are balanced."""
    digits = list(limbs.T.copy())
    limb = 0
    while limb < len(digits):
        carry = (digits[limb] + _HALF) >> RADIX
        if carry.any():
            digits[limb] = digits[limb] - (carry << RADIX)
            if limb + 1 == len(digits):
                digits.append(carry)
            else:
                digits[limb + 1] = digits[limb + 1] + carry
        limb += 1
    return low, np.stack(digits, axis=1) if digits else limbs


def _trimmed(low: int, limbs: Ints, specials: Ints) -> ExactColumn:
    """Makes a column of carried limbs, without outer limbs that are 0 in all rows."""
    first, last = 0, limbs.shape[1]
    while last > first and not np.count_nonzero(limbs[:, last - 1]):
        last -= 1
    while first < last and not np.count_nonzero(limbs[:, first]):
        first += 1
    if not specials.any():
        specials = np.zeros((len(limbs), 0), np.int64)
    return ExactColumn(low + first if first < last else 0, limbs[:, first:last], specials)
