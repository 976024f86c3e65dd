"""Problems are lines, and of many the first are told and the others counted."""

from __future__ import annotations

import pickle

import pytest

from pipeline.errors.faults import BadData
from pipeline.errors.problems import ConfigError, Problem, first_values
from pipeline.errors.wording import MOST, first_lines


@pytest.mark.parametrize(
    "problem",
    [
        Problem("a\nb.yaml", (), "wrong"),
        Problem("c.yaml", ("a\u202eb",), "wrong"),
        Problem("c.yaml", (), "no column 'x\x1b[31m\u2028'"),
    ],
)
def test_a_problem_is_a_line_whatever_it_repeats(problem: Problem) -> None:
    assert str(problem).isprintable()
    assert str(ConfigError([problem, problem])).split("\n") == [str(problem)] * 2


def test_of_many_problems_the_first_are_told_by_line() -> None:
    problems = [Problem("c.yaml", (), "wrong", line) for line in range(99, 0, -1)]
    error = ConfigError(problems, 901)
    assert error.problems == tuple(reversed(problems))
    lines = str(error).split("\n")
    assert lines[:MOST] == [f"c.yaml:{line}: wrong" for line in range(1, MOST + 1)]
    assert lines[MOST:] == ["... and 980 more"]
    again = pickle.loads(pickle.dumps(error))
    assert (again.problems, again.more) == (error.problems, error.more)


def test_few_problems_are_all_told() -> None:
    assert first_lines(["a"] * MOST) == ["a"] * MOST
    assert first_lines([]) == []
    assert first_lines(["a"], 1) == ["a", "... and 1 more"]


def test_the_text_of_bad_data_has_a_line_for_each_problem() -> None:
    assert str(BadData(["a\nb", "c\u202e"])).split("\n") == ["a\\nb", "c\\u202e"]


def test_listed_values_are_cut_in_length_and_number() -> None:
    assert first_values(["a", 1, None, True, 0.5]) == "'a', 1, None, True, 0.5"
    shown = first_values(["x" * 9999, *range(99)])
    assert shown.endswith(", 18, ... and 80 more")
    assert len(shown) < 250
