"""Finds the metrics: every module of this package offers its own, and no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache

import heads.metrics
from heads.metrics.base import HeadType, Metric, Scope

Offer = Callable[[Scope], Iterable[Metric]]

_OFFERS: list[tuple[frozenset[HeadType], bool, Offer]] = []


def offers(*types: HeadType, report_only: bool = False) -> Callable[[Offer], Offer]:
    """Registers a function that yields the metrics a file offers for a scope.

    Args:
        types: the types of head that have these metrics.
        report_only: True for metrics that the estimator does not have.
    """

    def register(offer: Offer) -> Offer:
        _OFFERS.append((frozenset(types), report_only, offer))
        return offer

    return register


@cache
def _load() -> None:
    for module in pkgutil.iter_modules(heads.metrics.__path__):
        importlib.import_module(f"heads.metrics.{module.name}")


def estimator_metrics(scope: Scope) -> dict[str, Metric]:
    """The metrics that the estimator's head has, by name."""
    return _metrics(scope, report=False)


def report_metrics(scope: Scope) -> dict[str, Metric]:
    """All metrics of a head, by name: the estimator's and those of the report alone."""
    return _metrics(scope, report=True)


def _metrics(scope: Scope, *, report: bool) -> dict[str, Metric]:
    _load()
    return {
        metric.name: metric
        for types, report_only, offer in _OFFERS
        if scope.head in types and (report or not report_only)
        for metric in offer(scope)
    }
