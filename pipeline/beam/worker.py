"""A worker process of the local runner: that of Beam, without the lines that it would print.

Beam logs while it is imported, before there is a log handler, and from then on Python would print
all log records. A worker sends the important ones to the command in any case.
"""

from __future__ import annotations

import logging
import sys


def main() -> None:
    """Runs until the command has no more work."""
    logging.getLogger().addHandler(logging.NullHandler())
    from apache_beam.runners.worker import sdk_worker_main

    sdk_worker_main.main(sys.argv)


if __name__ == "__main__":
    main()
