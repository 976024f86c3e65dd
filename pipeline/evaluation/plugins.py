"""The plugins of a configuration: modules of users that offer metrics."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from heads.metrics.core.plugins import Plugin, PluginError, load_plugin
from pipeline.config.model import Config
from pipeline.errors.problems import ConfigError, Problem

_LOGGER = logging.getLogger(__name__)


def load_plugins(config: Config, source: str) -> tuple[Plugin, ...]:
    """Imports the modules that a configuration names as its plugins.

    Args:
        config: the configuration; never that of a report, which must not choose code.
        source: the name of its file, for messages.

    Raises:
        ConfigError: if one of them is not there, cannot be imported, or offers no metrics.
    """
    plugins, problems = [], []
    for position, name in enumerate(config.plugins):
        try:
            plugins.append(load_plugin(name, config.directory))
        except PluginError as error:
            problems.append(Problem(source, ("plugins", position), str(error)))
    if problems:
        raise ConfigError(problems)
    warn_of_hidden(plugins)
    return tuple(plugins)


def warn_of_hidden(plugins: Iterable[Plugin]) -> None:
    """Says of each plugin that has the name of an installed module which of the two is taken."""
    for plugin in plugins:
        if plugin.hidden is not None:
            _LOGGER.warning(
                "plugin %s is %s, and not the installed %s", plugin.name, plugin.file, plugin.hidden
            )
