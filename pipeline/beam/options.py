"""Parses and checks Beam's options on a command line."""

from __future__ import annotations

import math
import os
from argparse import ArgumentError, ArgumentParser
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Any

from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    PipelineOptions,
    PortableOptions,
    SetupOptions,
    StandardOptions,
    _BeamArgumentParser,
)
from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.job_server import ExternalJobServer
from apache_beam.runners.runner import PipelineRunner, create_runner

from pipeline.errors.problems import ConfigError, Problem, quote
from pipeline.errors.suggest import did_you_mean, nearest
from pipeline.errors.wording import MOST

# The least and the greatest sound value of options; of other numbers, those below 0 are not sound.
# The default is sound for each, as -1 is for the parallelism.
_LEAST = {
    "parallelism": 1,
    "max_parallelism": 1,
    "number_of_worker_harness_threads": 1,
    "job_server_timeout": 1,
}
_PORTS = ("job_port", "artifact_port", "expansion_port")
_MOST = {"direct_num_workers": 1000, "profile_sample_rate": 1, **dict.fromkeys(_PORTS, 65535)}

IN_PROCESS = ("FnApiRunner", "BundleBasedDirectRunner")
"""The runners that work in this process, or in processes that it starts."""

# The number of bundles to expect of a cluster whose size is not known.
_MANY = 1000


class Options(PipelineOptions):
    """Beam's options, whose views are made once.

    Beam looks at its options for every step and type of a pipeline. Each time it would make a
    parser and parse the command line, which is a quarter of what a small run costs.
    """

    def __init__(self, flags: Sequence[str] | None = None, **values: Any) -> None:
        super().__init__(flags, **values)
        self.__dict__["_views"] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "_views": {}}

    def view_as(self, cls: type[PipelineOptions]) -> PipelineOptions:
        view = self._views.get(cls)
        if view is None:
            view = self._views[cls] = super().view_as(cls)
        return view


def beam_options(arguments: Sequence[str], command_options: Sequence[str] = ()) -> PipelineOptions:
    """Returns Beam's options, checked: Beam itself only warns of options that it does not know.

    If no runner is named, the options name the in-process runner; Beam's DirectRunner would first
    try to download Prism.

    Args:
        arguments: the arguments that the command itself did not take.
        command_options: the options of the command itself, for the hint at what was meant.

    Raises:
        ConfigError: if an option is unknown or has a wrong value, or if the running mode is known
            to corrupt elements.
    """
    parser = _parser()
    try:
        _, unknown = parser.parse_known_args(list(arguments))
        parsed = Options(list(arguments))
        portable = parsed.view_as(PortableOptions)
        if unknown and portable.job_endpoint not in (None, "embed"):
            _add_server_options(parser, portable)
            _, unknown = parser.parse_known_args(list(arguments))
    except (ArgumentError, AttributeError, TypeError, ValueError) as error:
        # Some of Beam's options parse their values after the parser has checked them.
        raise ConfigError([Problem("command line", (), str(error))]) from error
    known = [
        *command_options,
        *(text for action in parser._actions for text in action.option_strings),
    ]
    problems: list[Problem] = []
    for before, argument in zip(["", *unknown], unknown, strict=False):
        if before.startswith("--") and "=" not in before and not argument.startswith("-"):
            # The value of an option that is not known either.
            continue
        near = nearest(argument.partition("=")[0], known) if len(problems) < MOST else None
        hint = f"; did you mean {near}?" if near else ""
        problems.append(Problem("command line", (), f"unknown argument {argument}{hint}"))
    if parsed.view_as(DirectOptions).direct_running_mode == "multi_threading":
        message = (
            "--direct_running_mode=multi_threading corrupts elements; use multi_processing with"
            " --direct_num_workers, or leave it out"
        )
        problems.append(Problem("command line", (), message))
    if problems:
        raise ConfigError(problems)
    standard = parsed.view_as(StandardOptions)
    if standard.runner is None:
        standard.runner = "FnApiRunner"
    return parsed


def import_in_workers(options: PipelineOptions) -> None:
    """Has workers import headcount first, so that they find its packages whatever their path is."""
    setup = options.view_as(SetupOptions)
    setup.beam_plugins = list(dict.fromkeys([*(setup.beam_plugins or ()), "headcount"]))


def expected_bundles(options: PipelineOptions) -> int:
    """Returns from how many bundles states may come.

    It is the number of workers or slots, if that is known.
    """
    if options.view_as(StandardOptions).runner in IN_PROCESS:
        return int(options.view_as(DirectOptions).direct_num_workers) or os.cpu_count() or 1
    return max(0, int(options.view_as(FlinkRunnerOptions).parallelism)) or _MANY


def check_runner(options: PipelineOptions) -> None:
    """Checks that there is the runner that options name, and that it can take their values.

    Beam itself finds out after files were read and written, or not at all. It takes a name in any
    case, without "Runner", and with its module; here the options get the name of the class, and
    `FnApiRunner` for Beam's DirectRunner, which `LocalRunner` is used for as well.

    Raises:
        ConfigError: if there is no such runner, it is not installed, or a value makes no sense.
    """
    problems = [Problem("command line", (), message) for message in _wrong_numbers(options)]
    standard = options.view_as(StandardOptions)
    try:
        runner = _find_runner(standard.runner)
    except ValueError as error:
        problems.append(Problem("command line", (), f"--runner: {error}"))
    else:
        kind = type(runner)
        if kind.__module__.startswith("apache_beam."):
            direct = kind.__name__ == "SwitchingDirectRunner"
            standard.runner = "FnApiRunner" if direct else kind.__name__
        # A pipeline refuses the same, but later.
        wrong = PipelineOptionsValidator(options, runner).validate()
        problems += (Problem("command line", (), message) for message in wrong)
    if problems:
        raise ConfigError(problems)


def _wrong_numbers(options: PipelineOptions) -> Iterator[str]:
    """Yields what is wrong with the numbers among the values of options."""
    given = options.get_all_options()
    for action in _parser()._actions:
        name, value = action.dest, given.get(action.dest)
        if action.type not in (int, float) or value is None or value == action.default:
            continue
        least, most = _LEAST.get(name, 0), _MOST.get(name, math.inf)
        if not least <= value <= most:
            limits = f"at least {least}" if most == math.inf else f"from {least} to {most}"
            yield f"--{name}: must be {limits}, not {value}"


def _find_runner(name: str) -> PipelineRunner:
    """Returns the runner of a name that Beam knows, or of a class `module.Class`.

    Raises:
        ValueError: if there is no such runner, or it is not installed.
    """
    module, _, class_name = name.rpartition(".")
    if module:
        try:
            found = getattr(import_module(module), class_name, None)
        except Exception as error:
            raise ValueError(f"{quote(module)} cannot be imported: {error}") from error
        # Beam would call whatever has this name.
        if not (isinstance(found, type) and issubclass(found, PipelineRunner)):
            raise ValueError(f"there is no runner {quote(class_name)} in {quote(module)}")
        return found()
    known = StandardOptions.KNOWN_RUNNER_NAMES
    if name.lower().removesuffix("runner") not in {n.lower().removesuffix("runner") for n in known}:
        hint = did_you_mean(name, known) or f"; there are {', '.join(known)}, and module.Class"
        raise ValueError(f"there is no runner {quote(name)}{hint}")
    try:
        runner = create_runner(name)
        if name.lower().startswith("dataflow"):
            # Beam finds out when it submits the job.
            import_module("google.cloud.dataflow")
    except ImportError as error:
        raise ValueError(f"{quote(name)} is not installed ({error})") from error
    return runner


def _parser() -> ArgumentParser:
    """Returns the parser of all options that Beam knows."""
    parser: ArgumentParser = _BeamArgumentParser(allow_abbrev=False, exit_on_error=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    return parser


def _add_server_options(parser: ArgumentParser, portable: PortableOptions) -> None:
    """Adds the options that only a job server knows, such as those of Flink, as Beam itself does.

    Raises:
        ConfigError: if no job server answers.
    """
    endpoint, timeout = portable.job_endpoint, portable.job_server_timeout
    request = beam_job_api_pb2.DescribePipelineOptionsRequest()
    try:
        jobs = ExternalJobServer(endpoint, timeout).start()
        described = jobs.DescribePipelineOptions(request, timeout=timeout)
    except Exception as error:
        message = f"no job server answered at {endpoint} within {timeout} s: {error!r}"
        raise ConfigError([Problem("--job_endpoint", (), message)]) from error
    known = {text for action in parser._actions for text in action.option_strings}
    for option in described.options:
        if f"--{option.name}" not in known:
            flag = option.type == beam_job_api_pb2.PipelineOptionType.BOOLEAN
            parser.add_argument(f"--{option.name}", action="store_true" if flag else "append")
