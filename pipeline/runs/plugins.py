"""The plugins that finished runs were made with: users name them, for no report chooses code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from heads.metrics.core.plugins import Plugin, PluginError, load_plugin
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.plugins import warn_of_hidden
from pipeline.runs.verify import VerifiedRun


def named_plugins(names: Sequence[str], runs: Iterable[VerifiedRun]) -> tuple[Plugin, ...]:
    """Imports plugins that the user named, and holds them against those of finished runs.

    They are looked for in the working directory, and then among what is installed.

    Args:
        names: the names of the modules.
        runs: the runs; a plugin that none of them has is refused.

    Raises:
        ConfigError: if a module cannot be imported, is a plugin of no run, or has another SHA-256
            than a run says.
    """
    runs = list(runs)
    plugins = []
    for name in dict.fromkeys(names):
        having = [run for run in runs if name in run.plugins]
        if not having:
            where = ", ".join(run.directory for run in runs)
            raise _refusal("--plugins", f"{where}: no run has a plugin {name}")
        try:
            plugins.append(load_plugin(name, ""))
        except PluginError as error:
            raise _refusal("--plugins", str(error)) from error
        for run in having:
            _check_same(run, plugins[-1])
    warn_of_hidden(plugins)
    return tuple(plugins)


def plugins_of(
    run: VerifiedRun, names: Sequence[str], plugins: Sequence[Plugin]
) -> tuple[Plugin, ...]:
    """Returns the plugins of a run, in the order of its configuration.

    Args:
        run: the run.
        names: the plugins that its configuration names.
        plugins: the plugins that the user named.

    Raises:
        ConfigError: if one is missing among them, or has another SHA-256 than the run says.
    """
    known = {plugin.name: plugin for plugin in plugins}
    missing = [name for name in names if name not in known]
    if missing:
        options = " ".join(f"--plugins {name}" for name in missing)
        message = (
            f"needs the code of its plugin {missing[0]}, which no report may choose: give"
            f" {options} if you trust it"
        )
        raise _refusal(run.directory, message)
    for name in names:
        _check_same(run, known[name])
    return tuple(known[name] for name in names)


def _check_same(run: VerifiedRun, plugin: Plugin) -> None:
    expected = run.plugins.get(plugin.name)
    if plugin.sha256 != expected:
        message = (
            f"was made with another plugin {plugin.name}: its SHA-256 was {expected}, and that of"
            f" {plugin.file} is {plugin.sha256}; run again, or take the module of that run"
        )
        raise _refusal(run.directory, message)


def _refusal(source: str, message: str) -> ConfigError:
    return ConfigError([Problem(source, (), message)])
