"""Runs on Google Cloud Storage: Beam's filesystem against an emulator on this machine."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engines.object_stores import ROOT, Store, gcs_store
from tests.engines.store_laws import Place, StoreLaws, requests_of

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with gcs_store(tmp_path_factory.mktemp("gcs")) as store:
        yield store


@pytest.fixture
def place(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return Place(store, tmp_path, f"bucket-{abs(hash(tmp_path)):x}")


class TestGcs(StoreLaws):
    pass


def test_refused_credentials_are_told_soon(place: Place) -> None:
    place.put_rows()
    denied = place.store.log.parent / "denied"
    denied.touch()
    try:
        places = ["--input", f"{place.url}/in/**", "--output", f"{place.url}/out"]
        config = ["--config", str(place.folder / "config.yaml")]
        done = subprocess.run(
            [sys.executable, "-m", "pipeline.cli", "run", *config, *places],
            capture_output=True,
            text=True,
            cwd=ROOT,
        )
    finally:
        denied.unlink()
    assert done.returncode == 2, done.stderr
    assert "invalid_grant" in done.stderr
    assert "check the address, the credentials and the network" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_small_shard_costs_two_requests_each_time_it_is_opened(place: Place) -> None:
    place.put_rows()
    mark = place.store.mark()
    assert place.run(place.url) == 0
    for number in range(3):
        found = requests_of(place, mark, f"part-{number}.parquet")
        # What there is of it and its bytes: its footer before the run and in it, and its rows.
        assert found == {"GET": 6}
