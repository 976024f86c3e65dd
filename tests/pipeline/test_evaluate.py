"""Evaluation of tables and files: equal to scikit-learn, and the same however rows are cut."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from heads.statistics import same
from pipeline import evaluate as evaluation
from pipeline import slicing
from pipeline.evaluate import TABLE, Evaluation, Evaluator, evaluate, evaluate_items
from pipeline.facts import FIRST, BadData
from pipeline.plan import Plan
from pipeline.problems import ConfigError
from pipeline.readers import WorkItem, parquet, plan_items
from pipeline.readers.shards import open_local
from pipeline.report.model import report_bytes
from tests.pipeline.tables import (
    law,
    plan_of,
    reason_of,
    rows_of,
    slices_of,
    values_of,
    write,
)

BINARY = """
slices: [{column: g}]
heads:
  logit: {type: binary, logits: s, label: y, weight: w, thresholds: [0.3]}
  share: {type: binary, probability: p, label: y, weight: w, thresholds: [0.3]}
  plain: {type: binary, logits: s, label: y}
  contrib: {type: contrib_binary, probability: p, label: y, weight: w}
"""


def binary_table(rows: int, seed: int, digits: int = 2) -> pa.Table:
    rng = np.random.default_rng(seed)
    s = rng.normal(0, 2, rows).round(digits)
    p = 1 / (1 + np.exp(-s))
    return pa.table(
        {
            "s": s,
            "p": p,
            "y": (rng.random(rows) < p).astype(np.int64),
            "w": rng.gamma(0.5, 10, rows),
            "g": pa.array(rng.choice(["a", "b"], rows), mask=rng.random(rows) < 0.2),
        }
    )


def check_binary(found: dict[str, float | None], table: pa.Table, weighted: bool, exact: bool) -> None:
    """The metrics of a head with two classes against scikit-learn."""
    y, p, s = (table[name].to_numpy() for name in ("y", "p", "s"))
    w = table["w"].to_numpy() if weighted else None

    def equal(name: str, expected: float, rel: float = 1e-12) -> None:
        assert found[name] == pytest.approx(expected, rel=rel), name

    equal("average_loss", sk.log_loss(y, p, sample_weight=w))
    equal("brier_score", sk.brier_score_loss(y, p, sample_weight=w))
    equal("prediction/mean", np.average(p, weights=w))
    equal("label/mean", np.average(y, weights=w))
    rate = np.average(y, weights=w)
    equal("accuracy_baseline", max(rate, 1 - rate))
    if "accuracy" in found:
        thresholds = [("", 0.5)]
        if "accuracy/positive_threshold_0.3" in found:
            thresholds.append(("/positive_threshold_0.3", 0.3))
        for suffix, threshold in thresholds:
            called = p > threshold
            equal(f"accuracy{suffix}", sk.accuracy_score(y, called, sample_weight=w))
            equal(f"precision{suffix}", sk.precision_score(y, called, sample_weight=w))
            equal(f"recall{suffix}", sk.recall_score(y, called, sample_weight=w))
    for name, expected in (
        ("roc_auc", sk.roc_auc_score(y, s, sample_weight=w)),
        ("average_precision", sk.average_precision_score(y, s, sample_weight=w)),
    ):
        low, value, high = (found[f"{name}{end}"] for end in ("_lower", "", "_upper"))
        assert low is not None
        assert value is not None
        assert high is not None
        if exact:
            assert low == value == high
            equal(name, expected)
        else:
            assert low <= expected <= high
            assert low < value < high
            assert value == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_two_classes_equal_scikit_learn(seed: int) -> None:
    table = binary_table(500, seed)
    found = evaluate(table, plan_of(BINARY))
    assert found.report["rows"] == {"read": 500, "evaluated": 500}
    assert found.facts.keys() == {TABLE}
    key_of = {None: ("g", "missing", None), "a": ("g", "string", "a"), "b": ("g", "string", "b")}
    for head in ("logit", "share", "plain", "contrib"):
        assert set(slices_of(found, head)) == {None, *key_of.values()}
        check_binary(values_of(found, head), table, head != "plain", exact=True)
        for value, key in key_of.items():
            mine = np.array([g == value for g in table["g"].to_pylist()])
            assert slices_of(found, head)[key]["examples"] == mine.sum()
            own = table.filter(pa.array(mine))
            check_binary(values_of(found, head, key), own, head != "plain", exact=True)


def test_more_scores_than_cells_are_bounded() -> None:
    table = binary_table(20_000, 0, digits=9)
    assert len(set(table["s"].to_pylist())) > 8192
    found = evaluate(table, plan_of(BINARY.replace("slices: [{column: g}]", "")))
    for head in ("logit", "share", "plain"):
        check_binary(values_of(found, head), table, head != "plain", exact=False)


CLASSES = """
heads:
  logit: {type: multi_class, n_classes: 4, logits: t, label: z, weight: w}
  share: {type: multi_class, n_classes: 4, probability: q, label: word}
"""


def test_exclusive_classes_equal_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    rows = 300
    t = rng.normal(0, 2, (rows, 4))
    q = np.exp(t) / np.exp(t).sum(axis=1, keepdims=True)
    z, w = rng.integers(0, 4, rows), rng.gamma(0.5, 10, rows)
    names = ["cat", "dog", "cow", "größe"]
    words = [names[i] for i in z]
    table = pa.table({"t": list(t), "q": list(q), "z": z, "w": w, "word": words})
    label = f"label: {{column: word, vocabulary: [{', '.join(names)}]}}"
    found = evaluate(table, plan_of(CLASSES.replace("label: word", label)))
    for head, weight in (("logit", w), ("share", None)):
        values = values_of(found, head)
        assert set(values) >= {"average_loss", "accuracy"}
        loss = sk.log_loss(z, q, sample_weight=weight, labels=range(4))
        assert values["average_loss"] == pytest.approx(loss, rel=1e-12)
        accuracy = sk.accuracy_score(z, t.argmax(axis=1), sample_weight=weight)
        assert values["accuracy"] == pytest.approx(accuracy, rel=1e-12)
        matrix = slices_of(found, head)[None]["confusion_matrix"]
        assert matrix == sk.confusion_matrix(z, t.argmax(axis=1)).tolist()
    assert found.report["heads"]["share"]["classes"] == names


@pytest.mark.parametrize("form", ["multi_hot", "ids", "names"])
@pytest.mark.parametrize("weighted", [False, True])
def test_independent_classes_equal_scikit_learn(form: str, weighted: bool) -> None:
    rng = np.random.default_rng(0)
    rows, names = 200, np.array(["r", "g", "b"])
    t = rng.normal(0, 2, (rows, 3)).round(2)
    p = 1 / (1 + np.exp(-t))
    y = (rng.random((rows, 3)) < p).astype(int)
    w = rng.gamma(0.5, 10, rows) if weighted else None
    lists = {
        "multi_hot": list(y),
        "ids": [np.flatnonzero(own) for own in y],
        "names": [names[own.astype(bool)].tolist() for own in y],
    }[form]
    columns = {"t": list(t), "y": lists} | ({"w": w} if weighted else {})
    label = "form: names, vocabulary: [r, g, b]" if form == "names" else f"form: {form}"
    text = (
        "heads: {h: {type: multi_label, n_classes: 3, logits: t, thresholds: [0.3, 0.5],"
        f" label: {{column: y, {label}}}{', weight: w' if weighted else ''}}}}}"
    )
    found = values_of(evaluate(pa.table(columns), plan_of(text)))
    repeated = None if w is None else np.repeat(w, 3)
    micro = {"sample_weight": repeated}

    def equal(name: str, expected: float) -> None:
        assert found[name] == pytest.approx(expected, rel=1e-12), name

    equal("average_loss", sk.log_loss(y.ravel(), p.ravel(), **micro))
    for threshold in (0.3, 0.5):
        called = (p > threshold).ravel()
        suffix = f"/positive_threshold_{threshold}"
        equal(f"accuracy{suffix}", sk.accuracy_score(y.ravel(), called, **micro))
        equal(f"precision{suffix}", sk.precision_score(y.ravel(), called, **micro))
        equal(f"recall{suffix}", sk.recall_score(y.ravel(), called, **micro))
    equal("roc_auc", sk.roc_auc_score(y.ravel(), t.ravel(), **micro))
    equal("average_precision", sk.average_precision_score(y.ravel(), t.ravel(), **micro))
    for i in range(3):
        suffix = f"/{names[i]}" if form == "names" else f"/class{i}"
        equal(f"probability_mean{suffix}", np.average(p[:, i], weights=w))
        equal(f"roc_auc{suffix}", sk.roc_auc_score(y[:, i], t[:, i], sample_weight=w))
        expected = sk.average_precision_score(y[:, i], t[:, i], sample_weight=w)
        equal(f"average_precision{suffix}", expected)


# The same rows, however they are cut.

MIXED = """
where: [{column: keep, values: [true]}]
slices: [{column: g}, {column: k}]
heads:
  h: {type: binary, logits: s, label: y, weight: w}
  m: {type: multi_label, n_classes: 2, probability: q, label: {column: v, form: ids}}
"""


def mixed_table(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    wild = np.where(rng.random(rows) < 0.2, 1e12, 1e-9)
    return pa.table(
        {
            "s": rng.normal(0, 1, rows) * wild,
            "y": rng.random(rows).round(1),
            "w": rng.gamma(0.1, 1e3, rows),
            "q": list(rng.random((rows, 2))),
            "v": [np.flatnonzero(own).tolist() for own in rng.random((rows, 2)) < 0.5],
            "g": pa.array(rng.choice(["a", "b", "\udcff"[:0]], rows), mask=rng.random(rows) < 0.2),
            "k": rng.choice([math.nan, math.inf, -0.0, 0.0, 1.0, 2.5], rows),
            "keep": rng.random(rows) < 0.8,
        }
    )


def assert_equal(found: Evaluation, reference: Evaluation) -> None:
    assert report_bytes(found.report) == report_bytes(reference.report)
    assert found.states.keys() == reference.states.keys()
    assert all(same(state, found.states[key]) for key, state in reference.states.items())


@settings(law, max_examples=12)
@given(st.integers(0, 99), st.integers(1, 60), st.data())
def test_a_table_in_any_order_and_in_any_batches(
    seed: int, rows: int, data: st.DataObject
) -> None:
    table = mixed_table(rows, seed).append_column("new", pa.array(range(rows)))
    keep = table["keep"].to_pylist()
    plan = plan_of(MIXED)
    if not any(keep):
        with pytest.raises(BadData, match=f"none of {rows} rows matches 'where'"):
            evaluate(table, plan)
        return
    reference = evaluate(table, plan)
    order = np.random.default_rng(data.draw(st.integers(0, 9))).permutation(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=4)))
    shuffled = table.take(order)
    pieces = [shuffled.slice(a, b - a) for a, b in zip([0, *cuts], [*cuts, rows], strict=True)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evaluation, "BATCH_ROWS", data.draw(st.integers(1, 70)))
        patch.setattr(slicing, "MAX_CROSS", data.draw(st.sampled_from([0, 3, 4096])))
        assert_equal(evaluate(pa.concat_tables(pieces), plan), reference)


@settings(law, max_examples=12)
@given(st.integers(0, 99), st.integers(5, 60), st.data())
def test_files_in_any_order_of_any_row_groups(seed: int, rows: int, data: st.DataObject) -> None:
    table = mixed_table(rows, seed)
    plan = plan_of(MIXED.replace("where: [{column: keep, values: [true]}]", ""))
    reference = evaluate(table, plan)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=3)))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setattr(parquet, "ITEM_ROWS", data.draw(st.integers(1, 40)))
        patch.setattr(evaluation, "BATCH_ROWS", data.draw(st.integers(1, 40)))
        shards = []
        for number, (a, b) in enumerate(zip([0, *cuts], [*cuts, rows], strict=True)):
            path = Path(directory) / f"part-{number}.parquet"
            size = data.draw(st.integers(1, 40))
            shards.append(write(path, table.slice(a, b - a), row_group_size=size))
        assert_equal(evaluate(f"{directory}/*.parquet", plan), reference)
        items = [item for shard in shards for item in plan_items(shard, open_local)]
        shuffled = data.draw(st.permutations(items))
        assert_equal(evaluate_items(shuffled, plan), reference)


def test_more_scores_than_cells_in_any_order_and_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    table = mixed_table(12_000, 5)
    plan = plan_of(MIXED)
    reference = evaluate(table, plan)
    shifts = [state.shift for key, state in reference.states.items() if key.partition == 0]
    assert max(shifts) > 0
    for seed, batch_rows, max_cross in ((0, 700, 4096), (1, 5000, 10)):
        monkeypatch.setattr(evaluation, "BATCH_ROWS", batch_rows)
        monkeypatch.setattr(slicing, "MAX_CROSS", max_cross)
        order = np.random.default_rng(seed).permutation(len(table))
        assert_equal(evaluate(table.take(order), plan), reference)


def test_words_and_numbers_of_any_arrow_type_give_one_report() -> None:
    table = binary_table(80, 0)
    plan = plan_of("slices: [{column: g}]\nheads: {h: {type: binary, logits: s, label: y}}")
    reference = evaluate(table, plan)
    for g in (pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string())):
        for y in (pa.int8(), pa.float32(), pa.bool_()):
            columns = {"s": table["s"], "y": table["y"].cast(y), "g": table["g"].cast(g)}
            assert_equal(evaluate(pa.table(columns), plan), reference)
    lists = {
        name: pa.array([[] if v is None else [v] for v in table[name].to_pylist()])
        for name in ("s", "y", "g")
    }
    assert_equal(evaluate(pa.table(lists), plan), reference)


def test_columns_of_directories_are_sliced_by(tmp_path: Path) -> None:
    table = binary_table(60, 0).drop(["g"])
    whole = pa.concat_tables(
        [table.append_column("g", pa.array([g] * 60)) for g in ("a", "b/c", "é=")]
    )
    for directory, number in (("g=a", 1), ("g=b%2Fc", 2), ("g=%C3%A9%3D", 3)):
        write(tmp_path / directory / f"{number}.parquet", table)
    plan = plan_of(BINARY)
    found = evaluate(str(tmp_path / "**" / "*.parquet"), plan)
    assert_equal(found, evaluate(whole, plan))
    assert {Path(path).name for path in found.facts} == {"1.parquet", "2.parquet", "3.parquet"}
    assert all(facts.rows == facts.kept == 60 for facts in found.facts.values())
    assert all(len(facts.shards) == 1 for facts in found.facts.values())


def test_a_slice_is_what_where_would_keep() -> None:
    table = mixed_table(300, 1)
    plan = plan_of(MIXED)
    found = evaluate(table, plan)
    only = plan_of(MIXED.replace("slices", "  - {column: g, values: [a]}\nslices", 1).replace(
        "where: [{column: keep, values: [true]}]", "where:\n  - {column: keep, values: [true]}"
    ))
    alone = evaluate(table, only)
    for head in ("h", "m"):
        assert values_of(alone, head) == values_of(found, head, ("g", "string", "a"))


# Bad rows and bad files.

PLAIN = "heads: {h: {type: binary, logits: s, label: y}}"
WEIGHTED = "heads: {h: {type: binary, probability: s, label: y, weight: w}}"


def problems_of(source: Any, text: str) -> list[str]:
    with pytest.raises(BadData) as caught:
        evaluate(source, plan_of(text))
    return caught.value.problems


def test_bad_rows_of_a_table_are_numbered() -> None:
    table = pa.table({"s": [1.0, None, 2.0, math.inf], "y": [0, 1, 2, 1]})
    assert problems_of(table, PLAIN) == [
        "table: row 1: head 'h': 's' has no value",
        "table: row 2: head 'h': 'y' is outside the range of labels",
        "table: row 3: head 'h': 's' is NaN or infinite",
    ]


@pytest.mark.parametrize("batch_rows", [1, 3, 1 << 17])
def test_bad_rows_of_files_are_named_by_file_and_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    monkeypatch.setattr(evaluation, "BATCH_ROWS", batch_rows)
    monkeypatch.setattr(parquet, "ITEM_ROWS", 4)
    labels = np.zeros(20, np.int64)
    labels[[3, 4, 17]] = 9
    table = pa.table({"s": np.ones(20), "y": labels, "k": np.arange(20) % 3 == 0})
    for name in ("a", "b"):
        write(tmp_path / f"{name}.parquet", table, row_group_size=2)
    expected = [
        f"{tmp_path}/{name}.parquet: row {row}: head 'h': 'y' is outside the range of labels"
        for name in ("a", "b")
        for row in (3, 4, 17)
    ]
    assert problems_of(str(tmp_path / "*"), PLAIN) == expected
    # Rows that `where` leaves out are not looked at, and do not move the numbers of others.
    only = PLAIN + "\nwhere: [{column: k, values: [true]}]"
    assert problems_of(str(tmp_path / "*"), only) == [e for e in expected if "row 3:" in e]


def test_only_the_first_bad_rows_are_listed_and_all_are_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "BATCH_ROWS", 7)
    table = pa.table({"s": np.ones(1500), "y": np.full(1500, 2)})
    write(tmp_path / "b.parquet", table)
    write(tmp_path / "a.parquet", table.slice(0, 5))
    problems = problems_of([str(tmp_path / name) for name in ("b.parquet", "a.parquet")], PLAIN)
    assert len(problems) == FIRST + 1
    assert [p.split(": ")[1] for p in problems[:FIRST]] == [
        *(f"row {i}" for i in range(5)),
        *(f"row {i}" for i in range(FIRST - 5)),
    ]
    assert problems[-1] == f"... and {1505 - FIRST:,} more bad rows"


def test_a_row_may_be_bad_for_one_head_and_good_for_another() -> None:
    text = """
heads:
  h: {type: binary, logits: s, label: y}
  k: {type: binary, logits: t, label: y}
"""
    table = pa.table({"s": [1.0, None], "t": [None, 1.0], "y": [0, 1]})
    evaluator = Evaluator(plan_of(text), open_local)
    facts = evaluator.add(rows_of(table.to_batches()[0]))
    assert facts.bad == {("h", "null:s"): 1, ("k", "null:t"): 1}
    assert [(row.row, row.head) for row in facts.examples] == [(100, "k"), (101, "h")]
    counted = {key.head: state for key, state in evaluator.states().items() if not key.statistic}
    assert [int(counted[head].counts["rows"].sum()) for head in "hk"] == [1, 1]


def test_lists_of_several_lengths_over_files(tmp_path: Path) -> None:
    text = PLAIN.replace("logits: s", "logits: {column: s, index: 1}")
    for name, row in (("a", [0.1, 0.2]), ("b", [0.1, 0.2, 0.3])):
        write(tmp_path / f"{name}.parquet", pa.table({"s": [row, row], "y": [0, 1]}))
    assert problems_of(str(tmp_path / "*"), text) == [
        "column 's': lists have from 2 to 3 values, and one length is needed"
    ]
    assert evaluate(str(tmp_path / "a*"), plan_of(text)).report["rows"]["read"] == 2


def test_no_rows(tmp_path: Path) -> None:
    empty = pa.table({"s": pa.array([], pa.float64()), "y": pa.array([], pa.int64())})
    assert problems_of(empty, PLAIN) == ["there are no rows"]
    write(tmp_path / "a.parquet", empty)
    assert problems_of(str(tmp_path / "a.parquet"), PLAIN) == ["there are no rows"]
    missing = str(tmp_path / "b.parquet")
    assert problems_of(missing, PLAIN) == [f"no file matches {missing}"]
    with pytest.raises(BadData, match="there are no rows"):
        evaluate_items([], plan_of(PLAIN))
    # Beside rows, a file without any is no fault.
    write(tmp_path / "c.parquet", pa.table({"s": [1.0], "y": [1]}))
    assert evaluate(str(tmp_path / "*"), plan_of(PLAIN)).report["rows"]["read"] == 1


def test_a_file_unlike_the_first_is_named(tmp_path: Path) -> None:
    good = pa.table({"s": [1.0, 2.0], "y": [1, 0]})
    write(tmp_path / "a.parquet", good)
    write(tmp_path / "b.parquet", good.drop(["y"]).append_column("z", pa.array([1, 1])))
    write(tmp_path / "c.parquet", pa.table({"s": ["x"], "y": [1]}))
    assert problems_of(str(tmp_path / "*"), PLAIN) == [
        f"{tmp_path}/b.parquet: missing_column: the file has no column 'y'; it has: s, z",
        f"{tmp_path}/c.parquet: wrong_type: column 's' is string, and numbers are needed",
    ]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    good = pa.table({"s": np.arange(1000.0), "y": np.arange(1000) % 2})
    write(tmp_path / "a.parquet", good)
    shard = write(tmp_path / "b.parquet", good, write_page_checksum=True)
    content = bytearray(Path(shard.path).read_bytes())
    content[600] ^= 1
    Path(shard.path).write_bytes(content)
    (problem,) = problems_of(str(tmp_path / "*"), PLAIN)
    assert problem.startswith(f"{tmp_path}/b.parquet: row group 0: corrupt_parquet: ")
    Path(shard.path).write_bytes(content[:-1])
    (problem,) = problems_of(str(tmp_path / "*"), PLAIN)
    assert problem.startswith(f"{tmp_path}/b.parquet: corrupt_parquet: ")


def test_every_damaged_file_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.parquet", pa.table({"s": [1.0], "y": [1]}))
    for name in "bc":
        (tmp_path / f"{name}.parquet").write_bytes(b"broken")
    problems = problems_of(str(tmp_path / "*"), PLAIN)
    assert [problem.split(":")[0] for problem in problems] == [
        f"{tmp_path}/{name}.parquet" for name in "bc"
    ]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("g", pa.array([1, 2], pa.date32())),
        ("g", pa.array([{"a": 1}] * 2)),
        ("g", pa.array([["a", "b"], ["a"]])),
        ("s", pa.array(["a", "b"])),
    ],
    ids=str,
)
def test_a_column_that_cannot_be_read_is_the_fault_of_the_data_or_the_plan(
    tmp_path: Path, column: str, values: pa.Array
) -> None:
    columns = {"s": [1.0, 2.0], "y": [0, 1], "g": ["a", "b"]} | {column: values}
    shard = write(tmp_path / "a.parquet", pa.table(columns))
    plan = plan_of(PLAIN + "\nslices: [{column: g}]")
    for source in (shard.path, pa.table(columns)):
        with pytest.raises((BadData, ConfigError)) as caught:
            evaluate(source, plan)
        assert f"'{column}'" in str(caught.value) or "slice" in str(caught.value)


def test_a_table_that_lacks_a_column() -> None:
    with pytest.raises(ConfigError, match="no column 'y' in the table; it has: s"):
        evaluate(pa.table({"s": [1.0]}), plan_of(PLAIN))


def test_strings_that_are_not_utf8(tmp_path: Path) -> None:
    g = pa.array([b"\xff", b"a", b"a"]).view(pa.string())
    table = pa.table({"s": [1.0, 2.0, 3.0], "y": [0, 1, 1], "g": g})
    shard = write(tmp_path / "a.parquet", table)
    plan = plan_of(PLAIN + "\nslices: [{column: g}]")
    found = evaluate(shard.path, plan)
    assert set(slices_of(found)) == {None, ("g", "bytes", "ff"), ("g", "string", "a")}
    assert_equal(found, evaluate(table, plan))
    only = PLAIN + "\nwhere: [{column: g, values: [a]}]"
    assert evaluate(shard.path, plan_of(only)).report["rows"] == {"read": 3, "evaluated": 2}


# Values that are not defined.


def test_an_infinite_loss_is_null_with_a_reason() -> None:
    table = pa.table({"s": [0.0, 0.5, 1.0], "y": [1, 0, 1], "w": [1.0, 1.0, 1.0]})
    found = evaluate(table, plan_of(WEIGHTED))
    assert reason_of(found, "average_loss") == "the value is infinite"
    assert values_of(found)["accuracy"] == pytest.approx(2 / 3)
    report_bytes(found.report)
    # A probability of 0 or 1 that was right costs nothing.
    table = pa.table({"s": [0.0, 0.5, 1.0], "y": [0, 0, 1], "w": [1.0, 1.0, 1.0]})
    assert values_of(evaluate(table, plan_of(WEIGHTED)))["average_loss"] == math.log(2) / 3


def test_an_infinite_loss_without_weight_counts_for_nothing() -> None:
    table = pa.table({"s": [0.0, 0.5], "y": [1, 1], "w": [0.0, 1.0]})
    assert values_of(evaluate(table, plan_of(WEIGHTED)))["average_loss"] == math.log(2)


@pytest.mark.parametrize(("label", "missing"), [(1, "zero"), (0, "positive")])
def test_one_class_only(label: int, missing: str) -> None:
    table = pa.table({"s": [1.0, -1.0], "y": [label, label]})
    found = evaluate(table, plan_of(PLAIN))
    for bound in ("", "_lower", "_upper"):
        assert reason_of(found, f"roc_auc{bound}") == f"no label is {missing}"
    values = values_of(found)
    if label:
        assert (values["average_precision"], values["recall"]) == (1.0, 0.5)
    else:
        assert reason_of(found, "average_precision") == "no label is positive"
        assert reason_of(found, "recall") == "no label is positive"
    assert values["accuracy"] == 0.5


def test_nothing_predicted_positive() -> None:
    found = evaluate(pa.table({"s": [-1.0, -2.0], "y": [1, 0]}), plan_of(PLAIN))
    assert reason_of(found, "precision") == "nothing is predicted positive"
    assert values_of(found)["recall"] == 0.0


def test_weights_that_are_all_zero() -> None:
    table = pa.table({"s": [0.2, 0.9], "y": [1, 0], "w": [0.0, 0.0]})
    found = evaluate(table, plan_of(WEIGHTED))
    assert slices_of(found)[None]["examples"] == 2
    undefined = {name for name, value in values_of(found).items() if value is None}
    assert undefined >= {"average_loss", "accuracy", "recall", "roc_auc", "label/mean"}
    assert reason_of(found, "average_loss") == "the weights sum to zero"
    # A slice of weightless rows leaves the others alone.
    table = pa.table({"s": [0.2, 0.9], "y": [1, 0], "w": [0.0, 2.0], "g": ["a", "b"]})
    found = evaluate(table, plan_of(WEIGHTED + "\nslices: [{column: g}]"))
    key = ("g", "string", "a")
    assert reason_of(found, "average_loss", key=key) == "the weights sum to zero"
    overall, other = values_of(found), values_of(found, key=("g", "string", "b"))
    assert overall == other


def test_extreme_weights_and_scores_are_summed_exactly() -> None:
    table = pa.table(
        {
            "s": [1.7e308, -1.7e308, 5e-324, -5e-324],
            "y": [1, 0, 1, 0],
            "w": [1e300, 5e-324, 1e-300, 1.0],
        }
    )
    plan = plan_of(PLAIN.replace("label: y", "label: y, weight: w"))
    assert values_of(evaluate(table, plan))["label/mean"] == 1.0
    reference = report_bytes(evaluate(table, plan).report)
    assert report_bytes(evaluate(table.take([3, 1, 0, 2]), plan).report) == reference


# Small things.


def test_where_is_applied_before_anything_is_read() -> None:
    table = pa.table({"s": [None, 1.0], "y": [None, 1], "k": ["train", "test"]})
    text = PLAIN + "\nwhere: [{column: k, values: [test]}]"
    found = evaluate(table, plan_of(text))
    assert found.report["rows"] == {"read": 2, "evaluated": 1}
    nothing = PLAIN + "\nwhere: [{column: k, values: [Test]}]"
    assert problems_of(table, nothing) == ["none of 2 rows matches 'where'"]


def test_chosen_metrics_are_all_there_is() -> None:
    text = PLAIN.replace("label: y", "label: y, metrics: [roc_auc, accuracy]")
    found = evaluate(pa.table({"s": [1.0, 2.0], "y": [0, 1]}), plan_of(text))
    assert values_of(found) == {"accuracy": 0.5, "roc_auc": 1.0}
    assert slices_of(found)[None]["examples"] == 2


def test_states_can_be_asked_for_twice_and_added_to() -> None:
    table = binary_table(40, 0)
    plan: Plan = plan_of(BINARY)
    evaluator = Evaluator(plan, open_local)
    first, second = table.slice(0, 15).to_batches()[0], table.slice(15).to_batches()[0]
    evaluator.add(rows_of(first))
    once, again = evaluator.states(), evaluator.states()
    assert once.keys() == again.keys()
    assert all(same(state, again[key]) for key, state in once.items())
    evaluator.add(rows_of(second))
    reference = evaluate(table, plan).states
    both = evaluator.states()
    assert both.keys() == reference.keys()
    assert all(same(state, both[key]) for key, state in reference.items())


def test_a_work_item_that_fails_half_way_says_what_it_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluation, "BATCH_ROWS", 2)
    table = pa.table({"s": [1.0] * 6, "y": [1] * 6, "g": [["a"]] * 4 + [["a", "b"], ["a"]]})
    shard = write(tmp_path / "a.parquet", table)
    plan = plan_of(PLAIN + "\nslices: [{column: g}]")
    facts = Evaluator(plan, open_local).add_item(WorkItem(shard))
    assert facts.rows == 4
    (failure,) = facts.failures
    assert failure.startswith(f"{shard.path}: ")
    assert failure.endswith("column 'g' has a list of several values in row 4")
