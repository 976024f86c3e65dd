"""Ports for servers that do not choose one themselves."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack, suppress

LOW, HIGH = 20_000, 32_000
"""Below the ports that Linux gives to connections by itself, at any moment."""


def free_ports(number: int) -> list[int]:
    """Ports that nothing listens at; drawn at random, so that others do not draw them as well."""
    with ExitStack() as stack:
        found: list[int] = []
        while len(found) < number:
            port = random.SystemRandom().randrange(LOW, HIGH)
            listener = stack.enter_context(socket.socket())
            with suppress(OSError):
                listener.bind(("localhost", port))
                found.append(port)
        return found
