"""Finds the metrics: every module of this package offers its own, and no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from typing import Literal

from heads.metrics.core.context import HeadType, MetricContext
from heads.metrics.core.metric import Metric

Offer = Callable[[MetricContext], Iterable[Metric]]
Kind = Literal["estimator", "report", "pair"]

# The package whose modules offer metrics. It is found by name: nothing here imports a metric.
_PACKAGE = "heads.metrics"

_OFFERS: list[tuple[frozenset[HeadType], Kind, Offer]] = []


def offers(*types: HeadType, kind: Kind = "estimator") -> Callable[[Offer], Offer]:
    """Registers a function that yields the metrics a file offers for a context.

    Args:
        types: the types of head that have these metrics.
        kind: `estimator` for metrics that the estimator has, `report` for those of the report
            alone, `pair` for those of two models together.
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


def _offered() -> list[tuple[frozenset[HeadType], Kind, Offer]]:
    """All offers by the name of their file, and within it as they stand there.

    The order must not depend on what a program imports first.
    """
    _load()
    return sorted(_OFFERS, key=lambda registered: registered[2].__module__)


def estimator_metrics(context: MetricContext) -> dict[str, Metric]:
    """The metrics that the estimator's head has, by name."""
    return _metrics(context, "estimator")


def report_metrics(context: MetricContext) -> dict[str, Metric]:
    """All metrics of one model, by name: the estimator's and those of the report alone."""
    return _metrics(context, "estimator", "report")


def ambiguous_names(context: MetricContext) -> list[str]:
    """Names that two different metrics of one model would have."""
    first: dict[str, Metric] = {}
    offered = [
        metric
        for types, kind, offer in _offered()
        if context.head in types and kind != "pair"
        for metric in offer(context)
    ]
    return [one.name for one in offered if first.setdefault(one.name, one) != one]


def pair_metrics(context: MetricContext) -> dict[str, Metric]:
    """The metrics of a model and its baseline together, by name; none without a baseline."""
    return {} if context.baseline is None else _metrics(context, "pair")


def _metrics(context: MetricContext, *kinds: Kind) -> dict[str, Metric]:
    """The metrics of some kinds, sorted by name: a file may be renamed and reports stay as are."""
    metrics = {
        metric.name: metric
        for types, kind, offer in _offered()
        if context.head in types and kind in kinds
        for metric in offer(context)
    }
    return dict(sorted(metrics.items()))
