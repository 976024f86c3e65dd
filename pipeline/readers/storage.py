"""Opening files, wherever they are. No Beam here."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

OpenFile = Callable[[str], BinaryIO]
"""Opens a file for reading; the stream can seek."""


def is_local(path: str) -> bool:
    """Whether a path is on this machine.

    >>> is_local("out/day=1"), is_local("s3://bucket/out")
    (True, False)
    """
    return "://" not in path


def open_local(path: str) -> BinaryIO:
    """Opens a file of this machine."""
    return open(path, "rb")
