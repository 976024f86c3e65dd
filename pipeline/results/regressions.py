"""Which slices a candidate is worse in, beyond noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heads.statistics import Key
from pipeline.confidence.significance import benjamini_hochberg
from pipeline.config.model import Config
from pipeline.results.results import Results
from pipeline.slicing.table import SliceTable


class Worse(NamedTuple):
    """A slice in which the candidate is worse than the baseline.

    Attributes:
        metric: by which metric.
        spec: position of the entry of `slices` that the slice is of; None for overall.
        key: the slice.
        difference: candidate less baseline.
        p: the one-sided p-value.
        p_adjusted: the same, adjusted for the slices of the entry.
    """

    metric: str
    spec: int | None
    key: Key
    difference: float
    p: float
    p_adjusted: float


def worse_slices(config: Config, table: SliceTable, results: Sequence[Results]) -> list[Worse]:
    """The slices that got worse, at a false discovery rate of 1 - `confidence.level`.

    A family is one metric over the slices of one entry that have at least `min_slice_size` rows;
    overall is a family of its own.

    Args:
        config: the configuration of the run.
        table: the slices.
        results: all results of one head.
    """
    place = {key: (each, at) for each in results for at, key in enumerate(each.keys)}
    names = {name: None for each in results for name in each.differences}
    rate = 1 - config.confidence.level
    smallest = config.min_slice_size
    families: list[tuple[int | None, tuple[Key, ...]]] = [(None, ((),))]
    families += [(number, spec.keys) for number, spec in enumerate(table.specs)]
    found = []
    for name in names:
        for number, keys in families:
            own = [
                (key, *place[key])
                for key in keys
                if key in place and place[key][0].examples[place[key][1]] >= smallest
            ]
            p = np.array([float(each.differences[name].p_worse[at]) for _, each, at in own])
            adjusted = benjamini_hochberg(p)
            found += [
                Worse(name, number, key, float(each.differences[name].value[at]), *both)
                for (key, each, at), both in zip(
                    own, zip(p.tolist(), adjusted.tolist(), strict=True), strict=True
                )
                if both[1] <= rate
            ]
    return found
