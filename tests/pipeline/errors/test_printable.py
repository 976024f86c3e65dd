"""What a terminal is told: one line of what can be seen, and the rest as escapes."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors.printable import printable
from tests.pipeline.tables import law

UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
"""The categories of Unicode that have no glyph, or break a line."""

any_text = st.text(st.characters())


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("a\nERROR b\r\t\x00\x7f", r"a\nERROR b\r\t\x00\x7f"),
        ("\x85\x9b31m", r"\x85\x9b31m"),
        ("\u202egnp.exe\u202c", r"\u202egnp.exe\u202c"),
        ("\u2066a\u2069\u200f\u061c", r"\u2066a\u2069\u200f\u061c"),
        ("a\u200bb\u00adc\u2060d\ufeffe", r"a\u200bb\xadc\u2060d\ufeffe"),
        ("a\u2028b\u2029c", r"a\u2028b\u2029c"),
        ("\U000e0041\U000f0000", r"\U000e0041\U000f0000"),
        # A file name of the byte 0xff, as Python has it.
        ("a\udcff.parquet", r"a\udcff.parquet"),
    ],
)
def test_what_cannot_be_seen_is_escaped(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    "text",
    [
        "größe",
        "界\u3000国",
        "e\u0301",
        "नमस्ते",
        "\N{NO-BREAK SPACE}€",
        "שלום",
        "❤\ufe0f😀",
        r"C:\x1b",
    ],
)
def test_what_can_be_seen_stays(text: str) -> None:
    assert printable(text) == text


@law
@given(any_text, st.sampled_from(["utf-8", "ascii", "latin-1", "cp1252", "utf-16"]))
def test_every_text_is_one_line_that_the_encoding_has(text: str, encoding: str) -> None:
    shown = printable(text, encoding)
    assert not {unicodedata.category(c) for c in shown} & UNSEEN
    assert shown.encode(encoding).decode(encoding) == shown
    assert shown.splitlines() == ([shown] if shown else [])
    assert printable(shown, encoding) == shown


@law
@given(any_text)
def test_texts_stay_different(text: str) -> None:
    # But for backslashes, which stay as they are: paths have them.
    text = text.replace("\\", "/")
    shown = printable(text).encode("ascii", "backslashreplace").decode("unicode_escape")
    assert shown == text
