"""Problem statements as heads, and what a configuration adds to them."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import problem_statement_pb2 as proto

from pipeline.config.heads import BinaryHeadConfig, MultiClassHeadConfig, MultiLabelHeadConfig
from pipeline.config.load import parse_config
from pipeline.config.problem_statement import heads_from, merge_heads
from pipeline.errors.problems import ConfigError


def settings_of(kind: str, fields: str = "label: 'y'", name: str = "t") -> dict[str, Any]:
    heads = heads_from(f"tasks {{ name: {name!r} type {{ {kind} {{ {fields} }} }} }}")
    (head,) = heads.values()
    return head


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("binary_classification", "", {"type": "binary"}),
        ("binary_classification", "example_weight: 'w'", {"type": "binary", "weight": "w"}),
        ("multi_class_classification", "n_classes: 5", {"type": "multi_class", "n_classes": 5}),
        ("multi_class_classification", "n_classes: 2", {"type": "binary"}),
        ("multi_class_classification", "dynamic_class_spec {}", {"type": "multi_class"}),
        (
            "multi_label_classification",
            "n_classes: 2 example_weight: 'w'",
            {"type": "multi_label", "n_classes": 2, "weight": "w"},
        ),
        (
            "top_k_classification",
            "n_classes: 9 n_predicted_labels: 3",
            {"type": "multi_class", "n_classes": 9, "top_k": [3]},
        ),
        (
            "top_k_classification",
            "n_classes: 9 n_predicted_labels: 1",
            {"type": "multi_class", "n_classes": 9},
        ),
    ],
)
def test_a_task_is_a_head(kind: str, fields: str, expected: dict[str, Any]) -> None:
    label = {"label": {"column": "y"}}
    assert settings_of(kind, f"label: 'y' {fields}") == expected | label
    assert settings_of(kind, f"label_path {{ step: 'y' }} {fields}") == expected | label


def test_the_positive_class_is_of_the_label() -> None:
    spec = "positive_negative_spec {{ {} }}"
    positive = "positive_class_value { string_value: 'yes' }"
    negative = "negative_class_value { string_value: 'no' }"

    def label(*values: str) -> Any:
        fields = "label: 'y' " + spec.format(" ".join(values))
        return settings_of("binary_classification", fields)["label"]

    assert label(positive, negative) == {
        "column": "y",
        "vocabulary": ["no", "yes"],
        "positive": "yes",
    }
    assert label(positive) == {"column": "y", "positive": "yes"}
    with pytest.raises(ValueError, match=r"negative class 'no' alone.*'positive_class_value'"):
        label(negative)


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ("weight: 'w'", "regression"),
        ("counts {} weight: 'w'", "poisson"),
        ("probability {} weight: 'w'", "logistic_regression"),
    ],
)
def test_a_number_may_be_a_count_or_a_probability(fields: str, kind: str) -> None:
    settings = settings_of("one_dimensional_regression", f"label: 'y' {fields}")
    assert settings == {"type": kind, "label": {"column": "y"}, "weight": "w"}


@pytest.mark.parametrize(
    ("task", "head"),
    [
        ("", "head"),
        ("click", "click"),
        ("Click-Through Rate", "click_through_rate"),
        ("7day", "head_7day"),
        ("_x", "head__x"),
        ("über", "head__ber"),
        ("x" * 80, "x" * 64),
    ],
)
def test_names_become_names_of_heads(task: str, head: str) -> None:
    text = f"tasks {{ name: {task!r} type {{ binary_classification {{ label: 'y' }} }} }}"
    assert list(heads_from(text)) == [head]
    assert parse_config(yaml.safe_dump({"heads": {head: {**BINARY, "logits": "s"}}}), "c").heads


BINARY = {"type": "binary", "label": {"column": "y"}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tasks {\n nom: 'a' }", "^line 2: not the text of a ProblemStatement"),
        ("", "no tasks"),
        ("tasks { name: 'a' }", "'a' has no type; heads are for: binary_classification, one_"),
        ("tasks { type { text_generation { targets: 'y' } } }", "'text_generation'.*heads are for"),
        ("tasks { name: 'a' type { binary_classification {} } }", "'a' has no label"),
        (
            "tasks { type { binary_classification { label_path { step: 'a' step: 'b' } } } }",
            "path 'a/b'",
        ),
        (
            "tasks { name: 'A b' type { binary_classification { label: 'y' } } }"
            "tasks { name: 'a-b' type { binary_classification { label: 'z' } } }",
            "'A b' and 'a-b' are both the head 'a_b'",
        ),
    ],
)
def test_what_no_head_can_be_made_of_is_an_error(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        heads_from(text)


TWO = """
tasks { name: "click" type { binary_classification {
  label: "clicked" example_weight: "w"
  positive_negative_spec {
    positive_class_value { string_value: "yes" } negative_class_value { string_value: "no" } } } } }
tasks { name: "topic" type { multi_class_classification { label: "t" n_classes: 4 } } }
tasks { name: "tags" type { multi_label_classification { label: "g" n_classes: 3 } } }
"""


def test_a_statement_and_scores_are_a_configuration() -> None:
    given = {
        "click": {"probability": "p", "thresholds": [0.3], "label": "clicked"},
        "topic": {"logits": "l", "n_classes": 4, "label": {"vocabulary": list("abcd")}},
        "tags": {"logits": "m", "label": {"form": "ids"}},
        "other": {"type": "binary", "logits": "o", "label": "z"},
    }
    merged = merge_heads(heads_from(TWO), given)
    assert list(merged) == ["click", "topic", "tags", "other"]
    heads = parse_config(yaml.safe_dump({"heads": merged}), "c.yaml").heads
    click, topic, tags = heads["click"], heads["topic"], heads["tags"]
    assert isinstance(click, BinaryHeadConfig)
    assert (click.label.column, click.label.vocabulary) == ("clicked", ("no", "yes"))
    assert (click.label.positive, click.weight, click.thresholds) == ("yes", "w", (0.3,))
    assert isinstance(topic, MultiClassHeadConfig)
    assert (topic.n_classes, topic.label.vocabulary) == (4, tuple("abcd"))
    assert isinstance(tags, MultiLabelHeadConfig)
    assert (tags.n_classes, tags.label.form, tags.label.column) == (3, "ids", "g")


def test_contradictions_name_both_and_are_told_at_once() -> None:
    given = {
        "click": {"type": "multi_class", "weight": None, "label": {"positive": "no"}},
        "topic": {"n_classes": 5, "label": "u"},
        "tags": {"n_classes": True, "label": ["g"]},
    }
    with pytest.raises(ConfigError) as error:
        merge_heads(heads_from(TWO), given, "c.yaml")
    said = "the problem statement"
    assert sorted(map(str, error.value.problems)) == sorted(
        f"c.yaml: heads.{place}: the configuration says {shown}, and {said} {stated}; keep one"
        for place, shown, stated in [
            ("click.type", "the text 'multi_class'", "the text 'binary'"),
            ("click.weight", "null", "the text 'w'"),
            ("click.label.positive", "the text 'no'", "the text 'yes'"),
            ("topic.n_classes", "the number 5", "the number 4"),
            ("topic.label.column", "the text 'u'", "the text 't'"),
            ("tags.n_classes", "true", "the number 3"),
            ("tags.label", "[g]", "a mapping"),
        ]
    )


def test_lists_are_compared_as_they_are() -> None:
    words = {"click": {"label": {"vocabulary": ["yes", "no"]}}}
    with pytest.raises(
        ConfigError, match=r"says \[yes, no\], and the problem statement \[no, yes\]"
    ):
        merge_heads(heads_from(TWO), words)
    words["click"]["label"]["vocabulary"].reverse()
    assert merge_heads(heads_from(TWO), words) == heads_from(TWO)


def test_a_head_of_no_task_needs_a_type() -> None:
    with pytest.raises(
        ConfigError, match=r"heads\.clik: it is no task.*'click', 'topic', 'tags'.*mean 'click'"
    ):
        merge_heads(heads_from(TWO), {"clik": {"logits": "s"}})
    # What is of another kind is for the check of the configuration to refuse.
    assert merge_heads(heads_from(TWO), {"click": None})["click"] is None
    merged = merge_heads(heads_from(TWO), {"topic": {"n_classes": 4.0}})["topic"]["n_classes"]
    assert isinstance(merged, float)


def test_merging_changes_neither_side() -> None:
    stated, given = heads_from(TWO), {"topic": {"label": {"vocabulary": ["a"]}}}
    merge_heads(stated, given)
    assert stated == heads_from(TWO)
    assert given == {"topic": {"label": {"vocabulary": ["a"]}}}


def test_a_statement_written_by_the_package_is_read() -> None:
    statement = proto.ProblemStatement()
    task = statement.tasks.add(name="x")
    task.type.multi_label_classification.label = "y"
    task.type.multi_label_classification.n_classes = 7
    text = text_format.MessageToString(statement)
    assert heads_from(text) == {
        "x": {"type": "multi_label", "label": {"column": "y"}, "n_classes": 7}
    }
