"""Central moments of predictions and labels, computed from exact sums without any rounding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from heads.metrics.core.wide import Wide
from heads.statistics import State
from heads.statistics.exact import RADIX, ExactColumn, limb_exponent
from heads.statistics.kept import kept_with_state

Objects = npt.NDArray[Any]
# A number of so many bits, the last of which tells that there were more, rounds as the whole does.
_BITS = 64


@dataclass(frozen=True, eq=False)
class Moments:
    """Central moments of the rows of every segment `[s]`, times the squared sum of the weights.

    A variance times W^2 is W * sum(w * v^2) - sum(w * v)^2, and a covariance likewise; each is
    rounded once. They are in no unit, and NaN where a sum is not finite.

    Attributes:
        prediction: the variance of the prediction.
        label: the variance of the label.
        both: their covariance.
        weight: the sum of the weights W; without weights the number of rows.
    """

    prediction: Wide
    label: Wide
    both: Wide
    weight: Wide


@kept_with_state(last=1)
def moments(state: State) -> Moments:
    """Returns the central moments of a state of `RowSums` that has the sums of `EXACT_FACTORS`."""
    weight = (
        _whole(state, state.sums["weight"])
        if "weight" in state.sums
        else (_by_segment(state, state.counts["rows"].astype(object)), 0)
    )
    columns = ("exact_prediction", "exact_label")
    prediction, label = (_whole(state, state.sums[name]) for name in columns)
    products = ("prediction_squared", "label_squared", "prediction_label")
    pairs = ((prediction, prediction), (label, label), (prediction, label))
    finite = np.logical_and.reduce(
        [_is_finite(state, state.sums[name]) for name in (*columns, *products)]
    )
    variances = []
    for name, (first, second) in zip(products, pairs, strict=True):
        total = _times(weight, _whole(state, state.sums[name]))
        variances.append(_wide(_minus(total, _times(first, second)), finite))
    return Moments(
        variances[0], variances[1], variances[2], _wide(weight, np.ones(len(state.keys), bool))
    )


_Whole = tuple[Objects, int]
"""Python integers `[s]`, and the exponent of the power of two that they are multiplied by."""


def _whole(state: State, column: ExactColumn) -> _Whole:
    total = np.zeros(len(column), object)
    for limb in reversed(range(column.limbs.shape[1])):
        total = (total << RADIX) + column.limbs[:, limb].astype(object)
    return _by_segment(state, total), limb_exponent(column.low)


def _by_segment(state: State, rows: Objects) -> Objects:
    out = np.zeros(len(state.keys), object)
    np.add.at(out, state.segment, rows)
    return out


def _is_finite(state: State, column: ExactColumn) -> npt.NDArray[np.bool_]:
    finite = np.ones(len(state.keys), bool)
    finite[state.segment[column.specials.any(axis=1)]] = False
    return finite


def _times(first: _Whole, second: _Whole) -> _Whole:
    return first[0] * second[0], first[1] + second[1]


def _minus(first: _Whole, second: _Whole) -> _Whole:
    exponent = min(first[1], second[1])
    numbers = (number << (power - exponent) for number, power in (first, second))
    return next(numbers) - next(numbers), exponent


def _wide(number: _Whole, finite: npt.NDArray[np.bool_]) -> Wide:
    """Returns numbers rounded to 53 bits; NaN where they are not finite."""
    factor, exponent = np.zeros(len(finite)), np.zeros(len(finite), np.int64)
    for place, whole in enumerate(number[0].tolist()):
        size = abs(whole)
        dropped = max(0, size.bit_length() - _BITS)
        kept = size >> dropped
        kept |= kept << dropped != size
        factor[place], exponent[place] = float(kept if whole >= 0 else -kept), dropped
    factor[~finite] = np.nan
    return Wide(*np.frexp(factor)).scaled(exponent + number[1])
