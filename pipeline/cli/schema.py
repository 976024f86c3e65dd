"""`headcount schema`: prints the JSON schema of the configuration."""

from __future__ import annotations

import argparse
import json

from pipeline.cli import exit_codes
from pipeline.cli.connecting import connect
from pipeline.cli.output import say
from pipeline.config.load import config_schema

HELP = "Print the JSON schema of the configuration, for editors."
EPILOG = None


def add_arguments(_: argparse.ArgumentParser) -> None:
    """Adds nothing: the subcommand has no arguments."""


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    connect(known, rest, [])
    say(*json.dumps(config_schema(), indent=2).split("\n"))
    return exit_codes.OK
