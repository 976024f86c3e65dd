"""Takes a configuration that is given in Python, as dicts and lists, by the rules of YAML files."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pipeline.config.yaml_loader import MAX_DEPTH, MAX_VALUES, Document, unusable
from pipeline.errors.problems import ConfigError, Path, Problem, quote

# What no 64-bit column holds.
_LEAST, _END = -(1 << 63), 1 << 64


def plain_document(given: Mapping[Any, Any], source: str) -> Document:
    """Returns a configuration given in Python as the document that a YAML file would be.

    Tuples and arrays of NumPy count as lists, scalars of NumPy as numbers, and paths as text.

    Args:
        given: the configuration.
        source: its name in error messages.

    Raises:
        ConfigError: if it is nested too deeply, or has too many values.
    """
    return _Walk(source).document(given)


class _Walk:
    """A walk through a configuration, which notes places and problems."""

    def __init__(self, source: str) -> None:
        self._source = source
        self._problems: list[Problem] = []
        self._places: dict[Path, tuple[int | None, int | None]] = {}

    def document(self, given: Mapping[Any, Any]) -> Document:
        data = self._plain(given, ())
        return Document(self._source, data, tuple(self._problems), 0, self._places)

    def _plain(self, value: Any, path: Path) -> Any:
        self._places[path] = (None, None)
        if len(path) > MAX_DEPTH or len(self._places) > MAX_VALUES:
            message = "this is nested too deeply, or too large, for a configuration"
            raise ConfigError([Problem(self._source, path[:2], message)])
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, Mapping):
            return {key: self._plain(item, (*path, key)) for key, item in self._items(value, path)}
        if isinstance(value, list | tuple):
            return [self._plain(item, (*path, place)) for place, item in enumerate(value)]
        if isinstance(value, os.PathLike):
            value = os.fspath(value)
        if isinstance(value, str):
            # A subclass of text, such as NumPy's, is text.
            value = str(value)
            self._refuse(path, unusable(value))
        elif isinstance(value, int) and not _LEAST <= value < _END:
            self._refuse(path, "no 64-bit column holds this whole number; quote it if it is text")
        elif not isinstance(value, int | float | None):
            self._refuse(path, f"{type(value).__name__} is nothing that a configuration holds")
        return value

    def _items(self, mapping: Mapping[Any, Any], path: Path) -> list[tuple[str, Any]]:
        items = []
        for key, value in mapping.items():
            if isinstance(key, str):
                self._refuse((*path, key), unusable(key))
                items.append((key, value))
            else:
                self._refuse(path, f"a key must be text, not {quote(repr(key))}")
        return items

    def _refuse(self, path: Path, message: str | None) -> None:
        if message is not None:
            self._problems.append(Problem(self._source, path, message))
