"""Reads settings of heads from a tensorflow-metadata `ProblemStatement`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import problem_statement_pb2

from pipeline.config.pbtxt import parse_text
from pipeline.errors.problems import ConfigError, Path, Problem, describe
from pipeline.errors.suggest import did_you_mean
from pipeline.errors.wording import MOST, first_names

Settings = dict[str, Any]

DEFAULT_NAME = "head"

_LONGEST_NAME = 64


def heads_from(text: str) -> dict[str, Settings]:
    """Returns the settings of the heads for the tasks of a problem statement, one head for a task.

    The settings are `type` and `label` (a mapping with its `column`), and `weight` and `n_classes`
    if the task has them. `positive_negative_spec` becomes `vocabulary` and `positive` of the label.
    A multi-class task of two classes becomes a binary head; a top-k task becomes a multi-class head
    with its `top_k`. The configuration must say what a statement cannot say: where the scores are,
    the form of the labels of a multi-label head, and a number of classes that depends on the data.

    Args:
        text: a `ProblemStatement` in text format (`.pbtxt`).

    Returns:
        The settings by the name of the head. This is the name of the task, with `_` for characters
        that names of heads cannot have; it is `head` for a task without a name.

    Raises:
        ValueError: if the text is not a problem statement (the error names the line); if there are
            no tasks, or if two tasks give a head of the same name; or if a task has no label, or a
            type for which there is no head.

    >>> heads_from("tasks { name: 'Click' type { binary_classification { label: 'clicked' } } }")
    {'click': {'type': 'binary', 'label': {'column': 'clicked'}}}
    """
    statement = parse_text(text, problem_statement_pb2.ProblemStatement())
    if not statement.tasks:
        raise ValueError("the problem statement has no tasks; give it one for each head")
    heads: dict[str, Settings] = {}
    tasks: dict[str, str] = {}
    for task in statement.tasks:
        name = _head_name(task.name)
        if name in heads:
            raise ValueError(
                f"the tasks {tasks[name]!r} and {task.name!r} are both the head '{name}'; give them"
                " names that differ in letters and digits"
            )
        tasks[name] = task.name
        heads[name] = _settings(task)
    return heads


def merge_heads(
    from_statement: Mapping[str, Settings], given: Mapping[str, Any], source: str = "config"
) -> dict[str, Any]:
    """Merges the heads of a problem statement with the heads of a configuration.

    A head that both have gets the keys of both, and so does its `label`, whose short form is the
    name of its column. The other heads of the configuration are added as they are.

    Args:
        from_statement: the heads that `heads_from` returned.
        given: the `heads` of the configuration, not yet checked.
        source: the name of the configuration, for messages.

    Returns:
        The merged heads, which are not yet checked; those of the statement are first.

    Raises:
        ConfigError: with a problem for each value that contradicts the statement, and for each head
            that neither is a task nor has a `type`.

    >>> statement = {"click": {"type": "binary", "label": {"column": "clicked"}}}
    >>> merge_heads(statement, {"click": {"probability": "p"}})
    {'click': {'type': 'binary', 'label': {'column': 'clicked'}, 'probability': 'p'}}
    """
    problems: list[Problem] = []
    merged: dict[str, Any] = dict(from_statement)
    for name, head in given.items():
        path: Path = ("heads", name)
        if name in from_statement and isinstance(head, Mapping):
            entries = _merged(path, from_statement[name], head)
            merged[name] = {}
            for key, value in entries:
                if isinstance(value, Problem):
                    problems.append(Problem(source, value.path, value.message))
                else:
                    merged[name][key] = value
            continue
        if isinstance(head, Mapping) and "type" not in head:
            tasks = first_names([f"'{task}'" for task in from_statement])
            hint = did_you_mean(name, from_statement) if len(problems) < MOST else ""
            message = (
                f"it is no task of the problem statement, which makes the heads {tasks}{hint};"
                " a head of its own needs a 'type'"
            )
            problems.append(Problem(source, path, message))
        merged[name] = head
    if problems:
        raise ConfigError(problems)
    return merged


def _merged(
    path: Path, stated: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """Yields the entries of two mappings; a `Problem` is the value of a key they contradict in.

    Args:
        path: the path of the mappings.
        stated: the mapping of the problem statement.
        given: the mapping of the configuration.
    """
    for key, value in stated.items():
        if key not in given:
            yield key, value
            continue
        given_value = given[key]
        if key == "label" and isinstance(given_value, str):
            given_value = {"column": given_value}
        if isinstance(value, Mapping) and isinstance(given_value, Mapping):
            inner = dict(_merged((*path, key), value, given_value))
            problems = [item for item in inner.values() if isinstance(item, Problem)]
            yield from ((key, problem) for problem in problems)
            if not problems:
                yield key, inner
        elif given_value == value:
            # The given value is kept, so that the check of the configuration can refuse 4.0 for 4.
            yield key, given_value
        else:
            message = (
                f"the configuration says {_shown(given_value)}, and the problem statement"
                f" {_shown(value)}; keep one"
            )
            yield key, Problem("", (*path, key), message)
    yield from ((key, value) for key, value in given.items() if key not in stated)


def _shown(value: Any) -> str:
    """Returns a value as messages show it."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return describe(value)


def _head_name(task: str) -> str:
    """Returns the name of the head for the name of a task."""
    name = re.sub(r"[^a-z0-9_]", "_", task.lower()) or DEFAULT_NAME
    if not "a" <= name[0] <= "z":
        name = f"{DEFAULT_NAME}_{name}"
    return name[:_LONGEST_NAME]


def _settings(task: problem_statement_pb2.Task) -> Settings:
    """Returns the settings of the head for a task."""
    kind = task.type.WhichOneof("task_type")
    if kind not in _KINDS:
        fault = "has no type" if kind is None else f"is of the type '{kind}', which no head is for"
        raise ValueError(f"task {task.name!r} {fault}; heads are for: {', '.join(_KINDS)}")
    type_message = getattr(task.type, kind)
    settings = _KINDS[kind](type_message)
    column = _label_column(task.name, type_message)
    settings["label"] = {"column": column, **settings.get("label", {})}
    weight = type_message.weight if kind == _REGRESSION else type_message.example_weight
    if weight:
        settings["weight"] = weight
    return settings


def _label_column(task: str, type_message: Any) -> str:
    """Returns the name of the column of the label of a task."""
    if type_message.WhichOneof("label_id") != "label_path":
        if not type_message.label:
            raise ValueError(f"task {task!r} has no label; give it the column as 'label'")
        return str(type_message.label)
    steps = list(type_message.label_path.step)
    if len(steps) != 1:
        raise ValueError(
            f"task {task!r} has its label at the path {'/'.join(steps)!r}; only columns that are"
            " not nested can be read, whose path has one step"
        )
    return str(steps[0])


def _binary(type_message: problem_statement_pb2.BinaryClassification) -> Settings:
    spec = type_message.positive_negative_spec
    positive = spec.positive_class_value.string_value
    negative = spec.negative_class_value.string_value
    settings: Settings = {"type": "binary"}
    if positive:
        settings["label"] = {"positive": positive}
        if negative:
            settings["label"] = {"vocabulary": [negative, positive], "positive": positive}
    elif negative:
        raise ValueError(
            f"'positive_negative_spec' has the negative class {negative!r} alone; give it the"
            " 'positive_class_value' as well"
        )
    return settings


def _multi_class(type_message: problem_statement_pb2.MultiClassClassification) -> Settings:
    if type_message.n_classes == 2:
        return {"type": "binary"}
    return {"type": "multi_class", **_n_classes(type_message)}


def _top_k(type_message: problem_statement_pb2.TopKClassification) -> Settings:
    settings = {"type": "multi_class", **_n_classes(type_message)}
    if type_message.n_predicted_labels > 1:
        settings["top_k"] = [type_message.n_predicted_labels]
    return settings


def _multi_label(type_message: problem_statement_pb2.MultiLabelClassification) -> Settings:
    return {"type": "multi_label", **_n_classes(type_message)}


def _n_classes(type_message: Any) -> Settings:
    return {"n_classes": type_message.n_classes} if type_message.n_classes else {}


def _regression(type_message: problem_statement_pb2.OneDimensionalRegression) -> Settings:
    if type_message.HasField("counts"):
        return {"type": "poisson"}
    logistic = type_message.HasField("probability")
    return {"type": "logistic_regression" if logistic else "regression"}


_REGRESSION = "one_dimensional_regression"
_KINDS: dict[str, Callable[[Any], Settings]] = {
    "binary_classification": _binary,
    _REGRESSION: _regression,
    "multi_class_classification": _multi_class,
    "multi_label_classification": _multi_label,
    "top_k_classification": _top_k,
}
