"""Keys: the names of segments."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

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
    """Returns the key of a canonical text.

    Raises:
        ValueError: if the text is not as `key_text` writes a key.
    """
    try:
        key = make_key(json.loads(text))
        if key_text(key) == text:
            return key
    except (RecursionError, TypeError, ValueError):
        pass
    raise ValueError(f"{text!r:.80} is no key of a slice")


def make_key(conditions: Any) -> Key:
    """Returns conditions that were read from JSON as a key.

    Raises:
        TypeError: if they are no conditions.
        ValueError: if they are no conditions.
    """
    key: Key = tuple((column, kind, value) for column, kind, value in conditions)
    for column, kind, value in key:
        if not (isinstance(column, str) and isinstance(kind, str)):
            raise TypeError(f"{column!r:.80} or {kind!r:.80} is no text")
        if not isinstance(value, str | int | None):
            raise TypeError(f"{value!r:.80} is no value of a key")
    return key
