"""The verdict: whether the gates let a model through, and if not, what failed and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from pipeline.errors.wording import counted, first_names
from pipeline.report.text.figures import between, number
from pipeline.report.text.screen import Screen, indented, labelled, section
from pipeline.report.text.tables import Column, stacked
from pipeline.slicing.names import slice_name

Gates = Mapping[str, Any]
"""The content of `gates.json` as plain data."""

MOST_GATES = 10
"""How many gates are shown that failed, that are undecided, and that warn."""
MOST_SLICES = 5
"""How many slices of a gate are shown."""

_LABELS = {"fail": ("FAIL", "bold red"), "warn": ("warn", "yellow"), "none": ("    ", "")}
_OVERALL = slice_name([])
_NOT_DECIDED = ("undecided", "absent", "skipped")
_LIMITS = ("at_least", "at_most", "max_drop", "max_rise")


def render_verdict(
    gates: Gates | None,
    report: Mapping[str, Any],
    notes: Sequence[str] = (),
    screen: Screen | None = None,
) -> str:
    """Returns the verdict on a run as text: a line, then what failed and by how much.

    Args:
        gates: the content of `gates.json`; None if no gates were asked for.
        report: the report as plain data.
        notes: the notes of the data report.
        screen: what the text is drawn for.
    """
    screen = screen or Screen()
    named = len(report["heads"]) > 1
    line = verdict_line(gates, facts(report, notes), screen)
    return screen.draw([line, *section(failures(gates, screen, named=named))])


def facts(report: Mapping[str, Any], notes: Sequence[str]) -> list[str]:
    """Returns what the first line says of a report, besides the verdict."""
    rows = report["rows"]
    told = [f"{rows['evaluated']:,} rows evaluated of {rows['read']:,} read"]
    told.append(counted(len(report["heads"]), "head"))
    return [*told, counted(len(notes), "hint")] if notes else told


def verdict_line(gates: Gates | None, told: Sequence[str], screen: Screen) -> Text:
    """Returns the first line of what is shown: the verdict, and facts such as those of `facts`."""
    word, counts = verdict_words(gates)
    style = {"PASS": "bold green", "FAIL": "bold red"}.get(word, "")
    rest = (f": {counts}" if counts else "") + f"; {', '.join(told)}"
    return Text.assemble(screen.text(word, style), screen.text(rest))


def verdict_words(gates: Gates | None) -> tuple[str, str]:
    """Returns the verdict as a word, and what follows it: how many gates failed, warn, are skipped.

    >>> verdict_words({"passed": True, "gates": [], "against": None}), verdict_words(None)
    (('PASS', '0 gates'), ('no gates asked', ''))
    """
    if gates is None:
        return "no gates asked", ""
    judged = gates["gates"]
    failed = sum(gate["severity"] == "error" and not gate["passed"] for gate in judged)
    warns = sum(
        any(effect_of(gate, judgement) == "warn" for judgement in gate["judgements"])
        for gate in judged
    )
    skipped = sum(gate["outcome"] == "skipped" for gate in judged)
    gate_count = counted(len(judged), "gate")
    texts = [f"{failed:,} of {gate_count} failed" if failed else gate_count]
    texts += [counted(warns, "warning")] if warns else []
    texts += [f"{skipped:,} skipped"] if skipped else []
    texts += [f"against {gates['against']['directory']}"] if gates["against"] else []
    return "PASS" if gates["passed"] else "FAIL", ", ".join(texts)


def failures(gates: Gates | None, screen: Screen, *, named: bool) -> Iterator[RenderableType]:
    """Yields what failed and by how much, then what is not decided and why, then warnings.

    Args:
        gates: the content of `gates.json`, or None.
        screen: what is drawn for.
        named: whether slices are named with their head.
    """
    if gates is None:
        return
    judged = gates["gates"]
    yield from _missed(judged, "fail", screen, named=named)
    yield from _not_decided(gates, screen, named=named)
    yield from _missed(judged, "warn", screen, named=named)


def _missed(
    judged: Sequence[Mapping[str, Any]], effect: str, screen: Screen, *, named: bool
) -> Iterator[RenderableType]:
    """Yields the gates whose limits were missed, each with its slices, the worst first."""
    label = screen.text(*_LABELS[effect])
    found = [(gate["gate"], missed) for gate in judged if (missed := missed_slices(gate, effect))]
    for gate, missed in found[:MOST_GATES]:
        yield labelled(label, screen.text(gate_name(gate)))
        shown = missed[:MOST_SLICES]
        columns = [
            Column(
                "", [Text(place_of(judgement, screen, named=named)) for judgement in shown], False
            ),
            Column("", [screen.text(judged_value(judgement, gate)) for judgement in shown], False),
            Column("", [screen.text(miss(judgement, gate)) for judgement in shown], False),
            Column("", [screen.text(counted(j.get("examples") or 0, "row")) for j in shown]),
        ]
        columns = [column for column in columns if any(cell.plain for cell in column.cells)]
        indent = len(label.plain) + 2
        for table in stacked(columns[:1], columns[1:], screen.columns - indent):
            yield indented(table, indent)
        if len(missed) > len(shown):
            more = counted(len(missed) - len(shown), "more slice")
            yield indented(screen.text(f"and {more}"), indent)
    if len(found) > MOST_GATES:
        yield screen.text(f"and {counted(len(found) - MOST_GATES, 'more gate')}")


def effect_of(gate: Mapping[str, Any], judgement: Mapping[str, Any]) -> str:
    """Returns what a judgement does, `fail`, `warn` or `none`; some gates only warn."""
    effect: str = judgement["effect"]
    return "warn" if effect == "fail" and gate["severity"] == "warn" else effect


def missed_slices(gate: Mapping[str, Any], effect: str) -> list[Mapping[str, Any]]:
    """Returns the judgements of a gate that missed a limit, the worst first.

    Args:
        gate: a gate of `gates.json`.
        effect: what missing it does, `fail` or `warn`.
    """
    missed = [
        judgement
        for judgement in gate["judgements"]
        if judgement["outcome"] == "fail" and effect_of(gate, judgement) == effect
    ]
    return sorted(missed, key=lambda j: (j.get("margin") is None, j.get("margin") or 0.0))


def _not_decided(gates: Gates, screen: Screen, *, named: bool) -> Iterator[RenderableType]:
    """Yields why gates are undecided, absent or skipped, a line for each reason of a gate."""
    found = undecided(gates, screen, named=named)
    for effect, text in found[:MOST_GATES]:
        label, style = _LABELS[effect]
        yield labelled(screen.text(label, style), screen.text(text))
    if len(found) > MOST_GATES:
        yield screen.text(f"and {counted(len(found) - MOST_GATES, 'more reason')}")


def undecided(gates: Gates | None, screen: Screen, *, named: bool) -> list[tuple[str, str]]:
    """Returns what is undecided, absent or skipped, what fails first.

    Returns:
        For each reason of a gate what it does (`fail`, `warn` or `none`), and a line about it.
    """
    found = []
    for gate in gates["gates"] if gates else ():
        groups: dict[tuple[str, str, str], list[str]] = {}
        known = ("", _OVERALL, *_named_slice(gate["gate"]))
        for judgement in gate["judgements"]:
            if judgement["outcome"] in _NOT_DECIDED:
                effect = effect_of(gate, judgement)
                key = (effect, judgement["outcome"], judgement.get("reason") or "")
                groups.setdefault(key, []).append(place_of(judgement, screen, named=named))
        for (effect, outcome, reason), places in groups.items():
            # A gate of several limits has several judgements of a slice.
            told = [place for place in dict.fromkeys(places) if place not in known]
            where = f" in {first_names(told, MOST_SLICES)}" if told else ""
            why = f": {reason}" if reason else ""
            found.append((effect, f"{gate_name(gate['gate'])}: {outcome}{where}{why}"))
    return sorted(found, key=lambda item: list(_LABELS).index(item[0]))


def gate_name(gate: Mapping[str, Any]) -> str:
    """Returns what a gate asks for, in words, as its configuration spells it.

    >>> gate_name({"metric": "roc_auc", "at_least": 0.78, "slices": ["country"]})
    'roc_auc at_least 0.78, slices country'
    """
    limits = ", ".join(f"{kind} {gate[kind]:.6g}" for kind in _LIMITS if gate.get(kind) is not None)
    parts = [f"{gate['metric']} {limits}"]
    parts += [word for word in ("relative", "unweighted") if gate.get(word)]
    if gate.get("against"):
        parts.append(f"against {gate['against']}")
    if gate.get("decide_by", "value") != "value":
        parts.append(f"decide_by {gate['decide_by']}")
    if gate.get("slices"):
        parts.append(f"slices {', '.join(gate['slices'])}")
    parts += [f"{key} {gate[key]}" for key in ("min_examples", "undecided") if gate.get(key)]
    return ", ".join([*parts, *(f"slice {name}" for name in _named_slice(gate))])


def _named_slice(gate: Mapping[str, Any]) -> list[str]:
    """Returns the name of the slice that a gate is about, if it names one."""
    conditions = [
        f"{column}={'(missing)' if value is None else value}"
        for column, value in (gate.get("slice") or {}).items()
    ]
    return [", ".join(conditions)] if conditions else []


def place_of(judgement: Mapping[str, Any], screen: Screen, *, named: bool) -> str:
    """Returns the slice of a judgement, behind its head if that is `named`; empty for no slice."""
    if judgement.get("slice") is None:
        return ""
    head = f"{screen.name(judgement['head'])}: " if named and judgement.get("head") else ""
    return head + screen.name(slice_name(judgement["slice"]))


def judged_value(judgement: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """Returns the value that was judged, with its interval if an end of that decides."""
    value = judgement.get("value")
    if value is None:
        return ""
    text = number(value)
    if judgement.get("candidate") is not None and judgement.get("baseline") is not None:
        text = f"{number(judgement['candidate'])} from {number(judgement['baseline'])}"
        text += f": {'+' if value >= 0 else ''}{number(value)}"
    if judgement.get("interval") and gate.get("decide_by", "value") != "value":
        lower, upper = judgement["interval"]
        text += f" ({between(lower, upper, 4)})"
    return text


def miss(judgement: Mapping[str, Any], gate: Mapping[str, Any]) -> str:
    """Returns by how much a limit was missed; of a gate with several limits also which."""
    several = sum(gate.get(kind) is not None for kind in _LIMITS) > 1
    which = f"{judgement['kind']} " if several and judgement.get("kind") else ""
    margin = judgement.get("margin")
    return f"{which}missed" + ("" if margin is None else f" by {-margin:.2g}")
