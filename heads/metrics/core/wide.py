"""Numbers of any magnitude: products, quotients and roots of what float64 may not hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.integer[Any]]

# The exponent of a sum of zeros; any other number has a higher one.
_LOWEST = -(1 << 20)


@dataclass(frozen=True, eq=False)
class Wide:
    """Numbers `factor * 2**exponent`, whose digits are those that float64 arithmetic gives them.

    Attributes:
        factor: float64, of any shape.
        exponent: integers of the same shape.

    >>> tiny = Wide.of(np.array([1e-300]))
    >>> tiny.times(tiny).over(tiny.times(tiny)).to_float()
    array([1.])
    """

    factor: Floats
    exponent: Ints

    @classmethod
    def of(cls, values: Floats) -> Wide:
        """Returns numbers that float64 holds."""
        return cls(*np.frexp(values))

    def to_float(self) -> Floats:
        """Returns the numbers as float64, infinite or 0 beyond its range."""
        with np.errstate(over="ignore", under="ignore"):
            values: Floats = np.ldexp(self.factor, self.exponent)
        return values

    def scaled(self, power: Ints | int) -> Wide:
        """Returns the numbers times a power of two."""
        return Wide(self.factor, self.exponent + power)

    def times(self, other: Wide) -> Wide:
        """Returns products."""
        return self._normal(self.factor * other.factor, self.exponent + other.exponent)

    def over(self, other: Wide) -> Wide:
        """Returns quotients, which are 0 where the other number is 0."""
        nothing = other.factor == 0
        quotient = self.factor / np.where(nothing, 1.0, other.factor)
        return self._normal(np.where(nothing, 0.0, quotient), self.exponent - other.exponent)

    def plus(self, other: Wide) -> Wide:
        """Returns sums."""
        top = np.maximum(self._size, other._size)
        first, second = (np.ldexp(part.factor, part.exponent - top) for part in (self, other))
        return self._normal(first + second, top)

    def minus(self, other: Wide) -> Wide:
        """Returns differences."""
        return self.plus(Wide(-other.factor, other.exponent))

    def root(self) -> Wide:
        """Returns square roots."""
        odd = self.exponent & 1
        return self._normal(np.sqrt(np.ldexp(self.factor, odd)), (self.exponent - odd) >> 1)

    def summed(self) -> Wide:
        """Returns the sums over the last axis."""
        top = self._size.max(axis=-1, initial=_LOWEST, keepdims=True)
        # Contiguous, so that no digit depends on how many segments there are.
        parts = np.ascontiguousarray(np.ldexp(self.factor, self.exponent - top))
        return self._normal(parts.sum(axis=-1), top[..., 0])

    @property
    def _size(self) -> Ints:
        size: Ints = np.where(self.factor == 0, _LOWEST, self.exponent)
        return size

    @staticmethod
    def _normal(factor: Floats, exponent: Ints) -> Wide:
        """Returns numbers with factors below 1, so that the next product is safe."""
        factor, more = np.frexp(factor)
        return Wide(factor, exponent + more)
