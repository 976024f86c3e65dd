"""What a terminal gets, and what a pipe gets."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import termios
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
CODE = """
from pipeline.cli.output import Output, screen, show
with Output():
    from pipeline.report.text.verdict import verdict_line
    found = screen()
    gates = {"passed": False, "gates": [], "against": {"directory": "\\x1b[31m"}}
    show(found.draw([verdict_line(gates, ["forged \\x1b[32m \\x1b]0;title\\x07"], found)]))
    show("\\x1b[33m\\x1b[2J")
    print(found.columns, found.encoding, found.colours, found.cuts_names)
"""


def printed(columns: int, **environment: str) -> str:
    """What the code prints on a terminal of so many columns; in a pipe if there are none."""
    names = ("NO_COLOR", "COLORTERM", "COLUMNS", "FORCE_COLOR", "TERM", "PYTHONIOENCODING")
    env = {name: value for name, value in os.environ.items() if name not in names}
    command = [sys.executable, "-c", CODE]
    env |= {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment}
    if not columns:
        done = subprocess.run(command, env=env, capture_output=True, check=True, text=True)
        return done.stdout
    leader, follower = pty.openpty()
    termios.tcsetwinsize(follower, (24, columns))
    done = subprocess.run(command, env=env, stdin=follower, stdout=follower, stderr=follower)
    os.close(follower)
    assert done.returncode == 0
    text = os.read(leader, 1 << 16).decode().replace("\r\n", "\n")
    os.close(leader)
    return text


SAFE = r"0 gates, against \x1b[31m; forged \x1b[32m \x1b]0;title\x07"


@pytest.mark.parametrize(
    ("columns", "environment", "expected"),
    [
        (150, {"TERM": "xterm"}, "150 utf-8 standard True"),
        (150, {"TERM": "xterm-256color"}, "150 utf-8 256 True"),
        (150, {"TERM": "xterm", "NO_COLOR": "1"}, "150 utf-8 None True"),
        (0, {"TERM": "xterm", "FORCE_COLOR": "1", "COLUMNS": "50"}, "120 utf-8 None False"),
        (0, {"PYTHONIOENCODING": "ascii"}, "120 ascii None False"),
    ],
    ids=str,
)
def test_a_terminal_has_its_width_and_colours_and_a_pipe_is_plain(
    columns: int, environment: dict[str, str], expected: str
) -> None:
    first, second = printed(columns, **environment).splitlines()
    # The colours of the program alone are obeyed; nothing of the data is, and no other sequence.
    coloured = "standard" in expected or "256" in expected
    word = "\x1b[1;31mFAIL\x1b[0m" if coloured else "FAIL"
    assert first == f"{word}: {SAFE}"
    mark = "\x1b[33m" if columns else r"\x1b[33m"
    assert second == rf"{mark}\x1b[2J{expected}"
