"""Counts what a tree is made of: lines, modules, rooms, arrows and circles.

    python -m tests.architecture.count [ROOT]

A room is a folder of `heads`; a folder right below `pipeline`, with all that is in it; or a module
at the root of `pipeline`. An arrow is a room that imports another one. Every import counts: at the
top of a module, in a function, for type checkers.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from tests.architecture.imports import circles, module_graph, modules, room_graph

TERSE = re.compile(r"\b(own|one|each)\b")


def count(root: Path) -> dict[str, int]:
    """The counts of a tree, by what is counted."""
    texts = {name: path.read_text(encoding="utf-8") for name, path in modules(root).items()}
    graph, rooms = module_graph(root), room_graph(root)
    rooms.pop("pipeline", None)  # it holds rooms, and no code
    inside = {name for circle in circles(rooms) for name in circle}
    return {
        "lines": sum(text.count("\n") for text in texts.values()),
        "longest module, lines": max(text.count("\n") for text in texts.values()),
        "modules": len(texts),
        "modules at the root of pipeline": len([*(root / "pipeline").glob("*.py")]) - 1,
        "rooms": len(rooms),
        "imports of modules": sum(map(len, graph.values())),
        "arrows between rooms": sum(map(len, rooms.values())),
        "circles of modules": len(circles(graph)),
        "modules in circles": sum(map(len, circles(graph))),
        "circles of rooms": len(circles(rooms)),
        "rooms in circles": len(inside),
        "'own', 'one', 'each'": sum(len(TERSE.findall(text)) for text in texts.values()),
    }


if __name__ == "__main__":
    tree = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parents[2]
    for what, number in count(tree).items():
        print(f"{number:>8,}  {what}")
