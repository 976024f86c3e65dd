"""The configuration of gates: its forms, what is wrong with others, and a file of gates alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.gates import CHANGES, Gate
from pipeline.config.load import load_gates, parse_config
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError
from tests.pipeline.config.configurations import BINARY, columns, law

FORMS = """\
gates:
  - {metric: roc_auc, at_least: 0.80}
  - {metric: roc_auc, at_least: 0.78, decide_by: worst_end, slices: [country]}
  - {metric: average_loss, max_rise: 0.01, against: baseline}
  - {metric: recall, max_drop: 0.02, against: run, slice: {country: DE, x: null}, min_examples: 500,
     severity: warn, head: h, unweighted: true, relative: true, undecided: pass}
"""


def gates_of(text: str) -> tuple[Gate, ...]:
    return parse_config(BINARY + text, "c.yaml").gates


def told(text: str) -> list[str]:
    """What is wrong with gates, a line a problem, without the name of the file and the place."""
    with pytest.raises(ConfigError) as caught:
        gates_of(text)
    return [str(problem).split(":", 3)[3].strip() for problem in caught.value.problems]


def test_every_form_is_read_as_written() -> None:
    gates = gates_of(FORMS)
    assert [gate.to_dict() for gate in gates] == [
        {"metric": "roc_auc", "at_least": 0.8},
        {"metric": "roc_auc", "at_least": 0.78, "decide_by": "worst_end", "slices": ["country"]},
        {"metric": "average_loss", "max_rise": 0.01, "against": "baseline"},
        {
            "metric": "recall",
            "max_drop": 0.02,
            "against": "run",
            "slice": {"country": "DE", "x": None},
            "min_examples": 500,
            "severity": "warn",
            "head": "h",
            "unweighted": True,
            "relative": True,
            "undecided": "pass",
        },
    ]
    assert [gate.limits for gate in gates] == [
        [("at_least", 0.8)],
        [("at_least", 0.78)],
        [("max_rise", 0.01)],
        [("max_drop", 0.02)],
    ]
    assert [gate.columns for gate in gates] == [None, {"country"}, None, {"country", "x"}]


def test_limits_stand_together_in_one_order() -> None:
    (gate,) = gates_of(
        "gates: [{metric: a, max_rise: 4, max_drop: 3, at_most: 2, at_least: 1, against: run}]"
    )
    assert gate.limits == [("at_least", 1), ("at_most", 2), ("max_drop", 3), ("max_rise", 4)]


@pytest.mark.parametrize(
    ("gate", "problem"),
    [
        ("{at_least: 1}", ": key 'metric' is missing. The name of the metric. Without `head`,"),
        (
            "{metric: a}",
            ": a limit is missing; give 'at_least', 'at_most', 'max_drop' or 'max_rise'",
        ),
        ("{metric: a, at_leest: 1}", ".at_leest: unknown key 'at_leest'; did you mean 'at_least'?"),
        ("{metric: a, at_least: high}", ".at_least: expected a number, not the text 'high'"),
        ("{metric: a, at_least: true}", ".at_least: expected a number, not true"),
        ("{metric: a, at_least: .inf}", ".at_least: expected a finite number, not inf"),
        ("{metric: a, at_most: .nan}", ".at_most: expected a finite number, not nan"),
        (
            "{metric: a, max_drop: -0.1, against: run}",
            ".max_drop: must be at least 0.0, not -0.1",
        ),
        ("{metric: a, max_rise: -1, against: run}", ".max_rise: must be at least 0.0, not -1"),
        (
            "{metric: a, at_least: 0.5, at_most: 0.25}",
            ".at_most: must not be less than 'at_least', which is 0.5, not 0.25",
        ),
        (
            "{metric: a, max_drop: 1}",
            ": key 'against' is missing; 'max_drop' or 'max_rise' needs it: 'baseline' or 'run'",
        ),
        (
            "{metric: a, max_drop: 1, againts: run}",
            ".againts: unknown key 'againts'; did you mean 'against'?",
        ),
        (
            "{metric: a, at_least: 1, against: run}",
            ".against: needs 'max_drop' or 'max_rise', the change that is allowed",
        ),
        (
            "{metric: a, max_drop: 1, against: baselin}",
            ".against: expected one of baseline, run, not the text 'baselin'; did you mean",
        ),
        (
            "{metric: a, at_least: 1, relative: true}",
            ".relative: is said of 'max_drop' or 'max_rise', and neither is given",
        ),
        ("{metric: a, at_least: 1, slice: {}}", ".slice: must not be empty"),
        ("{metric: a, at_least: 1, slice: DE}", ".slice: expected a mapping, not the text 'DE'"),
        (
            "{metric: a, at_least: 1, slice: {c: [DE]}}",
            ".slice.c: expected text, a finite number, true, false or null, not a list",
        ),
        (
            "{metric: a, at_least: 1, slice: {c: 1}, slices: [c]}",
            ".slices: give 'slice' or 'slices', not both",
        ),
        ("{metric: a, at_least: 1, slices: []}", ".slices: must not be empty"),
        ("{metric: a, at_least: 1, slices: c}", ".slices: expected a list, not the text 'c'"),
        (
            "{metric: a, at_least: 1, slices: [c, d, c]}",
            ".slices[2]: 'c' is given twice (first as [0]); keep one",
        ),
        ("{metric: a, at_least: 1, min_examples: -1}", ".min_examples: must be at least 0, not -1"),
        (
            "{metric: a, at_least: 1, decide_by: best}",
            ".decide_by: expected one of value, worst_end, best_end, not the text 'best'; did you",
        ),
        (
            "{metric: a, at_least: 1, severity: warning}",
            ".severity: expected one of error, warn, not the text 'warning'; did you mean 'warn'?",
        ),
        (
            "{metric: a, at_least: 1, undecided: warn}",
            ".undecided: expected one of fail, pass, not the text 'warn'",
        ),
    ],
)
def test_a_gate_that_is_wrong_is_told(gate: str, problem: str) -> None:
    (line,) = told(f"gates: [{gate}]")
    assert line.startswith(f"gates[0]{problem}")


def test_all_that_is_wrong_is_told_at_once_with_its_place() -> None:
    text = "gates:\n  - {metric: a, at_least: 2, at_most: 1, relative: true, slices: []}\n  - 3\n"
    with pytest.raises(ConfigError) as caught:
        gates_of(text)
    assert [(p.line, p.column, p.path) for p in caught.value.problems] == [
        (4, 30, ("gates", 0, "at_most")),
        (4, 42, ("gates", 0, "relative")),
        (4, 58, ("gates", 0, "slices")),
        (5, 5, ("gates", 1)),
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("at_least: 1", "at_least: 1.0"),
        ("at_least: 1, slices: [c, d]", "slices: [d, c], at_least: 1, severity: error"),
        ("at_least: 1, slice: {c: 1, d: x}", "at_least: 1, slice: {d: x, c: 1.0}"),
    ],
)
def test_the_same_gate_twice_is_refused(first: str, second: str) -> None:
    (line,) = told(f"gates: [{{metric: a, {first}}}, {{metric: a, {second}}}]")
    assert line == "gates[1]: this gate is given twice (first as [0]); keep one"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("at_least: 1", "at_least: 1, severity: warn"),
        ("at_least: 1", "at_most: 1"),
        ("at_least: 1, slice: {c: 1}", "at_least: 1, slice: {c: '1'}"),
        ("at_least: 1, slice: {c: 1}", "at_least: 1, slice: {c: true}"),
        ("at_least: 1, slice: {c: 1}", "at_least: 1, slices: [c]"),
    ],
)
def test_gates_that_differ_are_two(first: str, second: str) -> None:
    assert len(gates_of(f"gates: [{{metric: a, {first}}}, {{metric: a, {second}}}]")) == 2


def test_more_gates_than_are_allowed_are_refused() -> None:
    gates = ", ".join(f"{{metric: a, at_least: {number}}}" for number in range(1001))
    assert told(f"gates: [{gates}]") == ["gates: at most 1,000 are allowed, not 1,001"]


values = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | columns
limits = st.floats(allow_nan=False, allow_infinity=False)
about = st.sampled_from(["all", "slice", "slices"])


@st.composite
def gates(draw: st.DrawFn) -> dict[str, Any]:
    """A gate that is right."""
    gate = draw(
        st.fixed_dictionaries(
            {"metric": columns},
            optional={
                "head": columns,
                "unweighted": st.booleans(),
                "decide_by": st.sampled_from(["value", "worst_end", "best_end"]),
                "min_examples": st.integers(0, 1 << 40),
                "severity": st.sampled_from(["error", "warn"]),
                "undecided": st.none() | st.sampled_from(["fail", "pass"]),
            },
        )
    )
    chosen = draw(st.sets(st.sampled_from(["at_least", "at_most", *CHANGES]), min_size=1))
    for key in chosen:
        gate[key] = abs(draw(limits)) if key in CHANGES else draw(limits)
    if {"at_least", "at_most"} <= chosen:
        gate["at_least"], gate["at_most"] = sorted([gate["at_least"], gate["at_most"]])
    if chosen.intersection(CHANGES):
        gate["against"] = draw(st.sampled_from(["baseline", "run"]))
        gate["relative"] = draw(st.booleans())
    where = draw(about)
    if where == "slice":
        gate["slice"] = draw(st.dictionaries(columns, values, min_size=1, max_size=3))
    if where == "slices":
        gate["slices"] = draw(st.lists(columns, min_size=1, max_size=3, unique=True))
    return gate


@law
@given(gates())
def test_a_gate_that_is_written_and_read_again_is_the_same(data: dict[str, Any]) -> None:
    (gate,) = gates_of(f"gates: {json.dumps([data], ensure_ascii=False)}")
    written = gate.to_dict()
    assert {key: written.get(key, Gate.model_fields[key].default) for key in data} == data
    (again,) = gates_of(f"gates: {json.dumps([written], ensure_ascii=False)}")
    assert again == gate
    assert again.identity == gate.identity
    whole = Config.model_validate(parse_config(BINARY, "c.yaml").to_dict() | {"gates": [written]})
    assert whole.gates == (gate,)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "gates.yaml"


def test_a_file_of_gates_is_a_mapping_or_the_list_alone(file: Path) -> None:
    file.write_text(FORMS)
    mapping = load_gates(file)
    file.write_text(FORMS.removeprefix("gates:\n"))
    assert load_gates(file) == mapping == gates_of(FORMS)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: key 'gates' is missing. The gates."),
        ("3", "1:1: expected a mapping, not the number 3"),
        ("gates: []", "1:1: gates: must not be empty"),
        ("[]", "1:1: gates: must not be empty"),
        ("gate: []", "1:1: gate: unknown key 'gate'; did you mean 'gates'?"),
        ("gates: [{metric: a, at_least: 1}]\nheads: {}", "2:1: heads: unknown key 'heads'; the"),
        ("- {metric: a, at_most: x}", "1:15: gates[0].at_most: expected a number, not the text"),
        ("- {metric: a}\n- {metric: a}", "1:3: gates[0]: a limit is missing; give 'at_least',"),
        ("- {metric: a, at_least: 1, at_least: 2}", "1:28: gates[0].at_least: "),
    ],
)
def test_what_is_wrong_with_a_file_of_gates_has_its_place(
    file: Path, text: str, problem: str
) -> None:
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_gates(file)
    assert str(caught.value).startswith(f"{file}:{problem}")


def test_a_file_of_gates_that_cannot_be_read_is_named(file: Path) -> None:
    with pytest.raises(ConfigError, match=r"gates\.yaml: cannot be read: No such file"):
        load_gates(file)
