"""The configuration of slices and of intervals: its forms, and what is wrong with others."""

from __future__ import annotations

from typing import Any

import pytest

from pipeline.config.load import parse_config
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError
from tests.pipeline.config.configurations import BINARY


def told(text: str) -> list[str]:
    """What is wrong with a text, a line a problem, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        parse_config(BINARY + text, "c.yaml")
    return [str(problem).split(":", 3)[3].strip() for problem in caught.value.problems]


def config_of(text: str) -> Config:
    return parse_config(BINARY + text, "c.yaml")


def parts_of(text: str) -> list[Any]:
    return [
        [(part.column, part.values, part.edges) for part in spec.parts]
        for spec in config_of(text).slices
    ]


def test_every_form_of_an_entry_is_some_columns() -> None:
    text = """\
slices:
  - country
  - {column: country, values: [CH, '1', 1, 0.5, true, null]}
  - {column: age, edges: [18, 30.5]}
  - columns: [country, {column: age, edges: [-1]}, {column: a, values: [x]}]
"""
    parts = parts_of(text)
    assert parts == [
        [("country", None, None)],
        [("country", ("CH", "1", 1, 0.5, True, None), None)],
        [("age", None, (18, 30.5))],
        [("a", ("x",), None), ("age", None, (-1,)), ("country", None, None)],
    ]
    assert [type(edge) for edge in parts[2][0][2]] == [int, float]


def test_names_tell_what_is_sliced() -> None:
    text = "slices: [a, {column: b, edges: [1]}, {columns: [c, b, {column: a, values: [1]}]}]"
    assert [spec.name for spec in config_of(text).slices] == [
        "column 'a'",
        "column 'b' with these edges",
        "the cross of 'a' with these values, 'b' and 'c'",
    ]


@pytest.mark.parametrize(
    ("entry", "problem"),
    [
        ("{}", "slices[0]: key 'column' or 'columns' is missing; give one"),
        ("{max_slices: 3}", "slices[0]: key 'column' or 'columns' is missing; give one"),
        ("{column: a, columns: [b]}", "slices[0].columns: give 'column' or 'columns', not both"),
        ("{column: 3}", "slices[0].column: expected text, not the number 3; put it in quotes if"),
        ("{columns: []}", "slices[0].columns: must not be empty"),
        ("{columns: a}", "slices[0].columns: expected a list, not the text 'a'"),
        ("{columns: [3]}", "slices[0].columns[0]: expected a column or a mapping with 'column'"),
        ("{columns: [{edges: [3]}]}", "slices[0].columns[0]: key 'column' is missing. The column,"),
        (
            "{columns: [{column: a, edge: [3]}]}",
            "slices[0].columns[0].edge: unknown key 'edge'; did you mean 'edges'?",
        ),
        (
            "{columns: [a, {column: a, edges: [1]}]}",
            "slices[0].columns[1]: column 'a' is given twice (first as [0]); keep one",
        ),
        (
            "{columns: [a, b, c, d, e, f, g, h, i]}",
            "slices[0].columns: at most 8 columns can be crossed",
        ),
        (
            "{columns: [a], values: [1]}",
            "slices[0].values: not beside 'columns'; write it into an entry of 'columns', as in "
            "{column: a, values: [...]}",
        ),
        ("{columns: [a], edges: [1]}", "slices[0].edges: not beside 'columns'; write it into an"),
        (
            "{column: a, values: [1], edges: [2]}",
            "slices[0].edges: give 'values' or 'edges', not both",
        ),
        (
            "{columns: [{column: a, values: [1], edges: [2]}]}",
            "slices[0].columns[0].edges: give 'values' or 'edges', not both",
        ),
        ("{column: a, values: []}", "slices[0].values: must not be empty"),
        ("{column: a, values: [.inf]}", "slices[0].values[0]: expected text, a finite number,"),
        (
            "{column: a, values: [1, x, 1.0]}",
            "slices[0].values[2]: 1 is given twice (first as [0]); keep one",
        ),
        (
            "{column: a, values: [null, true, null]}",
            "slices[0].values[2]: null is given twice (first as [0]); keep one",
        ),
        ("{column: a, edges: []}", "slices[0].edges: must not be empty"),
        ("{column: a, edges: 3}", "slices[0].edges: expected a list, not the number 3"),
        ("{column: a, edges: [true]}", "slices[0].edges[0]: expected a number, not true"),
        ("{column: a, edges: ['1']}", "slices[0].edges[0]: expected a number, not the text '1'"),
        ("{column: a, edges: [.nan]}", "slices[0].edges[0]: expected a finite number, not nan"),
        (
            "{column: a, edges: [1, 3, 2]}",
            "slices[0].edges[2]: must be greater than 3, the edge before it, not 2",
        ),
        ("{column: a, edges: [0, -0.0]}", "slices[0].edges[1]: must be greater than 0, the edge"),
        ("{column: a, max_slices: 0}", "slices[0].max_slices: must be at least 1, not 0"),
    ],
)
def test_an_entry_that_is_wrong_is_told(entry: str, problem: str) -> None:
    (line,) = told(f"slices: [{entry}]")
    assert line.startswith(problem)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "{columns: [a]}"),
        ("{columns: [a, b]}", "{columns: [b, a], max_slices: 3}"),
        ("{column: a, edges: [1]}", "{column: a, edges: [1.0]}"),
        ("{column: a, values: [1, x, true]}", "{column: a, values: [true, 1.0, x]}"),
    ],
)
def test_the_same_entry_twice_is_refused(first: str, second: str) -> None:
    (line,) = told(f"slices: [{first}, b, {second}]")
    assert line.startswith("slices[2]: ")
    assert line.endswith(" is given twice (first as [0]); keep one")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a", "{column: a, edges: [1]}"),
        ("{column: a, edges: [1]}", "{column: a, edges: [2]}"),
        ("{column: a, values: [1]}", "{column: a, values: [true]}"),
        ("{column: a, values: [1]}", "{column: a, values: ['1']}"),
        ("{columns: [a, b]}", "{columns: [a, {column: b, edges: [1]}]}"),
    ],
)
def test_other_entries_of_the_same_columns_are_not(first: str, second: str) -> None:
    assert len(config_of(f"slices: [{first}, {second}]").slices) == 2


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ("level: 0", "confidence.level: must be greater than 0, not 0"),
        ("level: 1", "confidence.level: must be less than 1, not 1"),
        ("folds: 9", "confidence.folds: must be 0, for no intervals, or from 10 to 100, not 9"),
        ("folds: 101", "confidence.folds: must be 0, for no intervals, or from 10 to 100, not 101"),
        ("folds: -1", "confidence.folds: must be 0, for no intervals, or from 10 to 100, not -1"),
        ("folds: 10.0", "confidence.folds: expected a whole number, not the number 10.0"),
        ("key: ''", "confidence.key: must not be empty"),
        ("max_slices: -1", "confidence.max_slices: must be at least 0, not -1"),
        ("fold: 10", "confidence.fold: unknown key 'fold'; did you mean 'folds'?"),
    ],
)
def test_intervals_that_cannot_be_are_told(keys: str, problem: str) -> None:
    assert told(f"confidence: {{{keys}}}") == [problem]


@pytest.mark.parametrize("folds", [0, 10, 100])
def test_folds_that_can_be(folds: int) -> None:
    assert config_of(f"confidence: {{folds: {folds}}}").confidence.folds == folds


@pytest.mark.parametrize("key", ["min_slice_size", "max_distinct", "max_state_mb"])
def test_bounds_are_whole_numbers_from_one_on(key: str) -> None:
    assert getattr(config_of(f"{key}: 1"), key) == 1
    assert told(f"{key}: 0") == [f"{key}: must be at least 1, not 0"]
    assert told(f"{key}: 1.5") == [f"{key}: expected a whole number, not the number 1.5"]
