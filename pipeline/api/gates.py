"""The gates that programs give, and the run that they compare with."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.api.places import open_anywhere
from pipeline.config.load import as_gates
from pipeline.evaluation.plan import Plan
from pipeline.runs.gates import NO_RUN, OtherRun, check_against, load_other, with_gates

Given = str | os.PathLike[str] | Mapping[str, Any] | Sequence[Any] | None
"""How gates are given: the path of a YAML file, a list of dicts, or None."""


def plan_with(
    plan: Plan, source: str, gates: Given, against: str | os.PathLike[str] | None
) -> tuple[Plan, str | None]:
    """Returns a plan with its gates, and the run that they compare with as it was given.

    Args:
        plan: the plan of a run.
        source: the name of its configuration, for messages.
        gates: the gates in place of those of the configuration; None for those.
        against: the directory of the run that gates compare with; `NO_RUN`; or None.

    Raises:
        ConfigError: if the gates are wrong, do not fit the plan, or need a run to compare with.
    """
    given, source = (None, source) if gates is None else as_gates(gates, open_anywhere)
    plan = with_gates(plan, given, source)
    place = None if against is None else os.fspath(against)
    check_against(plan.config.gates, place, source)
    return plan, place


def gated(
    plan: Plan, source: str, gates: Given, against: str | os.PathLike[str] | None
) -> tuple[Plan, OtherRun | None]:
    """Returns a plan with its gates, and the run that they compare with, which is read.

    Arguments and errors are those of `plan_with`; the run may be damaged, too.
    """
    plan, place = plan_with(plan, source, gates, against)
    directory = None if place == NO_RUN else place
    return plan, load_other(directory, plan.config.gates, open_anywhere, plan.plugins)
