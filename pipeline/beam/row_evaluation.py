"""`headcount.Evaluate`: the evaluation of the rows of a pipeline of the user's own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsList, AsSingleton, TaggedOutput
from apache_beam.transforms.window import GlobalWindows
from apache_beam.utils.windowed_value import WindowedValue

# Starts the worker processes of Beam's local runner, which find headcount's packages then.
import pipeline.beam.worker_process  # noqa: F401
from heads.statistics import OVERALL
from heads.statistics.codec import encode
from pipeline.beam.combine import MergeInTree
from pipeline.beam.files import absolute, open_file
from pipeline.beam.options import expected_bundles, import_in_workers
from pipeline.beam.partitions import Key, compute_partitions, in_global_window
from pipeline.beam.publish import Publish
from pipeline.beam.row_batches import NO_PLACE, RowReader, ToBatches, failure
from pipeline.beam.store import BeamStore
from pipeline.beam.transforms import FINDINGS, STATES, Evaluated, Slices
from pipeline.beam.work_directory import WorkDirectory, keep_other
from pipeline.config.load import as_config, as_gates
from pipeline.config.model import Config
from pipeline.errors.faults import BadData, DataFault
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.evaluator import Evaluator
from pipeline.evaluation.input_files import InputVerdict, check_columns
from pipeline.evaluation.plan import Plan, make_plan
from pipeline.evaluation.slice_counting import CountingPass
from pipeline.report.data_json import Files
from pipeline.report.metrics_parquet import metrics_table
from pipeline.results.partition import Partition
from pipeline.runs.gates import NO_RUN, check_against, load_other, with_gates
from pipeline.runs.manifest import sha256
from pipeline.runs.outputs import judge
from pipeline.runs.publish import check_output, recover
from pipeline.runs.stage import Stage, new_stage
from pipeline.runs.verify import open_run
from pipeline.slicing.counting import SliceCounts
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Findings, findings_by_path

_LOGGER = logging.getLogger(__name__)

_NO_FOLDS = (
    "rows of a PCollection have no place from which their folds would follow: name a column in"
    " 'confidence.key', or give 'folds: 0' and no intervals"
)


class Evaluate(beam.PTransform):
    """Evaluates rows that a pipeline has, and returns every metric in every slice.

    It takes a bounded `PCollection` of Arrow record batches; or of dicts or named tuples, such as
    Beam's own rows, with a `schema`. It gives one of Arrow record batches with the columns of
    `metrics.parquet`, in which a row is a metric in a slice; each batch has some of the slices of a
    head. The metrics are those of `headcount.evaluate`, to the last digit. If the data must not be
    reported on, the pipeline fails with the reasons.

    Args:
        config: the path of a YAML file, the same as a dict, or a `Config`. It names a
            `confidence.key` or has `confidence.folds: 0`, for rows of a `PCollection` have no place
            from which their folds would follow.
        schema: the columns of a dict: an Arrow schema, or a dict of Arrow types by name. Columns
            that the configuration does not read are left out.
        output: a directory in which a finished run is published, as the command leaves it; or None.
        overwrite: whether to replace an older run in `output`.
        gates: the gates that the run in `output` is judged by, in place of those of the
            configuration: the path of a YAML file, or a list of dicts. The verdict is in
            `gates.json`, and the pipeline goes on whatever it is.
        against: the directory of the finished run that gates with `against: run` compare with; or
            `"none"` to skip those gates.

    Raises:
        ConfigError: if the configuration or the gates are wrong or do not fit each other or the
            schema, or if there are folds without a key.
        OutputTaken: if the output holds a run, or other files.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | Mapping[str, Any] | Config,
        *,
        schema: pa.Schema | Mapping[str, pa.DataType] | None = None,
        output: str | os.PathLike[str] | None = None,
        overwrite: bool = False,
        gates: str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any] | None = None,
        against: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        checked, self._source = as_config(config, open_file)
        self._plan = make_plan(checked, self._source, open_file)
        if self._plan.folds > 1 and checked.confidence.key is None:
            raise ConfigError([Problem(self._source, ("confidence",), _NO_FOLDS)])
        self._schema = None if schema is None else self._narrowed(schema)
        given, source = (None, self._source) if gates is None else as_gates(gates, open_file)
        self._plan = with_gates(self._plan, given, source)
        self._output = None if output is None else absolute(os.fspath(output))
        place = None if against is None else os.fspath(against)
        if self._output is not None:
            check_against(self._plan.config.gates, place, source)
        self._against = None if place in (None, NO_RUN) else absolute(place)
        self._overwrite = overwrite

    def expand(self, rows: beam.PCollection[Any]) -> beam.PCollection[pa.RecordBatch]:
        plan = self._plan
        if not rows.is_bounded:
            raise ValueError("headcount.Evaluate takes a bounded PCollection: it has to end")
        if self._output is not None:
            check_output(BeamStore(), _stage_of(self._output, self._overwrite))
            if self._against is not None:
                open_run(self._against, open_file)
        options = rows.pipeline._options
        import_in_workers(options)
        bundles = expected_bundles(options)
        batches = (
            rows
            | "InOneWindow" >> beam.WindowInto(GlobalWindows())
            | "ToBatches" >> beam.ParDo(ToBatches(self._schema)).with_outputs(FINDINGS, main="rows")
        )
        verdict = (
            rows.pipeline | "Once" >> beam.Impulse() | "NoFiles" >> beam.Map(_no_files_to_judge)
        )
        slices = (batches["rows"], verdict) | "Slices" >> Slices(
            plan, bundles, CountRows(plan, self._source)
        )
        table = AsSingleton(slices)
        measured = batches["rows"] | "Measure" >> beam.ParDo(
            MeasureRows(plan, self._source), table
        ).with_outputs(FINDINGS, main=STATES)
        partitions = compute_partitions(measured[STATES], plan, table, bundles)
        findings = (
            (batches[FINDINGS], measured[FINDINGS])
            | "AllFindings" >> beam.Flatten()
            | "InOnePart"
            >> beam.Map(_in_one_part).with_output_types(tuple[int, dict[str, Findings]])
            | "FindingsOfRows" >> MergeInTree(findings_by_path)
        )
        overall = partitions | "RowsOfHeads" >> beam.FlatMap(_rows_of_head)
        problems = verdict | "Judge" >> beam.Map(
            _judge, plan, table, AsList(findings), AsList(overall)
        )
        ended = problems
        if self._output is not None:
            ended = self._publish(Evaluated(partitions, findings, slices, verdict), problems)
        _ = ended | "RefuseBadData" >> beam.Map(_refuse)
        return partitions | "Metrics" >> beam.FlatMap(
            _metrics, plan, AsSingleton(problems)
        ).with_output_types(pa.RecordBatch)

    def _publish(
        self, evaluated: Evaluated, problems: beam.PCollection[list[str]]
    ) -> beam.PCollection[list[str]]:
        """Publishes a run, and returns the problems once that is done."""
        assert self._output is not None
        # The stage is opened once, and all later steps have the same, also if they are tried again.
        stages = (
            evaluated.slices.pipeline
            | "Start" >> beam.Impulse()
            | "OpenStage"
            >> beam.Map(_open_stage, self._output, self._overwrite, self._plan, self._against)
            | "KeepStage" >> beam.Reshuffle()
        )
        job = sha256(self._plan.config.model_dump_json().encode())
        published = evaluated | "Report" >> Publish(
            self._plan, AsSingleton(stages), job, (), compares=self._against is not None
        )
        return published | "CloseStage" >> beam.Map(
            _close_stage, AsSingleton(stages), AsSingleton(problems)
        )

    def _narrowed(self, schema: pa.Schema | Mapping[str, pa.DataType]) -> pa.Schema:
        """Returns the columns of a schema that the plan reads."""
        if isinstance(schema, Mapping):
            schema = pa.schema(schema)
        if not isinstance(schema, pa.Schema):
            kind = type(schema).__name__
            raise TypeError(f"schema is an Arrow schema, or a dict of Arrow types, not a {kind}")
        check_columns(self._plan, schema, "the schema", self._source)
        return pa.schema([schema.field(name) for name in self._plan.columns])


@beam.typehints.with_output_types(tuple[tuple[int, int], SliceCounts])
class CountRows(beam.DoFn):
    """Counts the rows of every slice in record batches, and emits the counts when a bundle ends.

    Args:
        plan: the plan of the run.
        source: the name of the configuration, for messages.
    """

    def __init__(self, plan: Plan, source: str) -> None:
        self._plan = plan
        self._source = source

    def start_bundle(self) -> None:
        self._counting = CountingPass(self._plan, open_file)
        self._reader = RowReader(self._plan, self._source)

    def process(self, batch: pa.RecordBatch, _: InputVerdict) -> None:
        for rows in self._reader.rows_if_readable(batch):
            self._counting.add(rows)

    def finish_bundle(self) -> Iterator[WindowedValue]:
        for key, counts in self._counting.counts().items():
            yield in_global_window((key, counts))
        del self._counting


@beam.typehints.with_output_types(
    tuple[Key, bytes], states=tuple[Key, bytes], findings=tuple[str, Findings]
)
class MeasureRows(beam.DoFn):
    """Adds the rows of record batches to states, and emits them encoded when a bundle ends.

    Args:
        plan: the plan of the run.
        source: the name of the configuration, for messages.
    """

    def __init__(self, plan: Plan, source: str) -> None:
        self._plan = plan
        self._source = source

    def start_bundle(self) -> None:
        self._evaluator: Evaluator | None = None
        self._reader = RowReader(self._plan, self._source)
        self._findings = Findings()

    def process(self, batch: pa.RecordBatch, table: SliceTable) -> None:
        if table.problems:
            return
        if self._evaluator is None:
            self._evaluator = Evaluator(self._plan, table, open_file)
        try:
            for rows in self._reader.rows(batch):
                self._findings += self._add(self._evaluator, rows)
        except ConfigError as error:
            self._findings += failure("; ".join(map(str, error.problems)))

    def _add(self, evaluator: Evaluator, rows: Any) -> Findings:
        try:
            return evaluator.add(rows)
        except DataFault as fault:
            true_fault = CountingPass(self._plan, open_file).true_fault(fault, [rows])
            return failure(str(true_fault))

    def finish_bundle(self) -> Iterator[Any]:
        yield TaggedOutput(FINDINGS, in_global_window((NO_PLACE, self._findings)))
        if self._evaluator is not None:
            for key, state in self._evaluator.iter_states():
                yield in_global_window((tuple(key), encode(state)))


def _no_files_to_judge(_: bytes) -> InputVerdict:
    return InputVerdict()


def _in_one_part(element: tuple[str, Findings]) -> tuple[int, dict[str, Findings]]:
    return 0, dict([element])


def _rows_of_head(partition: Partition) -> Iterator[tuple[str, int]]:
    """Yields the rows of a head, if the partition has overall."""
    results = partition.results
    if OVERALL in results.keys:
        yield results.head, results.examples[results.keys.index(OVERALL)]


def _judge(
    _: InputVerdict,
    plan: Plan,
    table: SliceTable,
    parts: Sequence[tuple[int, dict[str, Findings]]],
    overall: Sequence[tuple[str, int]],
) -> list[str]:
    """Returns why there must be no report, one line per reason.

    Raises:
        RuntimeError: if not all rows that were read have arrived in the states.
    """
    total = Findings.total(findings for _, part in parts for findings in part.values())
    problems = judge(plan, table, [Files.of({NO_PLACE: total})], total).problems
    arrived = dict(overall)
    for head in () if problems else plan.heads:
        rows = total.kept - total.bad_rows(head)
        if arrived.get(head) != rows:
            raise RuntimeError(
                f"head '{head}' evaluated {rows:,} rows, and {arrived.get(head, 0):,} arrived: the"
                " runner lost states; run again"
            )
    return problems


def _metrics(partition: Partition, plan: Plan, problems: list[str]) -> Iterator[pa.RecordBatch]:
    if not problems:
        yield from metrics_table(plan, [partition.results]).combine_chunks().to_batches()


def _refuse(problems: list[str]) -> None:
    if problems:
        raise BadData(problems)


def _close_stage(_: bool, stage: Stage, problems: list[str]) -> list[str]:
    """Returns the problems, after deleting the stage of a run that failed: no driver reads it."""
    if problems:
        stage.close(BeamStore())
    return problems


def _stage_of(output: str, overwrite: bool) -> Stage:
    return new_stage(output, overwrite=overwrite, predictions=None, local=False)


def _open_stage(_: bytes, output: str, overwrite: bool, plan: Plan, against: str | None) -> Stage:
    """Returns the stage of a new run, after opening it and copying the run that gates compare with.

    Raises:
        ConfigError: if that run is damaged, or no longer there.
        OutputTaken: if the output holds a run that must stay, or other files.
    """
    store = BeamStore()
    stage = _stage_of(output, overwrite)
    for line in recover(store, output, is_alone=False)[1]:
        _LOGGER.warning("%s", line)
    check_output(store, stage)
    stage.open(store)
    WorkDirectory(stage).open(store)
    other = load_other(against, plan.config.gates, open_file, plan.plugins)
    if other is not None:
        keep_other(stage, other)
    return stage
