"""A few attacks on the last step of real runs; `attacks.py` makes many."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.engines.attacks import WORKERS, Attacks

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def attacks(tmp_path_factory: pytest.TempPathFactory) -> Attacks:
    seed = int.from_bytes(os.urandom(4))
    print("seed", seed)
    return Attacks(tmp_path_factory.mktemp("attacks"), seed)


@pytest.mark.parametrize("options", [(), WORKERS], ids=["in process", "two processes"])
@pytest.mark.parametrize("driver_alone", [False, True])
@pytest.mark.parametrize("swapping", [False, True])
def test_a_killed_run_loses_nothing(
    attacks: Attacks, options: tuple[str, ...], driver_alone: bool, swapping: bool
) -> None:
    attacks.kill(*options, driver_alone=driver_alone, swapping=swapping)


def test_a_run_that_was_killed_when_it_was_whole_is_published_by_the_next(attacks: Attacks) -> None:
    attacks.retry()


@pytest.mark.parametrize("number", range(2))
def test_two_runs_at_once_mix_nothing(attacks: Attacks, number: int) -> None:
    attacks.pair()


@pytest.mark.parametrize("size", [1000, 30_000])
def test_a_limit_on_the_size_of_files_loses_nothing(attacks: Attacks, size: int) -> None:
    attacks.limit(size)


@pytest.mark.parametrize("free", [4096, 120_000])
def test_a_full_disk_loses_nothing(attacks: Attacks, free: int, tmp_path: Path) -> None:
    attacks.full_disk(free)
