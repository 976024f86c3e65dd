"""Finished runs for the tests of what compares them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa

from heads.statistics.codec import encode
from pipeline.evaluate import evaluate
from pipeline.evaluation.slice_counting import CountingPass, decide_slices, known_slices
from pipeline.readers.shards import Shard
from pipeline.readers.storage import open_local
from pipeline.report.data_json import data_bytes
from pipeline.report.report_json import report_bytes
from pipeline.results.run_states import RunStates
from pipeline.runs.file_names import DATA, REPORT, STATES
from pipeline.runs.gates import gates_files, judge_run
from pipeline.runs.load import load_run
from pipeline.runs.manifest import MANIFEST, SUCCESS, VERSION, sha256, success_bytes
from pipeline.runs.states_zip import zip_states
from pipeline.validation.findings import Findings
from tests.pipeline.tables import plan_items, plan_of, write

FOLDS = 12
KEYED = f"folds: {FOLDS}, key: id"
METRICS = "metrics: [average_loss, accuracy, precision, label/mean, auc, roc_auc]"
BINARY = f"binary, logits: {{score}}, label: y, weight: w, {METRICS}"


def config(
    score: str = "s",
    confidence: str = KEYED,
    slices: str = "[g]",
    head: str = BINARY,
    more: str = "",
    name: str = "h",
) -> str:
    return (
        f"slices: {slices}\nconfidence: {{{confidence}}}\n{more}\n"
        f"heads: {{{name}: {{type: {head.format(score=score)}}}}}"
    )


@cache
def table(rows: int = 500, seed: int = 3) -> pa.Table:
    """A worse score `t` beside `s`, of few distinct ones so that no histogram is coarse."""
    rng = np.random.default_rng(seed)
    s = rng.normal(0, 2, rows).round(1)
    return pa.table(
        {
            "s": s,
            "t": (s + rng.normal(0, 1.5, rows)).round(1),
            "y": (rng.random(rows) < 1 / (1 + np.exp(-s))).astype(np.int64),
            "w": rng.gamma(2, 1, rows).round(2),
            "g": pa.array(rng.choice(["a", "b"], rows), mask=rng.random(rows) < 0.2),
            "id": rng.integers(0, 120, rows),
            "other_id": rng.integers(0, 120, rows),
            "c": list(rng.integers(-2, 3, (rows, 3)).astype(float)),
            "d": list(rng.integers(-2, 3, (rows, 3)).astype(float)),
            "k": rng.integers(0, 3, rows),
            "tags": list(rng.integers(0, 2, (rows, 3))),
        }
    )


def with_column(name: str, values: Any, rows: pa.Table | None = None) -> pa.Table:
    source = table() if rows is None else rows
    return source.set_column(source.schema.get_field_index(name), name, pa.array(values))


def finish_run(directory: Path, text: str, rows: pa.Table, file: str = "part-0.parquet") -> Path:
    """A run as the pipeline leaves it, as far as a comparison looks at it."""
    shard = write(directory / "data" / file, rows)
    # Many tests make the same run, of which no file knows where it is.
    files = _files_of(text, file) if rows is table() else _evaluated(text, shard)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return seal(directory)


@cache
def _files_of(text: str, file: str) -> dict[str, bytes]:
    with TemporaryDirectory() as directory:
        return _evaluated(text, write(Path(directory) / file, table()))


def _evaluated(text: str, shard: Shard) -> dict[str, bytes]:
    """The files of a run of one file by name, as far as commands read them."""
    plan = plan_of(text)
    evaluation = evaluate(shard.path, plan)
    counting = CountingPass(plan, open_local)
    for item in plan_items(shard, open_local):
        counting.add_item(item)
    known = known_slices(plan)
    slices = decide_slices(plan, counting.counts()) if known is None else known
    states = [(key, encode(state)) for key, state in evaluation.states.items()]
    files = {
        REPORT: report_bytes(evaluation.report),
        STATES: zip_states(slices, states),
        DATA: data_bytes([], Findings(), (), ()),
    }
    return files | (gates_files(judge_run(plan, slices, states, None)) if plan.config.gates else {})


def seal(directory: Path) -> Path:
    """Makes the files of a directory, whatever they are, a finished run."""
    contents = {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.is_file() and path.name not in (MANIFEST, SUCCESS)
    }
    manifest: dict[str, Any] = {
        "headcount_manifest": VERSION,
        "id": f"run-{sha256(repr(contents).encode())[:12]}",
        "created": "2026-01-01T00:00:00+00:00",
        "files": {
            name: {"bytes": len(content), "sha256": sha256(content)}
            for name, content in contents.items()
        },
        "predictions": None,
        "versions": {"headcount": "0"},
    }
    (directory / MANIFEST).write_text(json.dumps(manifest))
    success = success_bytes(manifest["id"], (directory / MANIFEST).read_bytes())
    (directory / SUCCESS).write_bytes(success)
    return directory


class Finish:
    """Makes runs of `table`, or of other rows, below a directory."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._runs = 0

    def __call__(
        self, text: str, rows: pa.Table | None = None, file: str = "part-0.parquet"
    ) -> RunStates:
        self._runs += 1
        directory = self._directory / str(self._runs)
        return load_run(str(finish_run(directory, text, table() if rows is None else rows, file)))


def entries(found: dict[str, Any], name: str = "h") -> dict[str, dict[str, Any]]:
    """The entries of a head by their slice."""
    slices: list[dict[str, Any]] = found["heads"][name]["slices"]
    return {json.dumps(entry["slice"]): entry for entry in slices}
