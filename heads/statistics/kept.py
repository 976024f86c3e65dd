"""Keeping what is computed of a state for as long as the state lives."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from heads.statistics.state import State

Rest = ParamSpec("Rest")
Result = TypeVar("Result")


def kept_with_state(
    last: int,
) -> Callable[
    [Callable[Concatenate[State, Rest], Result]], Callable[Concatenate[State, Rest], Result]
]:
    """Lets a function of a state keep what it returned, in the state itself.

    So what is kept goes when the state does, where a cache of the function would keep the state.

    Args:
        last: for how many of the last other arguments results are kept; they are positional.
    """

    def decorate(
        function: Callable[Concatenate[State, Rest], Result],
    ) -> Callable[Concatenate[State, Rest], Result]:
        name = f"{function.__module__}.{function.__qualname__}"

        @wraps(function)
        def keeping(state: State, /, *rest: Rest.args, **named: Rest.kwargs) -> Result:
            assert not named, "results are kept by positional arguments"
            kept = state.kept.setdefault(name, OrderedDict())
            if rest not in kept:
                kept[rest] = function(state, *rest, **named)
                while len(kept) > last:
                    kept.popitem(last=False)
            kept.move_to_end(rest)
            result: Result = kept[rest]
            return result

        return keeping

    return decorate
