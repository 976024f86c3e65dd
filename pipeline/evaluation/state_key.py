"""Which state is which, and how a state is cut into partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from heads.statistics import Key, State


class StateKey(NamedTuple):
    """Which state: of which head and statistic, and which part of its segments.

    Attributes:
        head: name of the head.
        statistic: position in what is measured for the head.
        partition: which piece of the slices; overall is in 0.
    """

    head: str
    statistic: int
    partition: int = 0

    def __str__(self) -> str:
        return f"{self.head}/{self.statistic}/{self.partition}"


def split(
    key: StateKey, state: State, partitions: Mapping[Key, int]
) -> list[tuple[StateKey, State]]:
    """A state cut into the partitions its segments belong to."""
    parts: dict[int, list[int]] = {}
    for position, segment in enumerate(state.keys):
        parts.setdefault(partitions[segment], []).append(position)
    return [
        (StateKey(key.head, key.statistic, number), state.take(positions))
        for number, positions in parts.items()
    ]
