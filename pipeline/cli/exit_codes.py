"""The exit codes of the command."""

OK = 0
CRASH = 1
CONFIG = 2
"""The command line or the configuration is wrong, or names files that cannot be reached."""
DATA = 4
"""The data must not be reported on."""
RUNNER = 5
OUTPUT = 6
"""The output holds a run, files of others, or another run at work."""
INTERRUPTED = 130
