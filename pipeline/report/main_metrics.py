"""The metrics of a head that people look at first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

HIGHER_IS_BETTER: Mapping[str, bool] = {
    "roc_auc": True,
    "average_loss": False,
    "accuracy": True,
    "precision": True,
    "recall": True,
    "rmse": False,
    "mae": False,
    "r2": True,
    "poisson_deviance": False,
    "average_precision": True,
    "brier_score": False,
}
"""The metrics to look at first, in this order, and whether more of them is better."""


def main_first(names: Sequence[str]) -> list[str]:
    """Returns names of metrics, those of `HIGHER_IS_BETTER` first, in its order."""
    order = {name: at for at, name in enumerate(HIGHER_IS_BETTER)}
    return sorted(names, key=lambda name: order.get(name, len(order)))
