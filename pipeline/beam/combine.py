"""Merges encoded states, and other values that come from many bundles, on Beam.

States travel as the bytes of `heads.statistics.codec`. A state is encoded once after it is measured
and decoded once before metrics are computed, however many steps pass it on.
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

# An accumulator merges its states when it holds this many: a single merge of many states costs less
# than many merges of two.
FAN_IN = 16

# Some runners hand all values of a key to a worker as one element. A Flink TaskManager with 1.6 GB
# takes an element of 32 MB, and fails with 64 MB.
_ONE_KEY_BYTES = 16 << 20
_MOST_TOGETHER = 8


class MergeStates(beam.CombineFn):
    """Merges encoded states of one statistic.

    An accumulator is a tuple of encoded states, which is never changed in place.
    """

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
    """Merges encoded states into one; raises the errors of `merge`, `decode` and `encode`."""
    return (
        states[0]
        if len(states) == 1
        else encode(merge([decode(state, trusted=True) for state in states]))
    )


class MergeInTree(beam.PTransform):
    """Merges the values of each key, a few at a time.

    A key may have a value from every bundle. Therefore its values are first put into groups at
    random, and merged group by group, in one or more steps before the last. The groups change no
    digit, because merges are exact.

    Args:
        combine: merges values, including values that it returned itself.
        widths: the number of groups of a key, for each step before the last.
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
    """Returns the number of groups to merge the values of a key in, for each step.

    Args:
        bundles: the largest number of bundles from which a key has a value.
        value_bytes: how many bytes a value may take.

    >>> tree_widths(16, 1 << 20), tree_widths(100, 1 << 20), tree_widths(1000, 4 << 20)
    ([], [13], [250, 63, 16, 4])
    """
    together = max(2, min(_MOST_TOGETHER, _ONE_KEY_BYTES // max(1, value_bytes)))
    widths: list[int] = []
    # Random groups have unequal sizes, so the last step may as well take twice as many values.
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
