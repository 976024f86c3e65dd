"""Files for the tests of listings."""

from __future__ import annotations

from pathlib import Path


def plant(root: Path, *names: str) -> None:
    """Makes files of a few bytes that differ, and the directories above them."""
    for number, name in enumerate(names):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * (number + 1))
