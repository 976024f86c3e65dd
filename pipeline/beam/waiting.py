"""Runs a pipeline, and ends it when the command is interrupted meanwhile."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
)
from apache_beam.runners.portability import job_server
from apache_beam.runners.runner import PipelineResult, PipelineState

from pipeline.beam.flink import cancel_jobs, flink_address
from pipeline.beam.local_runner import LocalRunner
from pipeline.errors.interrupted import Interrupted, allow, check, uninterrupted

ANSWER_SECONDS = 5.0
"""How long a cluster may take to cancel a job before the command ends without its answer."""

# Python notices a signal at once, unless it was delivered to another thread than the main one.
_LOOK_SECONDS = 0.5

# How long the command may take to end once it has waited for the answer.
_AFTER_SECONDS = 4.0


class Execution:
    """The execution of a pipeline.

    While it lasts, the main thread does nothing but wait, so that a signal interrupts it at once
    and nowhere else: then the local runner is stopped, and the job of another runner cancelled.

    Args:
        pipeline: the pipeline.
    """

    def __init__(self, pipeline: beam.Pipeline) -> None:
        self._pipeline = pipeline
        self._result: PipelineResult | None = None
        # Whether the job has ended, if a signal interrupted it; it is not asked again then.
        self._ended: bool | None = None

    def start(self) -> None:
        """Runs the pipeline to its end with the local runner, and submits it to any other.

        Raises:
            Interrupted: after a signal. Its note says what became of the job.
            Exception: whatever the runner raises.
        """
        check()
        with _without_handlers():
            self._interruptible(self._run)

    def wait(self) -> None:
        """Waits until a job that was submitted has ended, and cancels it after a signal.

        Raises:
            Interrupted: after a signal. Its note says what became of the job.
            Exception: if the job failed.
        """
        assert self._result is not None
        self._interruptible(self._result.wait_until_finish)

    def ended(self) -> bool:
        """Returns whether nothing of the pipeline is known to read or write files any more."""
        if self._ended is None:
            return self._result is None or _has_ended(self._result)
        return self._ended

    def _run(self) -> None:
        self._result = self._pipeline.run()

    def _interruptible(self, work: Callable[[], object]) -> None:
        """Calls a function in a thread, and ends the execution if this thread is interrupted."""
        outcomes: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()

        def run() -> None:
            try:
                work()
            except BaseException as error:
                outcomes.put(error)
            else:
                outcomes.put(None)

        thread = threading.Thread(target=run, name="pipeline", daemon=True)
        thread.start()
        try:
            error = _wait(outcomes)
        except KeyboardInterrupt as interrupted:
            with uninterrupted():
                note = self._end(thread)
            if isinstance(interrupted, Interrupted):
                interrupted.note = note
            raise
        if isinstance(error, Exception) and str(error):
            raise error
        if error is not None:
            # It says nothing, or would end the command without a message, as `SystemExit` does.
            raise RuntimeError(f"a thread ended with {error!r}") from error

    def _end(self, thread: threading.Thread) -> str:
        """Ends the execution; returns what the user should know of it."""
        runner = self._pipeline.runner
        if isinstance(runner, LocalRunner):
            runner.stop(thread)
            return ""
        allow(ANSWER_SECONDS + _AFTER_SECONDS)
        last = time.monotonic() + ANSWER_SECONDS
        if self._result is None:
            # It is being submitted.
            thread.join(ANSWER_SECONDS)
        if self._result is not None:
            seconds = max(ANSWER_SECONDS / 5, last - time.monotonic())
            self._ended, note = _cancel(self._result, self._pipeline.options, seconds)
            return note
        self._ended = not thread.is_alive()
        return "" if self._ended else "the job was being submitted, and may run"


def _wait(outcomes: queue.SimpleQueue[BaseException | None]) -> BaseException | None:
    """Returns the first outcome."""
    while True:
        try:
            error = outcomes.get(timeout=_LOOK_SECONDS)
            break
        except queue.Empty:
            check()
    if error is not None:
        # A signal that ends the workers as well is the reason, and may come a moment later.
        time.sleep(_LOOK_SECONDS)
    check()
    return error


@contextmanager
def _without_handlers() -> Iterator[None]:
    """Lets Beam's job servers install no handler for SIGINT.

    It would end the server before the job can be cancelled; and only the main thread may do it.
    """
    module = SimpleNamespace(SIGINT=signal.SIGINT, getsignal=signal.getsignal, signal=lambda *_: 0)
    job_server.signal = module
    try:
        yield
    finally:
        job_server.signal = signal


def _cancel(result: PipelineResult, options: PipelineOptions, seconds: float) -> tuple[bool, str]:
    """Cancels a job; returns whether it has ended, and what became of it after some seconds."""
    told = [f"did not answer for {seconds:.0f} s"]
    ended = threading.Event()
    identifier, how = _job(result, options)
    flink = flink_address(options)

    def cancel() -> None:
        try:
            if flink is None or not identifier:
                result.cancel()
                told.append(f"was told to end, and had not after {seconds:.0f} s")
                while not _has_ended(result):
                    time.sleep(_LOOK_SECONDS)
            else:
                # The job server may have had the same signal.
                with suppress(Exception):
                    result.cancel()
                # Its name there is Beam's without what follows the last underscore.
                cancel_jobs(flink, identifier.rpartition("_")[0])
            ended.set()
        except Exception as error:
            told.append(f"could not be cancelled: {error}")

    thread = threading.Thread(target=cancel, name="cancel", daemon=True)
    thread.start()
    thread.join(seconds)
    job = f"job {identifier}" if identifier else "the job"
    if ended.is_set():
        return True, f"{job} was cancelled"
    reason = " ".join(told[-1].split())
    return False, f"{job} may still run, {how}: it {reason}"


def _has_ended(result: PipelineResult) -> bool:
    """Returns whether a job is known to have ended."""
    try:
        return bool(PipelineState.is_terminal(result.state))
    except Exception:
        # The runner cannot be reached; the job may still run.
        return False


def _job(result: PipelineResult, options: PipelineOptions) -> tuple[str | None, str]:
    """Returns the identifier of a job, if it has one, and how it is cancelled by hand."""
    if hasattr(result, "job_id"):
        identifier = result.job_id()
        cloud = options.view_as(GoogleCloudOptions)
        where = f"--region={cloud.region} --project={cloud.project}"
        return identifier, f"cancel it with `gcloud dataflow jobs cancel {identifier} {where}`"
    # The address of the cluster, or of the server that took the job.
    address = flink_address(options) or options.view_as(PortableOptions).job_endpoint
    return getattr(result, "_job_id", None), f"cancel it at {address or 'its cluster'}"
