"""`headcount validate`: checks a configuration, and all files against it."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from pipeline.cli import exit_codes
from pipeline.cli.connecting import connect, make_opener
from pipeline.cli.output import say, warn
from pipeline.cli.run import add_job_arguments
from pipeline.config.load import load_config, load_gates
from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.wording import counted, first_lines, first_names
from pipeline.readers.storage import is_local, open_local

if TYPE_CHECKING:
    from pipeline.evaluation.head_plan import HeadPlan

HELP = "Check a configuration, and all files against it."
EPILOG = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    add_job_arguments(parser)
    parser.add_argument(
        "--gates", metavar="FILE", help="a file of gates, in place of the configuration's"
    )


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    from pipeline.evaluation.gated import check_gates
    from pipeline.evaluation.plan import make_plan
    from pipeline.evaluation.slice_counting import known_slices

    open_any = make_opener(known, rest)
    config = load_config(known.config, open_any)
    if known.gates is not None:
        config = config.model_copy(update={"gates": load_gates(known.gates, open_any)})
    inputs = known.input or config.input or ()
    named = (
        known.config,
        known.gates,
        config.input_manifest,
        config.schema_file,
        config.problem_statement,
    )
    connect(known, rest, [*inputs, *(path for path in named if path)])
    plan = make_plan(config, known.config, open_any)
    check_gates(plan, known.gates or known.config)
    if inputs:
        from pipeline.errors.faults import BadData
        from pipeline.evaluation.input_files import find_shards
        from pipeline.readers.file_list import list_local

        list_shards, open_file = list_local, open_local
        if not all(map(is_local, (*inputs, config.input_manifest or ""))):
            from pipeline.beam.files import open_file
            from pipeline.beam.listing import list_shards
        try:
            listing = find_shards(plan, inputs, known.config, list_shards, open_file)
        except BadData as error:
            warn(*error.problems)
            return exit_codes.DATA
        say(*listing.notes)
        size = sum(shard.bytes for shard in listing)
        say(f"{counted(len(listing), 'file')}, {counted(size, 'byte')}")
    say(*first_lines([f"plugin {plugin.name}: {plugin.file}" for plugin in plan.plugins]))
    say(f"columns: {first_names(plan.columns, 100)}")
    say(*first_lines([_summary(head) for head in plan.heads.values()]))
    if config.gates:
        say(counted(len(config.gates), "gate"))
    say(*first_lines(plan.too_large()))
    table = known_slices(plan)
    if table is not None:
        if table.problems:
            raise ConfigError([Problem(known.config, (), text) for text in table.problems])
        slices = sum(len(spec.keys) for spec in table.specs)
        say(f"{slices:,} slices, about {plan.state_bytes(table):,} bytes of state in all")
    say(f"{known.config} is valid")
    return exit_codes.OK


def _summary(head: HeadPlan) -> str:
    size = sum(head.slice_bytes(top_slice=True))
    return f"head {head.name}: {len(head.models[0].metrics)} metrics, about {size:,} bytes a slice"
