"""The same rows give the same report and states, however they are cut, ordered and typed."""

from __future__ import annotations

import math
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from heads.metrics.core import context as context_module
from pipeline.errors.faults import BadData
from pipeline.evaluate import TABLE, evaluate, evaluate_items
from pipeline.evaluation import plan as plan_module
from pipeline.readers import batches, parquet, parquet_rows, read
from pipeline.readers.rows import Rows
from pipeline.readers.storage import open_local
from pipeline.slicing import grouping
from tests.pipeline.tables import (
    PLAIN,
    assert_equal,
    binary_table,
    evaluate_in_bundles,
    law,
    plan_items,
    plan_of,
    slices_of,
    values_of,
    write,
)

MIXED = """
where: [{column: keep, values: [true]}]
slices: [g, k, {columns: [g, {column: k, edges: [1]}]}, {column: t, max_slices: 2}]
confidence: {key: id, folds: 10, max_slices: 5}
heads:
  h:
    type: binary
    logits: s
    label: y
    weight: w
    baseline: {probability: p}
    at: {recall: [0.5], precision: [0.5]}
    metrics: [average_loss, auc, roc_auc, precision, expected_calibration_error, label/mean,
              best_f1, gain/decile_2, precision_at_recall_0.5, threshold_at_precision_0.5,
              debiased_calibration_error, spiegelhalter_z]
  m:
    type: multi_label
    n_classes: 2
    probability: q
    label: {column: v, form: ids}
    metrics: [average_loss, roc_auc/class1, exact_match]
"""


def mixed_table(rows: int, seed: int) -> pa.Table:
    rng = np.random.default_rng(seed)
    wild = np.where(rng.random(rows) < 0.2, 1e12, 1e-9)
    return pa.table(
        {
            "s": rng.normal(0, 1, rows) * wild,
            "p": rng.random(rows),
            "y": rng.random(rows).round(1),
            "w": rng.gamma(0.1, 1e3, rows),
            "q": list(rng.random((rows, 2))),
            "v": [np.flatnonzero(row).tolist() for row in rng.random((rows, 2)) < 0.5],
            "g": pa.array(rng.choice(["a", "b", ""], rows), mask=rng.random(rows) < 0.2),
            "k": rng.choice([math.nan, math.inf, -0.0, 0.0, 1.0, 2.5], rows),
            "t": [rng.choice(["x", "y", "z", "u"], n).tolist() for n in rng.integers(0, 4, rows)],
            "id": rng.integers(0, 30, rows),
            "keep": rng.random(rows) < 0.8,
        }
    )


@settings(law, max_examples=4)
@given(st.integers(0, 99), st.integers(1, 40), st.data())
def test_a_table_in_any_order_and_in_any_batches(seed: int, rows: int, data: st.DataObject) -> None:
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
        patch.setattr(read, "BATCH_ROWS", data.draw(st.integers(4, 70)))
        patch.setattr(batches, "BATCH_BYTES", data.draw(st.sampled_from([1, 900, 1 << 20])))
        patch.setattr(grouping, "MAX_CROSS", data.draw(st.sampled_from([1, 12, 4096])))
        assert_equal(evaluate(pa.concat_tables(pieces), plan), reference)


@settings(law, max_examples=4)
@given(st.integers(0, 99), st.integers(5, 40), st.data())
def test_files_in_any_order_of_any_row_groups(seed: int, rows: int, data: st.DataObject) -> None:
    table = mixed_table(rows, seed)
    plan = plan_of(MIXED.replace("where: [{column: keep, values: [true]}]", ""))
    reference = evaluate(table, plan)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=3)))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        patch.setattr(parquet, "ITEM_ROWS", data.draw(st.integers(1, 40)))
        patch.setattr(read, "BATCH_ROWS", data.draw(st.integers(4, 40)))
        patch.setattr(batches, "BATCH_BYTES", data.draw(st.sampled_from([1, 900, 1 << 20])))
        patch.setattr(parquet_rows, "_DECODE_BYTES", data.draw(st.sampled_from([1, 900, 1 << 20])))
        shards = []
        for number, (a, b) in enumerate(zip([0, *cuts], [*cuts, rows], strict=True)):
            path = Path(directory) / f"part-{number}.parquet"
            size = data.draw(st.integers(3, 40))
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
        monkeypatch.setattr(read, "BATCH_ROWS", batch_rows)
        monkeypatch.setattr(grouping, "MAX_CROSS", max_cross)
        order = np.random.default_rng(seed).permutation(len(table))
        assert_equal(evaluate(table.take(order), plan), reference)


SMALL = """
slices: [g, t]
confidence: {folds: FOLDS, key: id, max_slices: LARGEST}
heads:
  h: {type: binary, logits: s, label: y, weight: w, HISTOGRAM}
  c: {type: contrib_binary, probability: p, label: y, HISTOGRAM}
  m:
    type: multi_label
    n_classes: 3
    logits: q
    label: {column: v, form: ids}
    metrics: [roc_auc, average_precision/class0]
  k: {type: multi_class, n_classes: 3, logits: q, label: k, metrics: [roc_auc/class1, f1/macro]}
""".replace("HISTOGRAM", "metrics: [roc_auc, best_f1, lift/decile_2]")


@cache
def clustered_table() -> pa.Table:
    """Rows of many small slices, each of which has scores of its own scale."""
    rng = np.random.default_rng(4)
    rows = 1500
    g = np.sort(rng.integers(0, 12, rows))
    scale = 10.0 ** (g % 4 * 3)
    # A few slices hold many distinct scores, and others the same ones again and again.
    s = np.where(g < 3, rng.normal(size=rows), rng.normal(size=rows).round(1)) * scale
    return pa.table(
        {
            "s": s,
            "p": np.where(g % 2, rng.random(rows), rng.random(rows).round(1)),
            "y": rng.integers(0, 2, rows),
            "w": rng.gamma(0.5, 10, rows),
            "q": list(np.stack([s, s[::-1], rng.normal(size=rows)], axis=1)),
            "v": [np.flatnonzero(row).tolist() for row in rng.random((rows, 3)) < 0.5],
            "k": rng.integers(0, 3, rows),
            "g": g,
            "t": [rng.choice(["x", "y", "z"], n).tolist() for n in rng.integers(0, 3, rows)],
            "id": rng.integers(0, 200, rows),
        }
    )


def bundles_of(table: pa.Table, order: npt.NDArray[np.intp], cuts: list[int]) -> list[Rows]:
    """The rows of a table in another order, cut into parts."""
    batch = table.take(order).combine_chunks().to_batches()[0]
    parts = zip([0, *cuts], [*cuts, len(table)], strict=True)
    return [Rows(batch.slice(a, b - a), order[a:b], TABLE, {}) for a, b in parts]


@pytest.mark.parametrize(("folds", "largest"), [(0, 0), (0, 4), (10, 2)])
def test_many_small_slices_in_any_bundles(
    folds: int, largest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Partitions of a few slices, which not all bundles have rows of.
    monkeypatch.setattr(plan_module, "PARTITION_BYTES", 30_000)
    plan = plan_of(SMALL.replace("FOLDS", str(folds)).replace("LARGEST", str(largest)))
    table = clustered_table()
    reference = evaluate(table, plan)
    assert len({key.partition for key in reference.states}) > 3
    assert max(state.shift for key, state in reference.states.items() if key.partition) > 0
    rng = np.random.default_rng(folds + largest)
    for cuts, shuffled in (([50, 100, 1400], False), ([700], True)):
        order = rng.permutation(len(table)) if shuffled else np.arange(len(table))
        bundles = bundles_of(table, order, cuts)
        assert_equal(evaluate_in_bundles(bundles[::-1], plan), reference)


@settings(law, max_examples=6)
@given(st.integers(0, 99), st.integers(0, 3), st.data())
def test_few_cells_and_any_bundles(seed: int, largest: int, data: st.DataObject) -> None:
    rows = data.draw(st.integers(10, 60))
    table = mixed_table(rows, seed).select(["s", "y", "w", "g", "k", "id"])
    folds = data.draw(st.sampled_from(["0", "0", "10, key: id"]))
    text = f"slices: [g, k]\nconfidence: {{folds: {folds}, max_slices: {largest}}}\n"
    text += "heads: {h: {type: binary, logits: s, label: y, weight: w, metrics: [roc_auc]}}"
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), min_size=1, max_size=3)))
    # Rows of a slice are all in one bundle, or in any.
    together = data.draw(st.booleans())
    order = np.argsort(table["k"].to_numpy() if together else table["w"].to_numpy())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan_module, "PARTITION_BYTES", 1)
        patch.setattr(context_module, "COARSE_CELLS", data.draw(st.sampled_from([5, 12])))
        plan = plan_of(text)
        bundles = bundles_of(table, order, cuts)
        assert_equal(evaluate_in_bundles(bundles, plan), evaluate(table, plan))


def test_words_and_numbers_of_any_arrow_type_give_one_report() -> None:
    table = binary_table(80, 0)
    plan = plan_of(
        "slices: [g, {columns: [g, id]}]\nconfidence: {key: id}\n"
        "heads: {h: {type: binary, logits: s, label: y, metrics: [roc_auc, accuracy]}}"
    )
    reference = evaluate(table, plan)
    for g in (pa.large_string(), pa.binary(), pa.dictionary(pa.int8(), pa.string())):
        for y in (pa.int8(), pa.float32(), pa.bool_()):
            columns = {"s": table["s"], "y": table["y"].cast(y), "g": table["g"].cast(g)}
            columns["id"] = table["id"].cast(pa.uint8())
            assert_equal(evaluate(pa.table(columns), plan), reference)
    lists = {
        name: pa.array([[] if v is None else [v] for v in table[name].to_pylist()])
        for name in ("s", "y", "g", "id")
    }
    assert_equal(evaluate(pa.table(lists), plan), reference)


def test_a_directory_may_state_null_and_bytes(tmp_path: Path) -> None:
    table = pa.table({"s": [1.0], "y": [1]})
    for directory in ("g=__HIVE_DEFAULT_PARTITION__", "g=%FF", "g=a"):
        write(tmp_path / directory / "a.parquet", table)
    plan = plan_of(PLAIN + "\nslices: [{column: g}]")
    found = evaluate(str(tmp_path / "*" / "*"), plan)
    assert set(slices_of(found)) == {
        None,
        ("g", "missing", None),
        ("g", "bytes", "ff"),
        ("g", "string", "a"),
    }


def test_columns_of_directories_are_sliced_by(tmp_path: Path) -> None:
    table = binary_table(60, 0).drop(["g"])
    whole = pa.concat_tables(
        [table.append_column("g", pa.array([g] * 60)) for g in ("a", "b/c", "é=")]
    )
    for directory, number in (("g=a", 1), ("g=b%2Fc", 2), ("g=%C3%A9%3D", 3)):
        write(tmp_path / directory / f"{number}.parquet", table)
    plan = plan_of(PLAIN + "\nslices: [g]\nconfidence: {folds: 0}")
    found = evaluate(str(tmp_path / "**" / "*.parquet"), plan)
    assert_equal(found, evaluate(whole, plan))
    assert {Path(path).name for path in found.findings} == {"1.parquet", "2.parquet", "3.parquet"}
    assert all(findings.rows == findings.kept == 60 for findings in found.findings.values())
    assert all(len(findings.shards) == 1 for findings in found.findings.values())


def test_a_slice_is_what_where_would_keep() -> None:
    table = mixed_table(300, 1)
    plan = plan_of(MIXED)
    found = evaluate(table, plan)
    both = "[{column: keep, values: [true]}, {column: g, values: [a]}]"
    alone = evaluate(table, plan_of(MIXED.replace("[{column: keep, values: [true]}]", both)))
    for head in ("h", "m"):
        assert values_of(alone, head) == values_of(found, head, ("g", "string", "a"))


def test_strings_that_are_not_utf8(tmp_path: Path) -> None:
    g = pa.array([b"\xff", b"a", b"a"]).view(pa.string())
    table = pa.table({"s": [1.0, 2.0, 3.0], "y": [0, 1, 1], "g": g})
    shard = write(tmp_path / "a.parquet", table)
    plan = plan_of(PLAIN + "\nslices: [g]\nconfidence: {folds: 0}")
    found = evaluate(shard.path, plan)
    assert set(slices_of(found)) == {None, ("g", "bytes", "ff"), ("g", "string", "a")}
    assert_equal(found, evaluate(table, plan))
    only = PLAIN + "\nwhere: [{column: g, values: [a]}]"
    assert evaluate(shard.path, plan_of(only)).report["rows"] == {"read": 3, "evaluated": 2}


@pytest.mark.parametrize("batch_rows", [1, 3, 100])
def test_batches_with_and_without_several_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_rows: int
) -> None:
    text = "slices: [t, {columns: [g, t]}, g]\nconfidence: {folds: 0}\n" + PLAIN
    plan = plan_of(text.replace("label: y", "label: y, metrics: [accuracy, roc_auc]"))
    t = [["a", "b"], [], ["a"], ["b", "b"], None, ["c"], ["a"], ["b"]]
    rng = np.random.default_rng(0)
    whole = pa.table(
        {
            "s": rng.normal(size=8),
            "y": rng.integers(0, 2, 8),
            "g": list("xyxyxyxy"),
            "t": pa.array(t, pa.list_(pa.string())),
        }
    )
    reference = evaluate(whole, plan)
    expected = {None: 8, "a": 3, "b": 3, "c": 1}
    found = slices_of(reference)
    for value, examples in expected.items():
        key = None if value is None else ("t", "string", value)
        assert found[key]["examples"] == examples
    assert found["t", "missing", None]["examples"] == 2
    assert found[("g", "string", "x"), ("t", "string", "a")]["examples"] == 3
    monkeypatch.setattr(read, "BATCH_ROWS", batch_rows)
    assert_equal(evaluate(whole, plan), reference)
    # The last rows may as well be in a file without lists, as where formats are mixed.
    first = write(tmp_path / "a.parquet", whole.slice(0, 5))
    plain = whole.slice(5).drop(["t"]).append_column("t", pa.array(["c", "a", "b"]))
    second = write(tmp_path / "b.parquet", plain)
    items = [item for shard in (first, second) for item in plan_items(shard, open_local)]
    assert_equal(evaluate_items(items, plan), reference)
