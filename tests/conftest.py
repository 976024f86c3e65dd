"""What holds for all tests."""

from __future__ import annotations

import gc
import signal

import pytest
from hypothesis import HealthCheck, settings

# A machine may be busy: no law fails because an example took long.
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")

# Commands that tests start inherit the signals that this process ignores, as under `nohup` or as a
# job of a script, and would not end by those that tests send.
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(
            number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        )


# Modules and tests that are made now are no garbage.
gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Spares the garbage collector the modules and tests, which all live as long as the process.

    It also looks less often: Python's 700 objects are few where arrays and reports are made.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000)
