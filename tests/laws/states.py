"""Checks that states are equal to the bit, and that they are as their docstring promises."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from heads.statistics import DistinctScores, ScoreHistogram, State
from heads.statistics.closed_segments import CLOSED
from heads.statistics.codec import encode
from heads.statistics.exact import RADIX
from heads.statistics.keys import key_text


def _bits(array: npt.NDArray[Any]) -> tuple[str, tuple[int, ...], bytes]:
    return array.dtype.str, array.shape, array.tobytes()


def fingerprint(state: State) -> dict[str, Any]:
    """Returns the content of a state by name; it is equal only if all bits are equal."""
    out: dict[str, Any] = {
        "statistic": repr(state.statistic),
        "keys": [key_text(key) for key in state.keys],
        "shift": state.shift,
        "segment": _bits(state.segment),
        "group": _bits(state.group),
        "cell": _bits(state.cell),
    }
    for name in sorted(state.counts):
        out[f"count {name}"] = _bits(state.counts[name])
    for name in sorted(state.sums):
        column = state.sums[name]
        out[f"sum {name}"] = (column.low, _bits(column.limbs), _bits(column.specials))
    return out


def assert_same(*states: State) -> None:
    """Checks that all states are equal to the bit, and so are their encoded bytes."""
    for state in states[1:]:
        assert fingerprint(state) == fingerprint(states[0])
        assert encode(state) == encode(states[0])


def assert_canonical(state: State) -> None:
    """Checks that the state is in canonical form."""
    statistic = state.statistic
    texts = [key_text(key) for key in state.keys]
    assert texts == sorted(set(texts))
    assert np.array_equal(np.unique(state.segment), np.arange(len(state.keys)))
    table = list(
        zip(state.segment.tolist(), state.group.tolist(), state.cell.tolist(), strict=True)
    )
    assert table == sorted(set(table))
    assert all(0 <= group < statistic.folds * statistic.groups for group in state.group)
    if isinstance(statistic, DistinctScores):
        for place in range(len(state.keys)):
            rows = [cell for segment, _, cell in table if segment == place]
            assert len(set(rows)) <= statistic.max_cells
            assert state.closed[place] == (int(CLOSED) in rows)
            assert len(rows) == 1 or not state.closed[place]
        assert state.shift == 0
    elif isinstance(statistic, ScoreHistogram):
        assert len(set(state.cell.tolist())) <= statistic.max_cells
        assert all(cell < 1 << (64 - state.shift) for cell in state.cell.tolist())
    else:
        assert state.shift == 0
        assert all(cell < statistic.cells for cell in state.cell)
    assert all(np.all(count >= 0) for count in state.counts.values())
    assert np.all(state.counts["rows"] >= 1)
    assert set(state.sums) == set(statistic.sums)
    for column in state.sums.values():
        assert len(column) == len(column.limbs) == len(column.specials) == len(state)
        half = 1 << (RADIX - 1)
        assert np.all((column.limbs >= -half) & (column.limbs < half))
        if column.limbs.shape[1]:
            assert column.limbs[:, 0].any()
            assert column.limbs[:, -1].any()
        else:
            assert column.low == 0
        assert column.specials.shape[1] == (3 if column.specials.any() else 0)
