"""Shows what a user chose of a report: heads, metrics, slices, and their order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.errors.metric_names import metric_hint
from pipeline.errors.problems import ConfigError, Problem, quote
from pipeline.errors.suggest import did_you_mean
from pipeline.errors.wording import counted
from pipeline.report.text.figures import Figure, figure, interval
from pipeline.report.text.headline import (
    Entry,
    Head,
    direction,
    figures_of,
    gated_metrics,
    head_title,
    headline_table,
    legend,
    main_metrics,
    slice_column,
    worst_first,
)
from pipeline.report.text.screen import Screen, indented
from pipeline.report.text.tables import Column, stacked
from pipeline.report.text.verdict import Gates, facts, verdict_line
from pipeline.slicing.names import slice_name

SORT_KEYS = ("worst", "value", "difference", "examples", "slice")
"""What slices can be sorted by; the first is what they are sorted by if nothing is chosen."""

# Of so few names an error lists all.
_FEW = 8


@dataclass(frozen=True)
class Choice:
    """What is shown of a report; what is empty leaves nothing out.

    Attributes:
        heads: the names of the heads.
        metrics: the names of the metrics.
        conditions: the conditions that slices have, as tables name them, such as `country=DE`.
        sort: the key that slices are sorted by, one of `SORT_KEYS`; None for the first.
    """

    heads: Sequence[str] = ()
    metrics: Sequence[str] = ()
    conditions: Sequence[str] = ()
    sort: str | None = None

    @property
    def of_figures(self) -> bool:
        """Whether figures are chosen, and not heads alone."""
        return bool(self.metrics or self.conditions or self.sort)


def only_heads(report: Mapping[str, Any], names: Sequence[str]) -> Mapping[str, Any]:
    """Returns a report with some of its heads; with all if none is named.

    Raises:
        ConfigError: if the report does not have them.
    """
    heads = report["heads"]
    _check("--head", names, heads)
    chosen = {name: heads[name] for name in heads if name in names}
    return {**report, "heads": chosen} if names else report


def render_chosen(
    report: Mapping[str, Any],
    choice: Choice,
    gates: Gates | None = None,
    notes: Sequence[str] = (),
    screen: Screen | None = None,
) -> str:
    """Returns the figures of a report that were chosen, as text, below the line of the verdict.

    Of one metric every slice is shown with its interval, and compared with the baseline, or with
    overall if the report compares with that; of several, a table as in `render`, with all slices.

    Args:
        report: the report as plain data, with the heads that were chosen.
        choice: what to show.
        gates: the content of `gates.json`; None if no gates were asked for.
        notes: the notes of the data report.
        screen: what the text is drawn for; by default a file.

    Raises:
        ConfigError: if no head has a metric or a slice that was chosen, or if the key to sort by is
            unknown; it says which name is near.
    """
    screen = screen or Screen()
    heads: Mapping[str, Head] = report["heads"]
    _check_sort(choice.sort)
    known = sorted({name for head in heads.values() for name in figures_of(head["slices"][0])})
    _check("--metric", choice.metrics, known)
    choice = replace(choice, conditions=_check_conditions(choice.conditions, heads))
    parts: list[RenderableType] = [verdict_line(gates, facts(report, notes), screen)]
    for name, head in heads.items():
        asked = [metric for metric in choice.metrics if metric in figures_of(head["slices"][0])]
        metrics = asked or main_metrics(head, gated_metrics(gates, name))
        slices = [
            entry
            for entry in worst_first(head, gates, name, metrics)
            if _has(entry, choice.conditions)
        ]
        if (choice.metrics and not asked) or (choice.conditions and not slices):
            continue
        shown = [head["slices"][0], *_sorted(slices, head, metrics, choice.sort)]
        title = head_title(name, head, screen)
        parts += [Text(), title]
        if len(asked) == 1:
            title.append(f"  {screen.name(asked[0])}", "bold")
            parts += _metric_table(head, asked[0], shown, screen)
        else:
            parts += headline_table(head, shown, metrics, screen)
        if head["slices_left_out"]:
            left_out = counted(head["slices_left_out"], "more slice")
            parts.append(indented(Text(f"and {left_out} in metrics.parquet")))
    return screen.draw(parts)


_SPELLED = {"null": "(missing)", "true": "True", "false": "False"}


def _check_sort(key: str | None) -> None:
    """Raises ConfigError for a key that slices cannot be sorted by."""
    if key is not None and key not in SORT_KEYS:
        choose = did_you_mean(key, SORT_KEYS) or f"; choose from {', '.join(SORT_KEYS)}"
        raise ConfigError([_problem("--sort", key, f"slices cannot be sorted by it{choose}")])


def _has(entry: Entry, conditions: Sequence[str]) -> bool:
    """Returns whether a slice has all of some conditions."""
    return set(conditions) <= _conditions(entry)


def _conditions(entry: Entry) -> set[str]:
    """Returns the conditions of a slice, each as its name says it."""
    return {slice_name([condition]) for condition in entry["slice"]}


def _check_conditions(conditions: Sequence[str], heads: Mapping[str, Head]) -> list[str]:
    """Returns conditions as the report names them.

    Raises:
        ConfigError: if no slice of any head has all of them.
    """
    entries = [entry for head in heads.values() for entry in head["slices"]]
    known = sorted(set().union(*map(_conditions, entries)))
    conditions = [
        condition if condition in known else _as_named(condition) for condition in conditions
    ]
    _check("--slice", conditions, known)
    if not any(_has(entry, conditions) for entry in entries):
        together = ", ".join(conditions)
        raise ConfigError([_problem("--slice", together, "the report has no slice of all of them")])
    return conditions


def _as_named(condition: str) -> str:
    """Returns a condition with a value as YAML spells it, as the report names it."""
    column, equals, value = condition.rpartition("=")
    return column + equals + _SPELLED.get(value, value)


def _sorted(
    slices: Sequence[Entry], head: Head, metrics: Sequence[str], key: str | None
) -> list[Entry]:
    """Returns slices in the order of a key; those whose figure is undefined are last.

    Args:
        slices: the slices, the worst first.
        head: the head.
        metrics: the metrics that are shown; by the first the slices are sorted.
        key: one of `SORT_KEYS`, or None.
    """
    if key == "examples":
        return sorted(slices, key=lambda entry: -int(entry["examples"]))
    if key == "slice":
        return sorted(slices, key=lambda entry: slice_name(entry["slice"]))
    if key not in ("value", "difference"):
        return list(slices)
    name, overall = next(iter(metrics), ""), head["slices"][0]
    sign = -1.0 if direction(name) is False else 1.0

    def order(entry: Entry) -> tuple[bool, float]:
        figures = figures_of(entry)
        found = figures.get(name) if key == "value" else _difference(entry, overall, name)
        value = None if found is None else found["value"]
        return value is None, sign * (value or 0.0)

    return sorted(slices, key=order)


def _difference(entry: Entry, overall: Entry, name: str) -> Figure | None:
    """Returns by how much a metric differs from the baseline, or else from overall."""
    if "difference" in entry:
        found: Figure | None = entry["difference"].get(name)
        return found
    mine, whole = entry["metrics"].get(name), overall["metrics"].get(name)
    if mine is None or whole is None or None in (mine["value"], whole["value"]):
        return None
    compared: Figure | None = mine.get("against_overall", {}).get("difference")
    return compared or {"value": mine["value"] - whole["value"]}


def _metric_table(
    head: Head, name: str, entries: Sequence[Entry], screen: Screen
) -> Iterator[RenderableType]:
    """Yields a table of a metric: a row for each slice, with its interval and its difference."""
    overall = head["slices"][0]
    figures = [figures_of(entry).get(name) for entry in entries]
    names = slice_column(entries, screen)
    rows = Column("rows", [Text(f"{entry['examples']:,}") for entry in entries])
    columns = [
        Column("value", [Text(figure(metric)) for metric in figures]),
        Column("interval", [Text(interval(metric), "dim") for metric in figures]),
    ]
    if name in overall["metrics"]:
        differences = [_difference(entry, overall, name) for entry in entries]
        title = "difference from overall"
        if "baseline" in overall:
            values = [entry["baseline"]["metrics"].get(name) for entry in entries]
            columns.append(Column("baseline", [Text(figure(value)) for value in values]))
            title = "difference"
        else:
            differences[0] = None
        columns += [
            Column(title, [Text(_shown(value)) for value in differences]),
            Column("interval", [Text(interval(value), "dim") for value in differences]),
        ]
    columns = [column for column in columns if any(cell.plain for cell in column.cells)]
    for table in stacked([names, rows], columns, screen.columns - 2):
        yield indented(table)
    told = [figures_of(entry) for entry in entries]
    small = any(entry["small"] for entry in entries)
    yield from legend(head, [name], told, screen, small=small, marked=False)


def _shown(metric: Figure | None) -> str:
    return "" if metric is None else figure(metric)


def _check(option: str, names: Sequence[str], known: Iterable[str]) -> None:
    """Raises ConfigError for the names that are not known; it says which are near."""
    known = list(known)
    few = f"; choose from {', '.join(known)}" if len(known) <= _FEW else ""

    def hint(name: str) -> str:
        if option == "--metric":
            return metric_hint(name, known)
        return did_you_mean(name, known) or few

    problems = [
        _problem(option, name, f"the report has none{hint(name)}")
        for name in names
        if name not in known
    ]
    if problems:
        raise ConfigError(problems)


def _problem(option: str, name: str, message: str) -> Problem:
    return Problem("command line", (), f"{option} {quote(name)}: {message}")
