"""Reads a configuration from YAML into a checked model, or reports all that is wrong with it."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from pydantic import ValidationError

from pipeline.config.explain import explain
from pipeline.config.gates import Gate, GatesFile
from pipeline.config.model import Config
from pipeline.config.plain_data import plain_document
from pipeline.config.yaml_loader import MAX_BYTES, Document, read_document
from pipeline.errors.problems import ConfigError, Problem
from pipeline.readers.storage import OpenFile, is_local, open_local

_Read = TypeVar("_Read", Config, GatesFile)
# A YAML file cannot begin with it and be a mapping.
_PARQUET = b"PAR1"


def load_config(path: str | os.PathLike[str], open_file: OpenFile = open_local) -> Config:
    """Reads a configuration from a YAML file.

    Args:
        path: the path of the file.
        open_file: opens the file, and the problem statement that it may name.

    Raises:
        ConfigError: with every problem that the file has.
    """
    source = os.fspath(path)
    config = _parse(_content(source, open_file), source, open_file)
    if config.plugins and is_local(source):
        return config.in_directory(os.path.dirname(os.path.abspath(source)))
    return config


def load_gates(path: str | os.PathLike[str], open_file: OpenFile = open_local) -> tuple[Gate, ...]:
    """Reads gates from a YAML file of their own: a mapping with the key `gates`, or a list of them.

    Args:
        path: the path of the file.
        open_file: opens the file.

    Raises:
        ConfigError: with every problem that the file has.
    """
    source = os.fspath(path)
    document = read_document(_content(source, open_file), source)
    if isinstance(document.data, list):
        document = document.below("gates")
    return _validated(document, document.data, GatesFile).gates


def as_gates(
    gates: str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any],
    open_file: OpenFile = open_local,
) -> tuple[tuple[Gate, ...], str]:
    """Returns gates that are given in any way, and their name in messages.

    Args:
        gates: the path of a YAML file; a list of gates, each a dict or a `Gate`; or a dict with the
            key `gates`.
        open_file: opens the file.

    Raises:
        ConfigError: with every problem that the gates have.
    """
    if isinstance(gates, str | os.PathLike):
        return load_gates(gates, open_file), os.fspath(gates)
    given = gates if isinstance(gates, Mapping) else {"gates": gates}
    listed = given.get("gates")
    if isinstance(listed, list | tuple):
        plain = [gate.to_dict() if isinstance(gate, Gate) else gate for gate in listed]
        given = {**given, "gates": plain}
    document = plain_document(given, "gates")
    return _validated(document, document.data, GatesFile).gates, "gates"


def as_config(
    config: str | os.PathLike[str] | Mapping[str, Any] | Config, open_file: OpenFile = open_local
) -> tuple[Config, str]:
    """Returns a configuration that is given in any way, and its name in messages.

    Args:
        config: the path of a YAML file; the same as a dict; or a `Config`.
        open_file: opens the file, and the problem statement that the configuration may name.

    Raises:
        ConfigError: with every problem that the configuration has.
        TypeError: if it is something else.

    >>> try:
    ...     as_config({"heads": {"spam": {"type": "binary", "logit": "score", "label": "spam"}}})
    ... except ConfigError as error:
    ...     print(error)
    config: heads.spam.logit: unknown key 'logit'; did you mean 'logits'?
    """
    if isinstance(config, Config):
        return config, "config"
    if isinstance(config, Mapping):
        return _checked(plain_document(config, "config"), open_file), "config"
    if isinstance(config, str | os.PathLike):
        return load_config(config, open_file), os.fspath(config)
    kind = type(config).__name__
    raise TypeError(f"config is the path of a YAML file, a dict or a Config, not {kind}")


def parse_config(text: str, source: str, open_file: OpenFile = open_local) -> Config:
    """Reads a configuration from YAML text.

    Args:
        text: the text.
        source: the name of the text in error messages.
        open_file: opens the problem statement that the text may name.

    Raises:
        ConfigError: with every problem that the text has.

    >>> try:
    ...     parse_config("heads: {spam: {type: binary, logit: score, label: spam}}", "c.yaml")
    ... except ConfigError as error:
    ...     print(error)
    c.yaml:1:30: heads.spam.logit: unknown key 'logit'; did you mean 'logits'?
    """
    return _parse(text.encode("utf-8", "surrogatepass"), source, open_file)


def config_schema() -> dict[str, Any]:
    """Returns the JSON schema (draft 2020-12) of a configuration, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema"} | Config.model_json_schema()


def _parse(content: bytes, source: str, open_file: OpenFile) -> Config:
    """Reads a configuration from the content of a YAML file; arguments as in `parse_config`."""
    return _checked(read_document(content, source), open_file)


def _content(source: str, open_file: OpenFile) -> bytes:
    """Returns the content of a file, of a large one no more than tells that it is too large.

    Raises:
        ConfigError: if it cannot be read.
    """
    try:
        with open_file(source) as file:
            content = file.read(MAX_BYTES + 1)
    except IsADirectoryError as error:
        message = "is a directory; the configuration is a YAML file"
        raise ConfigError([Problem(source, (), message)]) from error
    except OSError as error:
        raise ConfigError([Problem(source, (), f"cannot be read: {error.strerror}")]) from error
    if content.startswith(_PARQUET):
        message = "a Parquet file; the configuration is a YAML file, and data are its input"
        raise ConfigError([Problem(source, (), message)])
    return content


def _checked(document: Document, open_file: OpenFile) -> Config:
    """Returns the configuration that a document is.

    Raises:
        ConfigError: with every problem that the document has.
    """
    data = document.data
    if isinstance(data, dict) and isinstance(data.get("problem_statement"), str):
        data = {**data, "heads": _stated_heads(data, document.source, open_file)}
    return _validated(document, data, Config)


def _validated(document: Document, data: Any, kind: type[_Read]) -> _Read:
    """Returns the model that data are.

    Args:
        document: the document that the data are from.
        data: the data; None for an empty document.
        kind: the model.

    Raises:
        ConfigError: with every problem that the document has.
    """
    problems, more = list(document.problems), document.more
    try:
        model = kind.model_validate({} if data is None else data)
    except ValidationError as error:
        explained, not_explained = explain(error, document, kind)
        problems += explained
        more += not_explained
    if problems:
        raise ConfigError(problems, more)
    return model


def _stated_heads(data: dict[str, Any], source: str, open_file: OpenFile) -> dict[str, Any]:
    """Returns the heads of the problem statement that a configuration names, with its `heads`.

    Raises:
        ConfigError: if the problem statement cannot be read, or contradicts the configuration.
    """
    from pipeline.config.pbtxt import read_text
    from pipeline.config.problem_statement import heads_from, merge_heads

    path, given = data["problem_statement"], data.get("heads")
    try:
        with open_file(path) as file:
            stated = heads_from(read_text(file))
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        problem = Problem(source, ("problem_statement",), f"{path}: {reason}")
        raise ConfigError([problem]) from error
    return merge_heads(stated, given if isinstance(given, dict) else {}, source)
