"""The keys that identify states, and how a state is cut into partitions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from heads.statistics import Key, State
from pipeline.evaluation.head_plan import ModelStatistic

Series = tuple[str, int, str]
"""What identifies a statistic of a model in all partitions: the head, the model, the digest."""


class StateKey(NamedTuple):
    """The key that identifies a state in every run and release.

    It holds no position in a list of statistics, which may change from release to release.

    Attributes:
        head: the name of the head.
        model: the model of the head, `CANDIDATE` or `BASELINE`.
        statistic: the digest of the statistic.
        partition: the number of the partition of the slices; overall is in partition 0.
    """

    head: str
    model: int
    statistic: str
    partition: int = 0

    @classmethod
    def of(cls, head: str, measured: ModelStatistic, partition: int = 0) -> StateKey:
        """Returns the key of a statistic that is measured for a head."""
        return cls(head, measured.model, measured.statistic.digest, partition)

    @property
    def series(self) -> Series:
        """Returns the key without the partition."""
        return self.head, self.model, self.statistic

    def __str__(self) -> str:
        return f"{self.head}/{self.model}/{self.statistic}/{self.partition}"


def parse_state_key(text: str) -> StateKey:
    """Returns the key that `str` wrote as a text.

    Raises:
        ValueError: if the text is no key.
    """
    head, model, statistic, partition = text.split("/")
    key = StateKey(head, int(model), statistic, int(partition))
    if str(key) != text:
        raise ValueError(f"{text!r:.80} is not as the key of a state is written")
    return key


def by_statistic(states: Mapping[StateKey, State]) -> dict[ModelStatistic, State]:
    """Returns the states of one head and partition by model and statistic.

    Raises:
        ValueError: if the key of a state names another statistic than the state.
    """
    for key, state in states.items():
        if state.statistic.digest != key.statistic:
            raise ValueError(f"the state {key} is of another statistic")
    return {ModelStatistic(key.model, state.statistic): state for key, state in states.items()}


def split(
    head: str, measured: ModelStatistic, state: State, partitions: Mapping[Key, int]
) -> list[tuple[StateKey, State]]:
    """Cuts a state into the partitions that its segments belong to.

    Args:
        head: the name of the head.
        measured: the model and the statistic of the state.
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
