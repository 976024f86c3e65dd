"""The limits of a gate."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.config.gates import Gate


@dataclass(frozen=True)
class Limit:
    """A limit of a gate.

    Attributes:
        kind: `at_least`, `at_most`, `max_drop` or `max_rise`.
        number: the limit, as the gate has it.
    """

    kind: str
    number: float

    @property
    def of_change(self) -> bool:
        """Whether it is a limit of a change; if not, of a value."""
        return self.kind in ("max_drop", "max_rise")

    @property
    def floor(self) -> bool:
        """Whether the figure must be at least `bound`; if not, at most."""
        return self.kind in ("at_least", "max_drop")

    @property
    def bound(self) -> float:
        """The limit on the scale of the figure: a drop of 0.02 is a difference of -0.02."""
        return -self.number if self.kind == "max_drop" else self.number


def limits_of(gate: Gate) -> list[Limit]:
    """Returns the limits of a gate."""
    return [Limit(kind, number) for kind, number in gate.limits]


def corrected(gate: Gate) -> bool:
    """Returns whether a gate decides by p-values, which are adjusted for all of its slices."""
    return gate.decide_by == "best_end" and gate.slices is not None
