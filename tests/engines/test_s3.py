"""Runs on S3: Beam's filesystem against a server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.engines.object_stores import ROOT, Store, ask_for_credentials, s3_store
from tests.engines.store_laws import Place, StoreLaws, requests_of, without

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with s3_store(tmp_path_factory.mktemp("s3")) as store:
        yield store


@pytest.fixture
def place(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in without(os.environ).keys() - without(os.environ, "AWS_").keys():
        monkeypatch.delenv(name)
    for name, value in store.environment.items():
        monkeypatch.setenv(name, value)
    return Place(store, tmp_path, f"bucket-{abs(hash(tmp_path)):x}")


class TestS3(StoreLaws):
    pass


def command(place: Place, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command in a process that knows nothing of the store but what it is told."""
    plain = without(os.environ, "AWS_") | {
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "none",
        "AWS_SHARED_CREDENTIALS_FILE": "none",
    }
    return subprocess.run(
        [sys.executable, "-m", "pipeline.cli", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=plain | environment,
    )


def job(place: Place) -> list[str]:
    places = ["--input", f"{place.url}/in/**", "--output", f"{place.url}/out"]
    return ["run", "--config", str(place.folder / "config.yaml"), *places]


def test_options_of_the_command_line_reach_worker_processes(place: Place) -> None:
    place.put_rows()
    options = [
        f"--s3_endpoint_url={place.store.url}",
        "--s3_access_key_id=key",
        "--s3_secret_access_key=secret",
        "--s3_region_name=us-east-1",
    ]
    workers = ["--direct_running_mode=multi_processing", "--direct_num_workers=2"]
    done = command(place, *job(place), *options, *workers)
    assert done.returncode == 0, done.stderr
    assert place.run(str(place.folder)) == 0
    assert place.bucket.get("out/report.json") == (place.folder / "out/report.json").read_bytes()
    shown = command(place, "show", f"{place.url}/out", *options)
    assert shown.returncode == 0
    assert shown.stdout in done.stdout


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "Unable to locate credentials"),
        ({"AWS_ACCESS_KEY_ID": "other", "AWS_SECRET_ACCESS_KEY": "wrong"}, "Forbidden"),
        (
            {
                "AWS_ACCESS_KEY_ID": "key",
                "AWS_SECRET_ACCESS_KEY": "secret",
                "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            },
            "Could not connect to the endpoint URL",
        ),
    ],
)
def test_what_cannot_be_reached_is_told_soon(
    place: Place, environment: dict[str, str], said: str
) -> None:
    place.put_rows()
    more = {"AWS_ENDPOINT_URL": place.store.url, "AWS_MAX_ATTEMPTS": "1", **environment}
    ask_for_credentials(place.store)
    try:
        done = command(place, *job(place), **more)
    finally:
        ask_for_credentials(place.store, after=float("inf"))
    assert done.returncode == 2
    assert said in done.stderr
    assert "check the address, the credentials and the network" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bucket_that_is_not_there_has_no_files(
    place: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    assert place.run(place.url, "--input", "s3://there-is-none/*.parquet", files="in/*") == 4
    assert "no file matches" in capsys.readouterr().err


def test_a_small_shard_costs_two_requests_each_time_it_is_opened(place: Place) -> None:
    place.put_rows()
    mark = place.store.mark()
    assert place.run(place.url) == 0
    for number in range(3):
        found = requests_of(place, mark, f"part-{number}.parquet")
        # Its footer before the run and in it, and its rows.
        assert found == {"HEAD": 3, "GET": 3}


def test_a_large_shard_is_not_read_byte_by_byte(place: Place) -> None:
    rng = np.random.default_rng(0)
    rows = 400_000
    columns = {"logit": rng.normal(size=rows), "label": rng.integers(0, 2, rows)}
    columns |= {f"other_{n}": rng.normal(size=rows) for n in range(6)}
    columns |= {"weight": rng.random(rows)}
    pq.write_table(pa.table(columns), place.folder / "large", row_group_size=100_000)
    place.bucket.put("in/large.parquet", (place.folder / "large").read_bytes())
    mark = place.store.mark()
    assert place.run(place.url) == 0
    found = requests_of(place, mark, "large.parquet")
    assert found["HEAD"] == 3
    assert found["GET"] <= 12
