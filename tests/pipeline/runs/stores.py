"""Stores for the tests of publishing: one in memory, one that crashes, one that takes turns."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pipeline.runs.store import LocalStore, Store

CHANGES = (
    "write",
    "prepare",
    "move",
    "make_directory",
    "delete",
    "delete_directory",
    "delete_if_empty",
)
READS = ("read", "exists", "children")


class MemoryStore:
    """Files in memory by path, as an object store keeps them: no directories, no locks."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        if path not in self.files:
            raise FileNotFoundError(path)
        return self.files[path]

    def write(self, path: str, content: bytes) -> None:
        self.files[path] = content

    def prepare(self, staged: str) -> str:
        return staged

    def move(self, prepared: str, path: str) -> None:
        self.files[path] = self.files[prepared]

    def exists(self, path: str) -> bool:
        return path in self.files

    def children(self, directory: str) -> list[str]:
        prefix = f"{directory.rstrip('/')}/"
        below = (path[len(prefix) :] for path in self.files if path.startswith(prefix))
        return sorted({path.partition("/")[0] for path in below})

    def make_directory(self, path: str) -> None:
        pass

    def delete(self, paths: Sequence[str]) -> None:
        for path in paths:
            self.files.pop(path, None)

    def delete_directory(self, path: str) -> None:
        self.delete([name for name in self.files if name.startswith(f"{path}/")])

    def delete_if_empty(self, path: str) -> None:
        pass

    def sync(self, directory: str) -> None:
        pass

    @contextmanager
    def lock(self, directory: str, seconds: float) -> Iterator[bool]:
        yield False


class Crash(BaseException):
    """What ends a process at once."""


class _Watched:
    """A store whose operations are watched.

    Args:
        store: the store.
        names: the operations to watch.
        watch: is called with an operation and its arguments, and does it.
    """

    def __init__(self, store: Store, names: Sequence[str], watch: Callable[..., Any]) -> None:
        self._store = store
        self._names = names
        self._watch = watch

    def __getattr__(self, name: str) -> Any:
        operation = getattr(self._store, name)
        if name not in self._names:
            return operation
        return lambda *arguments: self._watch(operation, *arguments)


def crashing(store: Store, at: int, *, done: bool) -> Any:
    """A store that crashes at its change number `at`, after it is done or before.

    A local file that is not whole yet is left where `done` is false.
    """
    left = at

    def watch(operation: Callable[..., Any], *arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left == 0 and not done:
            if operation.__name__ == "write" and isinstance(store, LocalStore):
                with open(f"{arguments[0]}.{os.urandom(16).hex()}", "wb") as stream:
                    stream.write(b"x")
            raise Crash
        result = operation(*arguments)
        if left == 0:
            raise Crash
        return result

    return _Watched(store, CHANGES, watch)


def take_turns(
    store: Store, actors: Sequence[Callable[[Any], object]], order: Iterator[int], crash: int
) -> list[BaseException | None]:
    """Lets actors use a store at once, one operation after the other, and returns their errors.

    Args:
        store: the store.
        actors: are called with the store, in threads.
        order: which actor is next; when it ends, all others go on in turn.
        crash: the number of the operation at which the first actor crashes; 0 for never.
    """
    turns = [threading.Semaphore(0) for _ in actors]
    back = threading.Semaphore(0)
    errors: list[BaseException | None] = [None for _ in actors]
    ended = [False for _ in actors]
    count = 0

    def begin(number: int) -> None:
        nonlocal count

        def watch(operation: Callable[..., Any], *arguments: Any) -> Any:
            nonlocal count
            back.release()
            turns[number].acquire()
            if number == 0:
                count += 1
                if count == crash:
                    raise Crash
            return operation(*arguments)

        try:
            actors[number](_Watched(store, CHANGES + READS, watch))
        except BaseException as error:
            errors[number] = error
        ended[number] = True
        back.release()

    for number in range(len(actors)):
        threading.Thread(target=begin, args=(number,)).start()
        back.acquire()
    waiting = 0
    while not all(ended):
        number = next(order, None)
        if number is None:
            waiting += 1
            number = waiting
        number %= len(actors)
        if not ended[number]:
            turns[number].release()
            back.acquire()
    return errors
