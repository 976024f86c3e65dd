"""Runs on S3: Beam's filesystem against a server on this machine."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.beam.store import BeamStore
from pipeline.runs.manifest import is_intact
from tests.engines.object_stores import ROOT, Store, ask_for_credentials, s3_store
from tests.engines.store_laws import CONFIG, Place, StoreLaws, requests_of, without

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


def whole(place: Place, reports: dict[str, bytes]) -> str | None:
    """Whose run the bucket holds; None if it holds none that is whole."""
    store = BeamStore()
    if not is_intact(store, f"{place.url}/out"):
        return None
    report = place.bucket.get("out/report.json")
    (name,) = [name for name, content in reports.items() if content == report]
    return name


@pytest.mark.parametrize("wait", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_a_publisher_that_is_killed_loses_nothing(place: Place, wait: float) -> None:
    place.put_rows()
    FileSystems.set_options(PipelineOptions([]))
    reports, configs = {}, {}
    for name, score in (("new", "logit"), ("old", "older")):
        configs[name] = CONFIG.replace("logits: logit", f"logits: {score}")
        (place.folder / "config.yaml").write_text(configs[name])
        assert place.run(place.url, "--overwrite") == 0
        reports[name] = place.bucket.get("out/report.json")
    (place.folder / "config.yaml").write_text(configs["new"])
    overwrite = [sys.executable, "-m", "pipeline.cli", *job(place), "--overwrite"]
    with subprocess.Popen(overwrite, cwd=ROOT, stderr=subprocess.PIPE, text=True) as run:
        # Its files are in the stage one after the other, and then take the places of the old ones.
        while run.poll() is None and not any(key.endswith("/data.json") for key in stage_of(place)):
            time.sleep(0.01)
        time.sleep(wait)
        run.kill()
        run.communicate()
    committed = any(key.endswith("/COMMIT") for key in stage_of(place))
    held = whole(place, reports)
    assert held is not None or committed
    # The next run publishes what is whole: it is of the same job.
    again = command(place, *job(place), **place.store.environment)
    assert again.returncode == (0 if committed else 6), again.stderr
    assert whole(place, reports) == ("new" if committed else held)
    left = [key for key in stage_of(place) if key.endswith("/COMMIT")]
    assert left == []


def stage_of(place: Place) -> list[str]:
    """The keys of what is in stages."""
    return [key for key in list(place.bucket.keys()) if key.startswith("out/.headcount/")]


def test_two_runs_at_once_leave_one(place: Place) -> None:
    place.put_rows()
    FileSystems.set_options(PipelineOptions([]))
    shown, runs = {}, {}
    for name, score in (("new", "logit"), ("old", "older")):
        config = place.folder / f"{name}.yaml"
        config.write_text(CONFIG.replace("logits: logit", f"logits: {score}"))
        assert place.run(str(place.folder), f"--config={config}", output=name) == 0
        shown[name] = (place.folder / name / "report.json").read_bytes()
        arguments = [*job(place), f"--config={config}", "--overwrite"]
        runs[name] = [sys.executable, "-m", "pipeline.cli", *arguments]
    started = {
        name: subprocess.Popen(arguments, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for name, arguments in runs.items()
    }
    codes = {}
    for name, run in started.items():
        with run:
            told = run.communicate()
            codes[name] = run.returncode
            assert codes[name] in (0, 6), told
    held = whole(place, shown)
    assert held is not None
    assert codes[held] == 0
    assert stage_of(place) == []
