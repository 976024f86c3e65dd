"""Bounds the text of slices: the keys of all slices reach a worker in one piece."""

from __future__ import annotations

import json
from collections.abc import Sequence

from heads.statistics import Condition, Key
from heads.statistics.codec import MAX_BYTES
from pipeline.errors.problems import quote
from pipeline.slicing.table import SpecSlices

# What the encoding of a condition takes beside its text, about.
_FRAME = 8
# The text of a slice is looked at only if it is longer: all other texts fit beside any state.
_LONG = 1 << 20

_ADVICE = "slice by a column of shorter values, or by the 'values' that matter"


def text_problems(slices: Sequence[SpecSlices], state_bytes: int) -> list[str]:
    """Returns a message for each column whose slices have too much text; most often there is none.

    The slices of all specs together may have `MAX_BYTES`, and a slice so many with its largest
    state. If there are more, the columns of the most text are told, until the others fit.

    Args:
        slices: the slices of each entry of `slices`.
        state_bytes: about how many bytes the largest state of one slice takes.
    """
    sizes: dict[tuple[int, str], int] = {}
    problems = []
    for number, spec in enumerate(slices):
        longest = max(map(_encoded_bytes, spec.keys), default=0)
        if longest > max(_LONG, MAX_BYTES - state_bytes):
            problems.append(
                f"slices[{number}]: the values of a slice by {_columns(spec.keys[0])} take"
                f" {longest:,} bytes, which are too many beside its states; {_ADVICE}"
            )
        for key in spec.keys:
            for condition in key:
                place = number, condition[0]
                sizes[place] = sizes.get(place, 0) + _text_bytes(condition)
    total = sum(sizes.values())
    for (number, column), size in sorted(sizes.items(), key=lambda item: -item[1]):
        if total <= MAX_BYTES:
            break
        total -= size
        problems.append(
            f"slices[{number}]: the values of column {quote(column)} in"
            f" {len(slices[number].keys):,} slices take {size:,} bytes, and those of all slices"
            f" together may take {MAX_BYTES:,}; {_ADVICE}, or lower 'max_slices'"
        )
    return problems


def _columns(key: Key) -> str:
    return "column " + " and ".join(quote(column) for column, _, _ in key)


def _encoded_bytes(key: Key) -> int:
    """Returns how many bytes a key takes in an encoded state."""
    return len(json.dumps(key))


def _text_bytes(condition: Condition) -> int:
    return len(json.dumps(condition, ensure_ascii=False).encode()) + _FRAME
