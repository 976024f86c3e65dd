"""The verdict of the gates on a run: how it is made, stored and read again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from heads.metrics.core.plugins import Plugin
from heads.statistics.codec import decode
from pipeline.config.gates import Gate
from pipeline.errors.problems import ConfigError, Problem
from pipeline.evaluation.gated import check_gates
from pipeline.evaluation.plan import Plan
from pipeline.evaluation.state_key import StateKey
from pipeline.gates.judge import judge_gates
from pipeline.readers.storage import OpenFile, open_local
from pipeline.results.run_states import RunStates
from pipeline.runs.file_names import BLESSED, GATES, MARK, NOT_BLESSED
from pipeline.runs.load import gated_series, merge_partitions, read_states
from pipeline.runs.read import read_gates
from pipeline.runs.verify import VerifiedRun, open_run
from pipeline.slicing.table import SliceTable

NO_RUN = "none"
"""What is given in place of a run to skip the gates that compare with one."""


@dataclass(frozen=True, eq=False)
class OtherRun:
    """The finished run that gates compare with.

    Attributes:
        id: the identity of the run.
        directory: the directory that it was in.
        blessed: whether its own gates let it through; None if it had none.
        states: its states, as far as the gates read them.
    """

    id: str
    directory: str
    blessed: bool | None
    states: RunStates


def with_gates(plan: Plan, gates: Sequence[Gate] | None, source: str) -> Plan:
    """Returns a plan with its gates, after checking that it measures what they ask for.

    Args:
        plan: the plan of a run.
        gates: the gates in place of those of its configuration; None for those.
        source: the name of the file of the gates, for messages.

    Raises:
        ConfigError: with every gate that asks for what is not measured.
    """
    if gates is not None:
        plan = replace(plan, config=plan.config.model_copy(update={"gates": tuple(gates)}))
    check_gates(plan, source)
    return plan


def check_against(gates: Sequence[Gate], against: str | None, source: str) -> None:
    """Checks that there is a run to compare with if gates need one, and only then.

    Args:
        gates: the gates.
        against: the directory of the run; `NO_RUN` to skip the gates that need one; or None.
        source: the name of the file of the gates, for messages.

    Raises:
        ConfigError: if there is none, or if no gate needs it.
    """
    needing = [number for number, gate in enumerate(gates) if gate.against == "run"]
    if against is None and needing:
        message = (
            "compares with another run: give --against DIR, or --against=none to skip it, as the"
            ' first time; in Python against=DIR or against="none"'
        )
        raise ConfigError([Problem(source, ("gates", number), message) for number in needing])
    if against not in (None, NO_RUN) and not needing:
        message = (
            f"no gate compares with {against}: give one 'against: run', or leave --against out;"
            " `headcount diff` compares runs without gates"
        )
        raise ConfigError([Problem(source, ("gates",) if gates else (), message)])


def load_other(
    against: str | None,
    gates: Sequence[Gate],
    open_file: OpenFile = open_local,
    plugins: Sequence[Plugin] = (),
) -> OtherRun | None:
    """Reads the run that gates compare with, and verifies it.

    Args:
        against: its directory; None for none.
        gates: the gates.
        open_file: opens a file.
        plugins: the plugins that the user named.

    Raises:
        ConfigError: if there is no finished run, or if it is damaged.
        StorageError: if files elsewhere cannot be reached.
    """
    if against is None:
        return None
    run = open_run(against, open_file)
    states = read_states(run, plugins, lambda plan: gated_series(plan, gates))
    verdict = read_gates(run)
    blessed = None if verdict is None else bool(verdict["passed"])
    return OtherRun(run.manifest["id"], against, blessed, states)


def judge_run(
    plan: Plan,
    table: SliceTable,
    states: Iterable[tuple[StateKey, bytes]],
    other: OtherRun | None,
) -> dict[str, Any]:
    """Judges a run by the gates of its plan, and returns the content of `gates.json`.

    Only the states that the gates read are decoded.

    Args:
        plan: the plan of the run.
        table: the slices of the run.
        states: the merged states of all partitions, encoded.
        other: the run to compare with; None if no gate compares with one, or to skip those that do.
    """
    gates = plan.config.gates
    wanted = gated_series(plan, gates)
    decoded = {
        key: decode(content, digest=key.statistic)
        for key, content in states
        if key.series in wanted
    }
    merged = merge_partitions(plan, decoded)
    return judge(gates, RunStates("this run", plan, table, merged), other)


def judge(gates: Sequence[Gate], run: RunStates, other: OtherRun | None) -> dict[str, Any]:
    """Judges a run whose states were read; see `judge_run`."""
    if other is None:
        return judge_gates(gates, run)
    against = {"id": other.id, "directory": other.directory}
    return judge_gates(gates, run, other.states, against)


def gates_files(verdict: Mapping[str, Any]) -> dict[str, bytes]:
    """Returns the content of the files of a verdict by name: `gates.json`, and the mark.

    Args:
        verdict: the content of `gates.json` as plain data.
    """
    text = json.dumps(verdict, indent=1, ensure_ascii=False, allow_nan=False)
    return {GATES: text.encode() + b"\n", BLESSED if verdict["passed"] else NOT_BLESSED: MARK}


def verdict_on(
    run: VerifiedRun,
    gates: Sequence[Gate] | None,
    against: str | None,
    source: str,
    open_file: OpenFile = open_local,
    plugins: Sequence[Plugin] = (),
) -> dict[str, Any] | None:
    """Returns the verdict that a finished run holds, or judges it by other gates and its states.

    Args:
        run: the run.
        gates: the gates; None for the verdict that it holds, if it has gates.
        against: the directory of the run to compare with; `NO_RUN` to skip the gates that compare
            with one; None if there are none.
        source: the name of the file of the gates, for messages.
        open_file: opens a file.
        plugins: the plugins that the user named.

    Raises:
        ConfigError: if a gate asks for what the run did not measure; or if one of the runs is
            damaged, or there is no run to compare with.
    """
    if gates is None:
        if against is not None:
            message = "--against goes with --gates: the verdict of a run says what it compares with"
            raise ConfigError([Problem(source, (), message)])
        return read_gates(run)
    check_against(gates, against, source)
    states = read_states(run, plugins, lambda plan: gated_series(plan, gates))
    with_gates(states.plan, gates, source)
    other = load_other(None if against == NO_RUN else against, gates, open_file, plugins)
    return judge(gates, states, other)
