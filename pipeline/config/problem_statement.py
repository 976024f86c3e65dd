"""A tensorflow-metadata `ProblemStatement` in place of settings of heads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tensorflow_metadata.proto.v0 import problem_statement_pb2

from pipeline.config.pbtxt import parse_text
from pipeline.errors.problems import ConfigError, Path, Problem, describe
from pipeline.errors.suggest import did_you_mean

Settings = dict[str, Any]

DEFAULT_NAME = "head"

_LONGEST_NAME = 64


def heads_from(text: str) -> dict[str, Settings]:
    """The settings of heads that a problem statement makes, one head a task.

    A head has `type` and `label` (a mapping with its `column`), and `weight` and `n_classes` where
    the task has them. `positive_negative_spec` becomes `vocabulary` and `positive` of the label. A
    multi-class task of two classes is a binary head; a top-k task is a multi-class head with that
    `top_k`. What a statement cannot say is left to the configuration: where the scores are, the
    form of the labels of a multi-label head, and a number of classes that depends on the data.

    Args:
        text: a `ProblemStatement` in text format (`.pbtxt`).

    Returns:
        Settings by name of the head: that of the task in the letters that names of heads may have,
        `head` for a task without a name.

    Raises:
        ValueError: if it is no problem statement, naming the line; if it has no tasks, or two whose
            names are alike; or if a task has no label or is of a type that no head is for.

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
    """The heads of a problem statement with what a configuration says of them.

    Keys of both are together in one head, those of `label` too, whose short form is the name of its
    column. A head of the configuration that is no task is a head of its own.

    Args:
        from_statement: what `heads_from` returned.
        given: the `heads` of the configuration, not yet checked.
        source: the name of the configuration, for messages.

    Returns:
        Heads to be checked as a configuration is: those of the statement first.

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
            found = _merged(path, from_statement[name], head)
            merged[name] = {}
            for key, value in found:
                if isinstance(value, Problem):
                    problems.append(Problem(source, value.path, value.message))
                else:
                    merged[name][key] = value
            continue
        if isinstance(head, Mapping) and "type" not in head:
            tasks = ", ".join(f"'{own}'" for own in from_statement)
            message = (
                f"it is no task of the problem statement, which makes the heads {tasks}"
                f"{did_you_mean(name, from_statement)}; a head of its own needs a 'type'"
            )
            problems.append(Problem(source, path, message))
        merged[name] = head
    if problems:
        raise ConfigError(problems)
    return merged


def _merged(
    path: Path, stated: Mapping[str, Any], given: Mapping[str, Any]
) -> Iterator[tuple[str, Any]]:
    """The entries of both; a problem in place of a value that contradicts."""
    for key, value in stated.items():
        if key not in given:
            yield key, value
            continue
        other = given[key]
        if key == "label" and isinstance(other, str):
            other = {"column": other}
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            inner = dict(_merged((*path, key), value, other))
            wrong = [one for one in inner.values() if isinstance(one, Problem)]
            yield from ((key, one) for one in wrong)
            if not wrong:
                yield key, inner
        elif other == value:
            # As given: 4.0 is for the check of the configuration to refuse.
            yield key, other
        else:
            message = (
                f"the configuration says {_shown(other)}, and the problem statement"
                f" {_shown(value)}; keep one"
            )
            yield key, Problem("", (*path, key), message)
    yield from ((key, value) for key, value in given.items() if key not in stated)


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(str, value))}]"
    return describe(value)


def _head_name(task: str) -> str:
    name = re.sub(r"[^a-z0-9_]", "_", task.lower()) or DEFAULT_NAME
    if not "a" <= name[0] <= "z":
        name = f"{DEFAULT_NAME}_{name}"
    return name[:_LONGEST_NAME]


def _settings(task: problem_statement_pb2.Task) -> Settings:
    kind = task.type.WhichOneof("task_type")
    if kind not in _KINDS:
        what = "has no type" if kind is None else f"is of the type '{kind}', which no head is for"
        raise ValueError(f"task {task.name!r} {what}; heads are for: {', '.join(_KINDS)}")
    own = getattr(task.type, kind)
    settings = _KINDS[kind](own)
    settings["label"] = {"column": _label_column(task.name, own), **settings.get("label", {})}
    if own.example_weight:
        settings["weight"] = own.example_weight
    return settings


def _label_column(task: str, own: Any) -> str:
    if own.WhichOneof("label_id") != "label_path":
        if not own.label:
            raise ValueError(f"task {task!r} has no label; give it the column as 'label'")
        return str(own.label)
    steps = list(own.label_path.step)
    if len(steps) != 1:
        raise ValueError(
            f"task {task!r} has its label at the path {'/'.join(steps)!r}; only columns that are"
            " not nested can be read, whose path has one step"
        )
    return str(steps[0])


def _binary(own: problem_statement_pb2.BinaryClassification) -> Settings:
    spec = own.positive_negative_spec
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


def _multi_class(own: problem_statement_pb2.MultiClassClassification) -> Settings:
    if own.n_classes == 2:
        return {"type": "binary"}
    return {"type": "multi_class", **_n_classes(own)}


def _top_k(own: problem_statement_pb2.TopKClassification) -> Settings:
    settings = {"type": "multi_class", **_n_classes(own)}
    if own.n_predicted_labels > 1:
        settings["top_k"] = [own.n_predicted_labels]
    return settings


def _multi_label(own: problem_statement_pb2.MultiLabelClassification) -> Settings:
    return {"type": "multi_label", **_n_classes(own)}


def _n_classes(own: Any) -> Settings:
    return {"n_classes": own.n_classes} if own.n_classes else {}


_KINDS: dict[str, Callable[[Any], Settings]] = {
    "binary_classification": _binary,
    "multi_class_classification": _multi_class,
    "multi_label_classification": _multi_label,
    "top_k_classification": _top_k,
}
