"""Plugins: modules of users that offer metrics by the same decorator as the modules of headcount.

A plugin is one file, or a package, beside a configuration; or an installed module. One that lies
beside a configuration is loaded from its file under a name that tells its content, so that two of
the same name do not meet, and the path of the process stays as it is.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import re
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import get_args

from heads.metrics.core.context import HeadType
from heads.metrics.core.registry import forget, offers_of

NAME = r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*"
"""The names of plugins: those of modules, and no paths."""

_OURS = ("configs", "headcount", "heads", "pipeline")
_FACE = "__init__.py"

# Two threads that load one module would register its offers twice.
_LOCK = threading.RLock()
_LOADED: dict[str, Plugin] = {}


class PluginError(ValueError):
    """A module cannot be a plugin, is not there, or has another content than it must have."""


@dataclass(frozen=True)
class Plugin:
    """A module that offers metrics and is loaded in this process.

    A process that unpickles it loads the module there, and raises `PluginError` if it has another
    content there. Whatever is unpickled after it may be of its classes.

    Attributes:
        name: the name of the module, as a configuration has it.
        module: the name under which the module is loaded.
        sha256: the SHA-256 of its source, see `source_sha256`, in hexadecimal.
        file: the path of its file; that of a package is its `__init__.py`.
        hidden: the path of an installed module of the same name that was not taken, or None.
    """

    name: str
    module: str
    sha256: str
    file: str = field(compare=False)
    hidden: str | None = field(default=None, compare=False)

    def __reduce__(self) -> tuple[Callable[..., Plugin], tuple[str, ...]]:
        return load_again, (self.name, self.module, self.sha256, self.file)


def load_plugin(name: str, directory: str | None) -> Plugin:
    """Loads a plugin: the module of its name in a directory or, if there is none, an installed one.

    Args:
        name: the name of the module; one with dots is that of an installed module.
        directory: the directory to look into first, which is not searched for other modules; None
            for installed modules alone.

    Raises:
        PluginError: if there is no such module, it cannot be imported, or it offers no metrics.
    """
    _check_name(name)
    beside = None if directory is None or "." in name else _file_in(directory, name)
    with _LOCK, _explained(name, beside):
        installed = _installed_file(name)
        if beside is not None:
            same = installed is not None and os.path.samefile(installed, beside)
            plugin = _load_file(name, beside, None if same else installed)
        elif installed is not None:
            plugin = _import_installed(name, installed)
        else:
            also = ""
            if directory is not None and "." not in name:
                also = f"there is no {os.path.join(os.path.abspath(directory), name)}.py, and "
            raise PluginError(f"{name}: {also}no module of this name is installed as Python source")
        if source_sha256(plugin.file) != plugin.sha256:
            raise PluginError(f"{name}: {plugin.file} was changed while it was imported")
        _check_offers(plugin)
        _LOADED.setdefault(plugin.module, plugin)
    return plugin


def load_again(name: str, module: str, sha256: str, file: str) -> Plugin:
    """Loads a plugin in another process, from its file or as an installed module.

    Args:
        name: the name of the module, as a configuration has it.
        module: the name under which it was loaded, and is loaded here.
        sha256: the SHA-256 that its source must have.
        file: the path that its file had there.

    Raises:
        PluginError: if there is no module of that name and SHA-256.
    """
    with _LOCK, _explained(name, None):
        if module in _LOADED and _LOADED[module].sha256 == sha256:
            return _LOADED[module]
        installed = _installed_file(name)
        places = [installed, file] if module == name else [file, installed]
        found = {place: source_sha256(place) for place in places if place and os.path.isfile(place)}
        place = next((place for place, digest in found.items() if digest == sha256), None)
        if place is None:
            raise PluginError(_differs(name, sha256, file, found))
        if module == name and place == installed:
            return _LOADED.setdefault(module, _import_installed(name, place))
        return _LOADED.setdefault(module, _load_file(name, place, module=module))


def source_sha256(file: str) -> str:
    """Returns the SHA-256 of a module of one file, or of a package, in hexadecimal.

    That of one file is the SHA-256 of its bytes. That of a package, given its `__init__.py`, is
    of a line for each of its Python files, sorted by their paths: the SHA-256 of the file, and its
    path in the package.
    """
    if os.path.basename(file) != _FACE:
        return _digest(file)
    lines = "".join(f"{_digest(path)} {place}\n" for place, path in sorted(_sources(file)))
    return hashlib.sha256(lines.encode()).hexdigest()


def plugin_of(kind: type) -> Plugin | None:
    """Returns the plugin that a class is defined in; None if it is in none."""
    module = f"{kind.__module__}."
    # Another thread may load one meanwhile.
    loaded = list(_LOADED.values())
    return next((plugin for plugin in loaded if module.startswith(f"{plugin.module}.")), None)


def describe_error(error: BaseException, file: str | None) -> str:
    """Returns an exception in words, after the line of a plugin that raised it.

    Args:
        error: the exception.
        file: the file of the plugin; None for the last line of all.
    """
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}, line {error.lineno}: SyntaxError: {error.msg}"
    frames = list(traceback.extract_tb(error.__traceback__))
    inside = "" if file is None else os.path.dirname(file) if _is_package(file) else file
    frames = [frame for frame in frames if frame.filename.startswith(inside)] or frames
    place = f"{frames[-1].filename}, line {frames[-1].lineno}: " if frames else ""
    return place + " ".join(f"{type(error).__name__}: {error}".split())


@contextmanager
def _explained(name: str, file: str | None) -> Iterator[None]:
    """Turns whatever a plugin raises while it is imported into `PluginError`."""
    try:
        yield
    except PluginError:
        raise
    except (Exception, SystemExit) as error:
        hint = ""
        if isinstance(error, ModuleNotFoundError) and file is not None:
            beside = _file_in(os.path.dirname(file), error.name or "")
            hint = (
                "; modules beside a plugin are not found: put both into a package, with relative"
                " imports"
            ) * (beside is not None)
        told = describe_error(error, file)
        raise PluginError(f"{name}: it cannot be imported: {told}{hint}") from error


def _check_name(name: str) -> None:
    if not re.fullmatch(NAME, name):
        raise PluginError(f"{name!r} is no name of a module; paths are not accepted")
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in _OURS:
        whose = "headcount" if top in _OURS else "Python"
        raise PluginError(f"{name}: a module of {whose} has this name; rename yours")


def _check_offers(plugin: Plugin) -> None:
    """Raises PluginError unless a plugin offers metrics as it may."""
    offers = offers_of(plugin.module)
    if not offers:
        raise PluginError(
            f"{plugin.name}: {plugin.file} offers no metrics: none of its functions has the"
            ' decorator @offers("binary", kind="report")'
        )
    known = get_args(HeadType)
    for types, kind, offer in offers:
        where = f"{plugin.name}: {getattr(offer, '__name__', offer)}"
        for wrong in sorted(set(types) - set(known)) if types else ("",):
            raise PluginError(f"{where}: {wrong!r} is no type of head: {', '.join(known)}")
        if kind not in ("report", "pair"):
            raise PluginError(
                f'{where}: say kind="report", or kind="pair" for two models; those of kind'
                f" {kind!r} are the metrics that the estimator has"
            )


def _is_package(file: str) -> bool:
    return os.path.basename(file) == _FACE


def _file_in(directory: str, name: str) -> str | None:
    """Returns the file of a module in a directory; None if it is not there."""
    places = (os.path.join(name, _FACE), f"{name}.py")
    files = [os.path.join(os.path.abspath(directory), place) for place in places]
    return next((file for file in files if os.path.isfile(file)), None)


def _installed_file(name: str) -> str | None:
    """Returns the file of an installed module; None if there is none with a source.

    It imports the packages above the module.
    """
    try:
        spec = importlib.util.find_spec(name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{name}.".startswith(f"{error.name}."):
            raise
        return None
    origin = None if spec is None else spec.origin
    return origin if origin is not None and origin.endswith(".py") else None


def _import_installed(name: str, file: str) -> Plugin:
    """Imports an installed module as every program does."""
    plugin = Plugin(name, name, source_sha256(file), file)
    if name in _LOADED and _LOADED[name] != plugin:
        raise PluginError(f"{name}: {file} was changed after it was imported; start again")
    if name not in sys.modules:
        _unload(name)
        importlib.import_module(name)
    return plugin


def _load_file(name: str, file: str, hidden: str | None = None, module: str = "") -> Plugin:
    """Loads a module from its file, unless it is loaded already."""
    sha256 = source_sha256(file)
    module = module or f"headcount_plugin_{sha256[:16]}_{name}"
    plugin = Plugin(name, module, sha256, file, hidden)
    if module in _LOADED:
        return plugin
    places = [os.path.dirname(file)] if _is_package(file) else None
    spec = importlib.util.spec_from_file_location(module, file, submodule_search_locations=places)
    assert spec is not None
    _unload(module)
    sys.modules[module] = loaded = importlib.util.module_from_spec(spec)
    try:
        with open(file, "rb") as stream:
            # No bytecode is kept beside the configuration, and none that is older is run.
            exec(compile(stream.read(), file, "exec"), loaded.__dict__)
    except BaseException:
        _unload(module)
        raise
    return plugin


def _unload(module: str) -> None:
    """Forgets a module that was not loaded to its end, and what is in it."""
    forget(module)
    for known in [key for key in sys.modules if f"{key}.".startswith(f"{module}.")]:
        del sys.modules[known]


def _sources(file: str) -> Iterator[tuple[str, str]]:
    """Yields the Python files of a package by their paths in it."""
    home = os.path.dirname(file)
    for root, _, names in os.walk(home):
        for name in names:
            if name.endswith(".py"):
                path = os.path.join(root, name)
                yield os.path.relpath(path, home).replace(os.sep, "/"), path


def _digest(path: str) -> str:
    with open(path, "rb") as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def _differs(name: str, sha256: str, file: str, found: dict[str, str]) -> str:
    """Returns the message that a worker has not the module that a run began with."""
    began = f"plugin {name}: the run began with {file}, SHA-256 {sha256}, and a worker has"
    here = "; ".join(f"{place}, SHA-256 {digest}" for place, digest in found.items())
    there = here or "neither this file nor an installed module of this name"
    return f"{began} {there}. Install the same module wherever workers run"
