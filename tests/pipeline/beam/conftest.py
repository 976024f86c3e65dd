"""Files that tests of Beam's part share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.pipeline.beam import memory_files


@pytest.fixture
def memory() -> Iterator[dict[str, bytes]]:
    """Files under mem://, by path."""
    memory_files.FILES.clear()
    yield memory_files.FILES
    memory_files.FILES.clear()
