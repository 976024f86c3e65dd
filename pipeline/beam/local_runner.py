"""Beam's runner for this machine: in this process, or with worker processes."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import apache_beam as beam
from apache_beam.options.pipeline_options import DirectOptions, PipelineOptions, StandardOptions
from apache_beam.portability.api import beam_provision_api_pb2, beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner.fn_runner import (
    ExtendedProvisionInfo,
    FnApiRunner,
)
from apache_beam.runners.portability.portable_runner import JobServiceHandle
from apache_beam.runners.runner import PipelineResult
from apache_beam.utils import thread_pool_executor

from pipeline.beam.worker_process import WorkerEnded, Workers

# Beam's threads for a connection end with an exception when the worker has ended; the run then
# raises the reason.
_CONNECTIONS = ("beam_control_read", "read_grpc_client_inputs")
_LAST_SECONDS = 10.0


class _Stopped(SystemExit):
    """An exception that is raised in the threads of a run to end them.

    Python prints nothing where a `SystemExit` ends a thread.
    """


class LocalRunner(FnApiRunner):
    """Beam's `FnApiRunner`, which can be stopped, and ends when one of its workers does.

    Args:
        options: the options of Beam. Worker processes get them too: if Beam made the runner by its
            name, they would get none, and so no credentials and endpoints.
    """

    def __init__(self, options: PipelineOptions) -> None:
        self._workers = Workers()
        direct = options.view_as(DirectOptions)
        self._processes = direct.direct_running_mode == "multi_processing"
        super().__init__(provision_info=_ProvisionInfo(options, self._workers))

    def run_pipeline(self, pipeline: beam.Pipeline, options: PipelineOptions) -> PipelineResult:
        """Runs a pipeline to its end.

        Raises:
            WorkerEnded: if a worker process ended before.
        """
        try:
            with _quiet_connections():
                return super().run_pipeline(pipeline, options)
        except Exception as error:
            if isinstance(self._workers.error, WorkerEnded):
                raise self._workers.error from error
            raise

    def stop(self, thread: threading.Thread) -> None:
        """Stops the run; when this returns, nothing of it reads or writes files any more.

        Args:
            thread: the thread in which `run_pipeline` was called.
        """
        self._workers.end(RuntimeError("stopped"))
        if self._processes:
            return
        # Without worker processes, the thread itself does the work.
        while thread.is_alive():
            for working in (thread, *_threads_of_beam()):
                _raise_in(working, _Stopped)
            thread.join(0.1)
        # The exception may have ended threads that Beam's pool believes to be idle, and what is
        # given to them is never done. The next run in this process needs a pool of its own.
        thread_pool_executor._SHARED_UNBOUNDED_THREAD_POOL_EXECUTOR = (
            thread_pool_executor._SharedUnboundedThreadPoolExecutor()
        )


class _ProvisionInfo(ExtendedProvisionInfo):
    """What Beam hands to the handlers of workers: the options, and here the other workers."""

    def __init__(self, options: PipelineOptions, workers: Workers) -> None:
        encoded = JobServiceHandle.encode_pipeline_options(options.get_all_options())
        super().__init__(beam_provision_api_pb2.ProvisionInfo(pipeline_options=encoded))
        self.workers = workers

    def for_environment(
        self, environment: beam_runner_api_pb2.Environment
    ) -> ExtendedProvisionInfo:
        info = super().for_environment(environment)
        info.workers = self.workers
        return info


def make_runner(options: PipelineOptions) -> LocalRunner | None:
    """Returns the local runner, if the options name it, and None if they name another.

    `check_runner` has them name it for Beam's `DirectRunner`, which would download and start Prism,
    and run the pipeline a second time with the runner of which this is one if that failed.
    """
    if options.view_as(StandardOptions).runner == "FnApiRunner":
        return LocalRunner(options)
    return None


@contextmanager
def _quiet_connections() -> Iterator[None]:
    """Prints no exceptions of the threads that hold the connections to worker processes."""
    before, others = threading.excepthook, set(threading.enumerate())

    def hook(arguments: threading.ExceptHookArgs) -> None:
        if arguments.thread is None or arguments.thread.name not in _CONNECTIONS:
            before(arguments)

    threading.excepthook = hook
    try:
        yield
    except Exception:
        # Some end a moment after their worker, and would then print what they end with.
        for thread in set(threading.enumerate()) - others:
            if thread.name in _CONNECTIONS:
                thread.join(_LAST_SECONDS)
        raise
    finally:
        # A signal may have put another in its place.
        if threading.excepthook is hook:
            threading.excepthook = before


def _threads_of_beam() -> list[threading.Thread]:
    """Returns the threads that Beam works in when there are several workers in this process."""
    return [
        thread
        for thread in threading.enumerate()
        if isinstance(thread, thread_pool_executor._Worker)
    ]


def _raise_in(thread: threading.Thread, kind: type[BaseException]) -> None:
    """Raises an exception in another thread, as soon as that runs Python code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread.ident or 0), ctypes.py_object(kind)
    )
