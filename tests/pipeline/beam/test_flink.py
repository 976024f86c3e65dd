"""Jobs are cancelled on Flink itself, whose REST API is played here."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.beam import flink
from pipeline.beam.flink import cancel_jobs, flink_address
from pipeline.beam.waiting import _cancel


@dataclass
class Cluster:
    """A cluster.

    Attributes:
        url: where it answers.
        jobs: its jobs: name and state by identifier.
        later: jobs that it has from the second request on.
        cancelled: the jobs that it was told to cancel, in order.
        looks: after how many further requests a job that is told to end has ended.
        answer: the status with which it answers when it is told to cancel a job.
    """

    url: str = ""
    jobs: dict[str, list[str]] = field(default_factory=dict)
    later: dict[str, list[str]] = field(default_factory=dict)
    cancelled: list[str] = field(default_factory=list)
    looks: int = 2
    answer: int = 202

    def overview(self) -> dict[str, object]:
        if self.cancelled:
            self.looks -= 1
        for job in self.cancelled:
            self.jobs[job][1] = "CANCELLING" if self.looks > 0 else "CANCELED"
        known = [
            {"jid": job, "name": name, "state": state} for job, (name, state) in self.jobs.items()
        ]
        self.jobs.update(self.later)
        return {"jobs": known}


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    cluster = Cluster()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            assert self.path == "/jobs/overview"
            self.reply(200, cluster.overview())

        def do_PATCH(self) -> None:
            found = re.fullmatch(r"/jobs/(\w+)\?mode=cancel", self.path)
            assert found is not None
            if cluster.answer == 202:
                cluster.cancelled.append(found[1])
            elif cluster.answer == 409:
                cluster.jobs[found[1]][1] = "FINISHED"
            self.reply(cluster.answer, {})

        def reply(self, status: int, content: object) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(json.dumps(content).encode())

        def log_message(self, *what: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        cluster.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield cluster
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flink, "_LOOK_SECONDS", 0.01)


def test_the_job_of_this_name_is_cancelled_and_no_other(cluster: Cluster) -> None:
    cluster.jobs = {"a": ["click", "RUNNING"], "b": ["other", "RUNNING"], "c": ["click", "FAILED"]}
    cancel_jobs(cluster.url, "click")
    assert cluster.cancelled == ["a"]
    assert cluster.jobs["a"] == ["click", "CANCELED"]


def test_a_job_that_is_just_being_handed_over(cluster: Cluster) -> None:
    cluster.later = {"a": ["click", "RUNNING"]}
    cancel_jobs(cluster.url, "click")
    assert cluster.cancelled == ["a"]


def test_a_job_that_ends_by_itself_meanwhile(cluster: Cluster) -> None:
    cluster.jobs, cluster.answer = {"a": ["click", "RUNNING"]}, 409
    cancel_jobs(cluster.url, "click")
    assert cluster.jobs["a"] == ["click", "FINISHED"]


def test_a_job_that_the_cluster_never_had(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flink, "_UNKNOWN_SECONDS", 0.05)
    cancel_jobs(cluster.url, "click")
    assert cluster.cancelled == []


class Result:
    """A job as a job server knows it that has ended with the signal."""

    _job_id = "click_8d-1"
    state = "RUNNING"

    def cancel(self) -> None:
        raise ConnectionError("the job server has ended")


def options(cluster: Cluster) -> PipelineOptions:
    return PipelineOptions(["--runner=FlinkRunner", f"--flink_master={cluster.url}"])


def test_the_job_server_is_not_needed(cluster: Cluster) -> None:
    cluster.jobs = {"a": ["click", "RUNNING"]}
    assert _cancel(Result(), options(cluster), 60) == (True, "job click_8d-1 was cancelled")
    assert cluster.jobs["a"] == ["click", "CANCELED"]


def test_a_cluster_that_refuses_is_named(cluster: Cluster) -> None:
    cluster.jobs, cluster.answer = {"a": ["click", "RUNNING"]}, 403
    ended, told = _cancel(Result(), options(cluster), 60)
    assert not ended
    assert told == (
        f"job click_8d-1 may still run, cancel it at {cluster.url}: it could not be cancelled:"
        " HTTP Error 403: Forbidden"
    )


@pytest.mark.parametrize(
    ("arguments", "address"),
    [
        ([], None),
        (["--flink_master=[auto]"], None),
        (["--flink_master=[local]"], None),
        (["--flink_master=host:8081"], "http://host:8081"),
        (["--flink_master=https://host"], "https://host"),
    ],
)
def test_the_address_of_a_cluster(arguments: list[str], address: str | None) -> None:
    assert flink_address(PipelineOptions(arguments)) == address
