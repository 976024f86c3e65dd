"""Runs the command as `python -m pipeline.cli`."""

import sys

from pipeline.cli.command import main

sys.exit(main())
