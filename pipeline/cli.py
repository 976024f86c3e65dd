"""The command: `headcount run | validate | show | diff | demo | schema`."""

from __future__ import annotations

import argparse
import gc
import json
import logging
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, BinaryIO

from pipeline.config.load import config_schema, load_config
from pipeline.config.model import Config
from pipeline.errors.faults import StorageError
from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.suggest import nearest
from pipeline.readers.storage import OpenFile, is_local, open_local
from pipeline.runs.read import read_run

EXIT_OK, EXIT_CRASH, EXIT_CONFIG, EXIT_DATA, EXIT_RUNNER, EXIT_INTERRUPTED = 0, 1, 2, 4, 5, 130

CONFIGS = Path(__file__).resolve().parent.parent / "configs"
"""The configurations that ship with headcount, and the data they run on."""

_WORKER_STARTS = r'"No semi_persistent_directory found|"Discarding unparseable args'

DEMO = ("binary", "binary_tfrecord", "multi_class", "multi_label")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    0 all is well, 1 a crash, 2 the command line or the configuration is wrong or names files that
    cannot be reached, 4 the data is bad, 5 the runner failed, 130 interrupted.
    """
    known, rest = _parser().parse_known_args(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    logging.getLogger().handlers[0].addFilter(_worth_saying)
    try:
        return _COMMANDS[known.command](known, rest)
    except (ConfigError, StorageError) as error:
        print(error, file=sys.stderr)
        return EXIT_CONFIG
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="headcount",
        description="Evaluates stored model predictions, exact to the digit.",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def command(name: str, help_: str, epilog: str | None = None) -> argparse.ArgumentParser:
        return commands.add_parser(
            name, help=help_, description=help_, epilog=epilog, allow_abbrev=False
        )

    run = command(
        "run",
        "Evaluate files of predictions and write a report.",
        "Any other option is passed to Apache Beam: --runner=DataflowRunner, --direct_num_workers=2"
        " --direct_running_mode=multi_processing, ...",
    )
    _add_job(run)
    run.add_argument("--output", metavar="DIR", help="the directory to write")
    run.add_argument("--overwrite", action="store_true", help="replace an older run in --output")
    run.add_argument(
        "--write_example_losses",
        metavar="DIR",
        help="also write the predictions and the loss of every row there, as Parquet",
    )
    run.add_argument(
        "--debug_samples",
        action="store_true",
        help="show what bad rows hold, which may be personal data",
    )
    validate = command("validate", "Check a configuration, and all files against it.")
    _add_job(validate)
    show = command("show", "Print the report of a finished run.")
    show.add_argument("directory", metavar="DIR", help="the output of a run")
    diff = command("diff", "Compare two finished runs, of the same rows or of others.")
    diff.add_argument("baseline", metavar="BASELINE", help="the output of the run to compare with")
    diff.add_argument("candidate", metavar="CANDIDATE", help="the output of the run to look at")
    diff.add_argument("--output", metavar="FILE", help="also write the comparison there, as JSON")
    demo = command("demo", "Evaluate the data that ships with headcount.")
    demo.add_argument("--output", metavar="DIR", default="out/demo", help="default: %(default)s")
    command("schema", "Print the JSON schema of the configuration, for editors.")
    return parser


def _add_job(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--config", metavar="FILE", required=True, help="the YAML configuration")
    parser.add_argument(
        "--input",
        metavar="GLOB",
        action="append",
        help="the files to read, in place of the configuration's; may be given several times",
    )


def _run(known: argparse.Namespace, rest: list[str]) -> int:
    config = load_config(known.config, _opener("run", rest))
    inputs = known.input or config.input
    output = known.output or config.output
    problems = [
        Problem(known.config, (), f"give --{name}, or '{name}' in the configuration")
        for name, value in (("input", inputs), ("output", output))
        if not value
    ]
    if problems:
        raise ConfigError(problems)
    assert inputs is not None
    assert output is not None
    report = _evaluate(
        config,
        known.config,
        inputs,
        output,
        rest,
        example_losses=known.write_example_losses,
        overwrite=known.overwrite,
        debug_samples=known.debug_samples,
    )
    return report if isinstance(report, int) else EXIT_OK


def _evaluate(
    config: Config,
    source: str,
    inputs: Sequence[str],
    output: str,
    rest: Sequence[str],
    *,
    example_losses: str | None = None,
    overwrite: bool = False,
    debug_samples: bool = False,
) -> dict[str, Any] | int:
    """The report, which is printed; or the exit code of a failure, which is explained."""
    _import_beam()
    from pipeline.beam.access import connect
    from pipeline.beam.options import beam_options
    from pipeline.beam.run import Job, RunnerError, Submitted, run
    from pipeline.errors.faults import BadData
    from pipeline.evaluation.plan import make_plan
    from pipeline.report.terminal import render

    options = beam_options(rest, _options("run"))
    plan = replace(make_plan(config, source, _opener("run", rest)), debug_samples=debug_samples)
    written = [f"{path}/_SUCCESS" for path in (output, example_losses) if path]
    connect([*inputs, *written], options)
    job = Job(plan, source, inputs, output, example_losses, overwrite)
    try:
        report = run(job, options)
    except BadData as error:
        print("The data must not be reported on:", *error.problems, sep="\n  ", file=sys.stderr)
        ways = "'where' and 'max_bad_rows' leave rows out"
        print(f"Mend the data or the configuration ({ways}), and run again.", file=sys.stderr)
        return EXIT_DATA
    except RunnerError as error:
        print(error, file=sys.stderr)
        return EXIT_RUNNER
    if isinstance(report, Submitted):
        print(report.message)
        return EXIT_OK
    print(render(report), end="")
    print(f"\nwritten to {output}/report.json")
    return report


def _import_beam() -> None:
    """Beam takes longer to import than everything else to answer.

    Looking through what it loads for garbage takes a tenth of that, and there is none.
    """
    gc.disable()
    import_module("pipeline.beam.run")
    gc.freeze()
    gc.enable()


def _opener(command: str, rest: Sequence[str]) -> OpenFile:
    """Opens files wherever they are; only for those elsewhere, Beam is imported."""

    def open_file(path: str) -> BinaryIO:
        if is_local(path):
            return open_local(path)
        _connect(command, rest, [path])
        from pipeline.beam import files

        return files.open_file(path)

    return open_file


def _connect(command: str, rest: Sequence[str], paths: Sequence[str]) -> None:
    """Lets Beam reach files; without any that are elsewhere, the command takes no option of it."""
    if not all(map(is_local, paths)):
        _import_beam()
        from pipeline.beam.access import connect
        from pipeline.beam.options import beam_options

        connect(paths, beam_options(rest, _options(command)))
    elif rest:
        _refuse_unknown(rest, command)


def _validate(known: argparse.Namespace, rest: list[str]) -> int:
    from pipeline.evaluation.plan import make_plan
    from pipeline.evaluation.slice_counting import known_slices

    open_any = _opener("validate", rest)
    config = load_config(known.config, open_any)
    inputs = known.input or config.input or ()
    named = (known.config, config.input_manifest, config.schema_file, config.problem_statement)
    _connect("validate", rest, [*inputs, *(path for path in named if path)])
    plan = make_plan(config, known.config, open_any)
    if inputs:
        from pipeline.errors.faults import BadData
        from pipeline.evaluation.input_files import find_shards
        from pipeline.readers.shards import list_local

        list_shards, open_file = list_local, open_local
        if not all(map(is_local, (*inputs, config.input_manifest or ""))):
            from pipeline.beam.files import list_shards, open_file
        try:
            listing = find_shards(plan, inputs, known.config, list_shards, open_file)
        except BadData as error:
            print(error, file=sys.stderr)
            return EXIT_DATA
        print(*listing.notes, sep="\n", end="\n" * bool(listing.notes))
        print(f"{len(listing):,} files, {sum(shard.bytes for shard in listing):,} bytes")
    print(f"columns: {', '.join(plan.columns)}")
    for name, head in plan.heads.items():
        size = sum(head.slice_bytes(top_slice=True))
        print(f"head {name}: {len(head.models[0].metrics)} metrics, about {size:,} bytes a slice")
    for note in plan.too_large():
        print(note)
    table = known_slices(plan)
    if table is not None:
        if table.problems:
            raise ConfigError([Problem(known.config, (), text) for text in table.problems])
        slices = sum(len(spec.keys) for spec in table.specs)
        print(f"{slices:,} slices, about {plan.state_bytes(table):,} bytes of state in all")
    print(f"{known.config} is valid")
    return EXIT_OK


def _show(known: argparse.Namespace, rest: list[str]) -> int:
    from pipeline.report.terminal import render

    _connect("show", rest, [f"{known.directory}/_SUCCESS"])
    (report,) = read_run(known.directory, ["report.json"], _opener("show", rest))
    print(render(json.loads(report)), end="")
    return EXIT_OK


def _diff(known: argparse.Namespace, rest: list[str]) -> int:
    from pipeline.report.report_json import report_bytes
    from pipeline.report.terminal import render_diff
    from pipeline.runs.diff import diff, load_run

    runs = (known.baseline, known.candidate)
    written = [known.output] if known.output else []
    _connect("diff", rest, [*(f"{path}/_SUCCESS" for path in runs), *written])
    found = diff(*(load_run(path, _opener("diff", rest)) for path in runs))
    print(render_diff(found), end="")
    if known.output:
        _write(known.output, report_bytes(found))
        print(f"\nwritten to {known.output}")
    return EXIT_OK


def _write(path: str, content: bytes) -> None:
    if not is_local(path):
        from pipeline.beam.files import write_file

        write_file(path, content)
        return
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        message = f"cannot be written: {error.strerror}"
        raise ConfigError([Problem(path, (), message)]) from error


def _demo(known: argparse.Namespace, rest: list[str]) -> int:
    _connect("demo", rest, [])
    for name in DEMO:
        source = CONFIGS / f"{name}.yaml"
        config = load_config(source)
        inputs = [str(CONFIGS.parent / pattern) for pattern in config.input or ()]
        output = Path(known.output) / name
        print(f"\n== headcount run --config {source} --output {output}\n")
        report = _evaluate(config, str(source), inputs, str(output), [], overwrite=True)
        if isinstance(report, int):
            return report
    return EXIT_OK


def _schema(_: argparse.Namespace, rest: list[str]) -> int:
    _connect("schema", rest, [])
    print(json.dumps(config_schema(), indent=2))
    return EXIT_OK


_COMMANDS: dict[str, Callable[[argparse.Namespace, list[str]], int]] = {
    "run": _run,
    "validate": _validate,
    "show": _show,
    "diff": _diff,
    "demo": _demo,
    "schema": _schema,
}


def _refuse_unknown(rest: Sequence[str], command: str) -> None:
    near = nearest(rest[0].partition("=")[0], _options(command))
    hint = f"; did you mean {near}?" if near else ""
    raise ConfigError([Problem("command line", (), f"unknown argument {rest[0]}{hint}")])


def _options(command: str) -> list[str]:
    """The options of a command."""
    actions = _parser()._actions
    commands = next(a for a in actions if isinstance(a, argparse._SubParsersAction)).choices
    return [text for action in commands[command]._actions for text in action.option_strings]


def _worth_saying(record: logging.LogRecord) -> bool:
    # Beam says this at every import without Google's clients, whether or not one needs them, and
    # each worker process at its start that it knows not all options of its runner. What Beam's S3
    # logs, with a traceback, is raised too.
    told = record.getMessage()
    at_start = record.module == "local_job_service" and re.search(_WORKER_STARTS, told)
    return not (record.module == "s3io" or told.startswith("apitools not found") or at_start)


if __name__ == "__main__":
    sys.exit(main())
