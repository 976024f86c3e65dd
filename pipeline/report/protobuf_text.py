"""Text as the fields of a protobuf take it."""

from __future__ import annotations


def protobuf_text(text: str) -> str:
    """Returns the text as valid UTF-8: names of files and of columns need not be.

    Args:
        text: any text, possibly with lone surrogates.

    Returns:
        The text, with each lone surrogate written as its escape.
    """
    return text.encode("utf-8", "backslashreplace").decode()
