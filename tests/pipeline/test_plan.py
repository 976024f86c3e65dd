"""The plan: what a configuration asks for, derived once and the same everywhere."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from heads.statistics import OVERALL, ConfusionMatrix, Key, LossSums, Scored, Segments, merge, same
from pipeline.config import parse_config
from pipeline.config.problems import ConfigError
from pipeline.plan import PARTITIONS, Plan, StateKey, make_plan, partition_of, split
from tests.pipeline.tables import plan_of

ALL = """
where: [{column: split, values: [test]}]
slices: [{column: b}, {column: a}]
heads:
  one: {type: binary, logits: s, label: y, weight: w, thresholds: [0.25, 0.5]}
  two: {type: contrib_binary, probability: p, label: {column: y, vocabulary: [n, p], positive: n}}
  three: {type: multi_class, n_classes: 3, logits: t, label: z}
  four:
    type: multi_label
    n_classes: 3
    probability: u
    label: {column: v, form: names, vocabulary: [r, g, b]}
    class_metrics: [g, 2]
"""


def test_columns_are_read_once_and_slices_keep_their_order() -> None:
    plan = plan_of(ALL)
    assert plan.columns == ("a", "b", "p", "s", "split", "t", "u", "v", "w", "y", "z")
    assert plan.slice_columns == ("b", "a")


def test_scopes() -> None:
    scopes = {name: head.scope for name, head in plan_of(ALL).heads.items()}
    assert [scope.head for scope in scopes.values()] == [
        "binary",
        "contrib_binary",
        "multi_class",
        "multi_label",
    ]
    assert [scope.space.kind for scope in scopes.values()] == [
        "logits",
        "probabilities",
        "logits",
        "probabilities",
    ]
    assert [scope.weighted for scope in scopes.values()] == [True, False, False, False]
    assert [scope.columns for scope in scopes.values()] == [1, 1, 3, 3]
    assert scopes["one"].class_names == ("0", "1")
    # The positive class is the last of two, whatever it is called.
    assert scopes["two"].class_names == ("p", "n")
    assert scopes["three"].class_names == ("0", "1", "2")
    assert scopes["four"].class_names == ("r", "g", "b")
    assert (scopes["four"].named_classes, scopes["four"].class_suffixes) == ((1, 2), ("g", "b"))
    assert scopes["one"].thresholds == (0.25, 0.5)


def test_suffixes_of_classes_without_names() -> None:
    keys = "type: multi_label, n_classes: 2, logits: s, label: {column: y, form: ids}"
    scope = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"].scope
    assert scope.class_suffixes == ("class0", "class1")


def test_a_statistic_is_measured_once() -> None:
    for head in plan_of(ALL).heads.values():
        assert len(set(head.statistics)) == len(head.statistics)
        assert {metric.statistic for metric in head.metrics.values()} <= set(head.statistics)
        assert [name for name, metric in head.metrics.items()] == [
            metric.name for metric in head.metrics.values()
        ]
        # The examples of every slice are counted, whatever metrics are asked for.
        assert any(isinstance(one, LossSums) for one in head.statistics)


def test_metrics_can_be_chosen() -> None:
    keys = "type: binary, logits: s, label: y"
    plan = plan_of(f"heads: {{h: {{{keys}, metrics: [recall, auc]}}}}")
    assert set(plan.heads["h"].metrics) == {"recall", "auc"}
    assert len(plan.heads["h"].statistics) == 2
    many = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"]
    assert {"accuracy", "auc", "roc_auc", "roc_auc_lower", "brier_score"} <= set(many.metrics)
    assert len(many.statistics) > 2


def test_a_multi_class_head_has_its_confusion_matrix_whatever_is_asked_for() -> None:
    keys = "type: multi_class, n_classes: 3, logits: s, label: y, metrics: [average_loss]"
    statistics = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"].statistics
    assert any(isinstance(one, ConfusionMatrix) for one in statistics)


def test_every_unknown_metric_is_told_with_the_nearest_name() -> None:
    text = """
heads:
  a: {type: binary, logits: s, label: y, metrics: [accuracy, recal]}
  b: {type: multi_class, n_classes: 3, logits: s, label: y, metrics: [zzzzzzzzzz]}
"""
    with pytest.raises(ConfigError) as caught:
        make_plan(parse_config(text, "c.yaml"), "c.yaml")
    first, second = str(caught.value).split("\n")
    assert first == (
        "c.yaml: heads.a.metrics[1]: a binary head has no metric 'recal'; did you mean 'recall'?"
    )
    assert second.startswith(
        "c.yaml: heads.b.metrics[0]: a multi_class head has no metric 'zzzzzzzzzz'; it has: "
    )
    assert "average_loss" in second


def test_a_plan_survives_pickling() -> None:
    plan = plan_of(ALL)
    again: Plan = pickle.loads(pickle.dumps(plan))
    assert again == plan
    assert again.heads["four"].statistics == plan.heads["four"].statistics


def test_partitions_are_the_same_on_every_machine() -> None:
    assert partition_of(OVERALL) == 0
    # CRC-32 of the canonical text, recorded once.
    assert partition_of((("country", "string", "CH"),)) == 140
    keys: list[Key] = [(("c", "int", i),) for i in range(20_000)]
    numbers = np.array([partition_of(key) for key in keys])
    assert numbers.min() == 1
    assert numbers.max() == PARTITIONS
    assert np.bincount(numbers, minlength=PARTITIONS + 1)[1:].min() > 0


def test_a_state_is_split_without_loss() -> None:
    keys: list[Key] = [OVERALL, *((("c", "int", i),) for i in range(40))]
    index = np.arange(200) % len(keys)
    ones = np.ones((200, 1))
    scored = Scored(ones, ones, ones, np.arange(200.0))
    state = LossSums().measure(scored, Segments(index, keys))
    parts = split(StateKey("h", 3), state)
    assert len({key for key, _ in parts}) == len(parts)
    for key, part in parts:
        assert (key.head, key.statistic) == ("h", 3)
        assert {partition_of(segment) for segment in part.keys} == {key.partition}
    assert same(merge([part for _, part in parts]), state)
    assert split(StateKey("h", 3), LossSums().zero()) == []


def test_the_name_of_a_state() -> None:
    assert str(StateKey("h", 3, 17)) == "h/3/17"
    assert StateKey("h", 3).partition == 0
