"""Ranks of cells, with a table and by sorting."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics.cell_index import ranked_cells
from tests.laws.batches import law

MOST = 2**64 - 1


@law
@given(st.lists(st.integers(0, 40) | st.integers(MOST - 40, MOST), max_size=30))
@pytest.mark.parametrize("lowest", [0, 10])
def test_ranks_are_positions_among_the_distinct_cells(lowest: int, cells: list[int]) -> None:
    words = np.array([cell for cell in cells if cell >= lowest], np.uint64)
    distinct, rank = ranked_cells(words)
    expected, expected_rank = np.unique(words, return_inverse=True)
    assert distinct.dtype == np.uint64
    assert distinct.tolist() == expected.tolist()
    assert rank.tolist() == expected_rank.tolist()
