"""Escapes the characters of a text that a terminal would obey, hide or break a line at."""

from __future__ import annotations

import unicodedata


def printable(text: str, encoding: str = "utf-8") -> str:
    r"""Returns a text as one line in which every character is seen.

    A character that is not printable is written as Python writes it in a literal: controls and
    newlines, marks that reorder or hide what follows, characters of no width (Unicode's class Cf),
    separators of lines and paragraphs, halves of surrogate pairs as in file names that are not
    UTF-8, and code points that are private or not assigned. So is what the encoding lacks. All
    other letters, marks and symbols, and spaces of any width, stay as they are. What was escaped
    before is not escaped again.

    Args:
        text: the text, such as the name of a file.
        encoding: the encoding of the terminal.

    >>> print(printable("a\x1b[2J\nb \u202eexe.txt"), printable("größe 界"))
    a\x1b[2J\nb \u202eexe.txt größe 界
    >>> print(printable("größe", "ascii"))
    gr\xf6\xdfe
    """
    if not text.isprintable():
        text = "".join(
            c
            if c.isprintable() or unicodedata.category(c) == "Zs"
            else c.encode("unicode_escape").decode()
            for c in text
        )
    return text if text.isascii() else text.encode(encoding, "backslashreplace").decode(encoding)
