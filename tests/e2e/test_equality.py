"""The same rows give the same bytes, whatever runs them and however they are cut."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import apache_beam as beam
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from heads.statistics.codec import encode
from pipeline.beam.combine import StateCoder
from pipeline.beam.publish import Publish
from pipeline.beam.transforms import Evaluate
from pipeline.config import parse_config
from pipeline.evaluate import Evaluation, evaluate, evaluate_items
from pipeline.plan import Plan, make_plan
from pipeline.readers import plan_items
from pipeline.readers.example import encode_example
from pipeline.readers.shards import list_local, open_local
from pipeline.readers.tfrecord import write_records
from pipeline.report.model import report_bytes
from tests.e2e.conftest import CONFIG, Run, make_rows, states_of

ROWS = 6000


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    return make_rows(ROWS)


@pytest.fixture(scope="module")
def plan() -> Plan:
    return make_plan(parse_config(CONFIG, "config.yaml"))


@pytest.fixture(scope="module")
def reference(rows: pa.Table, plan: Plan) -> Evaluation:
    return evaluate(rows, plan)


def write_shards(rows: pa.Table, directory: Path, cuts: list[int], row_group: int) -> str:
    """Writes the rows between the cuts to a file each."""
    directory.mkdir()
    for number, (first, last) in enumerate(pairwise([0, *sorted(cuts), len(rows)])):
        path = directory / f"part-{number:05d}.parquet"
        pq.write_table(rows.slice(first, last - first), path, row_group_size=row_group)
    return str(directory / "*.parquet")


def assert_same(output: Path, reference: Evaluation) -> None:
    assert (output / "report.json").read_bytes() == report_bytes(reference.report)
    expected = {str(key): encode(state) for key, state in reference.states.items()}
    assert states_of(output) == expected


def test_the_reference_is_not_trivial(reference: Evaluation) -> None:
    assert len(reference.states) > 40
    assert reference.report["rows"]["evaluated"] < reference.report["rows"]["read"]
    countries = [s["slice"][0] for s in reference.report["heads"]["click"]["slices"] if s["slice"]]
    assert {c["kind"] for c in countries} == {"string", "missing", "int"}


def test_in_process_runner(rows: pa.Table, reference: Evaluation, tmp_path: Path, run: Run) -> None:
    files = write_shards(rows, tmp_path / "data", [900, 1000, 4321], 500)
    assert run(files, tmp_path / "out") == 0
    assert_same(tmp_path / "out", reference)


def test_two_processes(rows: pa.Table, reference: Evaluation, tmp_path: Path, run: Run) -> None:
    files = write_shards(rows, tmp_path / "data", [1500, 3000, 4500], 700)
    two = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    assert run(files, tmp_path / "out", *two) == 0
    assert_same(tmp_path / "out", reference)


@pytest.mark.parametrize("seed", range(3))
def test_other_cuts_and_orders(
    rows: pa.Table, plan: Plan, reference: Evaluation, tmp_path: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    shuffled = rows.take(rng.permutation(len(rows)))
    cuts = sorted(rng.integers(0, len(rows), 12).tolist())
    files = write_shards(shuffled, tmp_path / "data", cuts, int(rng.integers(50, 3000)))
    items = [i for shard in list_local([files]) for i in plan_items(shard, open_local)]
    again = evaluate_items([items[i] for i in rng.permutation(len(items))], plan)
    assert report_bytes(again.report) == report_bytes(reference.report)
    assert {k: encode(s) for k, s in again.states.items()} == {
        k: encode(s) for k, s in reference.states.items()
    }


def test_shards_in_any_order_through_beam(
    rows: pa.Table, plan: Plan, reference: Evaluation, tmp_path: Path
) -> None:
    files = write_shards(rows, tmp_path / "data", [10, 2000, 2001, 5000], 1000)
    options = PipelineOptions(["--runner=FnApiRunner"])
    with beam.Pipeline(options=options) as pipeline:
        shards = pipeline | beam.Create(list_local([files])[::-1])
        _ = shards | Evaluate(plan) | Publish(plan, str(tmp_path / "out"))
    assert_same(tmp_path / "out", reference)


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_tfrecord_equals_parquet(
    rows: pa.Table, plan: Plan, tmp_path: Path, run: Run, compression: None
) -> None:
    # A tf.train.Example has float32 only; the same float32 must be in the table it is held against.
    single = rows.slice(0, 800)
    for name in ("probabilities", "tag_logits"):
        place = single.schema.get_field_index(name)
        narrow = single.column(name).cast(pa.list_(pa.float32()))
        single = single.set_column(place, name, narrow)
    (tmp_path / "data").mkdir()
    suffix = ".tfrecord.gz" if compression else ".tfrecord"
    for number, first in enumerate(range(0, 800, 300)):
        records = [encode_example(features(row)) for row in single.slice(first, 300).to_pylist()]
        path = tmp_path / "data" / f"part-{number}{suffix}"
        write_records(str(path), records, compression=compression)
    assert run(str(tmp_path / "data" / "*"), tmp_path / "out") == 0
    assert_same(tmp_path / "out", evaluate(single, plan))


def features(row: dict[str, object]) -> dict[str, list[object]]:
    """A row as features of a tf.train.Example; what is null is left out."""
    lists = {name: v if isinstance(v, list) else [v] for name, v in row.items() if v is not None}
    return {name: values for name, values in lists.items() if values}


def test_the_accumulator_coder_is_used(
    rows: pa.Table, plan: Plan, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = []
    plain = StateCoder.encode
    monkeypatch.setattr(StateCoder, "encode", lambda self, s: encoded.append(s) or plain(self, s))
    files = write_shards(rows.slice(0, 600), tmp_path / "data", [200, 400], 100)
    assert run(files, tmp_path / "out") == 0
    assert encoded


def test_example_losses_are_the_same_in_every_run(
    rows: pa.Table, plan: Plan, reference: Evaluation, tmp_path: Path, run: Run
) -> None:
    files = write_shards(rows, tmp_path / "data", [1000, 4000], 700)
    names = []
    for attempt in ("one", "two"):
        losses = tmp_path / attempt
        assert run(files, tmp_path / f"out_{attempt}", "--write_example_losses", str(losses)) == 0
        names.append(sorted(p.relative_to(losses) for p in losses.rglob("*")))
    assert names[0] == names[1]
    again = "--write_example_losses", str(tmp_path / "one")
    assert run(files, tmp_path / "out_three", *again) == 2
    fewer = files.replace("*", "part-00001")
    assert run(fewer, tmp_path / "out_three", *again, "--overwrite") == 0
    assert 0 < len(list((tmp_path / "one").rglob("*.parquet"))) < len(names[0])
    assert run(files, tmp_path / "out_three", *again, "--overwrite") == 0
    table = pq.read_table(tmp_path / "one" / "click")
    assert {"file", "row", "logits", "probabilities", "class_id", "loss"} <= set(table.column_names)
    click = reference.report["heads"]["click"]["slices"][0]
    assert len(table) == click["examples"]
    weight, loss = (table.column(name).to_numpy() for name in ("weight", "loss"))
    expected = click["metrics"]["average_loss"]["value"]
    assert (weight * loss).sum() / weight.sum() == pytest.approx(expected, rel=1e-12)
    kept = rows.filter(pa.compute.equal(rows["split"], "test"))
    named = table.set_column(0, "file", table["file"].cast(pa.string()))
    ordered = named.sort_by([("file", "ascending"), ("row", "ascending")])
    assert ordered["logits"].to_pylist() == kept["logit"].to_pylist()
