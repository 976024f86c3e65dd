"""Signals that ask the command to end: SIGINT, SIGTERM and SIGHUP.

The first of them ends the process at once or, where something has to be cleaned up, raises
`Interrupted` in the main thread; those that follow do nothing. Whatever happens, the process and
all that it started have ended a few seconds later.

This is imported before anything else, and imports little: until then signals are not handled.
"""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from pipeline.errors.interrupted import REQUEST, Interrupted, allow, check

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

SECONDS = 4.5
"""How long the command may take to end after a signal, unless it waits for a cluster."""

_RESULT: list[int] = []
"""The exit code of the command, once it has one."""

_TOLD = threading.Lock()
"""Held by the thread that prints the line: there is one line, whoever comes first."""


def end_on_signals(command: Callable[[], int]) -> int:
    """Runs the command of this process, which signals may end, and returns its exit code.

    After a signal the exit code is 128 and the number of the signal, as shells have it.
    """
    if threading.current_thread() is not threading.main_thread():
        # Python runs handlers in the main thread only.
        return command()
    _install()
    try:
        code = command()
        check()
        # The result stands, and what is left to do is to end.
        _RESULT.append(code)
        _handle_by(lambda *_: _end(code))
    except BaseException as error:
        # The exception of the signal may have become another on its way.
        if REQUEST.number is None:
            raise
        return tell(error if isinstance(error, Interrupted) else Interrupted(REQUEST.number))
    return code


def tell(interrupted: KeyboardInterrupt) -> int:
    """Prints the line that says why the command ends, and returns its exit code."""
    if not isinstance(interrupted, Interrupted):
        # The caller of the command handles signals itself.
        print("interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    if _TOLD.acquire(blocking=False):
        note = f"; {interrupted.note}" * bool(interrupted.note)
        # A handler may interrupt a thread that is printing, and must not use what that uses.
        with suppress(OSError):
            os.write(2, f"interrupted ({interrupted.number.name}){note}\n".encode())
    return 128 + interrupted.number


def _install() -> None:
    _handle_by(_handle)
    # What is registered first is called last: after all that other libraries have to end.
    atexit.register(_at_exit)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    # Python writes numbers of signals there at once, also while the main thread is in a C function.
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    threading.Thread(target=_watch, args=(reader,), name="signals", daemon=True).start()


def _handle_by(handler: Callable[[int, object], object] | signal.Handlers) -> None:
    for number in SIGNALS:
        # A signal that is ignored from the start stays so: `nohup`, or a job of a script.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)


def _handle(number: int, _: object) -> None:
    if REQUEST.number is not None:
        return
    REQUEST.number = number
    _be_quiet()
    if REQUEST.uninterrupted:
        return
    if REQUEST.interruptible:
        raise Interrupted(number)
    _end(tell(Interrupted(number)))


def _be_quiet() -> None:
    """Prints nothing of what threads fail with from now on: the line of the signal says enough."""
    threading.excepthook = lambda _: None
    sys.unraisablehook = lambda _: None
    if "logging" in sys.modules:
        sys.modules["logging"].disable()


def _watch(reader: int) -> None:
    """Ends the process if it has not ended some time after a signal."""
    while (number := os.read(reader, 1)[0]) not in SIGNALS:
        pass
    if _RESULT:
        # The main thread may be in a function of C, and not come to run its handler.
        _end(_RESULT[0])
    if REQUEST.number is None:
        # Another thread got the signal, and the main thread, which handles it, may sleep.
        signal.pthread_kill(threading.main_thread().ident or 0, number)
    allow(SECONDS)
    while (left := REQUEST.until - time.monotonic()) > 0:
        time.sleep(min(left, 0.2))
    interrupted = Interrupted(number)
    interrupted.note = "what it had begun to clean up may be left"
    _end(tell(interrupted))


def _at_exit() -> None:
    if REQUEST.number is not None:
        # The threads that are left may wait for ever, and Python would wait for them.
        _end(128 + REQUEST.number)
    _handle_by(signal.SIG_IGN)


def _end(code: int) -> None:
    """Ends this process at once, and the processes that it started."""
    with suppress(Exception):
        sys.stdout.flush()
    for task in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else ():
        with suppress(OSError), open(f"/proc/self/task/{task}/children") as children:
            for child in children.read().split():
                os.kill(int(child), signal.SIGKILL)
    os._exit(code)
