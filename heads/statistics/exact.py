"""Exact sums of floats: integer limbs on a fixed absolute radix grid.

A float64 is a whole multiple of 2**-1074, so any sum of finite floats is an integer in that unit
and addition of integers does not depend on order. A value is cut into limbs of `RADIX` bits at
fixed absolute positions: limb `j` counts units of `2**(RADIX * j + ORIGIN)`. Limbs are small
enough that a float64 `bincount` over a batch of at most `MAX_ROWS` rows adds them without rounding.
There are limbs for the product of any three floats, which may be beyond the range of float64.

`ORIGIN` puts limb 0 over the bits 2**-26 .. 2**9, so that a float32 weight between 1/8 and 512
touches one limb only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from heads.statistics.rounding import round_sums, round_wide

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

RADIX = 36
ORIGIN = -26
MAX_ROWS = 1 << 17
# A limb grows by less than 2**54 for each batch added, and int64 ends at 2**63.
MAX_ADDS = 256

_HALF = 1 << (RADIX - 1)
# The limbs that sums of products of three float64 can touch: they are from 2**-3222 to 2**3072, and
# int64 counts the rows.
_LOWEST, _HIGHEST = -89, 88


def limb_exponent(limb: int) -> int:
    """Returns the exponent `e` of a limb: a unit of the limb counts `2**e`."""
    return RADIX * limb + ORIGIN


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

    def only(self, rows: npt.NDArray[np.intp]) -> ExactColumn:
        """Returns the sums of some rows, and 0 in all others, in canonical form."""
        limbs, specials = np.zeros_like(self.limbs), np.zeros_like(self.specials)
        limbs[rows], specials[rows] = self.limbs[rows], self.specials[rows]
        return _trimmed(self.low, limbs, specials)

    def to_float(self) -> Floats:
        """Returns sums rounded once to float64 `[m]`; NaN and infinities follow IEEE addition."""
        return self._with_specials(round_sums(self.limbs, RADIX, limb_exponent(self.low)))

    def to_wide(self) -> tuple[Floats, Ints]:
        """Returns sums rounded once to 53 bits, as two arrays `[m]`: factors and exponents.

        The sums are `factor * 2**exponent`; NaN and infinities follow IEEE addition.
        """
        factor, exponent = round_wide(self.limbs, RADIX, limb_exponent(self.low))
        self._with_specials(factor)
        return factor, exponent

    def _with_specials(self, sums: Floats) -> Floats:
        """Puts NaN and infinities into sums `[m]` of the finite values, and returns the sums."""
        if self.specials.shape[1]:
            nan, plus, minus = (self.specials[:, i] > 0 for i in range(3))
            sums[plus] = np.inf
            sums[minus] = -np.inf
            sums[nan | (plus & minus)] = np.nan
        return sums


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
    """Returns the order `[n]` of integers of at least 0; equal ones stay in their order."""
    bits = max(1, (len(numbers) - 1).bit_length())
    if int(numbers.max(initial=0)) < 1 << (63 - bits):
        # Sorting numbers that hold their place is several times as fast as argsort.
        return np.sort((numbers << bits) | np.arange(len(numbers))) & ((1 << bits) - 1)
    return np.argsort(numbers, kind="stable")


def _carry(low: int, limbs: Ints) -> tuple[int, Ints]:
    """Carries limbs `[m, limbs]` until all digits are balanced."""
    digits = list(limbs.T.copy())
    limb = 0
    while limb < len(digits):
        carry = (digits[limb] + _HALF) >> RADIX
        if np.count_nonzero(carry):
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
    if specials.shape[1] and not specials.any():
        specials = np.zeros((len(limbs), 0), np.int64)
    return ExactColumn(low + first if first < last else 0, limbs[:, first:last], specials)
