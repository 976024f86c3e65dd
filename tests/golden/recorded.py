"""Reads the recorded cases: turns JSON into arrays, arguments and errors."""

from __future__ import annotations

import builtins
import json
from pathlib import Path
from typing import Any

import numpy as np

from heads import SparseLabels
from tests.golden.loss_functions import LOSS_FUNCTIONS

FOLDER = Path(__file__).parent / "cases"
_NUMBERS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}

Case = dict[str, Any]


def cases() -> dict[str, Case]:
    """Returns all recorded cases by `file:name`."""
    return {
        f"{path.stem}:{case['name']}": case
        for path in sorted(FOLDER.glob("*.json"))
        for case in json.loads(path.read_text(encoding="utf-8"))["cases"]
    }


def number(value: Any) -> float:
    """Returns a number that is recorded as such or, if JSON does not have it, by name."""
    return float(_NUMBERS.get(value, value))


def array(record: dict[str, Any]) -> np.ndarray:
    """Returns an array; a recorded `row` is repeated along the first axis."""
    shape, kind = tuple(record["shape"]), record["dtype"]
    flat = record["data"] if "data" in record else record["row"] * shape[0]
    if kind in ("string", "bytes"):
        words = [word.encode() if kind == "bytes" else word for word in flat]
        return np.array(words or np.zeros(0, object)).reshape(shape)
    return np.array([_NUMBERS.get(v, v) for v in flat]).astype(kind).reshape(shape)


def argument(record: Any) -> Any:
    """Returns an argument of a head's method."""
    match record:
        case {"indices": indices, "values": values, "dense_shape": dense_shape}:
            return SparseLabels(array(indices), array(values), np.array(dense_shape))
        case {"dtype": _}:
            return array(record)
        case {"$list": nested}:
            return nested
    return record


def parameter(record: Any) -> Any:
    """Returns an argument of a head's constructor."""
    match record:
        case {"$loss_fn": name}:
            return LOSS_FUNCTIONS[name]
        case {"$tuple": items}:
            return tuple(map(parameter, items))
        case {"$set": items}:
            return set(map(parameter, items))
        case {"$dict": mapping}:
            return dict(mapping)
        case {"$float": name}:
            return number(name)
    return record


def accepted(error: dict[str, Any]) -> tuple[type[Exception], ...]:
    """Returns the exception types that a recorded error allows."""
    return tuple(getattr(builtins, name) for name in error["accept"])
