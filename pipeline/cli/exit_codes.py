"""The exit codes of the command."""

OK = 0
CRASH = 1
CONFIG = 2
"""The command line or the configuration is wrong, or names files that cannot be reached."""
GATE = 3
"""A gate did not let the model through; the run is published."""
DATA = 4
"""The data must not be reported on."""
RUNNER = 5
"""The runner failed, or a worker ended before the run did."""
OUTPUT = 6
"""The output holds a run, files of others, or another run at work."""

NOT_FINISHED = 7
"""The newest run of a directory has not ended, or is not yet published, or there is none."""

# A command that a signal ended has 128 and the number of the signal: 129 SIGHUP, 130 SIGINT, 143
# SIGTERM.
