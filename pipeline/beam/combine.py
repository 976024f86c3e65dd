"""States on Beam: encoded ones, and the CombineFn that merges them.

States travel as the bytes of `heads.statistics.codec`: a state is encoded once where it is measured
and decoded once where metrics are computed, however many steps pass it on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import apache_beam as beam
from apache_beam.coders import BytesCoder, Coder
from apache_beam.coders.coders import TupleSequenceCoder

from heads.statistics import merge
from heads.statistics.codec import decode, encode

# So many states are held before they are merged: one merge of many costs less than many of two.
FAN_IN = 16


class MergeStates(beam.CombineFn):
    """Merges encoded states of one statistic. An accumulator is a tuple of them, never changed."""

    def create_accumulator(self) -> tuple[bytes, ...]:
        return ()

    def add_input(self, accumulator: tuple[bytes, ...], state: bytes) -> tuple[bytes, ...]:
        return self.merge_accumulators([accumulator, (state,)])

    def merge_accumulators(self, accumulators: Iterable[tuple[bytes, ...]]) -> tuple[bytes, ...]:
        states = tuple(state for accumulator in accumulators for state in accumulator)
        return (merge_encoded(states),) if len(states) >= FAN_IN else states

    def compact(self, accumulator: tuple[bytes, ...]) -> tuple[bytes, ...]:
        return (merge_encoded(accumulator),) if accumulator else ()

    def extract_output(self, accumulator: tuple[bytes, ...]) -> bytes:
        return merge_encoded(accumulator)

    def get_accumulator_coder(self) -> Coder:
        return TupleSequenceCoder(BytesCoder())


def merge_encoded(states: Sequence[bytes]) -> bytes:
    """Encoded states as one; raises as `merge`, `decode` and `encode` do."""
    return states[0] if len(states) == 1 else encode(merge([decode(state) for state in states]))
