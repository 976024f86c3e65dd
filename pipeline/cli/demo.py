"""`headcount demo`: evaluates the data that ships with headcount."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipeline.cli import exit_codes
from pipeline.cli.connecting import connect
from pipeline.cli.output import say
from pipeline.cli.run import evaluate
from pipeline.config.load import load_config

HELP = "Evaluate the data that ships with headcount."
EPILOG = None

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
"""The directory of the configurations that ship with headcount, and of their data."""

DEMO = ("binary", "binary_tfrecord", "multi_class", "multi_label")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    parser.add_argument("--output", metavar="DIR", default="out/demo", help="default: %(default)s")


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    connect(known, rest, [])
    for name in DEMO:
        source = CONFIGS / f"{name}.yaml"
        config = load_config(source)
        inputs = [str(CONFIGS.parent / pattern) for pattern in config.input or ()]
        output = Path(known.output) / name
        say("", f"== headcount run --config {source} --output {output}", "")
        code = evaluate(known, [], config, str(source), inputs, str(output), overwrite=True)
        if code:
            return code
    return exit_codes.OK
