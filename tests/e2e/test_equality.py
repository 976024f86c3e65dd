"""The same rows give the same bytes, whatever runs them and however they are cut."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.testing.util import assert_that

import headcount
from heads.statistics import Scored, State
from heads.statistics.codec import encode
from pipeline.beam.publish import Publish
from pipeline.beam.transforms import Evaluate
from pipeline.config.load import as_gates, load_config, parse_config
from pipeline.evaluate import Evaluation, evaluate, evaluate_items
from pipeline.evaluation.head_plan import HeadPlan
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.predictions import predictions_table
from pipeline.evaluation.state_key import StateKey
from pipeline.readers import read
from pipeline.readers.file_list import list_local
from pipeline.readers.rows import Rows
from pipeline.readers.shard_list import shard_line
from pipeline.readers.storage import open_local
from pipeline.readers.tfrecord.blocks import write_records
from pipeline.readers.tfrecord.examples import encode_example
from pipeline.report.metrics_parquet import metrics_table, parquet_bytes
from pipeline.report.report_json import report_bytes
from pipeline.runs.file_names import FILES
from pipeline.runs.gates import gates_files, judge_run, with_gates
from tests.e2e.conftest import CONFIG, KEYED, Run, make_rows, open_stage, states_of
from tests.heads.metrics.plugin_sources import GOOD
from tests.pipeline.tables import evaluator_of, own_states, plan_items

ROWS = 2000
CUTS = [10, 700, 701, 1400]
PLAIN = """
where: [{column: split, values: [test]}]
heads: {click: {type: binary, logits: logit, label: label, weight: weight}}
"""
GATES = """
  - {metric: roc_auc, head: click, at_least: 0.6, decide_by: best_end, slices: [country]}
  - {metric: average_loss, head: click, max_rise: 10.0, against: baseline, decide_by: worst_end}
  - {metric: f1/macro, at_least: 0.01, slices: [genres, city]}
"""
CHANGE = {"metric": "roc_auc", "head": "click", "max_drop": 0.5, "against": "run"}
PLUGGED = "plugins: [my_metrics]" + CONFIG.replace("average_loss,", "average_loss, root_brier,", 1)
PLUGGED += f"gates:{GATES}"
HEADS = "heads:" + CONFIG.partition("heads:")[2]


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return make_rows(ROWS)


def plan_of(config: str) -> Plan:
    return make_plan(parse_config(config, "config.yaml"))


@pytest.fixture(scope="module")
def reference(rows: pa.Table) -> Evaluation:
    return evaluate(rows, plan_of(KEYED))


@pytest.fixture(scope="module")
def plugged(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """A plan with a metric of a module beside the configuration."""
    directory = tmp_path_factory.mktemp("plugged")
    (directory / "config.yaml").write_text(PLUGGED)
    (directory / "my_metrics.py").write_text(GOOD)
    return make_plan(load_config(directory / "config.yaml"))


@pytest.fixture(scope="module")
def by_row(rows: pa.Table, plugged: Plan, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """The rows in files cut at `CUTS`, whose names and row numbers give the folds."""
    files = write_shards(rows, tmp_path_factory.mktemp("by_row") / "data", CUTS, 500)
    return evaluate(files, plugged)


def write_shards(rows: pa.Table, directory: Path, cuts: list[int], row_group: int) -> str:
    """Writes the rows between the cuts to a file each."""
    directory.mkdir()
    for number, (first, last) in enumerate(pairwise([0, *sorted(cuts), len(rows)])):
        path = directory / f"part-{number:05d}.parquet"
        pq.write_table(rows.slice(first, last - first), path, row_group_size=row_group)
    return str(directory / "*.parquet")


def assert_same(output: Path, reference: Evaluation, *, files: bool = True) -> None:
    """The same report, states and verdict; `files` says that rows come from the same files."""
    if reference.plan.config.gates:
        judged = judge_run(reference.plan, reference.table, states_in(reference), None)
        verdict = gates_files(judged)
        assert {name: (output / name).read_bytes() for name in verdict} == verdict
        assert (output / "gates.json").exists()
    assert (output / "report.json").read_bytes() == report_bytes(reference.report)
    found, expected = states_of(output), encoded(reference)
    if not files:
        # What tells rows of one run from those of another.
        expected = encoded(reference, own_states(reference))
        assert found.keys() - expected.keys()
        found = {name: state for name, state in found.items() if name in expected}
    assert found == expected


def states_in(evaluation: Evaluation) -> Iterator[tuple[StateKey, bytes]]:
    return (pair for part in evaluation.partitions() for pair in part.states.items())


def encoded(
    evaluation: Evaluation, states: dict[StateKey, State] | None = None
) -> dict[str, bytes]:
    chosen = evaluation.states if states is None else states
    return {str(key): encode(state) for key, state in chosen.items()}


def test_the_reference_is_not_trivial(reference: Evaluation) -> None:
    assert len({(key.head, key.statistic) for key in reference.states}) > 15
    # Histograms by fold have fewer cells than there are scores.
    assert max(state.shift for state in reference.states.values()) > 0
    # Overall, the largest slices and the small ones.
    assert len({key.partition for key in reference.states}) > 2
    report = reference.report
    assert report["rows"]["evaluated"] < report["rows"]["read"]
    click = report["heads"]["click"]
    conditions = [c for entry in click["slices"] for c in entry["slice"]]
    assert {c["kind"] for c in conditions} == {"string", "missing", "int", "bucket", "other"}
    assert {len(entry["slice"]) for entry in click["slices"]} == {0, 1, 2}
    assert {entry["small"] for entry in click["slices"]} == {False, True}
    assert click["slices_folded"][4] == 5
    assert click["slices_folded"][6] > 9
    overall = click["slices"][0]
    assert {"metrics", "baseline", "difference", "both", "curves"} <= overall.keys()
    assert overall["metrics"]["roc_auc"]["unweighted"]["lower"] > 0.5
    # A row counts in every genre it has.
    genres = [e for e in click["slices"] if [c["column"] for c in e["slice"]] == ["genres"]]
    assert sum(entry["examples"] for entry in genres) > overall["examples"]


def test_in_process_runner_by_key(
    rows: pa.Table, reference: Evaluation, tmp_path: Path, run: Run
) -> None:
    shuffled = rows.take(np.random.default_rng(7).permutation(len(rows)))
    files = write_shards(shuffled, tmp_path / "data", [400, 500, 1421], 300)
    assert run(files, tmp_path / "out", config=KEYED) == 0
    assert_same(tmp_path / "out", reference, files=False)
    expected = parquet_bytes(metrics_table(plan_of(KEYED), reference.results))
    assert (tmp_path / "out" / "metrics.parquet").read_bytes() == expected


def test_two_processes(rows: pa.Table, by_row: Evaluation, tmp_path: Path) -> None:
    # Files with the names of modules hide none from the workers.
    for name in ("json.py", "numpy.py", "proto.py", "pipeline/__init__.py", "heads/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("raise ImportError('of the working directory')")
    files = write_shards(rows, tmp_path / "data", CUTS, 350)
    # Nor does what the user has on the path hide headcount.
    for name in ("pipeline", "heads"):
        (tmp_path / "named" / name).mkdir(parents=True)
        (tmp_path / "named" / name / "__init__.py").write_text("raise ImportError('of the user')")
    # Workers find what lies beside the configuration, which is on no path.
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "config.yaml").write_text(PLUGGED)
    (tmp_path / "conf" / "my_metrics.py").write_text(GOOD)
    command = [str(Path(sys.executable).with_name("headcount")), "run", "--config=conf/config.yaml"]
    two = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    done = subprocess.run(
        [*command, f"--input={files}", "--output=out", *two],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": "named"},
        capture_output=True,
        text=True,
    )
    # A gate fails.
    assert (done.returncode, done.stderr) == (3, "")
    assert_same(tmp_path / "out", by_row)


def test_rows_of_a_pipeline_of_ones_own(
    rows: pa.Table, reference: Evaluation, tmp_path: Path
) -> None:
    shuffled = rows.take(np.random.default_rng(11).permutation(len(rows)))
    batches = shuffled.combine_chunks().to_batches(max_chunksize=300)
    (tmp_path / "config.yaml").write_text(KEYED)
    headcount.Report.of(reference).save(tmp_path / "older")
    expected = metrics_table(plan_of(KEYED), reference.results)

    def check(found: list[pa.RecordBatch]) -> None:
        assert {batch.schema for batch in found} == {expected.schema}
        # A batch has some slices of a head, in the order of the table.
        parts = sorted((pa.Table.from_batches([batch]) for batch in found), key=first_row)
        assert pa.concat_tables(parts).unify_dictionaries().to_pylist() == expected.to_pylist()

    with beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline:
        config, output = tmp_path / "config.yaml", tmp_path / "out"
        gates = {"gates": [*yaml.safe_load(GATES)[:2], CHANGE], "against": tmp_path / "older"}
        evaluated = headcount.Evaluate(config, output=output, **gates)
        metrics = pipeline | beam.Create(batches) | evaluated
        assert_that(metrics, check)
    assert_same(tmp_path / "out", reference, files=False)
    found = headcount.load(tmp_path / "out").gates
    assert found is not None
    other_mark = "NOT_BLESSED" if found["passed"] else "BLESSED"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {*FILES} - {other_mark}
    older = json.loads((tmp_path / "older" / "manifest.json").read_text())
    assert found["against"]["id"] == older["id"]
    # A run of rows without a place is not paired with one of files, and has the same values.
    plan = with_gates(reference.plan, as_gates(gates["gates"])[0], "gates")
    judged = judge_run(plan, reference.table, states_in(reference), None)
    assert found["gates"][:2] == judged["gates"][:2]
    (change,) = found["gates"][2]["judgements"]
    assert (change["outcome"], change["value"]) == ("pass", 0.0)


def first_row(table: pa.Table) -> tuple[str, str]:
    row = table.slice(0, 1).to_pylist()[0]
    return row["head"], row["slice"]


def test_other_cuts_and_orders(rows: pa.Table, reference: Evaluation, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shuffled = rows.take(rng.permutation(len(rows)))
    cuts = sorted(rng.integers(0, len(rows), 7).tolist())
    files = write_shards(shuffled, tmp_path / "data", cuts, int(rng.integers(50, 2000)))
    items = [i for shard in list_local([files]) for i in plan_items(shard, open_local)]
    again = evaluate_items([items[i] for i in rng.permutation(len(items))], plan_of(KEYED))
    assert report_bytes(again.report) == report_bytes(reference.report)
    assert encoded(again, own_states(again)) == encoded(reference, own_states(reference))


@pytest.mark.parametrize(("bundles", "together"), [(1, 1), (500, 3)])
def test_shards_in_any_order_through_beam(
    rows: pa.Table,
    plugged: Plan,
    by_row: Evaluation,
    tmp_path: Path,
    bundles: int,
    together: int,
) -> None:
    files = write_shards(rows, tmp_path / "elsewhere", CUTS, 80)
    options = PipelineOptions(["--runner=FnApiRunner"])
    with beam.Pipeline(options=options) as pipeline:
        listing = list_local([files])
        lines = [shard_line([shard]) for shard in listing.shards[::-1]]
        evaluated = (
            pipeline
            | beam.Create(lines)
            | Evaluate(plugged, bundles=bundles, items_per_batch=together)
        )
        _ = evaluated | Publish(plugged, open_stage(tmp_path / "out"), "job", listing.notes)
    assert_same(tmp_path / "out", by_row)


def test_tfrecord_equals_parquet(rows: pa.Table, tmp_path: Path, run: Run) -> None:
    # A tf.train.Example has float32 only; the same float32 must be in the table it is held against.
    single = rows.slice(0, 500)
    for name in ("probabilities", "tag_logits"):
        place = single.schema.get_field_index(name)
        narrow = single.column(name).cast(pa.list_(pa.float32()))
        single = single.set_column(place, name, narrow)
    (tmp_path / "data").mkdir()
    for number, compression in enumerate([None, "gzip", None]):
        some = single.slice(number * 200, 200).to_pylist()
        suffix = ".tfrecord.gz" if compression else ".tfrecord"
        path = tmp_path / "data" / f"part-{number}{suffix}"
        write_records(str(path), [encode_example(features(row)) for row in some], compression)
    assert run(str(tmp_path / "data" / "*"), tmp_path / "out", config=KEYED) == 0
    assert_same(tmp_path / "out", evaluate(single, plan_of(KEYED)), files=False)


def features(row: dict[str, object]) -> dict[str, list[object]]:
    """A row as features of a tf.train.Example; what is null is left out."""
    lists = {name: v if isinstance(v, list) else [v] for name, v in row.items() if v is not None}
    return {name: values for name, values in lists.items() if values}


def test_predictions_are_the_same_in_every_run(
    rows: pa.Table,
    reference: Evaluation,
    tmp_path: Path,
    run: Run,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = write_shards(rows, tmp_path / "data", [500, 1500], 700)
    names = []
    for attempt in ("one", "two"):
        predictions = tmp_path / attempt
        option = "--write_predictions", str(predictions)
        assert run(files, tmp_path / f"out_{attempt}", *option, config=PLAIN) == 0
        directory = prefix(tmp_path / f"out_{attempt}")
        assert f"predictions written to {directory}\n" in capsys.readouterr().out
        assert list(predictions.iterdir()) == [directory]
        names.append(sorted(p.relative_to(directory) for p in predictions.rglob("*.parquet")))
    assert names[0] == names[1]
    # Those of another run are beside them, and only those of a run that is replaced go.
    again = "--write_predictions", str(tmp_path / "one")
    fewer = files.replace("*", "part-00001")
    first = prefix(tmp_path / "out_one")
    assert run(fewer, tmp_path / "out_three", *again, config=PLAIN) == 0
    third = prefix(tmp_path / "out_three")
    assert 0 < len(list(third.rglob("*.parquet"))) < len(names[0])
    assert set((tmp_path / "one").iterdir()) == {first, third}
    assert run(files, tmp_path / "out_three", *again, "--overwrite", config=PLAIN) == 0
    third = prefix(tmp_path / "out_three")
    assert set((tmp_path / "one").iterdir()) == {first, third}
    table = pq.read_table(third / "click")
    click = reference.report["heads"]["click"]["slices"][0]
    assert len(table) == click["examples"]
    weight, loss = (table.column(name).to_numpy() for name in ("weight", "loss"))
    expected = click["metrics"]["average_loss"]["value"]
    assert (weight * loss).sum() / weight.sum() == pytest.approx(expected, rel=1e-12)
    kept = rows.filter(pa.compute.equal(rows["split"], "test"))
    ordered = by_place(table)
    assert ordered["logits"].to_pylist() == kept["logit"].to_pylist()
    assert ordered["label"].to_pylist() == kept["label"].to_pylist()


def prefix(output: Path) -> Path:
    """The directory of the predictions of a run."""
    return Path(json.loads((output / "manifest.json").read_text())["predictions"])


def by_place(table: pa.Table) -> pa.Table:
    """Predictions in the order of the rows, with text that is not dictionary-coded."""
    for name in {"file", "classes"} & set(table.column_names):
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, table[name].cast(pa.string()))
    return table.sort_by([("file", "ascending"), ("row", "ascending")])


def test_predictions_of_every_head_are_what_it_scored(
    rows: pa.Table, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Batches of a file have the words of their classes in several orders.
    monkeypatch.setattr(read, "BATCH_ROWS", 50)
    files = write_shards(rows, tmp_path / "data", CUTS, 350)
    option = "--write_predictions", str(tmp_path / "predictions")
    assert run(files, tmp_path / "out", *option, config=HEADS) == 0
    scored: dict[str, list[pa.Table]] = {}

    def sink(head: HeadPlan, good: Rows, batch: Scored) -> None:
        scored.setdefault(head.name, []).append(predictions_table(head, good, batch))

    evaluator = evaluator_of(plan_of(HEADS))
    for shard in list_local([files]):
        for item in plan_items(shard, open_local):
            evaluator.add_item(item, sink)
    assert scored.keys() == {"click", "shown", "topic", "tags"}
    for name, tables in scored.items():
        expected = pa.concat_tables(tables)
        found = pq.read_table(prefix(tmp_path / "out") / name)
        coded = {field.name for field in found.schema if pa.types.is_dictionary(field.type)}
        assert coded == {"file", "classes"} & set(expected.column_names)
        assert by_place(found).equals(by_place(expected)), name
