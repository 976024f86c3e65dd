"""The imports of a tree as a graph: of modules, and of the rooms that they are in."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from pathlib import Path

Graph = Mapping[str, set[str]]

PACKAGES = ("heads", "pipeline")
DOOR = "headcount"
FACE = "__init__"


def modules(root: Path) -> dict[str, Path]:
    """The modules of the packages by dotted name; a package has the name of its folder.

    The door, a module at the root, is among them if it is there.
    """
    found = {DOOR: root / f"{DOOR}.py"} if (root / f"{DOOR}.py").exists() else {}
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            found[".".join(part for part in parts if part != FACE)] = path
    return found


def imported(path: Path, known: Iterable[str] = ()) -> set[str]:
    """The modules that a file names in any import: at its top, in functions, for type checkers.

    Args:
        path: the file.
        known: modules; `from a import b` names `a.b` where that is one of them, else `a`.
    """
    submodules = set(known)
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute here"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}"
                names.add(inner if inner in submodules else module)
    return names


def module_graph(root: Path) -> dict[str, set[str]]:
    """By module of a tree, the modules of the tree that it imports."""
    paths = modules(root)
    return {
        name: {other for other in imported(path, paths) if other in paths and other != name}
        for name, path in paths.items()
    }


def room_of(module: str, paths: Mapping[str, Path]) -> str:
    """The room that a module is in.

    It is the folder of `heads` that holds it; in `pipeline` the folder right below, with all that
    is in it. A module at the root of `pipeline`, and the door, are rooms of their own.
    """
    if module == DOOR:
        return DOOR
    folder = module if paths[module].stem == FACE else module.rpartition(".")[0]
    if folder.startswith("pipeline."):
        return ".".join(folder.split(".")[:2])
    return module if folder == "pipeline" and module != folder else folder


def room_graph(root: Path) -> dict[str, set[str]]:
    """By room of a tree, the rooms that its modules import."""
    paths = modules(root)
    rooms: dict[str, set[str]] = {}
    for name, others in module_graph(root).items():
        # A face that hands names on is no arrow of its room.
        inside = rooms.setdefault(room_of(name, paths), set())
        if paths[name].stem != FACE:
            inside.update(room_of(other, paths) for other in others)
    return {room: others - {room} for room, others in rooms.items()}


def circles(graph: Graph) -> list[list[str]]:
    """The sets of nodes that reach each other, sorted: R. Tarjan, 1972, without recursion."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []
    for start in graph:
        work = [(start, iter(sorted(graph[start])))] if start not in index else []
        while work:
            node, others = work[-1]
            if node not in index:
                index[node] = low[node] = len(index)
                stack.append(node)
            for other in others:
                if other not in index:
                    work.append((other, iter(sorted(graph[other]))))
                    break
                if other in stack:
                    low[node] = min(low[node], index[other])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    circle = stack[stack.index(node) :]
                    del stack[stack.index(node) :]
                    if len(circle) > 1:
                        found.append(sorted(circle))
    return sorted(found)
