"""What Flink's REST API tells of the jobs of a cluster."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from tests.engines.flink_cluster import Cluster


@dataclass(frozen=True)
class Task:
    """One part of a stage, at its latest attempt.

    Attributes:
        task_manager: which TaskManager runs or ran it.
        status: `RUNNING`, `FINISHED`, ...
        attempt: 0, or how often it was started again.
        records: how many elements it has read.
    """

    task_manager: str
    status: str
    attempt: int
    records: int


@dataclass(frozen=True)
class Job:
    """A job of a cluster."""

    cluster: Cluster
    id: str

    def tasks(self, step: str) -> list[Task]:
        """The tasks of the stages that a step of the pipeline is part of."""
        found = []
        for vertex in self._details()["vertices"]:
            if step in vertex["name"]:
                told = self._ask(f"/vertices/{vertex['id']}")["subtasks"]
                found += [_task(subtask) for subtask in told]
        return found

    def state(self) -> str:
        """`RUNNING`, `CANCELED`, ..., as the list tells it; all else may be older."""
        told = self.cluster.ask("/jobs/overview")["jobs"]
        (state,) = [entry["state"] for entry in told if entry["jid"] == self.id]
        return str(state)

    def attempts(self) -> int:
        """The most often that any task of the job was started again."""
        vertices = [vertex["id"] for vertex in self._details()["vertices"]]
        subtasks = [
            subtask for v in vertices for subtask in self._ask(f"/vertices/{v}")["subtasks"]
        ]
        return max(subtask["attempt"] for subtask in subtasks)

    def failures(self) -> list[str]:
        """What tasks failed with, the latest first."""
        self._details()
        history = self._ask("/exceptions")["exceptionHistory"]["entries"]
        return [entry["exceptionName"] for entry in history]

    def _details(self) -> Any:
        """All that is told of it, once that is no older than the list."""
        while (details := self._ask())["state"] != self.state():
            time.sleep(0.1)
        return details

    def _ask(self, path: str = "") -> Any:
        return self.cluster.ask(f"/jobs/{self.id}{path}")


def jobs(cluster: Cluster) -> list[Job]:
    """The jobs that the cluster knows, the latest last."""
    told = cluster.ask("/jobs/overview")["jobs"]
    return [
        Job(cluster, entry["jid"]) for entry in sorted(told, key=lambda entry: entry["start-time"])
    ]


def _task(told: dict[str, Any]) -> Task:
    records = told["metrics"]["read-records"]
    return Task(told["taskmanager-id"], told["status"], told["attempt"], records)
