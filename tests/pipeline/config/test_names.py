"""The nearest name: by what people mistype, and by a slow definition of the distance."""

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.config.names import did_you_mean, nearest

NAMES = ("input", "label", "logits", "metrics", "multi_class", "n_classes", "probability", "type")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("label", "label"),
        ("lable", "label"),
        ("labels", "label"),
        ("LABEL", "label"),
        ("logit", "logits"),
        ("inptu", "input"),
        ("multi-class", "multi_class"),
        ("multiclass", "multi_class"),
        ("num_classes", "n_classes"),
        ("prob", "probability"),
        ("typ", "type"),
        ("t", None),
        ("", None),
        ("weight", None),
    ],
)
def test_what_people_mistype(typed: str, meant: str | None) -> None:
    assert nearest(typed, NAMES) == meant


def test_the_answer_does_not_depend_on_the_order_of_the_names() -> None:
    assert nearest("labet", ["labes", "label"]) == nearest("labet", ["label", "labes"]) == "label"


def test_hyphens_and_capitals_are_no_difference() -> None:
    assert nearest("A-B-C-D", ["a_b_c_d"]) == "a_b_c_d"


def test_a_hint_is_the_end_of_a_sentence_or_nothing() -> None:
    assert did_you_mean("lable", NAMES) == "; did you mean 'label'?"
    assert did_you_mean("weight", NAMES) == ""


def distance(a: str, b: str) -> int:
    """Return the optimal string alignment distance by its recursive definition."""

    @cache
    def go(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        ways = [go(i - 1, j) + 1, go(i, j - 1) + 1, go(i - 1, j - 1) + (a[i - 1] != b[j - 1])]
        if i > 1 and j > 1 and a[i - 1] == b[j - 2] and a[i - 2] == b[j - 1]:
            ways.append(go(i - 2, j - 2) + 1)
        return min(ways)

    return go(len(a), len(b))


words = st.text("abc_", max_size=9)


@settings(deadline=None)
@given(words, st.lists(words, max_size=6))
def test_nearest_is_least_by_distance_then_alphabet(name: str, names: list[str]) -> None:
    near = [
        (distance(name, other), other)
        for other in names
        if distance(name, other) <= max(len(name), len(other)) // 3
    ]
    if near:
        assert nearest(name, names) == min(near)[1]
