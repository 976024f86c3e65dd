"""Tests that the nearest name is the one that was meant, for names that people mistype."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.heads import BinaryHeadConfig, MultiClassHeadConfig
from pipeline.config.model import Config
from pipeline.errors.suggest import did_you_mean, nearest

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
    assert nearest("labet", ["labes", "label"]) == nearest("labet", ["label", "labes"]) == "labes"


def test_hyphens_and_capitals_are_no_difference() -> None:
    assert nearest("A-B-C-D", ["a_b_c_d"]) == "a_b_c_d"


def test_a_hint_is_the_end_of_a_sentence_or_nothing() -> None:
    assert did_you_mean("lable", NAMES) == "; did you mean 'label'?"
    assert did_you_mean("weight", NAMES) == ""


def slips(name: str) -> set[str]:
    """Returns a name with a letter left out, doubled, or swapped with the next letter."""
    dropped = {name[:i] + name[i + 1 :] for i in range(len(name))}
    doubled = {name[: i + 1] + name[i:] for i in range(len(name))}
    swapped = {name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(len(name) - 1)}
    return dropped | doubled | swapped


KEYS = sorted(
    {*Config.model_fields, *BinaryHeadConfig.model_fields, *MultiClassHeadConfig.model_fields}
)


@pytest.mark.parametrize("key", [key for key in KEYS if len(key) > 3])
def test_a_key_is_found_under_every_slip(key: str) -> None:
    for typed in slips(key) - set(KEYS):
        assert nearest(typed, KEYS) == key, typed


@given(st.text("abc_-", max_size=9), st.lists(st.text("abc_-", max_size=9), max_size=6))
def test_the_nearest_is_one_of_the_names_and_itself_where_it_is_there(
    name: str, names: list[str]
) -> None:
    assert nearest(name, names) in {None, *names}
    suggested = nearest(name, [*names, name])
    assert suggested is not None
    assert suggested.replace("-", "_") == name.replace("-", "_")
