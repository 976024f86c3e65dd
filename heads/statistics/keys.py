"""Keys: the names of segments."""

from __future__ import annotations

import json
from functools import lru_cache

Condition = tuple[str, str, str | int | bool | None]
"""A condition of a key: `(column, kind, value)`; `kind` is the type of the value, or the tag
`missing`, whose value is None. Floats are given as text: NaN is a value, and -0.0 is 0.0."""

Key = tuple[Condition, ...]
"""The conditions that define a segment, sorted by column; the key `()` stands for all rows."""

OVERALL: Key = ()


@lru_cache(maxsize=1 << 17)
def key_text(key: Key) -> str:
    """Returns the canonical text of a key: JSON, the same on every machine.

    >>> key_text((("country", "string", "CH"),))
    '[["country", "string", "CH"]]'
    """
    return json.dumps(key, ensure_ascii=False)


def parse_key(text: str) -> Key:
    """Returns the key of a canonical text."""
    return tuple((column, kind, value) for column, kind, value in json.loads(text))
