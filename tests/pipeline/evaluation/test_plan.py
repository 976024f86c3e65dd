"""The plan: what a configuration asks for, derived once and the same everywhere."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import OVERALL, ConfusionMatrix, Key
from pipeline.config.load import parse_config
from pipeline.errors.problems import ConfigError
from pipeline.evaluation import plan as plan_module
from pipeline.evaluation.head_plan import ModelStatistic, identity_statistic
from pipeline.evaluation.plan import PARTITION_BYTES, Plan, make_plan
from pipeline.slicing.table import SliceTable, SpecSlices
from tests.pipeline.tables import law, plan_of

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
    assert [spec.column for spec in plan.config.slices] == ["b", "a"]
    more = plan_of(
        "slices: [{columns: [c, b]}]\nconfidence: {key: id}\n"
        "heads: {h: {type: binary, logits: s, label: y, baseline: {probability: p}}}"
    )
    assert more.columns == ("b", "c", "id", "p", "s", "y")


def test_scopes() -> None:
    scopes = {name: head.context for name, head in plan_of(ALL).heads.items()}
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
    assert scopes["one"].class_names == ("class0", "class1")
    # The positive class is the last of two, whatever it is called.
    assert scopes["two"].class_names == ("p", "n")
    assert scopes["three"].class_names == ("class0", "class1", "class2")
    assert scopes["four"].class_names == ("r", "g", "b")
    assert (scopes["four"].named_classes, scopes["four"].class_suffixes) == ((1, 2), ("g", "b"))
    assert scopes["one"].thresholds == (0.25, 0.5)


def test_thresholds_and_highest_scores_of_several_classes() -> None:
    keys = "n_classes: 4, logits: s, top_k: [2], thresholds: [0.3, 0.6]"
    heads = f"""heads:
  one: {{type: multi_class, label: y, {keys}}}
  any: {{type: multi_label, label: {{column: y, form: ids}}, {keys}}}
"""
    names = {"f1/positive_threshold_0.3", "recall/positive_threshold_0.6", "precision/top_2"}
    for plan in plan_of(heads).heads.values():
        assert names <= set(plan.models[0].metrics)


def test_suffixes_of_classes_without_names() -> None:
    keys = "type: multi_label, n_classes: 2, logits: s, label: {column: y, form: ids}"
    scope = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"].context
    assert scope.class_suffixes == ("class0", "class1")


def test_a_statistic_is_measured_once() -> None:
    for head in plan_of(ALL).heads.values():
        assert len(set(head.measured)) == len(head.measured)
        (model,) = head.models
        for name, metric in model.metrics.items():
            assert name == metric.name
            assert ModelStatistic(0, metric.statistic) in head.measured
            assert metric.coarse is None or ModelStatistic(0, metric.coarse) in head.measured
        # The first counts the examples of every slice, whatever metrics are asked for.
        assert head.measured[0].statistic.coverage == "all"
        assert ModelStatistic(0, identity_statistic(20)) in head.measured


def test_metrics_can_be_chosen() -> None:
    keys = "type: binary, logits: s, label: y"
    plan = plan_of(f"heads: {{h: {{{keys}, metrics: [recall, auc]}}}}")
    assert set(plan.heads["h"].models[0].metrics) == {"recall", "auc"}
    assert len(plan.heads["h"].measured) == 3
    many = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"]
    names = set(many.models[0].metrics)
    assert {"accuracy", "auc", "roc_auc", "brier_score"} <= names
    assert len(many.measured) > 3


def test_without_intervals_nothing_is_kept_by_fold() -> None:
    plan = plan_of(ALL + "\nconfidence: {folds: 0}")
    assert plan.folds == 1
    for head in plan.heads.values():
        assert {entry.statistic.folds for entry in head.measured} == {1}
        assert {entry.statistic.coverage for entry in head.measured}.isdisjoint({"overall"})
    assert plan_of(ALL + "\nconfidence: {folds: 12}").folds == 12


def test_two_models_are_measured_and_compared() -> None:
    keys = "type: binary, logits: s, label: y, baseline: {probability: p}"
    head = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"]
    candidate, baseline = head.models
    assert (candidate.context.space.kind, baseline.context.space.kind) == (
        "logits",
        "probabilities",
    )
    assert candidate.context is head.context
    assert candidate.metrics.keys() == baseline.metrics.keys()
    assert {entry.model for entry in head.measured} == {0, 1}
    assert head.pairs
    assert head.pairs.keys().isdisjoint(candidate.metrics)
    for metric in head.pairs.values():
        assert ModelStatistic(0, metric.statistic) in head.measured
    name = next(iter(head.pairs))
    pair_head = plan_of(f"heads: {{h: {{{keys}, metrics: [{name}]}}}}").heads["h"]
    assert set(pair_head.pairs) == {name}
    assert not pair_head.models[0].metrics
    with pytest.raises(ConfigError, match=f"has no metric '{name}'"):
        plan_of(f"heads: {{h: {{type: binary, logits: s, label: y, metrics: [{name}]}}}}")


def test_a_multi_class_head_has_its_confusion_matrix_whatever_is_asked_for() -> None:
    keys = "type: multi_class, n_classes: 3, logits: s, label: y, metrics: [average_loss]"
    measured = plan_of(f"heads: {{h: {{{keys}}}}}").heads["h"].measured
    assert any(isinstance(entry.statistic, ConfusionMatrix) for entry in measured)


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
    assert again.heads["four"].measured == plan.heads["four"].measured


def table_of(keys: list[Key], largest: int, examples: int | None = 5) -> SliceTable:
    spec = SpecSlices(tuple(keys), (examples,) * len(keys))
    return SliceTable((spec,), frozenset(keys[:largest]))


def test_pieces_hold_slices_of_one_kind_and_about_so_many_bytes() -> None:
    plan = plan_of(ALL.replace("slices: [{column: b}, {column: a}]", "slices: [c]"))
    keys: list[Key] = [(("c", "int", i),) for i in range(3000)]
    table = table_of(keys, 200, None)
    found = plan.partitions(table)
    assert found[OVERALL] == 0
    assert found.keys() == {OVERALL, *keys}
    numbers = sorted(set(found.values()))
    assert numbers == list(range(len(numbers)))
    # Overall is in the first piece, with the largest slices.
    large = {found[key] for key in [OVERALL, *keys[:200]]}
    assert large.isdisjoint({found[key] for key in keys[200:]})
    for big in (True, False):
        size = max(max(head.slice_bytes(top_slice=big)) for head in plan.heads.values())
        chosen = [OVERALL, *keys[:200]] if big else keys[200:]
        together = np.bincount([found[key] for key in chosen]).max()
        assert together * size <= max(PARTITION_BYTES, size)
    # Small slices are kept in fewer bytes, and more of them share a piece.
    assert len(large) / 200 > (len(numbers) - len(large)) / 2800


@pytest.mark.parametrize("rows", [1, 5, 100, 10**9])
def test_more_slices_share_a_piece_where_their_rows_are_few(rows: int) -> None:
    plan = plan_of(ALL.replace("slices: [{column: b}, {column: a}]", "slices: [c]"))
    keys: list[Key] = [(("c", "int", i),) for i in range(3000)]
    uncounted = plan.partitions(table_of(keys, 200, None))
    found = plan.partitions(table_of(keys, 200, rows))
    if rows == 10**9:
        assert found == uncounted
        return
    assert len(set(found.values())) < len(set(uncounted.values()))
    for big in (True, False):
        # A row is in a cell of every class, or in three of the outcomes of classes, at most.
        size = max(
            max(head.slice_bytes(top_slice=big, rows=rows * max(3, head.context.columns)))
            for head in plan.heads.values()
        )
        full = max(max(head.slice_bytes(top_slice=big)) for head in plan.heads.values())
        counts = np.bincount([found[key] for key in (keys[:200] if big else keys[200:])])
        assert counts.max() * size <= max(PARTITION_BYTES, size)
        assert counts.max() * full <= max(8 * PARTITION_BYTES, full)
        # They are filled, but for the first, which overall is in, and the last.
        assert (counts[counts > 0][1:-1] >= PARTITION_BYTES // max(size, -(-full // 7))).all()


def test_states_are_no_larger_than_the_rows_they_are_of() -> None:
    plan = plan_of(ALL)
    head = plan.heads["one"]
    for top_slice in (True, False):
        sizes = [
            sum(head.slice_bytes(top_slice=top_slice, rows=rows)) for rows in (1, 10, 1000, 10**9)
        ]
        assert sizes == sorted(sizes)
        assert sizes[0] < sizes[-1] == sum(head.slice_bytes(top_slice=top_slice))
    assert sum(head.slice_bytes(top_slice=False)) < sum(head.slice_bytes(top_slice=True))
    keys: list[Key] = [(("b", "int", i),) for i in range(10)]
    none = plan.state_bytes(SliceTable((), frozenset()))
    few = plan.state_bytes(table_of(keys, 0))
    assert none < few < plan.state_bytes(table_of(keys, 10))


def test_slices_whose_values_are_listed_are_named() -> None:
    plan = plan_of(ALL.replace("[{column: b}, {column: a}]", "[b, {column: a, values: [1, 2]}]"))
    b: list[Key] = [(("b", "int", i),) for i in range(3)]
    a: list[Key] = [(("a", "int", i),) for i in (1, 2)]
    table = SliceTable(
        (SpecSlices(tuple(b), (1,) * 3), SpecSlices(tuple(a), (1,) * 2)), frozenset()
    )
    assert plan.named(table) == {OVERALL, *a}


@pytest.mark.parametrize(("classes", "told"), [(4, 0), (5000, 1)])
def test_states_that_may_be_too_large_are_told(classes: int, told: int) -> None:
    label = "{column: y, form: multi_hot}"
    head = f"{{type: multi_label, n_classes: {classes}, probability: p, label: {label}}}"
    notes = plan_of(f"heads: {{tags: {head}}}").too_large()
    assert len(notes) == told
    assert all("head tags: one state of a slice may take" in note for note in notes)


@law
@given(st.lists(st.none() | st.integers(0, 10**7), max_size=30), st.integers(0, 30))
def test_bytes_of_states_are_those_of_each_slice(examples: list[int | None], largest: int) -> None:
    plan = plan_of(ALL)
    keys: list[Key] = [(("b", "int", i),) for i in range(len(examples))]
    table = SliceTable((SpecSlices(tuple(keys), tuple(examples)),), frozenset(keys[:largest]))
    expected = 0
    for head in plan.heads.values():
        expected += sum(head.slice_bytes(top_slice=True))
        for key, rows in zip(keys, examples, strict=True):
            expected += sum(head.slice_bytes(top_slice=key in table.largest, rows=rows))
    assert plan.state_bytes(table) == expected


def test_metrics_are_bounded_in_all_heads_together(monkeypatch: pytest.MonkeyPatch) -> None:
    thresholds = ", ".join(f"{i / 10_000}" for i in range(1, 10_000))
    head = "type: binary, logits: s, label: y"
    # All that the head has is counted, for a name is looked up among all.
    many = f"heads: {{a: {{{head}, thresholds: [{thresholds}], metrics: [auc]}}}}"
    with pytest.raises(ConfigError, match=r"heads\.a: with this one, .* more than 100,000 metrics"):
        plan_of(many)
    bound = 10_000
    monkeypatch.setattr(plan_module, "MAX_METRICS", bound)
    each = len(plan_of(f"heads: {{a: {{{head}}}}}").heads["a"].models[0].metrics)
    fitting = bound // each
    heads = [f"h{i}: {{{head}}}" for i in range(fitting + 1)]
    assert len(plan_of(f"heads: {{{', '.join(heads[:-1])}}}").heads) == fitting
    with pytest.raises(ConfigError, match=rf"heads\.h{fitting}: with this one, the heads have"):
        plan_of(f"heads: {{{', '.join(heads)}}}")


def test_heads_of_equal_settings_share_their_metrics() -> None:
    heads = [f"{n}: {{type: binary, logits: {n}, label: y, thresholds: [0.5]}}" for n in "st"]
    plan = plan_of(f"heads: {{{', '.join(heads)}}}")
    first, second = (head.models[0].metrics for head in plan.heads.values())
    assert first.keys() == second.keys()
    assert all(second[name] is metric for name, metric in first.items())


def test_of_many_metrics_that_there_are_not_the_first_have_hints() -> None:
    names = ", ".join(f"rocauc{i}" for i in range(100))
    with pytest.raises(ConfigError) as caught:
        plan_of(f"heads: {{a: {{type: binary, logits: s, label: y, metrics: [{names}]}}}}")
    hints = ["did you mean" in problem.message for problem in caught.value.problems]
    assert sum(hints) == 20
    assert len(hints) == 100
