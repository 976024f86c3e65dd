"""Finds the metrics: every module of this package offers its own, and no list is edited."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable
from functools import cache
from typing import Literal

import heads.metrics
from heads.metrics.base import Metric
from heads.metrics.scope import HeadType, Scope

Offer = Callable[[Scope], Iterable[Metric]]
Kind = Literal["estimator", "report", "pair"]

_OFFERS: list[tuple[frozenset[HeadType], Kind, Offer]] = []


def offers(*types: HeadType, kind: Kind = "estimator") -> Callable[[Offer], Offer]:
    """Registers a function that yields the metrics a file offers for a scope.

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
    for module in pkgutil.iter_modules(heads.metrics.__path__):
        importlib.import_module(f"heads.metrics.{module.name}")


def _offered() -> list[tuple[frozenset[HeadType], Kind, Offer]]:
    """All offers by the name of their file, and within it as they stand there.

    States are numbered in this order, which must not depend on what a program imports first.
    """
    _load()
    return sorted(_OFFERS, key=lambda own: own[2].__module__)


def estimator_metrics(scope: Scope) -> dict[str, Metric]:
    """The metrics that the estimator's head has, by name."""
    return _metrics(scope, "estimator")


def report_metrics(scope: Scope) -> dict[str, Metric]:
    """All metrics of one model, by name: the estimator's and those of the report alone."""
    return _metrics(scope, "estimator", "report")


def ambiguous_names(scope: Scope) -> list[str]:
    """Names that two different metrics of one model would have."""
    first: dict[str, Metric] = {}
    offered = [
        metric
        for types, kind, offer in _offered()
        if scope.head in types and kind != "pair"
        for metric in offer(scope)
    ]
    return [one.name for one in offered if first.setdefault(one.name, one) != one]


def pair_metrics(scope: Scope) -> dict[str, Metric]:
    """The metrics of a model and its baseline together, by name; none without a baseline."""
    return {} if scope.baseline is None else _metrics(scope, "pair")


def _metrics(scope: Scope, *kinds: Kind) -> dict[str, Metric]:
    return {
        metric.name: metric
        for types, kind, offer in _offered()
        if scope.head in types and kind in kinds
        for metric in offer(scope)
    }
