"""Which state is which, and how a state is cut into partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from heads.statistics import Key, State
from pipeline.evaluation.head_plan import ModelStatistic

Series = tuple[str, int, str]
"""The states of one statistic of a model in all partitions: head, model, digest."""


class StateKey(NamedTuple):
    """What a state is known by, in every run and release: no position in a list is part of it.

    Attributes:
        head: the name of the head.
        model: which of its models, `CANDIDATE` or `BASELINE`.
        statistic: the digest of what was measured.
        partition: which part of the slices; overall is in 0.
    """

    head: str
    model: int
    statistic: str
    partition: int = 0

    @classmethod
    def of(cls, head: str, measured: ModelStatistic, partition: int = 0) -> StateKey:
        """The key of what is measured for a head."""
        return cls(head, measured.model, measured.statistic.digest, partition)

    @property
    def series(self) -> Series:
        """The key without the partition."""
        return self.head, self.model, self.statistic

    def __str__(self) -> str:
        return f"{self.head}/{self.model}/{self.statistic}/{self.partition}"


def parse_state_key(text: str) -> StateKey:
    """The key that is written as a text; raises ValueError if it is none."""
    head, model, statistic, partition = text.split("/")
    return StateKey(head, int(model), statistic, int(partition))


def by_statistic(states: Mapping[StateKey, State]) -> dict[ModelStatistic, State]:
    """States of one head and partition by what they are of.

    Raises:
        ValueError: if a state is not of the statistic that its key says.
    """
    for key, state in states.items():
        if state.statistic.digest != key.statistic:
            raise ValueError(f"the state {key} is of another statistic")
    return {ModelStatistic(key.model, state.statistic): state for key, state in states.items()}


def split(
    head: str, measured: ModelStatistic, state: State, partitions: Mapping[Key, int]
) -> list[tuple[StateKey, State]]:
    """A state cut into the partitions that its segments belong to.

    Args:
        head: the name of the head.
        measured: what the state is of.
        state: the state of all segments.
        partitions: the partition of each segment.
    """
    positions: dict[int, list[int]] = {}
    for position, segment in enumerate(state.keys):
        positions.setdefault(partitions[segment], []).append(position)
    return [
        (StateKey.of(head, measured, partition), state.take(places))
        for partition, places in positions.items()
    ]
