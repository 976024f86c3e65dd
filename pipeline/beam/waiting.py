"""Runs a pipeline, and ends it when the command is interrupted meanwhile."""

from __future__ import annotations

import queue
import signal
import threading
import time
from collections.abc import Callable
from typing import TypeVar, cast

import apache_beam as beam
from apache_beam.options.pipeline_options import (
    FlinkRunnerOptions,
    GoogleCloudOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
)
from apache_beam.runners.runner import PipelineResult, PipelineState

from pipeline.beam.local_runner import LocalRunner
from pipeline.errors.interrupted import Interrupted, allow, check, uninterrupted

Outcome = TypeVar("Outcome")

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
            Interrupted: after a signal.
            Exception: whatever the runner raises.
        """
        check()
        runner = self._pipeline.runner
        if isinstance(runner, LocalRunner):
            self._result = _in_thread(self._pipeline.run, runner.stop)
            return
        before = signal.getsignal(signal.SIGINT)
        try:
            self._result = self._pipeline.run()
        except Interrupted as interrupted:
            self._ended = False
            interrupted.note = "the job was being submitted, and may run"
            raise
        finally:
            # Beam's job servers handle SIGINT: they end, before the job can be cancelled.
            if signal.getsignal(signal.SIGINT) is not before:
                signal.signal(signal.SIGINT, before)

    def wait(self) -> None:
        """Waits until a job that was submitted has ended, and cancels it after a signal.

        Raises:
            Interrupted: after a signal. Its note says what became of the job.
            Exception: if the job failed.
        """
        assert self._result is not None
        try:
            _in_thread(self._result.wait_until_finish)
        except KeyboardInterrupt as interrupted:
            with uninterrupted():
                self._ended, note = _cancel(self._result, self._pipeline.options)
            if isinstance(interrupted, Interrupted):
                interrupted.note = note
            raise

    def ended(self) -> bool:
        """Returns whether nothing of the pipeline is known to read or write files any more."""
        if self._ended is None:
            return self._result is None or _has_ended(self._result)
        return self._ended


def _in_thread(
    work: Callable[[], Outcome], stop: Callable[[threading.Thread], None] | None = None
) -> Outcome:
    """Returns what a function returns, and raises what it raises, in a thread of its own.

    Args:
        work: the function.
        stop: what stops the function when this thread is interrupted; if None, it is left alone.
    """
    outcomes: queue.SimpleQueue[tuple[Outcome | None, BaseException | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            outcomes.put((work(), None))
        except BaseException as error:
            outcomes.put((None, error))

    thread = threading.Thread(target=run, name="pipeline", daemon=True)
    thread.start()
    try:
        while True:
            try:
                outcome, error = outcomes.get(timeout=_LOOK_SECONDS)
                break
            except queue.Empty:
                check()
        if error is not None:
            # A signal that ends the workers as well is the reason, and may come a moment later.
            time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        if stop is not None:
            with uninterrupted():
                stop(thread)
        raise
    if isinstance(error, Exception) and str(error):
        raise error
    if error is not None:
        # It says nothing, or would end the command without a message, as `SystemExit` does.
        raise RuntimeError(f"a thread ended with {error!r}") from error
    return cast(Outcome, outcome)


def _cancel(result: PipelineResult, options: PipelineOptions) -> tuple[bool, str]:
    """Cancels a job; returns whether it has ended, and what became of it, after a few seconds."""
    allow(ANSWER_SECONDS + _AFTER_SECONDS)
    told = [f"did not answer for {ANSWER_SECONDS:.0f} s"]
    ended = threading.Event()

    def cancel() -> None:
        try:
            result.cancel()
            told.append(f"was told to end, and had not after {ANSWER_SECONDS:.0f} s")
            while not _has_ended(result):
                time.sleep(_LOOK_SECONDS / 2)
            ended.set()
        except Exception as error:
            told.append(f"could not be cancelled: {error}")

    job, how = _job(result, options)
    thread = threading.Thread(target=cancel, name="cancel", daemon=True)
    thread.start()
    thread.join(ANSWER_SECONDS)
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


def _job(result: PipelineResult, options: PipelineOptions) -> tuple[str, str]:
    """Returns the name of a job, and how it is cancelled by hand."""
    if hasattr(result, "job_id"):
        name = result.job_id()
        cloud = options.view_as(GoogleCloudOptions)
        where = f"--region={cloud.region} --project={cloud.project}"
        return f"job {name}", f"cancel it with `gcloud dataflow jobs cancel {name} {where}`"
    name = getattr(result, "_job_id", None)
    # The address of a cluster, or of the server that took the job.
    address = options.view_as(PortableOptions).job_endpoint
    if options.view_as(StandardOptions).runner == "FlinkRunner":
        address = options.view_as(FlinkRunnerOptions).flink_master
    return f"job {name}" if name else "the job", f"cancel it at {address or 'its cluster'}"
