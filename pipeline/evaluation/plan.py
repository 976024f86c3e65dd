"""The plan of a run: a checked configuration with everything derived from it that workers need."""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from heads.metrics.core.plugins import Plugin
from heads.metrics.core.registry import MAX_METRICS, TooManyMetrics, report_metrics
from heads.statistics import OVERALL, Key
from heads.statistics.codec import MAX_BYTES
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.head_plan import HeadPlan, make_head_plan
from pipeline.evaluation.plugins import load_plugins
from pipeline.readers.storage import OpenFile, open_local
from pipeline.readers.tfrecord.options import ReadOptions
from pipeline.slicing.table import SliceTable
from pipeline.validation.findings import Tolerance

if TYPE_CHECKING:
    from tensorflow_metadata.proto.v0 import schema_pb2

    from pipeline.validation.row_checks import RowCheck

# States are cut into partitions of at most this many bytes; only a slice whose states are larger
# makes a larger partition. Every bundle makes a state of a partition, and some runners hand all of
# these to a worker as one element.
PARTITION_BYTES = 2 << 20
# However few rows slices have, at most so many times more of them share a partition: metrics are
# read from tables of all cells, and partitions are what spreads over workers.
_MOST_TIMES_MORE = 8


@dataclass(frozen=True)
class Plan:
    """A plan of a run: what to read, to measure and to compute.

    Attributes:
        config: the configuration.
        heads: the heads, by name.
        debug_samples: whether messages may show what bad rows hold.
        schema: the schema that the columns must follow, if the configuration names one.
        checks: the checks of rows that the schema asks for.
        plugins: the modules of users that offer metrics.
    """

    config: Config
    heads: dict[str, HeadPlan]
    debug_samples: bool = False
    schema: schema_pb2.Schema | None = None
    checks: tuple[RowCheck, ...] = ()
    plugins: tuple[Plugin, ...] = ()

    def __getstate__(self) -> dict[str, Any]:
        # A worker must have loaded the plugins before it meets their metrics.
        return {"plugins": self.plugins, **self.__dict__}

    @property
    def columns(self) -> tuple[str, ...]:
        """Returns the names of the columns that are read."""
        return self.config.columns()

    @property
    def plugin_hashes(self) -> dict[str, str]:
        """Returns the SHA-256 of the plugins, by name."""
        return {plugin.name: plugin.sha256 for plugin in self.plugins}

    @cached_property
    def folds(self) -> int:
        """Returns how many folds the rows are divided into; 1 without intervals."""
        return max(1, self.config.confidence.folds)

    @cached_property
    def reading(self) -> ReadOptions:
        """Returns the options of reading TFRecord files."""
        config = self.config
        return ReadOptions(config.on_corrupt, config.max_record_bytes, config.max_gzip_ratio)

    @property
    def tolerance(self) -> Tolerance:
        """Returns how many bad rows may be left out."""
        return Tolerance(self.config.max_bad_fraction, self.config.max_bad_rows)

    def named(self, table: SliceTable) -> frozenset[Key]:
        """Returns overall and the slices whose values the configuration lists."""
        specs = zip(self.config.slices, table.specs, strict=True)
        listed = (slices for spec, slices in specs if all(part.values for part in spec.parts))
        return frozenset({OVERALL}.union(*(slices.keys for slices in listed)))

    def state_bytes(self, table: SliceTable) -> int:
        """Returns about how many bytes the states of all slices of a table take."""
        rows: dict[bool, list[int | None]] = {True: [], False: []}
        for spec in table.specs:
            for key, examples in zip(spec.keys, spec.examples, strict=True):
                rows[key in table.largest].append(examples)
        numbers = {top_slice: _Numbers(some) for top_slice, some in rows.items()}
        return sum(
            sum(head.slice_bytes(top_slice=True))
            + sum(
                row_bytes * numbers[top_slice].sum_up_to(most)
                for top_slice in (True, False)
                for row_bytes, most in head.table_rows(top_slice=top_slice)
            )
            for head in self.heads.values()
        )

    def too_large(self) -> list[str]:
        """Returns a line for each head that may have a state too large to be sent."""
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
        """Returns about how many bytes a state of one partition takes at most."""
        heads = self.heads.values()
        return max(PARTITION_BYTES, *(max(head.slice_bytes(top_slice=True)) for head in heads))

    def partitions(self, table: SliceTable) -> dict[Key, int]:
        """Returns the partition that each segment belongs to; that of overall is 0.

        The states of a partition take about `PARTITION_BYTES` at most, and so does the text of its
        keys; both may be more if there is one key alone. Where the rows of slices were counted, the
        states of small ones take less, and more of them share a partition.
        """
        examples = dict(
            pair for spec in table.specs for pair in zip(spec.keys, spec.examples, strict=True)
        )
        out: dict[Key, int] = {}
        first = 0
        for top_slice in (True, False):
            group = [OVERALL] if top_slice else []
            group += [key for key in examples if (key in table.largest) == top_slice]
            sizes = self._state_sizes(top_slice=top_slice)
            size = text = 0
            for key in group:
                key_bytes, key_size = len(json.dumps(key)), sizes(examples.get(key))
                too_large = size + key_size > PARTITION_BYTES or text + key_bytes > PARTITION_BYTES
                if text and too_large:
                    first += 1
                    size = text = 0
                out[key] = first
                size += key_size
                text += key_bytes
            first += bool(group)
        return out

    def _state_sizes(self, *, top_slice: bool) -> Callable[[int | None], int]:
        """Returns what tells about how many bytes the largest state of a slice of some rows takes.

        Args:
            top_slice: whether the slice is among the largest.
        """
        # A row is in a cell of every class, or in three of the outcomes of classes, at most.
        kinds = {
            (row_bytes, most, max(3, head.context.columns))
            for head in self.heads.values()
            for row_bytes, most in head.table_rows(top_slice=top_slice)
        }

        @cache
        def size(rows: int | None) -> int:
            if rows is None:
                return max(row_bytes * most for row_bytes, most, _ in kinds)
            return max(
                row_bytes * min(most, max(cells * rows, -(-most // _MOST_TIMES_MORE)))
                for row_bytes, most, cells in kinds
            )

        return size


class _Numbers:
    """Numbers of rows, which are added up quickly.

    Args:
        numbers: the numbers; None for one that is not known.
    """

    def __init__(self, numbers: Iterable[int | None]) -> None:
        numbers = list(numbers)
        self._known = sorted(number for number in numbers if number is not None)
        self._unknown = len(numbers) - len(self._known)
        self._sums = [0, *accumulate(self._known)]

    def sum_up_to(self, most: int) -> int:
        """Returns the sum of the numbers, with `most` in the place of larger and unknown ones."""
        smaller = bisect_left(self._known, most)
        return self._sums[smaller] + most * (len(self._known) - smaller + self._unknown)


def make_plan(
    config: Config,
    source: str = "config",
    open_file: OpenFile = open_local,
    plugins: Sequence[Plugin] | None = None,
) -> Plan:
    """Makes the plan of a run.

    Args:
        config: a checked configuration.
        source: the name of its file, for messages.
        open_file: opens the schema that the configuration may name.
        plugins: the plugins of the configuration; None to import the modules that it names, which
            no configuration of a report may do.

    Raises:
        ConfigError: if a plugin cannot be imported or breaks the contract, a metric is named that
            a head does not have, there are too many metrics, or the schema is malformed.
    """
    loaded = load_plugins(config, source) if plugins is None else tuple(plugins)
    problems: list[Problem] = []
    heads: dict[str, HeadPlan] = {}
    metrics = 0
    for name, head in config.heads.items():
        try:
            heads[name] = make_head_plan(name, head, config.confidence, problems, source, loaded)
        except TooManyMetrics:
            metrics = MAX_METRICS + 1
        else:
            metrics += sum(len(report_metrics(model.context)) for model in heads[name].models)
        if metrics > MAX_METRICS:
            message = (
                f"with this one, the heads have more than {MAX_METRICS:,} metrics; take fewer"
                " 'thresholds', 'class_metrics', points of 'at' or heads"
            )
            raise ConfigError([Problem(source, ("heads", name), message)])
    if problems:
        raise ConfigError(problems)
    if config.schema_file is None:
        return Plan(config, heads, plugins=loaded)
    from pipeline.validation.row_checks import row_checks

    schema = _load_schema(config.schema_file, config.environment, source, open_file)
    checks = row_checks(schema, config.environment, config.columns())
    return Plan(config, heads, schema=schema, checks=tuple(checks), plugins=loaded)


def _load_schema(
    path: str, environment: str | None, source: str, open_file: OpenFile
) -> schema_pb2.Schema:
    from pipeline.config.pbtxt import read_text
    from pipeline.validation.schema import parse_schema, schema_problems

    try:
        with open_file(path) as file:
            schema = parse_schema(read_text(file))
        # Refuses an environment that the schema does not have.
        schema_problems(schema, environment, {})
    except (OSError, ValueError) as error:
        what = error.strerror if isinstance(error, OSError) else error
        message = f"{path}: {what}"
        raise ConfigError([Problem(source, ("schema_file",), message)]) from error
    return schema
