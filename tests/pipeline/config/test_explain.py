"""What is wrong with a configuration is told: every rule, all at once, in plain words."""

import json
import pickle
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.config.load import load_config, parse_config
from pipeline.errors.problems import ConfigError, Problem
from tests.pipeline.config.configurations import (
    BINARY,
    IDS,
    TYPES,
    binary,
    configs,
    law,
    multi_class,
    multi_label,
    regression,
)


def problems_of(text: str) -> tuple[Problem, ...]:
    """Return what is wrong with a text, if anything is."""
    try:
        parse_config(text, "c.yaml")
    except ConfigError as error:
        return error.problems
    return ()


def told(text: str) -> list[str]:
    """Return what is wrong with a text, a line a problem, without the name of the file."""
    return [str(problem).removeprefix("c.yaml:") for problem in problems_of(text)]


# One line of text and one problem each; the place is tested further down.
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        # The root, its keys, and heads by name.
        ("", "key 'heads' is missing. One or more heads"),
        ("[1]", "expected a mapping, not a list"),
        ("text", "expected a mapping, not the text 'text'"),
        ("heads:", "heads: expected a mapping, not null"),
        (
            "heads: [a]",
            "heads: expected a mapping, not a list; give each item a name, `name: item`",
        ),
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
        (BINARY + "input: 3", "input: expected a list, not the number 3; write [3]"),
        (BINARY + "input: [a, '']", "input[1]: must not be empty"),
        (BINARY + "input: [a, a]", "input[1]: 'a' is given twice (first as [0]); keep one"),
        (BINARY + "output: [a]", "output: expected text, not a list"),
        # Rows and slices.
        (BINARY + "where: {column: a}", "where: expected a list, not a mapping; write [{...}]"),
        (BINARY + "slices: 'a b'", "slices: expected a list, not the text 'a b'"),
        (BINARY + "slices: a", "slices: expected a list, not the text 'a'; write [a]"),
        (BINARY + "level: 0.9", "level: unknown key 'level'; it is a key of 'confidence'"),
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
        (
            BINARY + "slices: [3]",
            "slices[0]: expected a column or a mapping with 'column', not the",
        ),
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
        (
            multi_class("n_classes: 2, label: y"),
            "n_classes: must be greater than 2, not 2; two classes are for type: binary",
        ),
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
            multi_class("n_classes: 3, label: y, class_metrics: [3]"),
            "heads.h.class_metrics[0]: there is no class 3; ids go from 0 to 2",
        ),
        (
            multi_class("n_classes: 4, label: y, top_k: [2, 4]"),
            "heads.h.top_k[1]: expected a number from 2 to 3",
        ),
        (
            "heads: {h: {type: multi_label, logits: s, n_classes: 4, top_k: [1, 4],"
            " label: {column: y, form: ids}}}",
            "heads.h.top_k[1]: expected a number from 1 to 3",
        ),
        (multi_class("n_classes: 4, label: y, top_k: 2"), "heads.h.top_k: expected a list, not"),
        (
            binary("logits: s, label: y, baseline: {}"),
            "heads.h.baseline: key 'logits' or 'probability' is missing; give one",
        ),
        (
            binary("logits: s, label: y, baseline: {logits: a, probability: b}"),
            "heads.h.baseline.probability: give 'logits' or 'probability', not both",
        ),
        (
            binary("logits: s, label: y, at: {recall: [1.5]}"),
            "heads.h.at.recall[0]: must be at most 1.0, not 1.5",
        ),
        (
            binary("logits: s, label: y, at: {recal: [0.5]}"),
            "heads.h.at.recal: unknown key 'recal'; did you mean 'recall'?",
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
            binary("logits: s, label: y, thresholds: [0.12345678, 0.12345678]"),
            "heads.h.thresholds[1]: 0.12345678 is given twice (first as [0]); keep one",
        ),
        (
            binary("logits: s, label: y, logit_thresholds: [-1.5, 0, -0.0]"),
            "heads.h.logit_thresholds[2]: 0 is given twice (first as [1]); keep one",
        ),
        (
            binary("logits: s, label: y, logit_thresholds: [.inf]"),
            "heads.h.logit_thresholds[0]: expected a finite number, not inf",
        ),
        (
            binary("logits: s, label: y, at: {recall: [1, 0, 1.0]}"),
            "heads.h.at.recall[2]: 1 is given twice (first as [0]); keep one",
        ),
        (
            binary("logits: s, label: y, at: {false_positive_rate: [-0.1]}"),
            "heads.h.at.false_positive_rate[0]: must be at least 0.0, not -0.1",
        ),
        (
            multi_class("n_classes: 3, label: y, logit_thresholds: [0.5]"),
            "heads.h.logit_thresholds: unknown key 'logit_thresholds'; did you mean 'thresholds'?",
        ),
        (regression("label: y"), "heads.h: key 'prediction' or 'logits' is missing; give one"),
        (
            regression("label: y, logits: s, prediction: p"),
            "heads.h.prediction: give 'prediction' or 'logits', not both",
        ),
        (
            regression("label: y, logits: s, lower: l"),
            "heads.h: key 'upper' is missing: an interval has both ends",
        ),
        (
            regression("label: y, logits: s, upper: u"),
            "heads.h: key 'lower' is missing: an interval has both ends",
        ),
        (
            regression("label: y, logits: s, baseline: {logits: t, upper: u}"),
            "heads.h.baseline: key 'lower' is missing: an interval has both ends",
        ),
        (
            regression("label: y, logits: s, error_quantiles: [0.5, 1]"),
            "heads.h.error_quantiles[1]: must be less than 1, not 1",
        ),
        (
            regression("label: y, logits: s, pinball_quantiles: [0.5, 0.50]"),
            "heads.h.pinball_quantiles[1]: 0.5 is given twice (first as [0]); keep one",
        ),
        (binary("logits: s, label: y, treshold: [0.5]"), "treshold: unknown key 'treshold'; did y"),
        (
            multi_class("n_classes: 3, label: y, at: {recall: [0.5]}"),
            "heads.h.at: unknown key 'at'; the keys here are type, n_classes",
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
        "3:21: where[0].values: expected a list, not the text 'test'; write [test]",
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
    assert len(line) < 600
    assert line.isprintable()


def test_files_that_cannot_be_read_are_configuration_errors(tmp_path: Path) -> None:
    missing = tmp_path / "missing.yaml"
    with pytest.raises(ConfigError, match=re.escape(f"{missing}: cannot be read: No such file")):
        load_config(missing)
    with pytest.raises(ConfigError, match="is a directory; the configuration is a YAML file"):
        load_config(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (2 << 20))
    with pytest.raises(ConfigError, match="larger than 1,048,576 bytes"):
        load_config(str(large))


def places(data: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    if isinstance(data, dict | list):
        for step, value in data.items() if isinstance(data, dict) else enumerate(data):
            yield from places(value, (*path, step))


JARGON = re.compile(
    r"pydantic|https?:|[Ii]nputs? |union|valid |tag|<class|Error|function|tuple|\bdict"
)

odd = st.one_of(
    st.sampled_from([None, True, 0, -1, 2, 0.5, 1e300, 10**18, float("inf")]),
    st.sampled_from(["", "x", "\x1b\n", "names", "binary", "multi_class"]),
    st.sampled_from([[], [[]], ["x", "x"], [0.5, 0.5], [None], [{"column": "x"}] * 2]),
    st.sampled_from([{}, {"x": 1}, {"column": 3, "index": "a"}, {"type": "binary"}, {"type": "x"}]),
)


@pytest.mark.slow
@law
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
    lines = [str(problem) for problem in problems_of(text)]
    assert len(set(lines)) == len(lines)
    for problem in problems_of(text):
        assert problem.line is not None
        assert str(problem).isprintable()
        assert not JARGON.search(problem.message)
