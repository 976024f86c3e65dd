"""The report of an evaluation as an object: to look at, to look up in, to convert and to save."""

from __future__ import annotations

import copy
import io
import os
from collections.abc import Mapping
from functools import cached_property
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.api.metrics import Metric, find_metric
from pipeline.api.places import store_of
from pipeline.errors.wording import counted
from pipeline.evaluate import Evaluation
from pipeline.report.data_json import Files
from pipeline.report.metrics_parquet import SCHEMA, metrics_table
from pipeline.report.report_json import report_bytes
from pipeline.report.report_layout import parse_report
from pipeline.runs.file_names import METRICS, REPORT
from pipeline.runs.gates import OtherRun, judge_run
from pipeline.runs.manifest import sha256
from pipeline.runs.outputs import run_files
from pipeline.runs.read import read_gates
from pipeline.runs.save import save
from pipeline.runs.verify import VerifiedRun, explained

_MOST_HEADS = 5
_FIRST_METRICS = ("average_loss", "accuracy", "roc_auc", "auc")
_MOST_METRICS = 3


class _Source(Protocol):
    """Where a report comes from: it knows the files that a run of it leaves.

    Attributes:
        inputs: the globs of the files that it was made of, as far as they are known.
        plugins: the SHA-256 of the plugins that it was made with, by name.
    """

    inputs: tuple[str, ...]
    plugins: Mapping[str, str]

    def metrics(self) -> pa.Table:
        """Returns the metrics of all slices, see `pipeline.report.metrics_parquet`."""

    def files(self, identity: str) -> Mapping[str, bytes]:
        """Returns the content of the files of a run by name, given its identity."""

    def gates(self) -> Mapping[str, Any] | None:
        """Returns the content of `gates.json`; None if there are no gates."""


class Report:
    """The report of an evaluation.

    `print` shows its main tables. `headcount.evaluate`, `headcount.run` and `headcount.load` make
    reports.
    """

    def __init__(self, data: Mapping[str, Any], source: _Source) -> None:
        self._data = data
        self._source = source

    @classmethod
    def of(cls, evaluation: Evaluation, other: OtherRun | None = None) -> Report:
        """Returns the report of an evaluation in this process.

        Args:
            evaluation: the evaluation.
            other: the run that its gates compare with, or None.
        """
        return cls(evaluation.report, _Evaluated(evaluation, other))

    @classmethod
    def read(cls, run: VerifiedRun) -> Report:
        """Returns the report of a finished run.

        Raises:
            ConfigError: if its files are not those that its manifest lists.
            StorageError: if files elsewhere cannot be reached.
        """
        with explained(run.directory, REPORT):
            data = parse_report(run.read(REPORT)).data
        with explained(run.directory, METRICS):
            table = pq.read_table(io.BytesIO(run.read(METRICS)))
            if table.schema != SCHEMA:
                raise ValueError("its columns are not those of this release")
        return cls(data, _Stored(run, table, read_gates(run)))

    def metric(
        self,
        name: str,
        head: str | None = None,
        slice: Mapping[str, Any] | None = None,  # noqa: A002 - the word that people use
        *,
        of: str | None = None,
        weighted: bool = True,
        against_overall: str | None = None,
    ) -> Metric:
        """Returns a metric with its interval.

        Args:
            name: the name of the metric, such as `roc_auc`.
            head: the name of the head; it may be left out if there is only one.
            slice: the values of the columns of the slice, `{"country": "DE"}`, with None for a
                missing value and `[18, 30)` for a bucket; left out, all rows.
            of: in a report of two models `candidate`, `baseline`, `difference` or `both`; left out,
                the only model or the candidate.
            weighted: whether rows count by their weights, if the head has weights.
            against_overall: `difference` or `ratio`, for the slice compared with overall, where
                the configuration says `against_overall: true`.

        Raises:
            NotInReport: a `KeyError`, if there is none; it says which name is near.
        """
        level = self._data["config"]["confidence"]["level"]
        chosen = slice or {}
        return find_metric(self._metrics, level, name, head, chosen, of, weighted, against_overall)

    def to_arrow(self) -> pa.Table:
        """Returns every metric in every slice as a table, with the columns of `metrics.parquet`."""
        return self._metrics

    def to_pandas(self) -> Any:
        """Returns the table of `to_arrow` as a data frame of pandas, which must be installed.

        Raises:
            ImportError: if it is not.
        """
        try:
            return self._metrics.to_pandas()
        except ImportError as error:
            message = "pandas is not installed: pip install pandas, or use report.to_arrow()"
            raise ImportError(message, name="pandas") from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the report as plain data, with the content of `report.json`."""
        return copy.deepcopy(dict(self._data))

    @property
    def gates(self) -> dict[str, Any] | None:
        """The verdict of the gates as plain data, as in `gates.json`; None if there are none."""
        return copy.deepcopy(None if self._gates is None else dict(self._gates))

    @property
    def passed(self) -> bool | None:
        """Whether the gates let the model through; None if there are none."""
        return None if self._gates is None else bool(self._gates["passed"])

    def save(self, directory: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Leaves a finished run in a directory, as the command does.

        Args:
            directory: the directory, which is made if it is missing.
            overwrite: whether to replace a run that it holds.

        Raises:
            ConfigError: if the globs of the files that were evaluated would read what is left.
            OutputTaken: if the directory holds a run, other files, or another run at work.
            StorageError: if it cannot be written.
        """
        place = os.fspath(directory)
        job = sha256(report_bytes(dict(self._data)))
        source = self._source
        save(
            store_of(place),
            place,
            job,
            source.files,
            source.inputs,
            source.plugins,
            overwrite=overwrite,
        )

    def __repr__(self) -> str:
        lines = [f"<Report of {counted(self._data['rows']['evaluated'], 'row')}"]
        heads = self._data["heads"]
        lines += [_summary(name, head) for name, head in list(heads.items())[:_MOST_HEADS]]
        if len(heads) > _MOST_HEADS:
            lines.append(f"and {counted(len(heads) - _MOST_HEADS, 'more head')}")
        return "\n  ".join(lines) + ">"

    def __str__(self) -> str:
        # rich takes a while to import, and most programs print no report.
        from pipeline.report.text.render import render

        return render(self._data, self._gates).rstrip("\n")

    @cached_property
    def _metrics(self) -> pa.Table:
        return self._source.metrics()

    @cached_property
    def _gates(self) -> Mapping[str, Any] | None:
        return self._source.gates()


def _summary(name: str, head: Mapping[str, Any]) -> str:
    """Returns a line about a head: its first metrics that have a value, of all rows."""
    overall = head["slices"][0]["metrics"]
    names = [name for name in _FIRST_METRICS if name in overall]
    values = [
        f"{name} {overall[name]['value']:.5g}"
        for name in [*names, *(name for name in head["headline"] if name not in names)]
        if overall[name]["value"] is not None
    ]
    slices = len(head["slices"]) - 1 + head["slices_left_out"]
    kind = ", ".join([head["type"], *([counted(slices, "slice")] if slices else [])])
    return f"{name} ({kind}): {', '.join(values[:_MOST_METRICS])}".removesuffix(": ")


class _Evaluated:
    """A report that was computed in this process."""

    def __init__(self, evaluation: Evaluation, other: OtherRun | None) -> None:
        self._evaluation = evaluation
        self._other = other
        self.inputs = evaluation.inputs
        self.plugins: Mapping[str, str] = evaluation.plan.plugin_hashes

    def metrics(self) -> pa.Table:
        return metrics_table(self._evaluation.plan, self._evaluation.results)

    def files(self, identity: str) -> Mapping[str, bytes]:
        done = self._evaluation
        parts = [Files.of(done.findings)]
        return run_files(
            done.plan, done.notes, done.table, done.partitions(), parts, identity, self._other
        )

    def gates(self) -> Mapping[str, Any] | None:
        done = self._evaluation
        if not done.plan.config.gates:
            return None
        states = (pair for part in done.partitions() for pair in part.states.items())
        return judge_run(done.plan, done.table, states, self._other)


class _Stored:
    """A report of a run that was read."""

    inputs: tuple[str, ...] = ()

    def __init__(self, run: VerifiedRun, table: pa.Table, gates: Mapping[str, Any] | None) -> None:
        self._run = run
        self._table = table
        self._gates = gates
        self.plugins: Mapping[str, str] = run.plugins

    def metrics(self) -> pa.Table:
        return self._table

    def files(self, _: str) -> Mapping[str, bytes]:
        return {name: self._run.read(name) for name in self._run.manifest["files"]}

    def gates(self) -> Mapping[str, Any] | None:
        return self._gates
