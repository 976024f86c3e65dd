"""The last step: everything a run leaves, `_SUCCESS` last."""

from __future__ import annotations

import hashlib
import json
import platform
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import apache_beam as beam
from apache_beam.io.filesystems import FileSystems
from apache_beam.pvalue import AsList

from pipeline.beam.files import exists, write_file
from pipeline.facts import Facts
from pipeline.plan import Plan, StateKey
from pipeline.report.metrics_table import metrics_table, parquet_bytes
from pipeline.report.model import build_report, report_bytes
from pipeline.results import Results
from pipeline.slicing import SliceTable
from pipeline.states import zip_states

REPORT = "report.json"
METRICS = "metrics.parquet"
STATES = "states.zip"
DATA = "data.json"
MANIFEST = "manifest.json"
SUCCESS = "_SUCCESS"
FILES = (SUCCESS, REPORT, METRICS, STATES, DATA, MANIFEST)
"""What a run leaves, in the order in which an older run is taken away."""


class Publish(beam.PTransform):
    """Writes the outputs of a run, or the data report alone if the data must not be reported on.

    Args:
        plan: the plan of the run.
        output: the directory.
    """

    def __init__(self, plan: Plan, output: str) -> None:
        super().__init__()
        self._plan = plan
        self._output = output

    def expand(
        self,
        parts: tuple[
            beam.PCollection[Results],
            beam.PCollection[tuple[tuple[str, int, int], bytes]],
            beam.PCollection[tuple[str, Facts]],
            beam.PCollection[SliceTable],
        ],
    ) -> beam.PCollection[bool]:
        return (
            parts[0].pipeline
            | "Once" >> beam.Create([self._output])
            | "Publish" >> beam.Map(_publish, self._plan, *map(AsList, parts))
        )


def _publish(
    output: str,
    plan: Plan,
    results: list[Results],
    states: list[tuple[tuple[str, int, int], bytes]],
    facts: list[tuple[str, Facts]],
    tables: list[SliceTable],
) -> bool:
    total = sum((found for _, found in facts), Facts())
    problems = total.problems(plan.tolerance)
    files = {DATA: _json(_data(dict(facts), total, problems))}
    if not problems:
        files[REPORT] = report_bytes(build_report(plan, tables[0], results, total))
        files[METRICS] = parquet_bytes(metrics_table(plan, results))
        files[STATES] = zip_states(tables[0], ((StateKey(*key), state) for key, state in states))
        files[MANIFEST] = _json(_manifest(files))
        files[SUCCESS] = b""
    # An older run goes whole, its mark of success first, so that no reader takes a mixture for a
    # run.
    for name in FILES:
        if exists(FileSystems.join(output, name)):
            FileSystems.delete([FileSystems.join(output, name)])
    for name, content in files.items():
        write_file(FileSystems.join(output, name), content)
    return not problems


def _data(facts: dict[str, Facts], total: Facts, problems: list[str]) -> dict[str, Any]:
    return {
        "problems": problems,
        "rows": {"read": total.rows, "evaluated": total.kept},
        "bad_rows": _bad(total),
        "first_bad_rows": [
            {"path": row.path, "row": row.row, "head": row.head, "reason": row.reason}
            for row in total.examples
        ],
        "shards": [
            {
                "path": shard.path,
                "bytes": shard.bytes,
                "format": shard.format,
                "page_checksums": None
                if shard.format != "parquet"
                else shard.path not in total.unverified,
                "rows": facts[shard.path].rows,
                "evaluated": facts[shard.path].kept,
                "bad_rows": _bad(facts[shard.path]),
                "failure": facts[shard.path].failures.get(shard.path),
            }
            for shard in sorted(total.shards)
        ],
    }


def _bad(facts: Facts) -> list[dict[str, Any]]:
    return [
        {"head": head, "reason": reason, "rows": count}
        for (head, reason), count in sorted(facts.bad.items())
    ]


def _manifest(files: dict[str, bytes]) -> dict[str, Any]:
    return {
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in sorted(files.items())
        },
        "versions": {
            "python": platform.python_version(),
            "machine": platform.machine(),
            **{name: version(name) for name in ("headcount", "apache-beam", "numpy", "pyarrow")},
        },
    }


def _json(data: dict[str, Any]) -> bytes:
    return json.dumps(data, indent=1, ensure_ascii=False).encode() + b"\n"
