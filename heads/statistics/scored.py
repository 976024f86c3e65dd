"""What a statistic measures: a batch after the head, and the segment of each row."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from heads.statistics.exact import Floats, Summand

Condition = tuple[str, str, str | int | bool | None]
"""One condition of a key: `(column, kind, value)`; `kind` is the type of the value, or the tag
`missing`, whose value is None. Floats are given as text: NaN is a value, and -0.0 is 0.0."""

Key = tuple[Condition, ...]
"""The conditions that define a segment, sorted by column; `()` is all rows."""

OVERALL: Key = ()


def key_text(key: Key) -> str:
    """The canonical text of a key: JSON, the same on every machine.

    >>> key_text((("country", "string", "CH"),))
    '[["country", "string", "CH"]]'
    """
    return json.dumps(key, ensure_ascii=False)


def parse_key(text: str) -> Key:
    """The key whose canonical text is given."""
    return tuple((column, kind, value) for column, kind, value in json.loads(text))


@dataclass(frozen=True, eq=False)
class Scored:
    """One batch of `n` rows after the head; arrays are float64 and C-contiguous.

    Attributes:
        score: `[n, k]`, what the files store: logits, or probabilities where those are declared.
            `k` is 1 for a binary head, else the number of classes.
        probability: `[n, k]`, the probability of each class; of the positive one for a binary head.
        label: `[n, k]` in [0, 1]; for a multi-class head `[n, 1]`, the class id.
        loss: `[n]`, the unreduced loss of each row.
        weight: `[n]`, or None where every row counts as one.
        predicted: int64 `[n]`, class ids of a multi-class head, else None.
    """

    score: Floats
    probability: Floats
    label: Floats
    loss: Floats
    weight: Floats | None = None
    predicted: npt.NDArray[np.int64] | None = None

    def __len__(self) -> int:
        return len(self.loss)

    @cached_property
    def weights(self) -> Summand:
        """The weights as a summand, cut into limbs once for all statistics."""
        assert self.weight is not None
        return Summand(self.weight)


@dataclass(frozen=True, eq=False)
class Segments:
    """The segment of each row of a batch.

    Attributes:
        index: int64 `[n]`, positions in `keys`.
        keys: distinct keys; they may name segments that no row of the batch is in.
    """

    index: npt.NDArray[np.int64]
    keys: Sequence[Key]

    @classmethod
    def overall(cls, rows: int) -> Segments:
        """All rows in the one segment without conditions."""
        return cls(np.zeros(rows, np.int64), (OVERALL,))

    def __len__(self) -> int:
        return len(self.index)
