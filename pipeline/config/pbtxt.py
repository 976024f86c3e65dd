"""Reads messages in the text format of protobuf."""

from __future__ import annotations

from typing import BinaryIO, TypeVar

from google.protobuf import text_format
from google.protobuf.message import Message

M = TypeVar("M", bound=Message)

MAX_BYTES = 16 << 20


def read_text(file: BinaryIO) -> str:
    """Returns the content of a file as text.

    Raises:
        ValueError: if it is not UTF-8, or larger than `MAX_BYTES`.
    """
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ValueError(f"larger than {MAX_BYTES:,} bytes")
    return content.decode("utf-8")


def parse_text(text: str, message: M) -> M:
    """Fills a message from its text.

    Args:
        text: the text (`.pbtxt`).
        message: an empty message of the wanted type, which is filled and returned.

    Raises:
        ValueError: if the text is not a message of this type; the error names the line.
    """
    kind = message.DESCRIPTOR.name
    try:
        text_format.Parse(text, message)
    except text_format.ParseError as error:
        reason = str(error)
        line = error.GetLine()
        if line is None:
            raise ValueError(f"not the text of a {kind}: {reason}") from error
        reason = reason.removeprefix(f"{line}:{error.GetColumn()} : ")
        raise ValueError(f"line {line}: not the text of a {kind}: {reason}") from error
    except RecursionError as error:
        raise ValueError(f"not the text of a {kind}: it is nested too deeply") from error
    return message
