"""The configuration: every rule and its error, the normal form, the schema, the page, configs/."""

import json
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipeline.config import Config, config_schema, load_config, parse_config
from pipeline.config_docs import config_page
from pipeline.problems import ConfigError

ROOT = Path(__file__).parents[2]
READY = sorted((ROOT / "configs").glob("*.yaml"))
PAGE = ROOT / "docs" / "config.md"

BINARY = "heads:\n  h: {type: binary, logits: s, label: y}\n"


def told(text: str) -> list[str]:
    """Return what is wrong with a text, a line a problem, without the name of the file."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "c.yaml")
    return [line.removeprefix("c.yaml:") for line in str(caught.value).split("\n")]


def binary(keys: str) -> str:
    return f"heads: {{h: {{type: binary, {keys}}}}}"


def multi_class(keys: str) -> str:
    return f"heads: {{h: {{type: multi_class, logits: s, {keys}}}}}"


def multi_label(keys: str) -> str:
    return f"heads: {{h: {{type: multi_label, logits: s, n_classes: 3, {keys}}}}}"


IDS = "label: {column: y, form: ids}"
TYPES = "binary, multi_class, multi_label, contrib_binary"


# One line of text and one problem each; the place is tested further down.
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # The root, its keys, and heads by name.
        ("", "key 'heads' is missing. One or more heads"),
        ("[1]", "expected a mapping, not a list"),
        ("text", "expected a mapping, not the text 'text'"),
        ("heads:", "heads: expected a mapping, not null"),
        ("heads: [a]", "heads: expected a mapping, not a list"),
        ("heads: {}", "heads: must not be empty"),
        ("heads: {a: 3}", "heads.a: expected a mapping, not the number 3"),
        (BINARY.replace("h:", "Spam:"), "heads.Spam: 'Spam' cannot be a name: at most 64 of"),
        (BINARY.replace("h:", "1a:"), "heads.1a: '1a' cannot be a name"),
        (BINARY.replace("h:", f"{'a' * 65}:"), "cannot be a name"),
        (BINARY.replace("h:", '"a\\nb":'), r"heads.'a\nb': 'a\nb' cannot be a name"),
        (BINARY + "inptu: x", "inptu: unknown key 'inptu'; did you mean 'input'?"),
        (BINARY + "input: a\ninputs: b", "inputs: unknown key 'inputs'; did you mean 'input'?"),
        (BINARY + "seed: 3", "seed: unknown key 'seed'; the keys here are input, output, where"),
        (BINARY + "input: []", "input: must not be empty"),
        (BINARY + "input: 3", "input: expected a list, not the number 3"),
        (BINARY + "input: [a, '']", "input[1]: must not be empty"),
        (BINARY + "input: [a, a]", "input[1]: 'a' is given twice (first as [0]); keep one"),
        (BINARY + "output: [a]", "output: expected text, not a list"),
        # Rows and slices.
        (BINARY + "where: {column: a}", "where: expected a list, not a mapping"),
        (BINARY + "where: [{column: a}]", "where[0]: key 'values' is missing. The values to keep"),
        (BINARY + "where: [{column: a, values: b}]", "where[0].values: expected a list, not the"),
        (BINARY + "where: [{column: a, values: []}]", "where[0].values: must not be empty"),
        (
            BINARY + "where: [{column: a, values: [.nan]}]",
            "where[0].values[0]: expected text, a finite number, true, false or null, not the",
        ),
        (BINARY + "where: [{column: a, values: [1e999]}]", "where[0].values[0]: expected text, a"),
        (BINARY + "where: [{column: a, values: [[b]]}]", "where[0].values[0]: expected text, a"),
        (
            BINARY + "where: [{column: a, values: [1]}, {column: a, values: [2]}]",
            "where[1]: column 'a' is given twice (first as [0]); keep one",
        ),
        (BINARY + "slices: [a]", "slices[0]: expected a mapping, not the text 'a'"),
        (BINARY + "slices: [{colum: a}]", "slices[0].colum: unknown key 'colum'; did you mean"),
        (
            BINARY + "slices: [{column: a}, {column: b}, {column: a}]",
            "slices[2]: column 'a' is given twice (first as [0]); keep one",
        ),
        # The type of a head.
        ("heads: {h: {}}", f"heads.h: key 'type' is missing. It is one of {TYPES}"),
        ("heads: {h: {typ: binary}}", "heads.h.typ: unknown key 'typ'; did you mean 'type'?"),
        (
            "heads: {h: {type: multiclass}}",
            f"heads.h.type: expected one of {TYPES}, not the text 'multiclass'; "
            "did you mean 'multi_class'?",
        ),
        ("heads: {h: {type: null}}", f"heads.h.type: expected one of {TYPES}, not null"),
        ("heads: {h: {type: [a]}}", f"heads.h.type: expected one of {TYPES}, not a list"),
        # Scores.
        (binary("label: y"), "heads.h: key 'logits' or 'probability' is missing; give one"),
        (binary("label: y, logit: s"), "heads.h.logit: unknown key 'logit'; did you mean 'logits'"),
        (
            binary("label: y, logits: s, probability: p"),
            "heads.h.probability: give 'logits' or 'probability', not both",
        ),
        (
            binary("label: y, logits: 3"),
            "heads.h.logits: expected a column or a mapping with 'column', not the number 3",
        ),
        (binary("label: y, logits: ''"), "heads.h.logits: must not be empty"),
        (binary("label: y, logits: {index: 1}"), "heads.h.logits: key 'column' is missing."),
        (binary("label: y, logits: {column: s, index: -1}"), "index: must be at least 0, not -1"),
        (binary("label: y, logits: {column: s, index: true}"), "expected a whole number, not true"),
        (binary("label: y, logits: {column: s, index: 1.0}"), "expected a whole number, not the"),
        (
            multi_class("n_classes: 3, label: y").replace(" s,", " {column: s, index: 1},"),
            "heads.h.logits.index: unknown key 'index'; the keys here are column",
        ),
        # Labels.
        (binary("logits: s"), "heads.h: key 'label' is missing. Where the label is."),
        (binary("logits: s, lable: y"), "heads.h.lable: unknown key 'lable'; did you mean 'label'"),
        (
            binary("logits: s, label: {column: y, vocabulary: [a, b, c]}"),
            "heads.h.label.vocabulary: expected 2 words, not 3",
        ),
        (
            binary("logits: s, label: {column: y, vocabulary: [a, a]}"),
            "heads.h.label.vocabulary[1]: 'a' is given twice (first as [0]); keep one",
        ),
        (
            binary("logits: s, label: {column: y, vocabulary: [a, true]}"),
            "vocabulary[1]: expected text, not true; put it in quotes if it is text",
        ),
        (
            binary("logits: s, label: {column: y, vocabulary: [good, bad], positive: god}"),
            "heads.h.label.positive: 'god' is not in 'vocabulary'; did you mean 'good'?",
        ),
        (
            binary("logits: s, label: {column: y, positive: a}"),
            "heads.h.label.positive: needs 'vocabulary', the two words of the column",
        ),
        (
            binary("logits: s, label: {column: y, form: ids}"),
            "heads.h.label.form: unknown key 'form'; the keys here are column, vocabulary",
        ),
        (
            multi_class("n_classes: 3, label: {column: y, vocabulary: [a, b]}"),
            "heads.h.label.vocabulary: expected 3 words, one a class, not 2",
        ),
        (
            multi_class("n_classes: 3, label: {column: y, positive: a}"),
            "heads.h.label.positive: unknown key 'positive'; the keys here are column, vocabulary",
        ),
        (multi_label("label: y"), "heads.h.label: key 'form' is missing. What a list holds:"),
        (
            multi_label("label: {column: y, form: multihot}"),
            "heads.h.label.form: expected one of multi_hot, ids, names, not the text 'multihot'; "
            "did you mean 'multi_hot'?",
        ),
        (
            multi_label("label: {column: y, form: names}"),
            "heads.h.label: key 'vocabulary' is missing: the form 'names' needs the words",
        ),
        (
            multi_label("label: {column: y, form: names, vocabulary: [a, b]}"),
            "heads.h.label.vocabulary: expected 3 words, one a class, not 2",
        ),
        (
            multi_label("label: {column: y, form: ids, vocabulary: [a, b, c]}"),
            "heads.h.label.vocabulary: not for the form 'ids'; names for the report go into",
        ),
        (
            multi_label("label: {column: y, form: multi_hot, vocabulary: [a, b, c]}"),
            "heads.h.label.vocabulary: not for the form 'multi_hot'; names for the report go into",
        ),
        # Classes.
        (multi_class("label: y"), "heads.h: key 'n_classes' is missing. How many classes"),
        (multi_class("n_classes: 2, label: y"), "n_classes: must be greater than 2, not 2"),
        (multi_class("n_classes: 1000001, label: y"), "n_classes: must be at most 1000000, not"),
        (multi_class("n_classes: '3', label: y"), "n_classes: expected a whole number, not the te"),
        (multi_class("n_classes: true, label: y"), "n_classes: expected a whole number, not true"),
        (
            multi_label(IDS).replace("3", "1"),
            "heads.h.n_classes: must be greater than 1, not 1",
        ),
        (
            multi_class("n_classes: 3, label: y, class_names: [a, b]"),
            "heads.h.class_names: expected 3 names, one a class, not 2",
        ),
        (
            multi_class("n_classes: 3, label: y, class_names: [a, b, b]"),
            "heads.h.class_names[2]: 'b' is given twice (first as [1]); keep one",
        ),
        (
            multi_class("n_classes: 3, label: y, class_metrics: [0]"),
            "heads.h.class_metrics: unknown key 'class_metrics'; the keys here are type, n_classes",
        ),
        (multi_label(f"{IDS}, class_metrics: 1"), "class_metrics: expected a list, not the number"),
        (multi_label(f"{IDS}, class_metrics: [3]"), "there is no class 3; ids go from 0 to 2"),
        (multi_label(f"{IDS}, class_metrics: [-1]"), "there is no class -1; ids go from 0 to 2"),
        (multi_label(f"{IDS}, class_metrics: [true]"), "expected the id or name of a class, not t"),
        (
            multi_label(f"{IDS}, class_names: [old, ill, tall], class_metrics: [tal]"),
            "heads.h.class_metrics[0]: no class is named 'tal'; did you mean 'tall'?",
        ),
        (
            multi_label(f"{IDS}, class_names: [old, ill, tall], class_metrics: [1, ill]"),
            "heads.h.class_metrics[1]: class 1 is given twice (first as [0]); keep one",
        ),
        # A name is not judged while the names are wrong themselves: one slip, one problem.
        (
            multi_label(f"{IDS}, class_names: [old, ill], class_metrics: [tall]"),
            "heads.h.class_names: expected 3 names, one a class, not 2",
        ),
        # Weights, thresholds, metrics.
        (binary("logits: s, label: y, weight: 3"), "heads.h.weight: expected text, not the numb"),
        (binary("logits: s, label: y, thresholds: 0.5"), "thresholds: expected a list, not the"),
        (binary("logits: s, label: y, thresholds: [0]"), "thresholds[0]: must be greater than 0"),
        (binary("logits: s, label: y, thresholds: [1]"), "thresholds[0]: must be less than 1, not"),
        (binary("logits: s, label: y, thresholds: [.nan]"), "expected a finite number, not nan"),
        (binary("logits: s, label: y, thresholds: ['0.5']"), "expected a number, not the text"),
        (binary("logits: s, label: y, thresholds: [true]"), "expected a number, not true"),
        (binary("logits: s, label: y, thresholds: [0.5, 5e-1]"), "[1]: 0.5 is given twice"),
        (
            binary("logits: s, label: y, thresholds: [0.1234561, 0.1234562]"),
            "heads.h.thresholds[1]: 0.123456 is given twice (first as [0]); keep one",
        ),
        (binary("logits: s, label: y, treshold: [0.5]"), "treshold: unknown key 'treshold'; did y"),
        (
            multi_class("n_classes: 3, label: y, thresholds: [0.5]"),
            "heads.h.thresholds: unknown key 'thresholds'; the keys here are type, n_classes",
        ),
        (binary("logits: s, label: y, metrics: []"), "heads.h.metrics: must not be empty"),
        (binary("logits: s, label: y, metrics: [auc, auc]"), "metrics[1]: 'auc' is given twice"),
        # What the YAML loader refuses.
        (BINARY + "output: a\noutput: b", "output: key 'output' is given twice (first on line 3)"),
        (BINARY + "output: 'a", "the quotes opened here are never closed"),
    ],
)
def test_each_error_is_one_clear_line(text: str, problem: str) -> None:
    (line,) = told(text)
    assert problem in line


def test_all_problems_are_told_at_once_in_the_order_of_the_file() -> None:
    text = """\
input: [a.parquet, a.parquet]
where:
  - {column: split, values: test}
heads:
  cancer:
    type: binary
    logits: s
    lable: y
    thresholds: [0.5, 2, 0.5]
    thresholds: []
  Digits:
    type: multi_class
    n_classes: 3
    label: {column: y, vocabulary: [a, a]}
  other: {type: binry}
"""
    assert told(text) == [
        "1:20: input[1]: 'a.parquet' is given twice (first as [0]); keep one",
        "3:21: where[0].values: expected a list, not the text 'test'",
        "8:5: heads.cancer.lable: unknown key 'lable'; did you mean 'label'?",
        "9:23: heads.cancer.thresholds[1]: must be less than 1, not 2",
        "9:26: heads.cancer.thresholds[2]: 0.5 is given twice (first as [0]); keep one",
        "10:5: heads.cancer.thresholds: key 'thresholds' is given twice (first on line 9); "
        "keep one",
        "11:3: heads.Digits: 'Digits' cannot be a name: at most 64 of a-z, 0-9 and _, a letter "
        "first",
        "11:3: heads.Digits: key 'logits' or 'probability' is missing; give one",
        "14:24: heads.Digits.label.vocabulary: expected 3 words, one a class, not 2",
        "14:40: heads.Digits.label.vocabulary[1]: 'a' is given twice (first as [0]); keep one",
        f"15:11: heads.other.type: expected one of {TYPES}, not the text 'binry'; "
        "did you mean 'binary'?",
    ]


def test_an_error_carries_its_problems_and_survives_pickling() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config(BINARY + "inputs: x", "c.yaml")
    (problem,) = caught.value.problems
    assert (problem.source, problem.path) == ("c.yaml", ("inputs",))
    assert (problem.line, problem.column) == (3, 1)
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_long_and_odd_texts_stay_short_and_on_one_line() -> None:
    (line,) = told(BINARY + f'"{"x" * 500}\\n\\e[31m": 1')
    assert len(line) < 300
    assert line.isprintable()


def test_files_that_cannot_be_read_are_configuration_errors(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError, match=re.escape(f"{missing}: cannot be read: No such file")):
        load_config(missing)
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        load_config(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigError, match="larger than 1,048,576 bytes"):
        load_config(str(large))


def test_short_forms_are_expanded_and_defaults_filled() -> None:
    text = """\
input: a.parquet
slices: [{column: size}]
heads:
  cancer: {type: binary, logits: s, label: {column: d, vocabulary: [good, bad]}}
  digits: {type: multi_class, n_classes: 3, probability: p, label: y}
  tags: {type: multi_label, n_classes: 2, logits: s, label: {column: t, form: ids}}
"""
    assert parse_config(text, "c.yaml").to_dict() == {
        "input": ["a.parquet"],
        "output": None,
        "where": [],
        "slices": [{"column": "size"}],
        "heads": {
            "cancer": {
                "type": "binary",
                "logits": {"column": "s", "index": None},
                "probability": None,
                "label": {"column": "d", "vocabulary": ["good", "bad"], "positive": "bad"},
                "weight": None,
                "thresholds": [],
                "metrics": None,
            },
            "digits": {
                "type": "multi_class",
                "n_classes": 3,
                "logits": None,
                "probability": {"column": "p"},
                "label": {"column": "y", "vocabulary": None},
                "weight": None,
                "class_names": ["0", "1", "2"],
                "metrics": None,
            },
            "tags": {
                "type": "multi_label",
                "n_classes": 2,
                "logits": {"column": "s"},
                "probability": None,
                "label": {"column": "t", "form": "ids", "vocabulary": None},
                "weight": None,
                "thresholds": [],
                "class_names": ["0", "1"],
                "class_metrics": [0, 1],
                "metrics": None,
            },
        },
    }


def test_class_names_come_from_the_vocabulary_and_class_metrics_become_ids() -> None:
    label = "label: {column: y, form: names, vocabulary: [a, b, c]}"
    head: Any = parse_config(multi_label(f"{label}, class_metrics: [c, 0]"), "c.yaml").heads["h"]
    assert head.class_names == ("a", "b", "c")
    assert head.class_metrics == (2, 0)


@pytest.mark.parametrize(
    ("n_classes", "keys", "class_metrics"),
    [
        (50, "", tuple(range(50))),
        (51, "", ()),
        (50, ", class_metrics: []", ()),
        (51, ", class_metrics: ['50']", (50,)),
    ],
)
def test_up_to_fifty_classes_have_metrics_of_their_own(
    n_classes: int, keys: str, class_metrics: tuple[int, ...]
) -> None:
    text = multi_label(IDS + keys).replace("n_classes: 3", f"n_classes: {n_classes}")
    head: Any = parse_config(text, "c.yaml").heads["h"]
    assert head.class_metrics == class_metrics


def test_values_keep_their_types() -> None:
    text = BINARY + "where: [{column: a, values: [no, '1', 1, 1.0, true, null, 1e-3]}]"
    values = parse_config(text, "c.yaml").where[0].values
    assert [repr(value) for value in values] == ["'no'", "'1'", "1", "1.0", "True", "None", "0.001"]


def test_a_configuration_is_frozen_and_can_be_sent_to_workers() -> None:
    config: Any = load_config(READY[0])
    with pytest.raises(ValidationError):
        config.output = "elsewhere"
    assert pickle.loads(pickle.dumps(config)) == config


def test_columns_are_all_that_is_read() -> None:
    text = """\
where: [{column: split, values: [test]}]
slices: [{column: size}, {column: site}]
heads:
  a: {type: binary, logits: {column: s, index: 0}, label: {column: y}, weight: w}
  b: {type: multi_class, n_classes: 3, probability: p, label: y}
"""
    config = parse_config(text, "c.yaml")
    assert config.columns() == ("p", "s", "site", "size", "split", "w", "y")


# Laws over generated configurations.

names = st.text("abcdefg", min_size=1, max_size=4)
columns = names | st.sampled_from(["true", "1", "a.b", "größe", "two words"])


def words(count: int) -> st.SearchStrategy[list[str]]:
    return st.lists(columns, min_size=count, max_size=count, unique=True)


def maybe(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


@st.composite
def heads(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(TYPES.split(", ")))
    n_classes = draw(st.integers(3, 6))
    head: dict[str, Any] = {"type": kind}
    score = columns | st.fixed_dictionaries({"column": columns})
    head |= draw(maybe(weight=columns | st.none(), metrics=words(2)))
    if "multi" in kind:
        head |= {"n_classes": n_classes} | draw(maybe(class_names=words(n_classes)))
        vocabulary = draw(st.none() | words(n_classes))
    else:
        score |= st.fixed_dictionaries({"column": columns, "index": st.integers(0, 3)})
        vocabulary = draw(st.none() | words(2))
    head[draw(st.sampled_from(["logits", "probability"]))] = draw(score)
    label = {"column": draw(columns), "vocabulary": vocabulary}
    if kind == "multi_label":
        label["form"] = "names" if vocabulary else draw(st.sampled_from(["ids", "multi_hot"]))
        head |= draw(maybe(class_metrics=st.lists(st.integers(0, n_classes - 1), unique=True)))
    elif vocabulary and "binary" in kind:
        label["positive"] = draw(st.sampled_from([None, *vocabulary]))
    head["label"] = label
    if kind != "multi_class":
        thousandths = st.lists(st.integers(1, 999), unique=True, max_size=3)
        head["thresholds"] = [n / 1000 for n in draw(thousandths)]
    return head


values = st.lists(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | columns, min_size=1
)
configs = st.fixed_dictionaries(
    {"heads": st.dictionaries(names, heads(), min_size=1, max_size=3)},
    optional={
        "input": columns | words(2),
        "output": columns,
        "slices": words(2).map(lambda two: [{"column": name} for name in two]),
        "where": values.map(lambda some: [{"column": "split", "values": some}]),
    },
)


def parse(data: Any) -> Config:
    return parse_config(json.dumps(data, ensure_ascii=False, indent=1), "c.yaml")


@given(configs)
def test_the_normal_form_is_json_and_reads_as_the_same_configuration(data: Any) -> None:
    config = parse(data)
    normal = config.to_dict()
    assert json.dumps(normal, allow_nan=False) == json.dumps(parse(normal).to_dict())
    assert parse(normal) == config
    assert Config.model_validate(normal) == config


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(data, dict | list):
        for step, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from places(value, (*path, step))


JARGON = re.compile(
    r"pydantic|https?:|[Ii]nputs? |union|valid |tag|<class|Error|function|tuple|dict"
)

odd = st.one_of(
    st.sampled_from([None, True, 0, -1, 2, 0.5, 1e300, 10**18, float("inf")]),
    st.sampled_from(["", "x", "\x1b\n", "names", "binary", "multi_class"]),
    st.sampled_from([[], [[]], ["x", "x"], [0.5, 0.5], [None], [{"column": "x"}] * 2]),
    st.sampled_from([{}, {"x": 1}, {"column": 3, "index": "a"}, {"type": "binary"}, {"type": "x"}]),
)


@given(configs, st.data())
def test_whatever_is_broken_is_told_in_plain_words_with_its_place(data: Any, draws: Any) -> None:
    for _ in range(draws.draw(st.integers(1, 3))):
        if not data:
            break
        *parents, step = draws.draw(st.sampled_from([*places(data)][1:]))
        inner = data
        for parent in parents:
            inner = inner[parent]
        how = draws.draw(st.sampled_from(["replace", "rename", "drop"]))
        if how == "rename" and isinstance(inner, dict):
            inner[draws.draw(st.sampled_from([f"{step}s", step[1:], "x", "[key]", "type"]))] = (
                inner.pop(step)
            )
        elif how == "drop":
            del inner[step]
        else:
            inner[step] = deepcopy(draws.draw(odd))
    # JSON writes inf as Infinity, which is a text in YAML.
    text = json.dumps(data, indent=1).replace("Infinity", ".inf")
    try:
        parse_config(text, "c.yaml")
    except ConfigError as error:
        lines = str(error).split("\n")
        assert len(lines) == len(error.problems) == len(set(lines))
        for problem in error.problems:
            assert problem.line is not None
            assert str(problem).isprintable()
            assert not JARGON.search(problem.message)


# The schema, the page and the ready configurations.


def test_the_schema_describes_every_key_and_refuses_others() -> None:
    schema = config_schema()
    assert schema["title"] == "headcount configuration"
    for model in (schema, *schema["$defs"].values()):
        assert model["additionalProperties"] is False
        assert model["description"]
        assert all(key["description"] for key in model["properties"].values())
    head = schema["$defs"]["BinaryHead"]["properties"]
    assert {"type": "string", "minLength": 1} in head["logits"]["anyOf"]
    heads = schema["properties"]["heads"]
    assert heads["patternProperties"].keys() == {"^[a-z][a-z0-9_]{0,63}$"}
    assert heads["additionalProperties"] is False


def test_the_page_is_current() -> None:
    written = PAGE.read_text("utf-8")
    assert written == config_page(), "run: python -m pipeline.config_docs > docs/config.md"


def test_the_page_names_every_key() -> None:
    schema = config_schema()
    for model in (schema, *schema["$defs"].values()):
        for key in model["properties"]:
            assert f"| `{key}` |" in config_page()


EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_example_of_the_page_is_a_configuration(example: str) -> None:
    assert parse_config(example, "docs/config.md").heads


def test_the_examples_of_the_page_show_every_type_of_head() -> None:
    shown = {head.type for text in EXAMPLES for head in parse_config(text, "page").heads.values()}
    assert shown == set(TYPES.split(", "))


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_configurations_load(path: Path) -> None:
    config = load_config(path)
    assert config.output == f"out/{path.stem}"
    assert all(glob.startswith("configs/data/") for glob in config.input or ())
    assert parse(config.to_dict()) == config


@pytest.mark.parametrize("path", READY, ids=lambda path: path.stem)
def test_ready_configurations_say_what_they_choose(path: Path) -> None:
    lines = path.read_text("utf-8").splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.lstrip().startswith("#") for line in lines) >= 3


def test_there_is_a_ready_configuration_for_each_kind_of_run() -> None:
    assert [path.stem for path in READY] == [
        "binary",
        "binary_probability",
        "binary_tfrecord",
        "contrib_thresholds",
        "directory_columns",
        "multi_class",
        "multi_class_tfrecord",
        "multi_label",
        "multi_label_names",
        "two_heads",
    ]


def test_reading_a_configuration_loads_no_heavy_library() -> None:
    program = (
        "import sys; from pipeline.config import load_config; load_config(sys.argv[1]);"
        "print(sorted({'numpy', 'pyarrow', 'apache_beam', 'google'} & sys.modules.keys()))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program, str(READY[0])],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "[]\n"
