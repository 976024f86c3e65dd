"""The worker processes of Beam's local runner: how they start, and what follows when one ends.

Beam's own handler starts workers in the working directory, whose files then hide modules, and waits
for ever for the answers of a worker that has ended.
"""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import grpc
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_fn_api_pb2_grpc, endpoints_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import ExtendedProvisionInfo
from apache_beam.runners.portability.fn_api_runner.worker_handlers import (
    BeamFnControlServicer,
    ControlConnection,
    GrpcServer,
    GrpcWorkerHandler,
    WorkerHandler,
)
from apache_beam.runners.portability.local_job_service import BeamFnLoggingServicer
from apache_beam.utils import thread_pool_executor
from google.protobuf import json_format, text_format

# A worker has this long to end when there is no more work for it, and when it was killed.
END_SECONDS = 10

_TAIL_BYTES = 4096
_ENDED = "a worker process ended with exit code {code} before its work was done"
_KILLED = "a worker process was killed by {name}"
_OUT_OF_MEMORY = ", as the system does when memory runs out"


class WorkerEnded(RuntimeError):
    """An exception for a worker process that ended before the run did."""


class Workers:
    """The worker processes of a run, which end together.

    Attributes:
        error: why they were ended before the run was, or None.
    """

    def __init__(self) -> None:
        self.error: Exception | None = None
        self._lock = threading.Lock()
        self._handlers: list[WorkerProcess] = []

    def start(self, handler: WorkerProcess) -> None:
        """Starts a process; raises `error` if the others were ended."""
        with self._lock:
            if self.error is not None:
                raise self.error
            handler.start_process()
            self._handlers.append(handler)

    def end(self, error: Exception) -> None:
        """Ends all processes, and makes everything that waits for them raise an error.

        Later calls do nothing.
        """
        with self._lock:
            if self.error is not None:
                return
            self.error = error
        for handler in self._handlers:
            handler.abort(error)
        for handler in self._handlers:
            handler.wait()


@WorkerHandler.register_environment(python_urns.SUBPROCESS_SDK, bytes)
class WorkerProcess(GrpcWorkerHandler):
    """A worker process, and the connections that Beam's local runner has to it."""

    def __init__(
        self,
        _: bytes,
        state: Any,
        provision_info: ExtendedProvisionInfo,
        grpc_server: GrpcServer,
    ) -> None:
        super().__init__(state, provision_info, grpc_server)
        workers = getattr(provision_info, "workers", None)
        # In a pipeline of the user's own, modules of the working directory are of the pipeline.
        self._keeps_here = workers is None
        self._workers: Workers = workers or Workers()
        control = grpc_server.control_handler
        self._connection = control.get_conn_by_worker_id(self.worker_id)
        self._control = self.control_conn = _Control(self._connection)
        self._closing = self._killed = False
        self._closed = threading.Event()

    def start_worker(self) -> None:
        self._workers.start(self)
        threading.Thread(target=self._watch, name="worker-watch", daemon=True).start()

    def start_process(self) -> None:
        """Starts the process, and the server of its log."""
        self._logging = grpc.server(thread_pool_executor.shared_unbounded_instance())
        port = self._logging.add_insecure_port("localhost:0")
        beam_fn_api_pb2_grpc.add_BeamFnLoggingServicer_to_server(
            BeamFnLoggingServicer(), self._logging
        )
        self._logging.start()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` closes it
        options = self.provision_info.provision_info.pipeline_options
        # A process inherits what its parent's thread blocks. A terminal sends SIGINT to workers
        # too, which must not print how they were interrupted.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            self._process = subprocess.Popen(
                worker_command(),
                # It ends when the command does: nothing is written there, and then it is closed.
                stdin=subprocess.PIPE,
                stdout=self._errors,
                stderr=self._errors,
                env=worker_environment(os.environ, sys.path, keep_here=self._keeps_here)
                | {
                    "CONTROL_API_SERVICE_DESCRIPTOR": _descriptor(self.control_address),
                    "LOGGING_API_SERVICE_DESCRIPTOR": _descriptor(f"localhost:{port}"),
                    "PIPELINE_OPTIONS": json_format.MessageToJson(options),
                    "WORKER_ID": self.worker_id,
                },
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def abort(self, error: Exception) -> None:
        """Kills the process, and makes everything that waits for it raise an error."""
        self._kill()
        self._control.abort(error)
        # Beam looks at this once a second while it waits for elements.
        self.data_conn._exception = error
        threading.Thread(target=self._drain, name="worker-drain", daemon=True).start()

    def wait(self) -> None:
        """Waits until the process has ended, and kills it if it does not."""
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            self._process.wait()

    def close(self) -> None:
        self._closing = True
        connected = self._connection._state == BeamFnControlServicer.STARTED_STATE
        self._connection.push(BeamFnControlServicer._DONE_MARKER)
        if self._workers.error is None:
            with suppress(Exception):
                self.data_conn.close()
            if not connected:
                # It would connect at last, and wait for work.
                self._kill()
        self.wait()
        if self._process.returncode and not self._killed:
            # Its connections were closed before it had ended, and Beam was faster.
            self._workers.error = self._workers.error or self._ended()
        self._closed.set()
        self._logging.stop(0)
        self._errors.close()
        assert self._process.stdin is not None
        self._process.stdin.close()

    def _watch(self) -> None:
        self._process.wait()
        if not self._closing:
            self._workers.end(self._ended())

    def _kill(self) -> None:
        self._killed = True
        self._process.kill()

    def _drain(self) -> None:
        """Takes what is still sent to the worker, so that nothing waits for room in the queue."""
        while not self._closed.is_set():
            with suppress(queue.Empty):
                self.data_conn._to_send.get(timeout=0.2)

    def _ended(self) -> WorkerEnded:
        """Returns the error that says how the process ended."""
        code = self._process.returncode
        if code < 0:
            name = signal.Signals(-code).name
            return WorkerEnded(_KILLED.format(name=name) + _OUT_OF_MEMORY * (name == "SIGKILL"))
        size = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, size - _TAIL_BYTES))
        lines = self._errors.read().decode(errors="replace").split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "")
        return WorkerEnded(_ENDED.format(code=code) + f": {last.strip()}" * bool(last))


class _Control:
    """A control connection whose requests fail once the worker has ended."""

    def __init__(self, connection: ControlConnection) -> None:
        self._connection = connection
        self._error: Exception | None = None

    def push(self, request: Any) -> Any:
        future = self._connection.push(request)
        if self._error is not None:
            future.abort(self._error)
        return future

    def abort(self, error: Exception) -> None:
        # In this order: a request that is pushed meanwhile is aborted here, or by `push`.
        self._error = error
        for future in list(self._connection._futures_by_id.values()):
            future.abort(error)


def worker_command() -> list[str]:
    """Returns the command of a worker, which finds headcount's packages as the command does.

    `-P` keeps the working directory off its path.
    """
    return [sys.executable, "-P", "-m", "headcount", "pipeline.beam.worker"]


def worker_environment(
    environment: Mapping[str, str], path: Sequence[str], *, keep_here: bool = False
) -> dict[str, str]:
    """Returns the environment of a worker, in which it finds the modules that this process finds.

    The path of this process may have the working directory first, where Python puts it by itself,
    and where files may have the names of modules. It is left out, unless the user's `PYTHONPATH`
    names it or headcount itself is there.

    Args:
        environment: the environment of this process.
        path: the path of this process, `sys.path`.
        keep_here: whether the working directory stays in any case.
    """
    here = os.path.abspath("")
    named = environment.get("PYTHONPATH", "").split(os.pathsep)
    home = str(Path(__file__).absolute().parents[2])
    kept = {home, *(os.path.abspath(place) for place in named if place)}
    places = [os.path.abspath(place) for place in path if isinstance(place, str)]
    places = [place for place in places if keep_here or place in kept or place != here]
    return {**environment, "PYTHONPATH": os.pathsep.join(dict.fromkeys([*places, home]))}


def _descriptor(address: str) -> str:
    return text_format.MessageToString(endpoints_pb2.ApiServiceDescriptor(url=address))
