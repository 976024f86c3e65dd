"""Opens files, local or remote. No Beam here."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

OpenFile = Callable[[str], BinaryIO]
"""A function that opens a file for reading; the stream can seek."""


def is_local(path: str) -> bool:
    """Returns whether a path is on this machine.

    >>> is_local("out/day=1"), is_local("s3://bucket/out")
    (True, False)
    """
    return "://" not in path


def open_local(path: str) -> BinaryIO:
    """Opens a file of this machine for reading."""
    return open(path, "rb")
