"""Opening files, wherever they are. No Beam here."""

from __future__ import annotations

from collections.abc import Callable
from typing import BinaryIO

OpenFile = Callable[[str], BinaryIO]
"""Opens a file for reading."""


class StorageError(Exception):
    """Files elsewhere cannot be reached, read or written; it is not their content that is bad."""


def is_elsewhere(path: str) -> bool:
    """Whether a path is not of this machine.

    >>> is_elsewhere("s3://bucket/out"), is_elsewhere("out/day=1")
    (True, False)
    """
    return "://" in path


def open_here(path: str) -> BinaryIO:
    """Opens a file of this machine for reading."""
    return open(path, "rb")
