"""The registry of metrics: it finds the modules that offer metrics, so that no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable, Iterator
from functools import cache, lru_cache
from itertools import islice
from typing import Literal

from heads.metrics.core.context import HeadType, MetricContext
from heads.metrics.core.metric import Metric

Offer = Callable[[MetricContext], Iterable[Metric]]
Kind = Literal["estimator", "report", "pair"]

MAX_METRICS = 100_000
"""The largest number of metrics that a model of a report may have."""

# The package whose modules offer metrics; by name, since nothing here may import a metric.
_PACKAGE = "heads.metrics"


Offered = tuple[frozenset[HeadType], Kind, Offer]
"""The types of head that have metrics, what kind of metrics they are, and what yields them."""


class TooManyMetrics(ValueError):
    """A model has more metrics than a report can hold."""


_OFFERS: list[Offered] = []


def offers(*types: HeadType, kind: Kind = "estimator") -> Callable[[Offer], Offer]:
    """Returns a decorator that registers a function which yields metrics for a context.

    Args:
        types: the types of head that have these metrics.
        kind: `estimator` for metrics that the estimator has, `report` for metrics that only the
            report has, `pair` for metrics of two models together.
    """

    def register(offer: Offer) -> Offer:
        _OFFERS.append((frozenset(types), kind, offer))
        return offer

    return register


@cache
def _load() -> None:
    package = importlib.import_module(_PACKAGE)
    for module in pkgutil.iter_modules(package.__path__):
        importlib.import_module(f"{_PACKAGE}.{module.name}")


def offers_of(package: str) -> list[Offered]:
    """Returns what a module and those below it offer, sorted by the names of the modules.

    The order must not depend on which module a program imports first.
    """
    offered = [registered for registered in _OFFERS if _is_in(registered[2], package)]
    return sorted(offered, key=lambda registered: registered[2].__module__)


def forget(package: str) -> None:
    """Forgets what a module and those below it offer, so that it can be imported again."""
    for registered in offers_of(package):
        _OFFERS.remove(registered)


def _is_in(offer: Offer, package: str) -> bool:
    return f"{offer.__module__}.".startswith(f"{package}.")


def _offered(plugins: tuple[str, ...] = ()) -> list[Offered]:
    """Returns the offers of headcount, and then those of plugins, given their modules."""
    _load()
    return [registered for package in (_PACKAGE, *plugins) for registered in offers_of(package)]


def estimator_metrics(context: MetricContext) -> dict[str, Metric]:
    """Returns the metrics that the estimator's head has, by name."""
    return _by_name(_metrics(context, "estimator"))


def report_metrics(context: MetricContext) -> dict[str, Metric]:
    """Returns all metrics of a model, by name: the estimator's and those that only reports have.

    Raises:
        TooManyMetrics: if they are more than `MAX_METRICS`.
    """
    return _by_name(_report_metrics(context))


def ambiguous_names(context: MetricContext) -> list[str]:
    """Returns the names that two different metrics of a model would share.

    Raises:
        TooManyMetrics: if the model has more than `MAX_METRICS`.
    """
    first: dict[str, Metric] = {}
    offered = _report_metrics(context)
    return [metric.name for metric in offered if first.setdefault(metric.name, metric) != metric]


def pair_metrics(context: MetricContext) -> dict[str, Metric]:
    """Returns the metrics of a model and its baseline, by name; none without a baseline."""
    return {} if context.baseline is None else _by_name(_metrics(context, "pair"))


@lru_cache(maxsize=8)
def _report_metrics(context: MetricContext) -> tuple[Metric, ...]:
    """Returns all metrics of a model; heads of equal settings share them."""
    metrics = tuple(islice(_metrics(context, "estimator", "report"), MAX_METRICS + 1))
    if len(metrics) > MAX_METRICS:
        raise TooManyMetrics(f"there are more than {MAX_METRICS:,} metrics")
    return metrics


def _metrics(context: MetricContext, *kinds: Kind) -> Iterator[Metric]:
    """Yields the metrics of some kinds."""
    for types, kind, offer in _offered(context.plugins):
        if context.head in types and kind in kinds:
            yield from offer(context)


def _by_name(metrics: Iterable[Metric]) -> dict[str, Metric]:
    """Returns metrics by name, sorted by name, so that no file name counts."""
    return dict(sorted({metric.name: metric for metric in metrics}.items()))
