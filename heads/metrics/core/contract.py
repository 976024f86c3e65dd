"""Holds the metrics of plugins against the contract, and names in errors what broke it."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from heads.metrics.core.context import MetricContext
from heads.metrics.core.metric import Metric, Values
from heads.metrics.core.plugins import Plugin, describe_error, plugin_of
from heads.metrics.core.registry import MAX_METRICS, offers_of, pair_metrics, report_metrics
from heads.statistics import OVERALL, State, Statistic
from heads.statistics.exact import ExactColumn
from heads.statistics.state import zero_state


class MetricError(Exception):
    """A metric cannot be computed, for its code is wrong."""


class BrokenContract(Exception):
    """A metric breaks the contract; the message says how."""


def compute_checked(metric: Metric, state: State) -> Values:
    """Returns the values of a metric in every segment of a state, `Metric.compute`.

    Raises:
        MetricError: if the metric raises an exception, or returns values of another shape.
    """
    try:
        values = metric.compute(state)
    except Exception as error:
        plugin = plugin_of(type(metric))
        if plugin is None:
            raise
        told = describe_error(error, plugin.file)
        raise MetricError(f"plugin {plugin.name}: metric '{metric.name}': {told}") from error
    try:
        _check_values(values, len(state.keys))
    except BrokenContract as broken:
        plugin = plugin_of(type(metric))
        whose = "" if plugin is None else f"plugin {plugin.name}: "
        raise MetricError(f"{whose}metric '{metric.name}': {broken}") from None
    return values


def plugin_problems(
    context: MetricContext, plugins: Sequence[Plugin]
) -> Iterator[tuple[Plugin, str]]:
    """Yields what is wrong with the metrics that plugins offer a head, with the plugin.

    That a metric is right, the laws of `heads.testing` and its own tests must show.

    Args:
        context: what the metrics of the only model of the head, or of the candidate, depend on.
        plugins: the plugins.
    """
    if not plugins:
        return
    plain = replace(context, plugins=())
    taken = dict.fromkeys([*report_metrics(plain), *pair_metrics(plain)], "headcount")
    for plugin in plugins:
        names: set[str] = set()
        try:
            for metric in _metrics(plugin, context):
                _check_name(metric.name, taken, names)
                names.add(metric.name)
                check_metric(metric, plugin.file)
        except BrokenContract as broken:
            yield plugin, str(broken)
        taken |= dict.fromkeys(names, f"plugin {plugin.name}")


def _metrics(plugin: Plugin, context: MetricContext) -> Iterator[Metric]:
    """Yields what a plugin offers a head, once it is known to be metrics."""
    for types, kind, offer in offers_of(plugin.module):
        if context.head not in types or (kind == "pair" and context.baseline is None):
            continue
        name = getattr(offer, "__name__", "an offer")
        try:
            # Too many are refused where all of a run are counted.
            metrics = list(islice(offer(context), MAX_METRICS + 1))
        except Exception as error:
            raise BrokenContract(f"{name}: {describe_error(error, plugin.file)}") from error
        for metric in metrics:
            if not isinstance(metric, Metric):
                raise BrokenContract(f"{name} yields {type(metric).__name__}, which is no Metric")
            yield metric


def _check_name(name: object, taken: dict[str, str], names: set[str]) -> None:
    if not isinstance(name, str) or not name or not name.isascii() or not name.isprintable():
        raise BrokenContract(
            f"{name!r} cannot be the name of a metric: give it one of ASCII letters"
        )
    if " " in name:
        raise BrokenContract(f"{name!r} cannot be the name of a metric: use _ in place of spaces")
    if name in names:
        raise BrokenContract(f"it offers two metrics of the name '{name}'; rename one")
    if name in taken:
        raise BrokenContract(
            f"{taken[name]} has a metric of the name '{name}'; rename that of the plugin"
        )


def check_metric(metric: Metric, file: str | None = None) -> None:
    """Checks that a metric says what must be known of it, and computes the smallest states.

    Args:
        metric: the metric.
        file: the file of the plugin that it is of, for the line of an error.

    Raises:
        BrokenContract: if it does not.
    """
    try:
        _check_facts(metric)
        _check_statistic(metric.statistic)
        for statistic in metric.measured:
            if statistic is not None:
                _check_statistic(statistic)
        if pickle.loads(pickle.dumps(metric)) != metric:
            raise BrokenContract("it cannot be sent to workers: a pickled one is not equal to it")
        for state in _smallest_states(metric.statistic.without_folds()):
            with np.errstate(all="ignore"):
                values = metric.compute(state)
            _check_values(values, 1)
            if not np.isfinite(values.value).all():
                raise BrokenContract(
                    "compute returns a value that is not finite where there is no weight: return"
                    " 0.0, and the reason why it is undefined"
                )
    except BrokenContract as broken:
        raise BrokenContract(f"metric '{metric.name}': {broken}") from None
    except Exception as error:
        raise BrokenContract(f"metric '{metric.name}': {describe_error(error, file)}") from error


def _smallest_states(statistic: Statistic) -> tuple[State, State]:
    """Returns a state of a slice without rows, and one of a slice with a row of no weight."""
    nothing = replace(zero_state(statistic), keys=(OVERALL,))
    zero = np.zeros(1, np.int64)
    sums = {name: ExactColumn.zeros(1) for name in nothing.sums}
    row = State(statistic, (OVERALL,), zero, zero, zero.astype(np.uint64), {"rows": zero + 1}, sums)
    return nothing, row


def _check_facts(metric: Metric) -> None:
    """Raises `BrokenContract` unless a metric says what reports and comparisons read."""
    kind = type(metric)
    inherited = " ".join((Metric.__doc__ or "").partition("\n\n")[0].split())
    if metric.definition in ("", inherited):
        raise BrokenContract(
            f"{kind.__name__} has no docstring, whose first paragraph would define it"
        )
    classes = kind.__mro__[: kind.__mro__.index(Metric)]
    says_bounds = any("low" in vars(cls) or "high" in vars(cls) for cls in classes)
    # Of headcount's own metrics, those that say nothing have none.
    if not says_bounds and plugin_of(kind) is not None:
        raise BrokenContract(
            f"{kind.__name__} has no bounds: say low and high, with math.inf where there is none"
        )
    if not metric.low < metric.high:
        raise BrokenContract(f"low must be below high, and they are {metric.low} and {metric.high}")
    if metric.higher_is_better not in (True, False, None):
        raise BrokenContract("higher_is_better must be True, False or None")


def _check_statistic(statistic: object) -> None:
    if not isinstance(statistic, Statistic):
        raise BrokenContract(
            f"its statistic is {type(statistic).__name__}: take one of the context"
        )
    if not type(statistic).__module__.startswith("heads.statistics."):
        raise BrokenContract(
            f"{type(statistic).__name__} is a statistic of the plugin: only those of headcount can"
            " be read back"
        )


def _check_values(values: object, segments: int) -> None:
    """Raises `BrokenContract` unless values have the shapes that those of a state have."""
    if not isinstance(values, Values):
        raise BrokenContract(f"compute returns {type(values).__name__} in place of Values")
    columns = {
        "value": values.value,
        **{f"reason {text!r}": m for text, m in values.reasons.items()},
    }
    for name, column in columns.items():
        wanted = np.dtype(np.float64 if name == "value" else np.bool_)
        if not isinstance(column, np.ndarray):
            raise BrokenContract(f"the {name} is {type(column).__name__} in place of an array")
        if column.shape != (segments,) or column.dtype != wanted:
            raise BrokenContract(
                f"the {name} is {column.dtype} {list(column.shape)} in place of {wanted}"
                f" {[segments]}, one for each segment"
            )
