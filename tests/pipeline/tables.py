"""Plans, rows and files for the tests of the pipeline."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, Phase, settings

from heads.statistics import State, merge, same
from heads.statistics.codec import decode, encode
from pipeline.config.heads import HeadConfig
from pipeline.config.load import parse_config
from pipeline.evaluate import TABLE, Evaluation, finish
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.head_plan import identity_statistic
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.slice_counting import CountingPass, decide_slices, known_slices
from pipeline.evaluation.state_key import StateKey
from pipeline.readers.read import inspect
from pipeline.readers.rows import Rows
from pipeline.readers.shards import Shard, WorkItem, make_shard
from pipeline.readers.storage import OpenFile, open_local
from pipeline.report.report_json import report_bytes
from pipeline.slicing.counting import SliceCounts, merge_counts
from pipeline.validation.findings import Findings

PLAIN = "heads: {h: {type: binary, logits: s, label: y}}"

law = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    phases=(Phase.explicit, Phase.generate, Phase.shrink),
    suppress_health_check=list(HealthCheck),
)


def plan_of(text: str) -> Plan:
    return make_plan(parse_config(text, "c.yaml"))


def head_of(keys: str) -> HeadConfig:
    """The configuration of one head from its keys in flow style."""
    return parse_config(f"heads: {{h: {{{keys}}}}}", "c.yaml").heads["h"]


def rows_of(columns: dict[str, Any] | pa.RecordBatch, **directory: str) -> Rows:
    """Rows of a file, numbered from 100 on."""
    batch = columns if isinstance(columns, pa.RecordBatch) else pa.record_batch(columns)
    return Rows(batch, np.arange(100, 100 + batch.num_rows), "a.parquet", directory)


def evaluator_of(plan: Plan, *batches: Rows) -> Evaluator:
    """An evaluator of the slices that some rows have."""
    table = known_slices(plan)
    if table is None:
        counting = CountingPass(plan, open_local)
        for rows in batches:
            counting.add(rows)
        table = decide_slices(plan, counting.counts())
    return Evaluator(plan, table, open_local)


def write(path: Path, table: pa.Table, **options: Any) -> Shard:
    """Writes a Parquet file, and the directories above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return make_shard(str(path), os.path.getsize(path))


def slices_of(evaluation: Evaluation, head: str = "h") -> dict[Any, dict[str, Any]]:
    """The entries of a head by `(column, kind, value)` of their slice, None for overall.

    A slice of several columns is a tuple of those.
    """
    found = {}
    for entry in evaluation.report["heads"][head]["slices"]:
        key = tuple((part["column"], part["kind"], part["value"]) for part in entry["slice"])
        found[key if len(key) > 1 else key[0] if key else None] = entry
    return found


def values_of(evaluation: Evaluation, head: str = "h", key: Any = None) -> dict[str, float | None]:
    """The values of the metrics of one slice, None where undefined."""
    metrics = slices_of(evaluation, head)[key]["metrics"]
    return {name: metric["value"] for name, metric in metrics.items()}


def reason_of(evaluation: Evaluation, metric: str, head: str = "h", key: Any = None) -> str:
    """Why a metric is undefined."""
    found = slices_of(evaluation, head)[key]["metrics"][metric]
    assert found["value"] is None
    reason: str = found["reason"]
    return reason


def assert_equal(found: Evaluation, reference: Evaluation) -> None:
    """The same report, byte by byte, and the same states, bit by bit.

    What tells the rows of a run from others is left out: it knows of files and row numbers.
    """
    assert report_bytes(found.report) == report_bytes(reference.report)
    states, other = own_states(found), own_states(reference)
    assert states.keys() == other.keys()
    assert all(same(state, states[key]) for key, state in other.items())


def evaluate_in_bundles(bundles: Sequence[Rows], plan: Plan) -> Evaluation:
    """Evaluates rows in bundles whose states are merged, as a runner does with several workers."""
    table = evaluator_of(plan, *bundles).table
    states: dict[StateKey, list[State]] = {}
    findings = Findings()
    for bundle in bundles:
        evaluator = Evaluator(plan, table, open_local)
        findings += evaluator.add(bundle)
        for key, state in evaluator.iter_states():
            # States travel in bytes.
            states.setdefault(key, []).append(decode(encode(state)))
    merged = {key: merge(parts) for key, parts in states.items()}
    return finish(plan, table, merged, {TABLE: findings})


def own_states(evaluation: Evaluation) -> dict[StateKey, State]:
    """The states without those of `identity_statistic`."""
    return {
        key: state
        for key, state in evaluation.states.items()
        if state.statistic != identity_statistic(state.statistic.folds)
    }


def binary_table(rows: int, seed: int, digits: int = 2) -> pa.Table:
    """Logits `s`, their probabilities `p`, labels `y`, weights `w`, groups `g` and keys `id`."""
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
            "id": rng.integers(0, max(1, rows // 3), rows),
        }
    )


def add_counts(
    plan: Plan, bundles: Iterable[Mapping[tuple[int, int], SliceCounts]]
) -> dict[tuple[int, int], SliceCounts]:
    """The merged counts of several bundles."""
    by_key: dict[tuple[int, int], list[SliceCounts]] = {}
    for bundle_counts in bundles:
        for key, counts in bundle_counts.items():
            by_key.setdefault(key, []).append(counts)
    return {key: merge_counts(parts, plan.config.max_distinct) for key, parts in by_key.items()}


def plan_items(shard: Shard, open_file: OpenFile = open_local) -> list[WorkItem]:
    """The work items of a shard; raises `DataFault` as `inspect` does."""
    return list(inspect(shard, open_file, records=0).items)
