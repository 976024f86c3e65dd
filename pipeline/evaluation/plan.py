"""The plan of a run: a checked configuration with everything derived from it that workers need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from heads.metrics.core.context import MAX_MATRIX_CLASSES, MetricContext, OperatingPoints
from heads.metrics.core.metric import Metric
from heads.metrics.core.registry import ambiguous_names, pair_metrics, report_metrics
from heads.statistics import OVERALL, Key, RowSums, State, Statistic
from heads.statistics.codec import MAX_BYTES
from heads.statistics.cuts import ScoreSpace
from pipeline.config.heads import BinaryFields, HeadConfig, MultiClassHead
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.suggest import nearest
from pipeline.readers.storage import OpenFile, open_local
from pipeline.readers.tfrecord.options import ReadOptions
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Tolerance

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from pipeline.validation.row_checks import RowCheck

# States are cut into pieces of at most so many bytes, but for a slice that has more. Bundles have
# a state of the same piece each, and some runners hand those to a worker as one element.
PARTITION_BYTES = 2 << 20

CANDIDATE, BASELINE = 0, 1


@dataclass(frozen=True)
class ModelPlan:
    """One model of a head: the only one, the candidate or the baseline.

    Attributes:
        scope: what its metrics depend on.
        metrics: the metrics of the report, by name.
    """

    scope: MetricContext
    metrics: dict[str, Metric]


class ModelStatistic(NamedTuple):
    """A statistic, and which model of a head it is measured for."""

    model: int
    statistic: Statistic


@dataclass(frozen=True)
class HeadPlan:
    """One head of a plan.

    Attributes:
        name: the name it has in the configuration.
        config: its part of the configuration.
        models: the model; or the candidate, then the baseline.
        pairs: the metrics of both models together, by name.
        measured: what has to be measured, each once; the first counts the rows of every slice.
    """

    name: str
    config: HeadConfig
    models: tuple[ModelPlan, ...]
    pairs: dict[str, Metric]
    measured: tuple[ModelStatistic, ...]

    @property
    def scope(self) -> MetricContext:
        """What the metrics of the model, or of the candidate, depend on."""
        return self.models[CANDIDATE].scope

    def slice_bytes(self, *, top_slice: bool, rows: int | None = None) -> list[int]:
        """About how many bytes each state of one slice takes.

        Args:
            top_slice: whether it is one of the largest.
            rows: rows of the slice, or None if that is not known.
        """
        sizes = []
        for _, statistic in self.measured:
            if statistic.coverage in ("overall", "small_only" if top_slice else "largest_only"):
                continue
            if statistic.coverage == "largest" and not top_slice:
                statistic = statistic.without_folds()
            table = statistic.segment_rows()
            sizes.append(statistic.row_bytes() * (table if rows is None else min(table, rows)))
        return sizes


@dataclass(frozen=True)
class Plan:
    """What to read, measure and compute.

    Attributes:
        config: the configuration.
        heads: the heads, by name.
        debug_samples: whether messages may show what bad rows hold.
        schema: what the configuration says columns must be, if it names a schema.
        checks: what the schema says of the rows.
    """

    config: Config
    heads: dict[str, HeadPlan]
    debug_samples: bool = False
    schema: schema_pb2.Schema | None = None
    checks: tuple[RowCheck, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return self.config.columns()

    @cached_property
    def folds(self) -> int:
        """How many folds rows are told apart by; 1 without intervals."""
        return max(1, self.config.confidence.folds)

    @cached_property
    def reading(self) -> ReadOptions:
        """What is accepted of TFRecord files."""
        config = self.config
        return ReadOptions(config.on_corrupt, config.max_record_bytes, config.max_gzip_ratio)

    @property
    def tolerance(self) -> Tolerance:
        """How many bad rows may be left out."""
        return Tolerance(self.config.max_bad_fraction, self.config.max_bad_rows)

    def named(self, table: SliceTable) -> frozenset[Key]:
        """Overall, and the slices whose values the configuration lists: those shown in detail."""
        specs = zip(self.config.slices, table.specs, strict=True)
        listed = (own for spec, own in specs if all(part.values for part in spec.parts))
        return frozenset({OVERALL}.union(*(own.keys for own in listed)))

    def state_bytes(self, table: SliceTable) -> int:
        """About how many bytes the states of all slices of a table take."""
        total = 0
        for head in self.heads.values():
            total += sum(head.slice_bytes(top_slice=True))
            for spec in table.specs:
                total += sum(
                    sum(head.slice_bytes(top_slice=key in table.largest, rows=rows))
                    for key, rows in zip(spec.keys, spec.examples, strict=True)
                )
        return total

    def too_large(self) -> list[str]:
        """The heads of which a state of one slice may be too large to be sent, a line each."""
        notes = []
        for name, head in self.heads.items():
            size = max(head.slice_bytes(top_slice=True))
            if size > MAX_BYTES:
                notes.append(
                    f"head {name}: one state of a slice may take {size / 1e6:.0f} MB. More than"
                    f" {MAX_BYTES / 1e6:.0f} MB cannot be sent, and a run that meets them fails:"
                    " fewer class_metrics, thresholds or confidence.folds take less"
                )
        return notes

    @property
    def partition_bytes(self) -> int:
        """About how many bytes a piece of states takes at most."""
        heads = self.heads.values()
        return max(PARTITION_BYTES, *(max(head.slice_bytes(top_slice=True)) for head in heads))

    def partitions(self, table: SliceTable) -> dict[Key, int]:
        """The piece of states that each segment belongs to; that of overall is 0."""
        keys = list(dict.fromkeys(key for spec in table.specs for key in spec.keys))
        out: dict[Key, int] = {}
        first = 0
        for top_slice in (True, False):
            own = [OVERALL] if top_slice else []
            own += [key for key in keys if (key in table.largest) == top_slice]
            heads = self.heads.values()
            size = max(max(head.slice_bytes(top_slice=top_slice)) for head in heads)
            together = max(1, PARTITION_BYTES // size)
            out.update((key, first + place // together) for place, key in enumerate(own))
            first += -(-len(own) // together)
        return out


class StateKey(NamedTuple):
    """Which state: of which head and statistic, and which part of its segments.

    Attributes:
        head: name of the head.
        statistic: position in what is measured for the head.
        partition: which piece of the slices; overall is in 0.
    """

    head: str
    statistic: int
    partition: int = 0

    def __str__(self) -> str:
        return f"{self.head}/{self.statistic}/{self.partition}"


def make_plan(config: Config, source: str = "config", open_file: OpenFile = open_local) -> Plan:
    """The plan of a configuration.

    Args:
        config: a checked configuration.
        source: its file name, for messages.
        open_file: opens the schema that it may name.

    Raises:
        ConfigError: if a metric is named that a head does not have, or the schema is malformed.
    """
    problems: list[Problem] = []
    folds = max(1, config.confidence.folds)
    heads = {
        name: _plan_head(name, head, folds, problems, source) for name, head in config.heads.items()
    }
    if problems:
        raise ConfigError(problems)
    if config.schema_file is None:
        return Plan(config, heads)
    from pipeline.validation.row_checks import row_checks

    schema = _load_schema(config.schema_file, config.environment, source, open_file)
    checks = row_checks(schema, config.environment, config.columns())
    return Plan(config, heads, schema=schema, checks=tuple(checks))


def _load_schema(
    path: str, environment: str | None, source: str, open_file: OpenFile
) -> schema_pb2.Schema:
    from pipeline.validation.schema import parse_schema, schema_problems

    try:
        with open_file(path) as file:
            schema = parse_schema(file.read().decode("utf-8"))
        # Refuses an environment that the schema does not have.
        schema_problems(schema, environment, {})
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        message = f"{path}: {what}"
        raise ConfigError([Problem(source, ("schema_file",), message)]) from error
    return schema


def _plan_head(
    name: str, head: HeadConfig, folds: int, problems: list[Problem], source: str
) -> HeadPlan:
    scope = make_scope(head, folds)
    scopes = [scope]
    if scope.baseline is not None:
        scopes.append(replace(scope, space=scope.baseline, baseline=None))
    for clash in ambiguous_names(scope):
        message = f"the metric '{clash}' would be that of a class and another one; rename the class"
        problems.append(Problem(source, ("heads", name, "class_names"), message))
    pairs = pair_metrics(scope)
    known = {**report_metrics(scope), **pairs}
    wanted = set(known if head.metrics is None else head.metrics)
    for position, asked in enumerate(head.metrics or ()):
        if asked not in known:
            near = nearest(asked, known)
            hint = f"; did you mean '{near}'?" if near else f"; it has: {', '.join(known)}"
            path = ("heads", name, "metrics", position)
            message = f"a {head.type} head has no metric '{asked}'{hint}"
            problems.append(Problem(source, path, message))
    models = tuple(ModelPlan(own, _only(report_metrics(own), wanted)) for own in scopes)
    pairs = _only(pairs, wanted)
    # The statistic that counts the rows of every slice comes first.
    measured = {ModelStatistic(CANDIDATE, _counting(scope)): None}
    for number, model in enumerate(models):
        for metric in model.metrics.values():
            measured[ModelStatistic(number, metric.statistic)] = None
            if metric.coarse is not None:
                measured[ModelStatistic(number, metric.coarse)] = None
        if scope.head == "multi_class" and scope.columns <= MAX_MATRIX_CLASSES:
            measured[ModelStatistic(number, model.scope.confusion_matrix)] = None
    measured |= dict.fromkeys(ModelStatistic(CANDIDATE, m.statistic) for m in pairs.values())
    if folds > 1:
        measured[ModelStatistic(CANDIDATE, identity_statistic(folds))] = None
    return HeadPlan(name, head, models, pairs, tuple(measured))


def identity_statistic(folds: int) -> Statistic:
    """What tells, fold by fold, whether two runs saw the same rows."""
    return RowSums(values=("identity",), folds=folds, coverage="overall")


def _counting(scope: MetricContext) -> Statistic:
    return scope.threshold_counts if scope.columns == 1 else scope.row_sums


def _only(metrics: Mapping[str, Metric], names: set[str]) -> dict[str, Metric]:
    return {name: metric for name, metric in metrics.items() if name in names}


def make_scope(head: HeadConfig, folds: int = 1) -> MetricContext:
    """What the metrics of a head depend on."""
    points = OperatingPoints()
    if isinstance(head, BinaryFields):
        ids: tuple[str, ...] = ("0", "1")
        words = head.label.vocabulary or ids
        names = words[::-1] if head.label.positive == words[0] else words
        points = OperatingPoints(**head.at.model_dump())
    else:
        ids = tuple(map(str, range(head.n_classes)))
        names = head.class_names
    named = tuple(getattr(head, "class_metrics", ()))
    return MetricContext(
        head=head.type,
        class_names=names,
        space=ScoreSpace("logits" if head.logits else "probabilities"),
        thresholds=tuple(getattr(head, "thresholds", ())),
        weighted=head.weight is not None,
        named_classes=named,
        class_suffixes=tuple(f"class{i}" if names == ids else names[i] for i in named),
        report=True,
        folds=folds,
        at=points,
        top=head.top_k if isinstance(head, MultiClassHead) else (),
        baseline=None
        if head.baseline is None
        else ScoreSpace("logits" if head.baseline.logits else "probabilities"),
    )


def split(
    key: StateKey, state: State, partitions: Mapping[Key, int]
) -> list[tuple[StateKey, State]]:
    """A state cut into the partitions its segments belong to."""
    parts: dict[int, list[int]] = {}
    for position, segment in enumerate(state.keys):
        parts.setdefault(partitions[segment], []).append(position)
    return [
        (StateKey(key.head, key.statistic, number), state.take(positions))
        for number, positions in parts.items()
    ]
