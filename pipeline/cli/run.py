"""`headcount run`: evaluates files and writes a report."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace

from pipeline.cli import exit_codes
from pipeline.cli.connecting import add_gates_arguments, import_beam, make_opener
from pipeline.cli.output import say, screen, show, unwritten, warn
from pipeline.cli.verdict import add_json_argument, answer_verdict, code_of
from pipeline.config.load import load_config, load_gates
from pipeline.config.model import Config
from pipeline.errors.printable import printable
from pipeline.errors.problems import ConfigError, Problem, quote

HELP = "Evaluate files of predictions and write a report."
EPILOG = (
    "Any other option is passed to Apache Beam: --runner=DataflowRunner, --direct_num_workers=2"
    " --direct_running_mode=multi_processing, ..."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the subcommand."""
    add_job_arguments(parser)
    parser.add_argument("--output", metavar="DIR", help="the directory to write")
    add_gates_arguments(parser)
    parser.add_argument("--overwrite", action="store_true", help="replace an older run in --output")
    parser.add_argument(
        "--write_predictions",
        metavar="DIR",
        help="also write the predictions, label and loss of every row there, as Parquet",
    )
    parser.add_argument(
        "--debug_samples",
        action="store_true",
        help="show what bad rows hold, which may be personal data",
    )
    add_json_argument(parser)


def add_job_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments that say what is evaluated."""
    parser.add_argument("--config", metavar="FILE", required=True, help="the YAML configuration")
    parser.add_argument(
        "--input",
        metavar="GLOB",
        action="append",
        help="the files to read, in place of the configuration's; may be given several times",
    )


def execute(known: argparse.Namespace, rest: list[str]) -> int:
    """Runs the subcommand and returns its exit code."""
    config = load_config(known.config, make_opener(known, rest))
    inputs = known.input or config.input
    output = known.output or config.output
    problems = [
        Problem(known.config, (), f"give --{name}, or '{name}' in the configuration")
        for name, value in (("input", inputs), ("output", output))
        if not value
    ]
    places = {
        "output": output,
        "write_predictions": known.write_predictions,
        "against": known.against,
    }
    problems += (
        Problem(known.config, (), f"--{name} {quote(path)}: the path is not UTF-8; choose another")
        for name, path in places.items()
        if path and not _is_utf8(path)
    )
    if problems:
        raise ConfigError(problems)
    assert inputs is not None
    assert output is not None
    return evaluate(
        known,
        rest,
        config,
        printable(known.config),
        inputs,
        output,
        predictions=known.write_predictions,
        overwrite=known.overwrite,
        debug_samples=known.debug_samples,
        gates=known.gates,
        against=known.against,
    )


def _is_utf8(path: str) -> bool:
    """Returns whether a path can be sent to workers; Python keeps other bytes as surrogates."""
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def evaluate(
    known: argparse.Namespace,
    rest: Sequence[str],
    config: Config,
    source: str,
    inputs: Sequence[str],
    output: str,
    *,
    predictions: str | None = None,
    overwrite: bool = False,
    debug_samples: bool = False,
    gates: str | None = None,
    against: str | None = None,
) -> int:
    """Evaluates files, prints the report or explains a failure, and returns the exit code.

    Args:
        known: the parsed command line.
        rest: the arguments that are left, for Beam.
        config: the configuration.
        source: the name of the configuration file, for messages.
        inputs: globs of the files.
        output: the directory to write.
        predictions: a directory for the predictions of every row, or None.
        overwrite: whether to replace an older run.
        debug_samples: whether messages may show what bad rows hold.
        gates: a file of gates, in place of those of the configuration, or None.
        against: the run that gates compare with, `none`, or None.
    """
    import_beam()
    from pipeline.beam.access import connect
    from pipeline.beam.job import Job, Submitted
    from pipeline.beam.options import beam_options, check_runner
    from pipeline.beam.run import run
    from pipeline.errors.faults import BadData, RunnerError
    from pipeline.evaluation.plan import make_plan
    from pipeline.report.text.render import render
    from pipeline.runs.gates import check_against, with_gates

    options = beam_options(rest, known.options)
    check_runner(options)
    opener = make_opener(known, rest)
    plan = make_plan(config, source, opener)
    given = None if gates is None else load_gates(gates, opener)
    gates_source = source if gates is None else printable(gates)
    plan = with_gates(plan, given, gates_source)
    check_against(plan.config.gates, against, gates_source)
    plan = replace(plan, debug_samples=debug_samples)
    job = Job(plan, source, inputs, output, predictions, overwrite, against)
    runs = [f"{path}/_SUCCESS" for path in (output, predictions, job.other) if path]
    connect([*inputs, *runs], options)
    try:
        finished = run(job, options)
    except BadData as error:
        warn("The data must not be reported on:", *(f"  {line}" for line in error.problems))
        ways = "'where' and 'max_bad_rows' leave rows out"
        warn(f"Mend the data or the configuration ({ways}), and run again.")
        warn(f"The data report is {error.data_report}")
        if known.json:
            answer_verdict(exit_codes.DATA, output, problems=error.problems)
        return exit_codes.DATA
    except RunnerError as error:
        warn(*str(error).split("\n"))
        if known.json:
            answer_verdict(exit_codes.RUNNER, output, problems=str(error).split("\n"))
        return exit_codes.RUNNER
    if isinstance(finished, Submitted):
        code, end = exit_codes.OK, [finished.message]
        say(*end)
        if known.json:
            answer_verdict(code, output)
    else:
        code, end = code_of(finished.gates), [f"written to {output}/report.json"]
        if finished.predictions is not None:
            end.append(f"predictions written to {finished.predictions}")
        if known.json:
            answer_verdict(code, output, finished.report, finished.gates)
        else:
            show(render(finished.report, finished.gates, finished.notes, screen()))
            say("", *end)
    if (reason := unwritten()) is not None:
        warn(f"stdout cannot be written: {reason}", *end)
    return code
