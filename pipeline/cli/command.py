"""The command line, and the exit codes that it ends with."""

from __future__ import annotations

import argparse
import logging
import platform
import re
import sys
import traceback
from collections.abc import Sequence
from contextlib import nullcontext
from importlib.metadata import version
from typing import NoReturn

from pipeline.cli import check, demo, diff, exit_codes, run, schema, show, validate
from pipeline.cli.mistakes import mistake
from pipeline.cli.output import LogFormatter, Output, kept_stdout, say, unwritten, warn
from pipeline.cli.signals import tell
from pipeline.cli.verdict import answer_verdict
from pipeline.errors.faults import OutputTaken, StorageError
from pipeline.errors.printable import printable
from pipeline.errors.problems import ConfigError
from pipeline.runs.manifest import PACKAGES

_SUBCOMMANDS = (run, check, validate, show, diff, demo, schema)

# What these leave counts, and not what they print.
_LEAVE_FILES = ("run", "demo")

_WORKER_SAYS = (
    r'"No semi_persistent_directory found|"Discarding unparseable args|\.(Plugin|Metric)Error: '
)
_SERVER_STARTS = ("Really ", "Waiting for grpc channel")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit code.

    See `pipeline.cli.exit_codes`. A command that only prints also ends with 2 if stdout cannot be
    written.

    Raises:
        SystemExit: if the command line cannot be parsed, or asks for help.
    """
    with Output():
        command = None
        given = sys.argv[1:] if arguments is None else arguments
        try:
            parser = make_parser()
            if (wrong := mistake(given, parser.options)) is not None:
                warn(problem := f"command line: {wrong}")
                if "--json" in given:
                    answer_verdict(exit_codes.CONFIG, problems=[problem])
                return exit_codes.CONFIG
            known, rest = parser.parse_known_args(given)
            command = known.command
            with kept_stdout() if known.json else nullcontext():
                code = _execute(known, rest)
        except _Misused as error:
            if "--json" in given:
                answer_verdict(exit_codes.CONFIG, problems=[error.reason])
            raise
        except SystemExit as error:
            if error.code or unwritten() is None:
                raise
            code = exit_codes.OK
        if code == exit_codes.OK and command not in _LEAVE_FILES and (reason := unwritten()):
            warn(f"stdout cannot be written: {reason}")
            return exit_codes.CONFIG
        return code


def _execute(known: argparse.Namespace, rest: Sequence[str]) -> int:
    """Runs a subcommand and returns its exit code."""
    handler = logging.StreamHandler()
    handler.setFormatter(LogFormatter("%(levelname)s %(message)s"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    logging.getLogger().handlers[0].addFilter(_worth_saying)
    try:
        code: int = known.execute(known, rest)
    except ConfigError as error:
        code, problems = exit_codes.CONFIG, str(error).split("\n")
    except StorageError as error:
        code, problems = exit_codes.CONFIG, [str(error)]
    except OutputTaken as error:
        code, problems = exit_codes.OUTPUT, [str(error)]
    except KeyboardInterrupt as interrupted:
        code = tell(interrupted)
        if known.json:
            answer_verdict(code, _judged(known), problems=["interrupted"])
        return code
    except Exception as error:
        traceback.print_exc()
        if known.json:
            answer_verdict(exit_codes.CRASH, _judged(known), problems=[f"crash: {error!r}"])
        return exit_codes.CRASH
    else:
        return code
    warn(*problems)
    if known.json:
        answer_verdict(code, _judged(known), problems=problems)
    return code


def _judged(known: argparse.Namespace) -> str | None:
    """Returns the directory of the run that a command is about, if the command line has it."""
    names = ("directory", "candidate", "output")
    return next((getattr(known, name) for name in names if getattr(known, name, None)), None)


class _Misused(SystemExit):
    """An exception for a command line that cannot be parsed; `reason` says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(exit_codes.CONFIG)
        self.reason = reason


class _Parser(argparse.ArgumentParser):
    """A parser whose errors are one line, whatever the arguments are that they repeat.

    Attributes:
        options: for each subcommand, its options, and whether they take a value.
    """

    options: dict[str, dict[str, bool]]

    def error(self, message: str) -> NoReturn:
        try:
            super().error(printable(message))
        except SystemExit:
            raise _Misused(message) from None


class _Version(argparse.Action):
    """The option that prints the release, and on a second line what its digits depend on."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        own, *others = PACKAGES
        python = f"Python {platform.python_version()}"
        say(f"{own} {version(own)}", ", ".join([python, *(f"{p} {version(p)}" for p in others)]))
        parser.exit()


def make_parser() -> _Parser:
    """Makes the parser of the command line.

    Besides its arguments, a subcommand sets `command` (its name), `execute` (the function that runs
    it), `options` (the names of its options) and `json` (whether stdout gets the verdict alone).
    """
    parser = _Parser(
        prog="headcount",
        description="Evaluates stored model predictions, exact to the digit.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--version",
        action=_Version,
        nargs=0,
        default=argparse.SUPPRESS,
        help="print the release, and the versions of Python and of libraries",
    )
    parser.options = {}
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for module in _SUBCOMMANDS:
        name = module.__name__.rpartition(".")[2]
        subparser = commands.add_parser(
            name,
            help=module.HELP,
            description=module.HELP,
            epilog=module.EPILOG,
            allow_abbrev=False,
        )
        subparser.set_defaults(json=False)
        module.add_arguments(subparser)
        options = {
            text: action.nargs != 0
            for action in subparser._actions
            for text in action.option_strings
        }
        parser.options[name] = options
        subparser.set_defaults(execute=module.execute, options=list(options))
    return parser


def _worth_saying(record: logging.LogRecord) -> bool:
    """Returns whether a log record tells the user something that matters."""
    # At every import without Google's clients, Beam logs that apitools are not found, whether or
    # not they are needed. At its start, a worker process logs that it does not know all options of
    # its runner. What is wrong with a plugin, the run says. What Beam's S3 code logs,
    # with a traceback, it also raises. That a connection to a worker is lost says less than the
    # error that names the end of the worker. That a job server is started, and waited for, nobody
    # asked.
    message = record.getMessage()
    return not (
        record.module == "s3io"
        or message.startswith("apitools not found")
        or (message.startswith("plugin ") and record.exc_info)
        or (record.module == "local_job_service" and re.search(_WORKER_SAYS, message))
        or (record.module == "data_plane" and message.startswith("Failed to read inputs"))
        or (record.module == "subprocess_server" and message.startswith(_SERVER_STARTS))
    )
