"""A Flink cluster on this machine, with Beam's job server: start, stop, status.

python -m tests.engines.flink_cluster start --task-managers 2
python -m tests.engines.flink_cluster status
python -m tests.engines.flink_cluster stop
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.engines import installing, processes
from tests.engines.flink_files import write_files
from tests.engines.ports import free_ports
from tests.engines.processes import Process

DIRECTORY = installing.ENGINES / "cluster"
MEMORY = "1600m"
"""The memory of a TaskManager, all told; its Python workers have their own."""

STATE = "state.json"
START_SECONDS = 300.0
CACHE_MILLIS = 5_000
"""How long a Python worker is kept; less than the delay of a restart, see `docs/engines.md`."""
LOG_TAIL = 3000

JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
RESOURCES = "org.apache.flink.runtime.util.bash.BashJavaUtils"


class ClusterError(Exception):
    """The cluster cannot be started, or is not there; the message says why."""


@dataclass
class Cluster:
    """A cluster that was started, as its state file tells.

    Attributes:
        directory: its configuration, logs and temporary files.
        slots: how many tasks a TaskManager runs at a time.
        parallelism: slots of the TaskManagers that it was started with.
        rest, job, artifact: ports of Flink's REST API and of Beam's job server.
        mark: what marks its processes.
        processes: those that were started, in order; some may have ended.
    """

    directory: Path
    slots: int
    parallelism: int
    rest: int
    job: int
    artifact: int
    mark: str
    processes: list[Process] = field(default_factory=list)

    @property
    def task_managers(self) -> list[Process]:
        """The TaskManagers that run."""
        return [
            process
            for process in self.processes
            if process.name.startswith("taskmanager") and process.runs()
        ]

    def ask(self, path: str) -> Any:
        """What Flink's REST API answers."""
        with urllib.request.urlopen(f"http://localhost:{self.rest}{path}", timeout=10) as answer:
            return json.load(answer)

    def options(self) -> list[str]:
        """The options that send a Beam pipeline here."""
        worker = json.dumps({"command": str(self.directory / "boot")})
        return [
            "--runner=PortableRunner",
            f"--job_endpoint=localhost:{self.job}",
            f"--artifact_endpoint=localhost:{self.artifact}",
            f"--flink_master=localhost:{self.rest}",
            "--environment_type=PROCESS",
            f"--environment_config={worker}",
            f"--parallelism={self.parallelism}",
            # A worker serves one stage after the other; else each starts its own, for seconds.
            f"--environment_cache_millis={CACHE_MILLIS}",
        ]

    def add_task_manager(self) -> Process:
        """Starts another TaskManager, and waits until the cluster knows it."""
        number = 1 + sum(process.name.startswith("taskmanager") for process in self.processes)
        name = f"taskmanager-{number}"
        jvm, settings = self._resources()
        settings += [f"-Dtaskmanager.resource-id={name}"]
        self._start(name, ["java", *jvm, *self._java(), TASK_MANAGER, *self._conf(), *settings])
        self._wait(name, lambda: name in self._known())
        return self.processes[-1]

    def stop(self) -> None:
        """Ends all that was started, and what that started, and forgets it."""
        processes.stop(self.processes)
        # One that was being started when a signal came is not in the list.
        processes.end_marked(self.mark)
        (self.directory / STATE).unlink(missing_ok=True)

    def start(self, task_managers: int) -> None:
        """Starts JobManager, TaskManagers and job server; ends them if one does not come up."""
        with ExitStack() as undo:
            undo.callback(self.stop)
            java = ["java", "-Xmx512m", *self._java(), JOB_MANAGER, *self._conf()]
            self._start("jobmanager", java)
            self._start("jobserver", ["java", "-Xmx512m", *self._job_server()])
            self._wait("jobmanager", lambda: self.ask("/overview"))
            for _ in range(task_managers):
                self.add_task_manager()
            for port in (self.job, self.artifact):
                self._wait("jobserver", lambda port=port: _answers(port))
            undo.pop_all()

    def _known(self) -> set[str]:
        return {manager["id"] for manager in self.ask("/taskmanagers")["taskmanagers"]}

    def _java(self) -> list[str]:
        opens = [f"--add-opens={module}=ALL-UNNAMED" for module in installing.ADD_OPENS]
        # Flink's own come first; those of Beam are here and not in every job.
        jars = f"{installing.flink()}/lib/*{os.pathsep}{installing.flink_runner()}/*"
        log = f"-Dlog4j.configurationFile={self.directory}/conf/log4j.properties"
        return [*opens, log, "-cp", jars]

    def _job_server(self) -> list[str]:
        options = {
            "flink-master": f"localhost:{self.rest}",
            "job-port": self.job,
            "artifact-port": self.artifact,
            "expansion-port": 0,
            "artifacts-dir": self.directory / "temporary" / "artifacts",
        }
        jar = str(installing.job_server())
        log = f"-Dlog4j.configurationFile={self.directory}/conf/log4j.properties"
        return [log, "-jar", jar, *(f"--{name}={value}" for name, value in options.items())]

    def _conf(self) -> list[str]:
        return ["--configDir", str(self.directory / "conf")]

    def _resources(self) -> tuple[list[str], list[str]]:
        """Options of Java and settings for the memory that the configuration gives."""
        jars = f"{installing.flink()}/bin/bash-java-utils.jar{os.pathsep}{installing.flink()}/lib/*"
        command = ["java", "-cp", jars, RESOURCES, "GET_TM_RESOURCE_PARAMS", *self._conf()]
        told = subprocess.run(command, capture_output=True, text=True, check=False)
        prefix = "BASH_JAVA_UTILS_EXEC_RESULT:"
        lines = [line.partition(prefix)[2] for line in told.stdout.splitlines() if prefix in line]
        if len(lines) != 2:
            raise ClusterError(f"Flink does not compute the memory:\n{told.stdout}{told.stderr}")
        return lines[0].split(), lines[1].split()

    def _start(self, name: str, command: list[str]) -> None:
        log = self.directory / "logs" / f"{name}.log"
        environment = {"TMPDIR": str(self.directory / "temporary")}
        self.processes.append(processes.start(name, command, self.mark, log, environment))
        state = {**asdict(self), "directory": str(self.directory)}
        unfinished = self.directory / f".{STATE}"
        unfinished.write_text(json.dumps(state, indent=1))
        unfinished.replace(self.directory / STATE)

    def _wait(self, name: str, answers: Callable[[], object]) -> None:
        process = next(started for started in self.processes if started.name == name)
        last = time.monotonic() + START_SECONDS
        while True:
            alive = process.runs()
            try:
                if answers():
                    return
            except (OSError, ValueError):
                pass
            if not alive or time.monotonic() > last:
                what = f"does not answer after {START_SECONDS:.0f} s" if alive else "ended"
                tail = Path(process.log).read_text(errors="replace")[-LOG_TAIL:]
                raise ClusterError(f"{name} {what}; its log, {process.log}, ends with:\n{tail}")
            time.sleep(0.1)


def start(directory: Path = DIRECTORY, task_managers: int = 2, slots: int = 1) -> Cluster:
    """Starts a cluster that lives until it is stopped.

    Raises:
        ClusterError: if one runs in this directory, or a part of it does not come up.
    """
    directory = directory.resolve()
    if (directory / STATE).exists():
        raise ClusterError(f"{directory} has a cluster; stop it first")
    directory.mkdir(parents=True, exist_ok=True)
    # What an older one left.
    for name in ("conf", "logs", "temporary"):
        shutil.rmtree(directory / name, ignore_errors=True)
    rpc, rest, job, artifact = free_ports(4)
    write_files(directory, rpc=rpc, rest=rest, slots=slots, memory=MEMORY)
    parallelism = task_managers * slots
    cluster = Cluster(directory, slots, parallelism, rest, job, artifact, uuid.uuid4().hex)
    cluster.start(task_managers)
    return cluster


def load(directory: Path = DIRECTORY) -> Cluster:
    """The cluster that was started in a directory.

    Raises:
        ClusterError: if there is none.
    """
    try:
        state = json.loads((directory / STATE).read_text())
    except FileNotFoundError as error:
        raise ClusterError(f"{directory} has no cluster; start one") from error
    state["processes"] = [Process(**values) for values in state["processes"]]
    return Cluster(**{**state, "directory": Path(state["directory"])})


def _answers(port: int) -> bool:
    with socket.create_connection(("localhost", port), timeout=1):
        return True


def _status(cluster: Cluster) -> str:
    lines = [f"Flink's REST API and page: http://localhost:{cluster.rest}"]
    for process in cluster.processes:
        what = f"runs, pid {process.pid}" if process.runs() else "ended"
        others = len(process.members()) - process.runs()
        lines.append(f"{process.name}: {what}" + f", and {others} it started" * (others > 0))
    options = " ".join(f"'{text}'" if "{" in text else text for text in cluster.options())
    return "\n".join([*lines, f"headcount run ... {options}"])


def main() -> int:
    parser = argparse.ArgumentParser(prog="flink_cluster", description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("start", "stop", "status"):
        command = commands.add_parser(name)
        command.add_argument("--directory", type=Path, default=DIRECTORY, help="%(default)s")
        if name == "start":
            command.add_argument("--task-managers", type=int, default=2, help="%(default)s")
            command.add_argument("--slots", type=int, default=1, help="of each; %(default)s")
    known = parser.parse_args()
    processes.raise_on_signals()
    try:
        if known.command == "start":
            print(_status(start(known.directory, known.task_managers, known.slots)))
        elif known.command == "stop":
            load(known.directory).stop()
        else:
            print(_status(load(known.directory)))
    except (ClusterError, installing.InstallError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
