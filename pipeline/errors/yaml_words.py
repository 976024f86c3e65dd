"""Writes words as YAML that a user can copy out of a message into a configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_NOT_TEXT = {"null", "true", "false", ".nan", ".inf"}


def yaml_word(text: str) -> str:
    """Returns a text as a scalar of YAML, in quotes only if it needs them.

    >>> yaml_word("churned"), yaml_word("my label"), yaml_word("1"), yaml_word("true")
    ('churned', '"my label"', '"1"', '"true"')
    """
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)


def yaml_list(words: Iterable[str]) -> str:
    """Returns texts as a list of YAML on a line.

    >>> yaml_list(["no", "not yet"])
    '[no, "not yet"]'
    """
    return f"[{', '.join(map(yaml_word, words))}]"
