"""Parses and checks Beam's options on a command line."""

from __future__ import annotations

from argparse import ArgumentError, ArgumentParser
from collections.abc import Sequence

from apache_beam.options.pipeline_options import (
    DirectOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    _BeamArgumentParser,
)
from apache_beam.portability.api import beam_job_api_pb2
from apache_beam.runners.portability.job_server import ExternalJobServer

from pipeline.errors.problems import ConfigError, Problem
from pipeline.errors.suggest import nearest


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
    parser = _BeamArgumentParser(allow_abbrev=False, exit_on_error=False)
    for options in PipelineOptions.__subclasses__():
        options._add_argparse_args(parser)
    try:
        _, unknown = parser.parse_known_args(list(arguments))
        parsed = PipelineOptions(list(arguments))
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
    problems = []
    for argument in unknown:
        near = nearest(argument.partition("=")[0], known)
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
