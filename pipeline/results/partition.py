"""The last steps of an evaluation: from merged states to results, partition by partition.

Evaluation in this process and on Beam end with the same three steps: the histograms of all
partitions get the shift of overall (`overall_shift`, `shift_to_align`), the states of a partition
are grouped (`partition_of`), and their metrics are computed (`pipeline.results.compute`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.evaluation.state_key import Series, StateKey
from pipeline.results.feature_statistics import SliceStatistics
from pipeline.results.results import Results

PartitionKey = tuple[str, int]
"""The name of a head, and the number of a partition of its slices."""


class Partition(NamedTuple):
    """The results of some slices of a head, and the merged states that they are computed from.

    Attributes:
        key: the head and the number of the partition.
        results: the results of the report.
        states: the merged states, encoded.
        distributions: those of scores, labels and weights, in overall and the slices with the most
            rows.
    """

    key: PartitionKey
    results: Results
    states: Mapping[StateKey, bytes]
    distributions: tuple[SliceStatistics, ...]


def overall_shift(key: StateKey, shift: int) -> Iterator[tuple[Series, int]]:
    """Yields the shift of a state if the state holds overall, which covers all rows.

    The shift of another partition depends on which rows shared a bundle. It is at most the shift of
    all rows together, which does not depend on bundles. So every histogram is measured in overall,
    whichever slices need it.
    """
    if key.partition == 0:
        yield key.series, shift


def shift_to_align(key: StateKey, shifts: Mapping[Series, int]) -> int:
    """Returns the shift that a merged state must have, from those that `overall_shift` yields."""
    return shifts.get(key.series, 0)


def partition_of(key: StateKey) -> PartitionKey:
    """Returns the partition that a state belongs to."""
    return key.head, key.partition
