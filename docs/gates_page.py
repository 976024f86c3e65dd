"""Writes the tables of a simulation into docs/gates.md, from what a benchmark wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "gates.md"
MEASURED = ROOT / "benchmarks" / "gates.json"

_MARKED = r"(<!-- Written by `make docs`: {}. -->\n).*?(<!-- Until here. -->\n)"


def gates_page(text: str) -> str:
    """Returns the page with its tables replaced by those of what was measured.

    Args:
        text: the page as it is.
    """
    scenarios = json.loads(MEASURED.read_text())["scenarios"]
    for name, table in (("false alarms and power", _power), ("ways to decide", _ways)):
        lines = "".join(f"{line}\n" for line in table(scenarios))
        marked = re.compile(_MARKED.format(name), re.DOTALL)
        text, found = marked.subn(rf"\g<1>\n{lines}\n\g<2>", text)
        assert found == 1, f"{PAGE.name} has no place for the table of {name}"
    return text


def _power(scenarios: Mapping[str, Any]) -> list[str]:
    """Returns a table with a row for each thing that may be lost, and columns for each size."""
    sizes = list(scenarios["equally good"])
    heads = [f"{int(rows):,} rows: {told}" for rows in sizes for told in ("it fails", "others")]
    lines = [f"| the last slice | {' | '.join(heads)} |", "|---|" + "---|" * len(heads)]
    for name, found in scenarios.items():
        if name == "ways to decide":
            continue
        cells = []
        for rows in sizes:
            pairs, tally = found[rows]["pairs"], found[rows]["gates"]["best_end"]
            worse = "--" if name == "equally good" else _share(tally["found"], pairs)
            cells += [worse, _share(tally["others"], pairs)]
        told = name.replace("equally good", "is as good").removeprefix("one slice ")
        pairs = min(measured["pairs"] for measured in found.values())
        lines.append(f"| {told} (of {pairs:,} pairs) | {' | '.join(cells)} |")
    return lines


def _ways(scenarios: Mapping[str, Any]) -> list[str]:
    """Returns a table with a row for each gate, and columns for each size of slices."""
    found = scenarios["ways to decide"]
    heads = [f"{int(rows):,} rows: {told}" for rows in found for told in ("fails", "flips")]
    pairs = min(measured["pairs"] for measured in found.values())
    lines = [
        f"| gate (of {pairs:,} pairs) | {' | '.join(heads)} |",
        "|---|" + "---|" * len(heads),
    ]
    for gate in next(iter(found.values()))["gates"]:
        cells = []
        for measured in found.values():
            tally = measured["gates"][gate]
            flipped = tally["flipped"]
            cells.append(_share(tally["failed"], tally["verdicts"]))
            cells.append("--" if flipped is None else _share(flipped, measured["pairs"]))
        lines.append(f"| {gate} | {' | '.join(cells)} |")
    return lines


def _share(count: int, of: int) -> str:
    """Returns a percentage with its standard error, of one more and one less, so never 0."""
    near = (count + 1) / (of + 2)
    return f"{100 * count / of:.1f} ± {100 * (near * (1 - near) / of) ** 0.5:.1f}"


if __name__ == "__main__":
    PAGE.write_text(gates_page(PAGE.read_text()))
