"""The plan of a run: a checked configuration with everything derived from it that workers need."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

from heads.metrics.base import Metric, Scope
from heads.metrics.registry import report_metrics
from heads.statistics import OVERALL, Key, State, Statistic
from heads.statistics.cuts import ScoreSpace
from heads.statistics.scored import key_text
from pipeline.config import Config
from pipeline.config.heads import BinaryFields, HeadConfig
from pipeline.config.names import nearest
from pipeline.config.problems import ConfigError, Problem

MAX_MATRIX_CLASSES = 100
"""Beyond this many classes a confusion matrix is no longer something to look at, nor small."""

# Slices are spread over this many pieces, so that none grows too large to cross a shuffle.
PARTITIONS = 512


@dataclass(frozen=True)
class HeadPlan:
    """One head of a plan.

    Attributes:
        name: the name it has in the configuration.
        config: its part of the configuration.
        scope: what its metrics depend on.
        metrics: the metrics of the report, by name.
        statistics: what has to be measured for them, each once.
    """

    name: str
    config: HeadConfig
    scope: Scope
    metrics: dict[str, Metric]
    statistics: tuple[Statistic, ...]


@dataclass(frozen=True)
class Plan:
    """What to read, measure and compute.

    Attributes:
        config: the configuration.
        heads: the heads, by name.
    """

    config: Config
    heads: dict[str, HeadPlan]

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that are read."""
        return self.config.columns()

    @property
    def slice_columns(self) -> tuple[str, ...]:
        """The columns of slices, in the order of the report."""
        return tuple(spec.column for spec in self.config.slices)


class StateKey(NamedTuple):
    """Which state: of which head and statistic, and which part of its segments.

    Attributes:
        head: name of the head.
        statistic: position among the statistics of the head.
        partition: 0 for overall, from 1 on for slices.
    """

    head: str
    statistic: int
    partition: int = 0

    def __str__(self) -> str:
        return f"{self.head}/{self.statistic}/{self.partition}"


def make_plan(config: Config, source: str = "config") -> Plan:
    """The plan of a configuration.

    Args:
        config: a checked configuration.
        source: its file name, for messages.

    Raises:
        ConfigError: if a metric is named that a head does not have.
    """
    problems: list[Problem] = []
    heads = {name: _plan_head(name, head, problems, source) for name, head in config.heads.items()}
    if problems:
        raise ConfigError(problems)
    return Plan(config, heads)


def _plan_head(name: str, head: HeadConfig, problems: list[Problem], source: str) -> HeadPlan:
    scope = make_scope(head)
    metrics = report_metrics(scope)
    if head.metrics is not None:
        for position, metric in enumerate(head.metrics):
            if metric not in metrics:
                near = nearest(metric, metrics)
                hint = f"; did you mean '{near}'?" if near else f"; it has: {', '.join(metrics)}"
                path = ("heads", name, "metrics", position)
                message = f"a {head.type} head has no metric '{metric}'{hint}"
                problems.append(Problem(source, path, message))
        metrics = {key: metric for key, metric in metrics.items() if key in head.metrics}
    # The loss sums count the examples of every slice.
    statistics = {scope.loss_sums: None, **{m.statistic: None for m in metrics.values()}}
    if scope.head == "multi_class" and len(scope.class_names) <= MAX_MATRIX_CLASSES:
        statistics[scope.confusion_matrix] = None
    return HeadPlan(name, head, scope, metrics, tuple(statistics))


def make_scope(head: HeadConfig) -> Scope:
    """What the metrics of a head depend on."""
    if isinstance(head, BinaryFields):
        ids: tuple[str, ...] = ("0", "1")
        words = head.label.vocabulary or ids
        names = words[::-1] if head.label.positive == words[0] else words
    else:
        ids = tuple(map(str, range(head.n_classes)))
        names = head.class_names
    named = tuple(getattr(head, "class_metrics", ()))
    return Scope(
        head=head.type,
        class_names=names,
        space=ScoreSpace("logits" if head.logits else "probabilities"),
        thresholds=tuple(getattr(head, "thresholds", ())),
        weighted=head.weight is not None,
        named_classes=named,
        class_suffixes=tuple(f"class{i}" if names == ids else names[i] for i in named),
    )


def partition_of(key: Key) -> int:
    """The partition of a segment: the same in every run, on every machine."""
    if key == OVERALL:
        return 0
    return 1 + zlib.crc32(key_text(key).encode()) % PARTITIONS


def split(key: StateKey, state: State) -> list[tuple[StateKey, State]]:
    """A state cut into the partitions its segments belong to."""
    parts: dict[int, list[int]] = {}
    for position, segment in enumerate(state.keys):
        parts.setdefault(partition_of(segment), []).append(position)
    return [
        (StateKey(key.head, key.statistic, number), state.take(positions))
        for number, positions in parts.items()
    ]
