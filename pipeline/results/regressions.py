"""Finds the slices in which a candidate is worse than the baseline, beyond noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from heads.statistics import Key
from pipeline.confidence.significance import benjamini_hochberg
from pipeline.config.model import Config
from pipeline.results.results import Results
from pipeline.slicing.table import SliceTable


class WorseSlice(NamedTuple):
    """A slice in which the candidate is worse than the baseline, by one metric.

    Attributes:
        metric: the name of the metric.
        spec: the position in `slices` of the entry that the slice belongs to; None for overall.
        key: the key of the slice.
        difference: the metric of the candidate minus that of the baseline.
        p: the one-sided p-value that the candidate is worse.
        p_adjusted: the p-value, adjusted for all slices of the entry.
    """

    metric: str
    spec: int | None
    key: Key
    difference: float
    p: float
    p_adjusted: float


def worse_slices(config: Config, table: SliceTable, results: Sequence[Results]) -> list[WorseSlice]:
    """Returns the slices that got worse, at a false discovery rate of 1 - `confidence.level`.

    The p-values are adjusted within families (`benjamini_hochberg`). A family is one metric over
    those slices of one entry of `slices` that have at least `min_slice_size` rows; overall is a
    family by itself.

    Args:
        config: the configuration of the run.
        table: the slices of the run.
        results: the results of all partitions of one head.
    """
    # The partition that holds each slice, and the position of the slice in it.
    place = {key: (partition, at) for partition in results for at, key in enumerate(partition.keys)}
    names = sorted({name for partition in results for name in partition.differences})
    rate = 1 - config.confidence.level
    smallest = config.min_slice_size
    families: list[tuple[int | None, tuple[Key, ...]]] = [(None, ((),))]
    families += [(number, spec.keys) for number, spec in enumerate(table.specs)]
    worse = []
    for name in names:
        for number, keys in families:
            family = [
                (key, *place[key])
                for key in keys
                if key in place
                and place[key][0].examples[place[key][1]] >= smallest
                # Some slices may lack the states of a run of another release.
                and name in place[key][0].differences
            ]
            p = np.array(
                [float(partition.differences[name].p_worse[at]) for _, partition, at in family]
            )
            adjusted = benjamini_hochberg(p)
            worse += [
                WorseSlice(
                    name, number, key, float(partition.differences[name].value[at]), *p_values
                )
                for (key, partition, at), p_values in zip(
                    family, zip(p.tolist(), adjusted.tolist(), strict=True), strict=True
                )
                if p_values[1] <= rate
            ]
    return worse
