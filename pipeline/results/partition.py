"""The tail of an evaluation: merged states, partition by partition, to results.

Evaluation in this process and on Beam end in the same three steps: histograms of all partitions are
brought to the shift of overall (`overall_shift`, `shift_to_align`), the states of a partition are
put together (`partition_of`), and their metrics are computed (`pipeline.results.compute`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pipeline.evaluation.state_key import Series, StateKey
from pipeline.results.results import Results

PartitionKey = tuple[str, int]
"""The name of a head, and which partition of its slices."""


class Partition(NamedTuple):
    """The results of some slices of a head, and the merged states that they come from.

    Attributes:
        key: which partition it is.
        results: the results of the report.
        states: the merged states, encoded.
    """

    key: PartitionKey
    results: Results
    states: Mapping[StateKey, bytes]


def overall_shift(key: StateKey, shift: int) -> Iterator[tuple[Series, int]]:
    """Yields the shift of a state if it is the one with overall, which has seen all rows.

    The shift of another partition depends on how its rows fell into bundles with others; it is at
    most that of all rows together, which does not.
    """
    if key.partition == 0:
        yield key.series, shift


def shift_to_align(key: StateKey, shifts: Mapping[Series, int]) -> int:
    """The shift that a merged state must have, from the shifts that `overall_shift` yields."""
    return shifts.get(key.series, 0)


def partition_of(key: StateKey) -> PartitionKey:
    """The partition that a state is of."""
    return key.head, key.partition
