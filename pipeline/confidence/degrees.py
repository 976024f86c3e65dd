"""Degrees of freedom of errors from folds, by what a metric is an average of."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST = 1.0
"""With fewer degrees of freedom there is no interval."""


def degrees_of_freedom(mass: Floats) -> Floats:
    """Returns the degrees of freedom of errors from folds that do not weigh the same.

    With m(f) the sum of the squared weights in fold f, they are (sum of m)^2 / (sum of m^2) - 1,
    which is the number of folds less 1 if all weigh the same, and less otherwise. An error from
    folds is a sum of squares to which fold f adds in proportion to m(f), and this is the number of
    equal squares that vary as much (F. E. Satterthwaite, "An approximate distribution of estimates
    of variance components", 1946).

    Args:
        mass: float64 `[s, f]`, the squared weights by fold, in any unit of the segment.

    Returns:
        The degrees, float64 `[s]`, between 0 and the number of folds with weight less 1; 0 where
        there is no weight, and NaN where a square is not finite.

    >>> degrees_of_freedom(np.array([[1.0, 1.0, 1.0, 1.0], [8.0, 1.0, 1.0, 0.0]]))
    array([3.        , 0.51515152])
    """
    # In units of the largest, squares neither overflow nor vanish. Sums run along contiguous rows.
    largest = mass.max(axis=1, initial=0.0)[:, np.newaxis]
    share = np.ascontiguousarray(mass / np.where(largest > 0, largest, 1.0))
    with np.errstate(invalid="ignore", over="ignore"):
        total, squares = share.sum(axis=1), (share**2).sum(axis=1)
        effective = total**2 / np.where(largest[:, 0] > 0, squares, 1.0)
    most = np.count_nonzero(share, axis=1) - 1
    degrees: Floats = np.clip(effective - 1, 0.0, np.maximum(most, 0))
    return degrees
