"""Numbers of any magnitude: they have the digits that float64 arithmetic gives."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np
import numpy.typing as npt
from hypothesis import given
from hypothesis import strategies as st

from heads.metrics.core.wide import Wide
from tests.heads.metrics.samples import law

Floats = npt.NDArray[np.float64]

usual = st.lists(st.floats(1e-60, 1e60) | st.just(0.0), min_size=3, max_size=3).map(np.array)
powers = st.integers(-3000, 3000).map(lambda k: 2 * k)

OPERATIONS: dict[str, tuple[Callable[[Wide, Wide], Wide], Callable[[Floats, Floats], Floats]]] = {
    "times": (Wide.times, lambda a, b: a * b),
    "over": (Wide.over, lambda a, b: np.divide(a, b, out=np.zeros(3), where=b != 0)),
    "plus": (Wide.plus, lambda a, b: a + b),
    "minus": (Wide.minus, lambda a, b: a - b),
    "root": (lambda a, b: a.plus(b).root(), lambda a, b: np.sqrt(a + b)),
    "summed": (lambda a, b: a.times(b).summed(), lambda a, b: (a * b).sum(axis=-1)),
}


@law
@given(usual, usual, st.sampled_from(sorted(OPERATIONS)), powers)
def test_they_have_the_digits_of_floats(a: Floats, b: Floats, name: str, power: int) -> None:
    wide, plain = OPERATIONS[name]
    found = wide(Wide.of(a).scaled(power), Wide.of(b).scaled(power))
    after = {"times": 2 * power, "summed": 2 * power, "over": 0, "root": power // 2}
    assert found.scaled(-after.get(name, power)).to_float().tolist() == plain(a, b).tolist()
    assert (np.abs(found.factor) <= 1).all()


def test_beyond_the_range_of_floats() -> None:
    tiny, huge = Wide.of(np.array([5e-324])), Wide.of(np.array([1.7e308]))
    square = tiny.times(tiny)
    value = Fraction(float(square.factor[0])) * Fraction(2) ** int(square.exponent[0])
    assert value == Fraction(2) ** (-2148)
    assert square.to_float() == 0
    assert huge.times(huge).to_float() == np.inf
    assert huge.times(tiny).over(huge).to_float() == 5e-324
    assert huge.plus(tiny).to_float() == 1.7e308
    assert square.root().to_float() == 5e-324
    assert huge.over(Wide.of(np.zeros(1))).to_float() == 0
    assert Wide.of(np.zeros((2, 0))).summed().to_float().tolist() == [0, 0]
