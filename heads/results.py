"""What the methods of heads return: NumPy arrays and scalars that have `numpy()`, as tensors do."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt


class ResultArray(np.ndarray[Any, np.dtype[Any]]):
    """An array that a head returned; it is a NumPy array, and has `numpy()` as a tensor does.

    Slices of it have `numpy()`, too; its elements and sums are plain scalars.

    >>> as_result(np.array([[0.5]])).numpy().tolist()
    [[0.5]]
    """

    def numpy(self) -> npt.NDArray[Any]:
        """Returns the values as a plain array, without a copy."""
        return self.view(np.ndarray)

    def __array_wrap__(
        self, array: npt.NDArray[Any], context: Any = None, return_scalar: bool = False
    ) -> Any:
        del context
        return array[()] if return_scalar else as_result(array)

    def __repr__(self) -> str:
        return repr(self.numpy())


class ResultFloat(float):
    """A float that a metric returned; it has `numpy()` as a tensor does.

    >>> ResultFloat(0.5).numpy()
    np.float64(0.5)
    """

    def numpy(self) -> np.float64:
        """Returns the value as a float64 of NumPy."""
        return np.float64(self)


def as_result(value: Any) -> Any:
    """Returns an array or a scalar of NumPy with `numpy()`; other values are returned as they are.

    >>> as_result(np.float32(0.5)).numpy()
    np.float32(0.5)
    """
    if isinstance(value, np.ndarray):
        return value.view(ResultArray)
    if isinstance(value, np.number) and not hasattr(value, "numpy"):
        kind: Any = type(value)
        return _scalar_type(kind)(value)
    return value


@cache
def _scalar_type(kind: Any) -> Any:
    """Makes the type of scalars with `numpy()` that are of a scalar type of NumPy, too."""

    class ResultScalar(kind):  # type: ignore[misc]
        def numpy(self) -> Any:
            """Returns the value as a plain scalar of NumPy, of the same dtype."""
            return kind(self)

        def __reduce__(self) -> tuple[Any, ...]:
            return as_result, (kind(self),)

        def __deepcopy__(self, _: Any) -> Any:
            return self

        def __repr__(self) -> str:
            return repr(kind(self))

    return ResultScalar
