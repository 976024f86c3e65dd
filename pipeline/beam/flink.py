"""Jobs of a Flink cluster, as its REST API knows them."""

from __future__ import annotations

import json
import time
from http import HTTPStatus
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

_ENDED = {"CANCELED", "FAILED", "FINISHED"}
_ANSWER_SECONDS = 10
_UNKNOWN_SECONDS = 2
_LOOK_SECONDS = 0.2


def flink_address(options: PipelineOptions) -> str | None:
    """Returns the address of the REST API, or None if the options do not name a cluster."""
    master = options.view_as(FlinkRunnerOptions).flink_master or ""
    # Beam's names for clusters that are not at an address are in brackets.
    if not master or master.startswith("["):
        return None
    return master if "://" in master else f"http://{master}"


def cancel_jobs(address: str, name: str) -> None:
    """Cancels the jobs with a name, and returns when they have ended.

    When Beam's job server is told to cancel a batch job, it forgets the job and lets it run.

    Args:
        address: the address of the REST API.
        name: the name, which Beam makes up for one run.

    Raises:
        OSError: if the cluster does not answer, or refuses.
    """
    cancelled: set[str] = set()
    # The job server may be about to hand over the job.
    last = time.monotonic() + _UNKNOWN_SECONDS
    while True:
        named = [job for job in _jobs(address) if job["name"] == name]
        running = [job["jid"] for job in named if job["state"] not in _ENDED]
        if not running and (named or time.monotonic() > last):
            return
        for job in set(running) - cancelled:
            try:
                _ask(Request(f"{address}/jobs/{job}?mode=cancel", method="PATCH"))
            except HTTPError as error:
                # It has ended meanwhile.
                if error.code not in (HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT):
                    raise
            cancelled.add(job)
        time.sleep(_LOOK_SECONDS)


def _jobs(address: str) -> list[dict[str, Any]]:
    jobs: list[dict[str, Any]] = _ask(Request(f"{address}/jobs/overview"))["jobs"]
    return jobs


def _ask(request: Request) -> Any:
    with urlopen(request, timeout=_ANSWER_SECONDS) as answer:
        return json.load(answer)
