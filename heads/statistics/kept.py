"""A cache for results that are computed from a state, which lives as long as the state."""

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
    """Makes a decorator for functions of a state that keeps their results in the state itself.

    So the results are freed with the state; a cache of the function would keep the state alive.

    Args:
        last: how many results are kept, those used last. They are found by the arguments after the
            state, which must be positional.
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
