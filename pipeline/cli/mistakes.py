"""Command lines that are mistaken in a way of which the cure is known.

They are looked for before the command line is parsed, as the parser says only what it misses.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping, Sequence

from pipeline.errors.problems import quote
from pipeline.errors.suggest import did_you_mean

Options = Mapping[str, Mapping[str, bool]]
"""For each subcommand, its options, and whether they take a value."""

_BEFORE = ("-h", "--help", "--version")
_INPUT, _CONFIG = "--input", "--config"


def mistake(arguments: Sequence[str], options: Options) -> str | None:
    """Returns what is wrong with a command line and how it is meant; None if nothing is known.

    Args:
        arguments: the arguments of the command.
        options: the subcommands and their options.
    """
    if not arguments:
        return None
    command, *rest = arguments
    if command in _BEFORE:
        return None
    if command not in options:
        commands = f"; commands are {', '.join(options)}"
        if command.startswith("-"):
            hint = did_you_mean(command, _BEFORE) or f"; options come after the command{commands}"
            return f"unknown argument {quote(command)}{hint}"
        return f"there is no command {quote(command)}{did_you_mean(command, options) or commands}"
    known = options[command]
    return (
        _single_dash(rest, known)
        or _value_of_flag(rest, known)
        or _empty(rest, known)
        or _several_inputs(rest, known)
        or _config_alone(rest, known)
        or _of_another(command, rest, options)
    )


def _single_dash(rest: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Finds `-config` in the place of `--config`."""
    for argument in rest:
        name = argument.partition("=")[0]
        if name.startswith("-") and f"-{name}" in known and name not in known:
            return f"unknown argument {argument}; write -{argument}"
    return None


def _value_of_flag(rest: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Finds `--overwrite=true`."""
    for argument in rest:
        name, equals, _ = argument.partition("=")
        if equals and known.get(name) is False:
            return f"{name} takes no value: write {name}, or leave it out"
    return None


def _empty(rest: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Finds `--output=$OUT` where the shell has no such variable."""
    for at, argument in enumerate(rest):
        name, equals, value = argument.partition("=")
        if known.get(name) and not (value if equals else rest[at + 1 : at + 2] != [""]):
            return f"{name} is empty; is it a variable that is not set?"
    return None


def _several_inputs(rest: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Finds the files that a shell has made of a glob after `--input`."""
    if _INPUT not in known:
        return None
    for at, argument in enumerate(rest):
        name, equals, value = argument.partition("=")
        if name != _INPUT:
            continue
        values = [value] if equals else []
        for following in rest[at + 1 :]:
            if following.startswith("-"):
                break
            values.append(following)
        if len(values) > 1:
            return (
                f"{_INPUT} takes one value, and here are {len(values):,}; quote the glob, so that"
                f" the shell leaves it as it is: {_INPUT} {_quoted_glob(values)}, or write {_INPUT}"
                " before each"
            )
    return None


def _quoted_glob(values: Sequence[str]) -> str:
    """Returns a glob, in quotes for a shell, that the files of a directory may have come from."""
    directory = os.path.dirname(values[0])
    endings = {os.path.splitext(value)[1] for value in values}
    return f"'{shlex.quote(os.path.join(directory, f'*{min(endings)}'))[1:-1]}'"


def _config_alone(rest: Sequence[str], known: Mapping[str, bool]) -> str | None:
    """Finds a configuration that is given without `--config`."""
    if _CONFIG not in known or any(argument.partition("=")[0] == _CONFIG for argument in rest):
        return None
    for argument in rest:
        path = argument.removeprefix("-c=").removeprefix("config=")
        if not path.startswith("-") and path.endswith((".yaml", ".yml")):
            return f"unknown argument {argument}; write {_CONFIG} {shlex.quote(path)}"
    return None


def _of_another(command: str, rest: Sequence[str], options: Options) -> str | None:
    """Finds an option that only other subcommands have."""
    for argument in rest:
        name = argument.partition("=")[0]
        others = [other for other in options if name in options[other]]
        if name.startswith("--") and others and name not in options[command]:
            *first, last = others
            told = f"{', '.join(first)} and {last}" if first else last
            return f"{name} is an option of headcount {told}, not of {command}"
    return None
