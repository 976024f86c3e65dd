"""A worker process of the local runner: Beam's, without the lines that it would print.

Beam logs while it is imported, before there is a log handler, and from then on Python would print
all log records. A worker sends the important ones to the command in any case.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import traceback


def main() -> None:
    """Runs until the command has no more work, or has ended."""
    threading.Thread(target=_end_with_the_command, daemon=True).start()
    logging.getLogger().addHandler(logging.NullHandler())
    try:
        from apache_beam.runners.worker import sdk_worker_main

        sdk_worker_main.main(sys.argv)
    except BaseException:
        # Threads that are left would keep the process alive, and the command would wait for it.
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)


def _end_with_the_command() -> None:
    """Ends this process when the other end of its standard input is closed, by whatever cause."""
    while os.read(0, 1 << 16):
        pass
    os._exit(1)
