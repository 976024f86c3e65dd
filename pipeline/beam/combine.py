"""States on Beam: their coder, and the CombineFn that merges them."""

from __future__ import annotations

from collections.abc import Iterable

import apache_beam as beam
from apache_beam.coders import Coder, registry
from apache_beam.coders.coders import TupleSequenceCoder

from heads.statistics import State, merge
from heads.statistics.codec import decode, encode

# So many states are held before they are merged: one merge of many costs less than many of two.
FAN_IN = 16


class StateCoder(Coder):
    """Encodes a state as `heads.statistics.codec` does."""

    def encode(self, value: State) -> bytes:
        return encode(value)

    def decode(self, encoded: bytes) -> State:
        return decode(encoded)

    def estimate_size(self, value: State) -> int:
        # Beam asks for each element, and by default encodes it to find out.
        return len(value) * value.statistic.row_bytes()

    def is_deterministic(self) -> bool:
        return True

    def to_type_hint(self) -> type[State]:
        return State


registry.register_coder(State, StateCoder)


class MergeStates(beam.CombineFn):
    """Merges states of one statistic. An accumulator is a tuple of states, never changed."""

    def create_accumulator(self) -> tuple[State, ...]:
        return ()

    def add_input(self, accumulator: tuple[State, ...], state: State) -> tuple[State, ...]:
        return self.merge_accumulators([accumulator, (state,)])

    def merge_accumulators(self, accumulators: Iterable[tuple[State, ...]]) -> tuple[State, ...]:
        states = tuple(state for accumulator in accumulators for state in accumulator)
        return (merge(states),) if len(states) >= FAN_IN else states

    def compact(self, accumulator: tuple[State, ...]) -> tuple[State, ...]:
        return (merge(accumulator),) if accumulator else ()

    def extract_output(self, accumulator: tuple[State, ...]) -> State:
        return merge(accumulator)

    def get_accumulator_coder(self) -> Coder:
        return TupleSequenceCoder(StateCoder())
