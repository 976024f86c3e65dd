"""Products of weights and values, exact in their exponent: they neither overflow nor vanish."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import RADIX, Floats
from heads.statistics.summands import Summand

# A product beyond the range of float64 is kept as a float between 2**-600 and 2**526, and raised or
# lowered by so many limbs.
_RAISED = 43
# Between these magnitudes a product, and a square that `_short` rounds, is rounded as anywhere.
_LEAST, _MOST = float(np.finfo(np.float64).tiny), 2.0**990
# What rounding loses of a product of three factors between these magnitudes, float64 holds.
_SMALL, _LARGE = 2.0**-250, 2.0**300
_SPLIT = 2.0**27 + 1


def product(weight: Floats, value: Floats, *, skip_weightless: bool = False) -> Summand:
    """Returns the products of weights and values, each rounded to 53 bits whatever its magnitude.

    So weights that are all multiplied by a power of two multiply sums by it, to the last digit.

    Args:
        weight: float64 `[n]`.
        value: float64 `[n]`.
        skip_weightless: whether the product of 0 and an infinity or NaN is 0, and not NaN.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        plain = weight * value
    # Most values are positive, or all are 0; two look-ups of extremes are then all that it takes.
    if (plain.min(initial=1.0) > _LEAST and plain.max(initial=1.0) < _MOST) or not value.any():
        return Summand(plain)
    size = np.abs(plain)
    rows = np.flatnonzero(~((size > _LEAST) & (size < _MOST)))
    weights, values = weight.take(rows), value.take(rows)
    finite = np.isfinite(values)
    if skip_weightless and not finite.all():
        plain[rows[~finite & (weights == 0)]] = 0.0
    wide = (weights != 0) & (values != 0) & finite & np.isfinite(weights)
    if not wide.any():
        return Summand(plain)
    weight_part, weight_exponent = np.frexp(weights[wide])
    value_part, value_exponent = np.frexp(values[wide])
    exponent = weight_exponent + value_exponent
    raised = np.where(exponent > 0, _RAISED, -_RAISED)
    plain[rows[wide]] = np.ldexp(weight_part * value_part, exponent - RADIX * raised)
    limbs = np.zeros(len(plain), np.int8)
    limbs[rows[wide]] = raised
    return Summand(plain, limbs)


def short_square(weight: Floats) -> Summand:
    """Returns the squares of weights, rounded to 24 bits, which mostly fit into a single limb.

    The precision is enough for an effective sample size.
    """
    square = product(weight, weight)
    return Summand(_short(square.values), square.raised)


def _short(values: Floats) -> Floats:
    """Returns values below `_MOST` rounded to 24 bits; values that are not finite stay.

    T. J. Dekker, "A floating-point technique for extending the available precision", 1971.
    """
    large = values * (2.0**29 + 1)
    with np.errstate(invalid="ignore"):
        short: npt.NDArray[np.float64] = large - (large - values)
    finite = np.isfinite(large)
    return short if finite.all() else np.where(finite, short, values)


def exact_product(factors: Sequence[Floats], *, skip_weightless: bool = False) -> Summand:
    """Returns the products of one to three factors, without any rounding, whatever their magnitude.

    A product is that of float64, and what that rounds off in up to three other floats.

    Args:
        factors: float64 `[n]` each.
        skip_weightless: whether the product of a first factor of 0 and an infinity or NaN is 0.
    """
    usual = np.logical_and.reduce([_is_usual(factor) for factor in factors])
    if usual.all():
        values, *rest = _expansion(factors)
        return Summand(values, rest=tuple(rest))
    finite = np.logical_and.reduce([np.isfinite(factor) for factor in factors])
    scaled, exponent = [], np.zeros(len(usual), np.int64)
    for factor in factors:
        mantissa, power = np.frexp(np.where(finite, factor, 0.0))
        scaled.append(np.where(usual, factor, mantissa))
        exponent += np.where(usual, 0, power)
    raised, left = np.divmod(exponent, RADIX)
    values, *rest = (np.ldexp(part, left) for part in _expansion(scaled))
    if not finite.all():
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            product_ = np.prod(factors, axis=0)
        weightless = skip_weightless & (factors[0] == 0)
        values = np.where(finite | weightless, values, product_)
    return Summand(values, raised.astype(np.int8), tuple(rest))


def _is_usual(factor: Floats) -> npt.NDArray[np.bool_]:
    """Tells where the products of three such factors, and what they round off, are floats."""
    size = np.abs(factor)
    usual: npt.NDArray[np.bool_] = (factor == 0) | ((size > _SMALL) & (size < _LARGE))
    return usual


def _expansion(factors: Sequence[Floats]) -> list[Floats]:
    """Returns floats whose sum is the product of up to three factors, the rounded product first."""
    terms = [factors[0]]
    for factor in factors[1:]:
        # A product of two terms, then what it rounds off, for every term.
        pairs = [_two_product(term, factor) for term in terms]
        terms = [part for pair in zip(*pairs, strict=True) for part in pair]
    return terms


def _two_product(a: Floats, b: Floats) -> tuple[Floats, Floats]:
    """Returns the rounded product and the rounding error; T. J. Dekker, 1971, as `_short`."""
    product_ = a * b
    a_high, b_high = _half(a), _half(b)
    a_low, b_low = a - a_high, b - b_high
    error = ((a_high * b_high - product_) + a_high * b_low + a_low * b_high) + a_low * b_low
    return product_, error


def _half(values: Floats) -> Floats:
    """Returns values rounded to 26 bits."""
    large = values * _SPLIT
    half: Floats = large - (large - values)
    return half
