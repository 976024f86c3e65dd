"""A report as Markdown, for a pull request: the verdict, what failed, and a table of each head."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.errors.printable import printable
from pipeline.errors.wording import counted
from pipeline.report.text.causes import cause_line
from pipeline.report.text.figures import (
    Figure,
    figure,
    interval,
    is_wide,
    lacks_interval,
)
from pipeline.report.text.headline import (
    Head,
    gated_metrics,
    main_metrics,
    worst_first,
)
from pipeline.report.text.screen import Screen
from pipeline.report.text.verdict import (
    Gates,
    facts,
    gate_name,
    judged_value,
    miss,
    missed_slices,
    place_of,
    undecided,
    verdict_words,
)
from pipeline.slicing.names import slice_name

MOST_LINES = 60
"""How many lines there are at most, whatever the report."""
_MOST_MISSED, _MOST_REASONS, _MOST_CAUSES, _MOST_SLICES = 10, 5, 5, 8
_LEAST_OF_HEAD = 7  # an empty line, the name, an empty line, two of the table, overall, baseline
_LONGEST = 160
_SCREEN = Screen()

# What Markdown, GitHub's tables or HTML could read as more than a letter. An underscore inside of a
# word is none, and names are full of them.
_MARKS = re.compile(r"[^\w\s=.,;()%+/'-]|(?<![^\W_])_|_(?![^\W_])|(?<=www)\.", re.IGNORECASE)


def markdown(
    report: Mapping[str, Any], gates: Gates | None = None, notes: Sequence[str] = ()
) -> str:
    """Returns a report as Markdown of at most `MOST_LINES` lines.

    No letter of a name is read as Markdown or as HTML.

    Args:
        report: the report as plain data, see `build_report`.
        gates: the content of `gates.json`; None if no gates were asked for.
        notes: the notes of the data report.
    """
    heads = report["heads"]
    named = len(heads) > 1
    word, counts = verdict_words(gates)
    told = f": {_escaped(counts)}" if counts else ""
    lines = [f"**{word}**{told}; {', '.join(facts(report, notes))}"]
    lines += [*_missed(gates, named=named), *_reasons(gates, named=named), *_causes(heads)]
    room = MOST_LINES - len(lines)
    if len(heads) > room // _LEAST_OF_HEAD:
        room -= 2  # those that say how many more there are
    shown = list(heads)[: room // _LEAST_OF_HEAD]
    for name in shown:
        lines += _head(name, heads[name], gates, room // len(shown))
    if len(shown) < len(heads):
        lines += ["", f"and {counted(len(heads) - len(shown), 'more head')}"]
    return "\n".join(lines) + "\n"


def code(text: str) -> str:
    """Returns a text that Markdown shows letter by letter, also in a cell of a table.

    In code GitHub looks for no mentions and links, and a letter by number is none of Markdown's.

    >>> print(code("a|b @you <b>"))
    <code>a&#124;b &#64;you &#60;b&#62;</code>
    """
    return f"<code>{_escaped(text)}</code>"


def _escaped(text: str) -> str:
    """Returns a text, cut if it is long, with the number of every letter that is a mark."""
    shown = printable(text[:_LONGEST]) + ("..." if len(text) > _LONGEST else "")
    return _MARKS.sub(lambda mark: f"&#{ord(mark[0])};", shown)


def _missed(gates: Gates | None, *, named: bool) -> list[str]:
    """Returns the table of what failed, the slices of a gate from the worst on."""
    found = [
        (gate["gate"], judgement)
        for gate in (gates["gates"] if gates else ())
        for judgement in missed_slices(gate, "fail")
    ]
    if not found:
        return []
    lines = ["", *_table(["failed gate", "slice", "value", "by how much", "rows"], numbers=1)]
    lines += [
        _row(
            [
                code(gate_name(gate)),
                code(place_of(judgement, _SCREEN, named=named)),
                judged_value(judgement, gate),
                miss(judgement, gate),
                f"{judgement.get('examples') or 0:,}",
            ]
        )
        for gate, judgement in found[:_MOST_MISSED]
    ]
    more = len(found) - _MOST_MISSED
    return [*lines, "", f"and {more:,} more that failed"] if more > 0 else lines


def _reasons(gates: Gates | None, *, named: bool) -> list[str]:
    """Returns why gates fail that could not decide."""
    found = [text for effect, text in undecided(gates, _SCREEN, named=named) if effect == "fail"]
    lines = [f"- {code(text)}" for text in found[:_MOST_REASONS]]
    more = len(found) - _MOST_REASONS
    lines += [f"- and {more:,} more"] if more > 0 else []
    return ["", *lines] if lines else []


def _causes(heads: Mapping[str, Head]) -> list[str]:
    """Returns what got worse by its causes, of all heads."""
    found = [
        (f"{name}: " if len(heads) > 1 else "") + cause_line(cause, _SCREEN)
        for name, head in heads.items()
        for cause in head.get("causes", ())
    ]
    lines = [f"- {code(text)}" for text in found[:_MOST_CAUSES]]
    more = len(found) - _MOST_CAUSES
    lines += [f"- and {counted(more, 'more cause')}"] if more > 0 else []
    return ["", *lines] if lines else []


def _head(name: str, head: Head, gates: Gates | None, most_lines: int) -> list[str]:
    """Returns the headline table of a head below its name."""
    metrics = main_metrics(head, gated_metrics(gates, name))
    slices = worst_first(head, gates, name, metrics)
    shown = slices[: min(_MOST_SLICES, most_lines - _LEAST_OF_HEAD)]
    left_out = len(slices) - len(shown) + head["slices_left_out"]
    more = f", and {counted(left_out, 'more slice')}" if left_out else ""
    rows = [("overall", head["slices"][0], head["slices"][0]["metrics"])]
    if "baseline" in head["slices"][0]:
        rows.append(("baseline", head["slices"][0], head["slices"][0]["baseline"]["metrics"]))
    rows += [(slice_name(entry["slice"]), entry, entry["metrics"]) for entry in shown]
    title = f"{code(name)} ({head['type'].replace('_', '-')}){more}"
    lines = ["", title, "", *_table(["slice", "rows", *map(code, metrics)], len(metrics) + 1)]
    whole = head["slices"][0]["metrics"]
    return lines + [
        _row(
            [
                code(place),
                f"{entry['examples']:,}",
                *(_cell(values.get(name), whole.get(name)) for name in metrics),
            ]
        )
        for place, entry, values in rows
    ]


def _cell(metric: Figure | None, whole: Figure | None) -> str:
    """Returns a value, with its interval beside it where that is wide.

    Args:
        metric: the metric.
        whole: that of overall.
    """
    if lacks_interval(metric, whole):
        return f"{figure(metric)} (no interval)"
    return figure(metric) + (f" ({interval(metric)})" if is_wide(metric) else "")


def _table(titles: Sequence[str], numbers: int) -> list[str]:
    """Returns the first two lines of a table, whose last columns are flush right."""
    marks = ["---"] * (len(titles) - numbers) + ["---:"] * numbers
    return [_row(titles), _row(marks)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
