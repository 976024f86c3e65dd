"""Merging on Beam: encoded states, and whatever else comes from many bundles.

States travel as the bytes of `heads.statistics.codec`: a state is encoded once where it is measured
and decoded once where metrics are computed, however many steps pass it on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import apache_beam as beam
from apache_beam.coders import BytesCoder, Coder
from apache_beam.coders.coders import TupleSequenceCoder
from apache_beam.typehints import Tuple

from heads.statistics import merge
from heads.statistics.codec import decode, encode

# So many states are held before they are merged: one merge of many costs less than many of two.
FAN_IN = 16

# Some runners hand all values of a key to a worker as one element. A Flink TaskManager of 1.6 GB
# takes 32 MB of them, and fails with 64.
_ONE_KEY_BYTES = 16 << 20
_MOST_TOGETHER = 8


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
    return (
        states[0]
        if len(states) == 1
        else encode(merge([decode(state, trusted=True) for state in states]))
    )


class MergeInTree(beam.PTransform):
    """Merges the values of each key, a few of them at a time.

    Before the last step, values of a key are merged in groups they fall into at random: there may
    be as many of them as bundles. How they fall changes no digit, for merges are exact.

    Args:
        combine: merges values; of those it makes, too.
        widths: how many groups a key has in each step before the last.
    """

    def __init__(
        self, combine: beam.CombineFn | Callable[..., Any], widths: Sequence[int] = ()
    ) -> None:
        super().__init__()
        self._combine = combine
        self._widths = tuple(widths)

    def expand(self, values: beam.PCollection[tuple[Any, Any]]) -> beam.PCollection:
        key, value = values.element_type.tuple_types
        pair, spread = Tuple[key, value], Tuple[Tuple[key, int], value]
        for width in self._widths:
            values = (
                values
                | f"Among{width}" >> beam.Map(_among, width).with_output_types(spread)
                | f"MergeIn{width}" >> beam.CombinePerKey(self._combine)
                | f"From{width}" >> beam.Map(_back).with_output_types(pair)
            )
        return values | "Merge" >> beam.CombinePerKey(self._combine)


def tree_widths(bundles: int, value_bytes: int) -> list[int]:
    """How many groups to merge the values of one key in, step by step.

    Args:
        bundles: from so many bundles a key has a value at most.
        value_bytes: how large a value may be.

    >>> tree_widths(16, 1 << 20), tree_widths(100, 1 << 20), tree_widths(1000, 4 << 20)
    ([], [13], [250, 63, 16, 4])
    """
    together = max(2, min(_MOST_TOGETHER, _ONE_KEY_BYTES // max(1, value_bytes)))
    widths: list[int] = []
    # Groups at random are of unequal size, so that the last may as well be twice as large.
    while bundles > 2 * together:
        bundles = -(-bundles // together)
        widths.append(bundles)
    return widths


def _among(element: tuple[Any, Any], width: int) -> tuple[tuple[Any, int], Any]:
    key, value = element
    return (key, random.randrange(width)), value


def _back(element: tuple[tuple[Any, int], Any]) -> tuple[Any, Any]:
    (key, _), value = element
    return key, value
