"""Figures as text say as much as is known, and no more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.report.text.figures import interval, is_wide, lacks_interval, number
from tests.pipeline.report.text.samples import figure
from tests.pipeline.tables import law

values = st.floats(-1e9, 1e9)


@law
@given(values)
def test_a_number_is_near_its_text(value: float) -> None:
    shown = number(value)
    assert len(shown) <= 14
    assert float(shown.replace(",", "")) == pytest.approx(value, rel=0.05, abs=5e-5)
    if abs(value) >= 0.1:
        assert float(shown.replace(",", "")) == pytest.approx(value, rel=1e-3)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0000"),
        (1 / 3, "0.3333"),
        (9.5, "9.5000"),
        (12.5, "12.50"),
        (12.0, "12"),
        (999.0, "999"),
        (1000.0, "1,000"),
        (-1234567.0, "-1,234,567"),
        (1000.6, "1,001"),
        (0.001, "0.0010"),
        (0.00012345, "0.00012"),
        (-1.5e-9, "-1.5e-09"),
    ],
)
def test_numbers(value: float, text: str) -> None:
    assert number(value) == text


@law
@given(values, st.floats(1e-6, 1e6))
def test_an_interval_is_shown_to_a_fifth_of_its_width(lower: float, width: float) -> None:
    upper = lower + width
    if upper - lower < width / 2:
        return
    text = interval({"lower": lower, "upper": upper}).replace(",", "")
    first, _, second = text.partition(" to ") if lower < 0 else text.partition("-")
    for shown, end in ((first, lower), (second, upper)):
        assert abs(float(shown) - end) <= max((upper - lower) / 5, 0.5e-9) / 1.9


@pytest.mark.parametrize(
    ("metric", "text"),
    [
        (figure(0.5, 0.25, 0.75), "0.25-0.75"),
        (figure(0.5, -0.25, 0.75), "-0.25 to 0.75"),
        (figure(0.5, -0.75, -0.25), "-0.75 to -0.25"),
        (figure(2000.0, 1500.0, 2600.0), "1,500-2,600"),
        (figure(0.99871, 0.99721, 0.9998), "0.9972-0.9998"),
        (figure(0.5, 0.5, 0.5), "0.5000-0.5000"),
        (figure(0.5, None, 0.75), "at most 0.75"),
        (figure(0.5, 0.25, None), "at least 0.25"),
        (figure(0.5, None, None), "any"),
        (figure(0.5), ""),
        (None, ""),
    ],
)
def test_intervals(metric: dict[str, float] | None, text: str) -> None:
    assert interval(metric) == text


@pytest.mark.parametrize(
    ("ends", "wide"),
    [
        ((0.96, 1.05), False),
        ((0.94, 1.05), True),
        ((-1.05, -0.94), True),
        ((-1.05, -0.96), False),
        ((None, 1.0), True),
        ((1.0, None), True),
        ((1.0, 1.0), False),
        ((), False),
    ],
)
def test_an_interval_is_wide_beyond_a_tenth_of_the_value(
    ends: tuple[float | None, ...], wide: bool
) -> None:
    assert is_wide(figure(-1.0 if ends and ends[0] and ends[0] < 0 else 1.0, *ends)) == wide
    assert not is_wide(None)
    assert not is_wide(figure(None))


def test_an_interval_is_lacking_where_overall_has_one() -> None:
    whole, without = figure(0.5, 0.4, 0.6), figure(0.5, no_interval="few rows")
    assert lacks_interval(without, whole)
    assert not lacks_interval(without, without)
    assert not lacks_interval(without, None)
    assert not lacks_interval(figure(None), whole)
    assert not lacks_interval(whole, whole)
    assert not lacks_interval(None, whole)
