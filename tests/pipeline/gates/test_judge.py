"""What gates say of a run, held against the report and against other libraries."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from heads.statistics import Key
from pipeline.config.gates import Gate
from pipeline.evaluate import Evaluation, evaluate
from pipeline.gates.judge import judge_gates, measured_by
from pipeline.gates.judgements import Judgement, gate_data
from pipeline.gates.limits import Limit
from pipeline.results.run_states import RunStates
from pipeline.slicing.names import slice_data
from tests.pipeline.tables import plan_of

CONFIG = """
slices: [g, {columns: [g, size]}, {column: none, values: [nobody]}]
min_slice_size: 20
heads:
  h: {type: binary, logits: s, label: y, weight: w, baseline: {logits: b}}
  number: {type: regression, prediction: s, label: z, baseline: {prediction: b}}
"""
ROWS = 3000
PLAN = plan_of(CONFIG)


def rows(seed: int = 5) -> pa.Table:
    """Rows of two models, of which the candidate is worse in the group `bad`."""
    rng = np.random.default_rng(seed)
    g = rng.choice(
        ["a", "b", "bad", "c", "d", "tiny"], ROWS, p=[0.3, 0.25, 0.2, 0.15, 0.097, 0.003]
    )
    y = rng.integers(0, 2, ROWS)
    b = (2 * y - 1) + rng.normal(0, 1.5, ROWS)
    s = (2 * y - 1) * np.where(g == "bad", 0.3, 1) + rng.normal(0, 1.5, ROWS)
    return pa.table(
        {
            "g": pa.array(g, mask=rng.random(ROWS) < 0.01),
            "size": rng.integers(0, 2, ROWS),
            "none": pa.array(["somebody"] * ROWS),
            "y": y,
            "z": y + rng.normal(0, 0.1, ROWS),
            "w": rng.gamma(2, 1, ROWS),
            "s": s,
            "b": b,
        }
    )


@cache
def evaluated(seed: int = 5) -> Evaluation:
    return evaluate(rows(seed), PLAN)


@cache
def run(seed: int = 5) -> RunStates:
    evaluation = evaluated(seed)
    return RunStates.of("run", PLAN, evaluation.table, evaluation.states)


def reports(seed: int = 5) -> dict[Key, dict[str, Any]]:
    """The slices of head `h` in the report by their keys."""
    slices = evaluated(seed).report["heads"]["h"]["slices"]
    return {key_of(entry): entry for entry in slices}


def key_of(entry: Mapping[str, Any]) -> Key:
    return tuple((part["column"], part["kind"], part["value"]) for part in entry["slice"])


def judge(other: RunStates | None = None, **keys: Any) -> dict[str, Any]:
    """What a gate says of the run."""
    data = judge_gates([Gate(**keys)], run(), other)
    (gate,) = data["gates"]
    assert data["passed"] == (gate["passed"] or gate["severity"] == "warn")
    return gate


def by_slice(gate: Mapping[str, Any], head: str = "h") -> dict[Key, dict[str, Any]]:
    """The judgements of a head by the key of the slice."""
    return {
        key_of(judgement): judgement
        for judgement in gate["judgements"]
        if judgement["head"] == head
    }


def figure(judgement: Mapping[str, Any]) -> tuple[Any, ...]:
    return judgement["examples"], judgement["value"], judgement["interval"]


def reported(entry: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[Any, ...]:
    """The same of the report."""
    interval = [found["lower"], found["upper"]] if "lower" in found else None
    return entry["examples"], found["value"], interval


METRICS = [
    "roc_auc",
    "average_loss",
    "accuracy",
    "precision",
    "label/mean",
    "threshold_at_recall_0.9",
]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("columns", [None, ("g",), ("g", "size")])
def test_values_are_those_of_the_report(metric: str, columns: tuple[str, ...] | None) -> None:
    gate = judge(metric=metric, head="h", at_least=0.5, slices=columns)
    report = reports()
    found = by_slice(gate)
    wanted = {
        key for key in report if tuple(sorted(column for column, *_ in key)) == (columns or ())
    }
    assert found.keys() == wanted
    for key, judgement in found.items():
        entry = report[key]
        assert figure(judgement) == reported(entry, entry["metrics"][metric])
    unweighted = judge(metric=metric, head="h", at_least=0.5, slices=columns, unweighted=True)
    for key, judgement in by_slice(unweighted).items():
        entry = report[key]
        assert figure(judgement) == reported(entry, entry["metrics"][metric]["unweighted"])


@pytest.mark.parametrize("metric", METRICS[:4])
def test_changes_are_the_differences_of_the_report(metric: str) -> None:
    gate = judge(metric=metric, head="h", max_drop=0.01, against="baseline", slices=["g"])
    report = reports()
    for key, judgement in by_slice(gate).items():
        entry = report[key]
        assert figure(judgement) == reported(entry, entry["difference"][metric])
        assert judgement["candidate"] == entry["metrics"][metric]["value"]
        assert judgement["baseline"] == entry["baseline"]["metrics"][metric]["value"]


def test_metrics_of_both_models_are_judged() -> None:
    gate = judge(metric="flip_rate", at_most=0.5)
    entry = reports()[()]
    assert figure(by_slice(gate)[()]) == reported(entry, entry["both"]["flip_rate"])


def test_a_metric_is_judged_of_every_head_that_has_it() -> None:
    gate = judge(metric="average_loss", at_most=1)
    assert [judgement["head"] for judgement in gate["judgements"]] == ["h", "number"]
    assert [j["head"] for j in judge(metric="rmse", at_most=1)["judgements"]] == ["number"]


@pytest.mark.parametrize(
    ("decide_by", "floor", "decides"),
    [
        ("value", True, "value"),
        ("value", False, "value"),
        ("worst_end", True, "lower"),
        ("worst_end", False, "upper"),
        ("best_end", True, "upper"),
        ("best_end", False, "lower"),
    ],
)
def test_what_must_keep_to_the_limit(decide_by: str, floor: bool, decides: str) -> None:
    number = reports()[()]["metrics"]["roc_auc"][decides]
    kind = "at_least" if floor else "at_most"
    beyond = np.nextafter(number, np.inf if floor else -np.inf)
    for limit, outcome in [(number, "pass"), (float(beyond), "fail")]:
        gate = judge(metric="roc_auc", decide_by=decide_by, **{kind: limit})
        (judgement,) = gate["judgements"]
        margin = number - limit if floor else limit - number
        assert (judgement["outcome"], judgement["margin"]) == (outcome, margin)
        assert (gate["outcome"], gate["passed"]) == (outcome, outcome == "pass")


@pytest.mark.parametrize("kind", ["max_drop", "max_rise"])
def test_a_change_may_be_as_large_as_the_limit(kind: str) -> None:
    change = reports()[()]["difference"]["roc_auc"]["value"]
    assert change < 0
    keys = {"metric": "roc_auc", "against": "baseline"}
    if kind == "max_rise":
        assert judge(max_rise=0.0, **keys)["outcome"] == "pass"
        return
    assert judge(max_drop=-change, **keys)["outcome"] == "pass"
    assert judge(max_drop=-change - 1e-12, **keys)["outcome"] == "fail"


def test_a_relative_change_is_a_share_of_the_baseline() -> None:
    gate = judge(
        metric="average_loss",
        head="h",
        max_rise=0.1,
        relative=True,
        against="baseline",
        slices=["g"],
    )
    report = reports()
    for key, judgement in by_slice(gate).items():
        entry = report[key]
        new, old = (
            model["metrics"]["average_loss"]["value"] for model in (entry, entry["baseline"])
        )
        assert judgement["value"] == pytest.approx(new / old - 1)
        if judgement["interval"] is not None:
            lower, upper = judgement["interval"]
            assert lower < judgement["value"] < upper
        if judgement["examples"] > 500 and abs(judgement["value"]) < 0.1:
            lower, upper = judgement["interval"]
            # Of small changes it is the difference, as a share.
            difference = entry["difference"]["average_loss"]
            width = (difference["upper"] - difference["lower"]) / old
            assert upper - lower == pytest.approx(width, rel=0.1)


def test_best_ends_over_slices_are_corrected() -> None:
    keys: dict[str, Any] = {
        "metric": "roc_auc",
        "head": "h",
        "max_drop": 0.0,
        "against": "baseline",
    }
    gate = judge(slices=["g"], decide_by="best_end", **keys)
    found = by_slice(gate)
    tested = {key: judgement for key, judgement in found.items() if "p" in judgement}
    assert len(tested) == 5
    adjusted = stats.false_discovery_control([judgement["p"] for judgement in tested.values()])
    for judgement, p in zip(tested.values(), adjusted, strict=True):
        assert judgement["p_adjusted"] == pytest.approx(p)
        assert judgement["outcome"] == ("fail" if p < 0.025 else "pass")
    assert [key[0][2] for key, judgement in found.items() if judgement["outcome"] == "fail"] == [
        "bad"
    ]
    # One slice is no family.
    (alone,) = judge(slice={"g": "bad"}, decide_by="best_end", **keys)["judgements"]
    assert "p" not in alone
    assert alone["outcome"] == "fail"


@pytest.mark.parametrize("metric", METRICS[:4])
def test_a_p_value_is_that_at_which_the_end_meets_the_limit(metric: str) -> None:
    gate = judge(metric=metric, head="h", at_least=0.7, slices=["g"], decide_by="best_end")
    for key, judgement in by_slice(gate).items():
        p = judgement.get("p")
        if p is None or not 1e-6 < p < 1 - 1e-6:
            continue
        is_upper = judgement["value"] < 0.7
        level = 1 - 2 * (p if is_upper else 1 - p)
        config = PLAN.config
        confidence = config.confidence.model_copy(update={"level": level})
        plan = dataclasses.replace(
            PLAN, config=config.model_copy(update={"confidence": confidence})
        )
        again = RunStates("run", plan, run().table, run().states)
        data = judge_gates([Gate(metric=metric, head="h", at_least=0.7, slices=("g",))], again)
        interval = by_slice(data["gates"][0])[key]["interval"]
        assert interval[is_upper] == pytest.approx(0.7, rel=1e-9)


def test_changes_from_another_run() -> None:
    gate = judge(run(), metric="roc_auc", head="h", max_drop=0.01, against="run", slices=["g"])
    for judgement in gate["judgements"]:
        # The rows are the same, and paired.
        assert judgement["value"] == 0
        assert judgement["paired"]
        assert judgement["outcome"] in ("pass", "too_small")
    other = judge(run(6), metric="roc_auc", head="h", max_drop=0.01, against="run", slices=["g"])
    for key, judgement in by_slice(other).items():
        ours, theirs = (reports(seed)[key]["metrics"]["roc_auc"] for seed in (5, 6))
        assert judgement["candidate"] == ours["value"]
        assert not judgement["paired"]
        assert judgement["value"] == pytest.approx(ours["value"] - theirs["value"])
        if judgement["interval"] is not None:
            errors = np.hypot(ours["standard_error"], theirs["standard_error"])
            lower, upper = judgement["interval"]
            assert (upper - lower) / 2 == pytest.approx(errors * 2.1, rel=0.1)


def lacking(change: Any) -> RunStates:
    """Another run, of which something is missing."""
    states = {head: dict(found) for head, found in run(6).states.items()}
    changed: RunStates = change(dataclasses.replace(run(6), states=states))
    return changed


def without_head(other: RunStates) -> RunStates:
    heads = {name: head for name, head in other.plan.heads.items() if name != "h"}
    return dataclasses.replace(other, plan=dataclasses.replace(other.plan, heads=heads))


def without_slices(other: RunStates) -> RunStates:
    states = {
        measured: state.take([state.places[()]] if () in state.places else [])
        for measured, state in other.states["h"].items()
    }
    return dataclasses.replace(other, states={**other.states, "h": states})


@pytest.mark.parametrize(
    ("change", "reason"),
    [(without_head, "has no head of this name"), (without_slices, "does not have this slice")],
)
def test_what_another_run_lacks_is_undecided(change: Any, reason: str) -> None:
    other = lacking(change)
    keys: dict[str, Any] = {"metric": "roc_auc", "max_drop": 0.01, "against": "run"}
    (judgement,) = judge(other, slice={"g": "a"}, **keys)["judgements"]
    assert judgement["outcome"] == "undecided"
    assert reason in judgement["reason"]
    assert judgement["effect"] == "warn"


def test_without_a_run_changes_from_one_are_skipped_and_values_are_not() -> None:
    gate = judge(metric="roc_auc", at_least=0.9, max_drop=0.01, against="run")
    outcomes = [judgement["outcome"] for judgement in gate["judgements"]]
    assert outcomes == ["fail", "skipped"]
    assert judge(metric="roc_auc", max_drop=0.01, against="run")["passed"]


@pytest.mark.parametrize(
    ("keys", "outcome", "effect"),
    [
        ({"at_least": 0.5}, "pass", "none"),
        ({"at_least": 0.99}, "fail", "fail"),
        ({"at_least": 0.5, "slice": {"g": "nowhere"}}, "absent", "fail"),
        ({"at_least": 0.5, "slice": {"g": "tiny"}}, "too_small", "none"),
        ({"at_least": 0.5, "slice": {"g": None}}, "pass", "none"),
        ({"at_least": 0.5, "min_examples": ROWS + 1}, "too_small", "none"),
        ({"at_least": 0.5, "slices": ["none"]}, "absent", "fail"),
    ],
)
def test_outcomes(keys: dict[str, Any], outcome: str, effect: str) -> None:
    gate = judge(metric="roc_auc", **keys)
    (judgement,) = gate["judgements"]
    assert (gate["outcome"], judgement["outcome"], judgement["effect"]) == (
        outcome,
        outcome,
        effect,
    )
    assert gate["passed"] == (effect != "fail")
    assert ("reason" in judgement) == (outcome not in ("pass", "fail"))
    warned = judge_gates([Gate(metric="roc_auc", severity="warn", **keys)], run())
    assert warned["passed"]
    assert warned["gates"][0]["passed"] == (effect != "fail")


LIMIT = Limit("at_least", 0.5)


@pytest.mark.parametrize("undecided", [None, "fail", "pass"])
@pytest.mark.parametrize("key", [(), (("g", "string", "a"),)])
def test_what_is_undecided_fails_warns_or_passes(undecided: str | None, key: Key) -> None:
    gate = Gate(metric="m", at_least=0.5, undecided=undecided)
    judgement = Judgement("undecided", LIMIT, "h", key, 10, "no interval")
    by_default = "warn" if key else "fail"
    expected = {None: by_default, "fail": "fail", "pass": "none"}[undecided]
    assert judgement.effect(gate) == expected
    assert gate_data(gate, [judgement])["passed"] == (expected != "fail")


@pytest.mark.parametrize(
    ("outcomes", "worst"),
    [
        (["pass", "fail", "undecided"], "fail"),
        (["pass", "absent"], "absent"),
        (["too_small", "undecided", "pass"], "undecided"),
        (["too_small", "pass", "skipped"], "pass"),
        (["too_small", "skipped"], "too_small"),
    ],
)
def test_a_gate_has_the_worst_outcome(outcomes: list[Any], worst: str) -> None:
    judgements = [Judgement(outcome, LIMIT, "h", ()) for outcome in outcomes]
    assert gate_data(Gate(metric="m", at_least=0.5), judgements)["outcome"] == worst


def test_where_no_interval_can_decide_it_is_undecided() -> None:
    gate = judge(metric="roc_auc", head="h", at_least=0.5, decide_by="worst_end", slices=["g"])
    found = by_slice(gate)[(("g", "missing", None),)]
    entry = reports()[(("g", "missing", None),)]
    assert found["outcome"] == "undecided"
    assert found["reason"] == f"no interval: {entry['metrics']['roc_auc']['no_interval']}"


def test_other_is_not_judged() -> None:
    plan = plan_of(CONFIG.replace("[g, {", "[{column: g, max_slices: 2}, {"))
    evaluation = evaluate(rows(), plan)
    states = RunStates.of("run", plan, evaluation.table, evaluation.states)
    data = judge_gates([Gate(metric="roc_auc", at_least=0.5, slices=("g",))], states)
    values = [judgement["slice"][0]["value"] for judgement in data["gates"][0]["judgements"]]
    assert values == ["a", "b"]


def test_gates_are_judged_from_their_states_alone() -> None:
    gates = [
        Gate(metric="roc_auc", at_least=0.5, decide_by="best_end", slices=("g",)),
        Gate(metric="flip_rate", at_most=0.5),
        Gate(metric="roc_auc", max_drop=0.1, against="baseline"),
        Gate(metric="precision", max_drop=0.1, against="run"),
    ]
    needed = measured_by(gates, PLAN)
    few = dataclasses.replace(
        run(),
        states={
            head: {
                measured: state for measured, state in states.items() if measured in needed[head]
            }
            for head, states in run().states.items()
        },
    )
    assert sum(map(len, few.states.values())) < sum(map(len, run().states.values()))
    assert judge_gates(gates, few, few) == judge_gates(gates, run(), run())


def test_the_data_of_a_gate() -> None:
    gate = judge(metric="roc_auc", at_least=0.5, slice={"g": "a"})
    assert gate["gate"] == {"metric": "roc_auc", "at_least": 0.5, "slice": {"g": "a"}}
    (judgement,) = gate["judgements"]
    assert judgement["slice"] == slice_data((("g", "string", "a"),))
    assert (judgement["kind"], judgement["limit"]) == ("at_least", 0.5)


@pytest.mark.parametrize("decide_by", ["value", "worst_end", "best_end"])
@pytest.mark.parametrize("relative", [False, True])
def test_an_equal_model_passes(decide_by: str, relative: bool) -> None:
    for metric in ("roc_auc", "average_loss", "accuracy"):
        gate = judge(
            run(),
            metric=metric,
            head="h",
            max_drop=0.02,
            max_rise=0.02,
            against="run",
            decide_by=decide_by,
            relative=relative,
        )
        outcomes = {judgement["outcome"] for judgement in gate["judgements"]}
        if metric != "accuracy" or decide_by != "worst_end":
            assert outcomes == {"pass"}


def test_a_limit_that_is_met_is_kept_though_differences_are_rounded() -> None:
    right = np.arange(100)
    columns = {
        "y": np.ones(100, int),
        "s": np.where(right < 78, 1.0, -1.0),
        "b": np.where(right < 80, 1.0, -1.0),
    }
    plan = plan_of("heads: {h: {type: binary, logits: s, label: y, baseline: {logits: b}}}")
    evaluation = evaluate(pa.table(columns), plan)
    states = RunStates.of("run", plan, evaluation.table, evaluation.states)
    for keys in ({"max_drop": 0.02}, {"max_drop": 0.025, "relative": True}):
        gate = Gate(metric="accuracy", against="baseline", **keys)
        (judgement,) = judge_gates([gate], states)["gates"][0]["judgements"]
        assert abs(judgement["value"] + keys["max_drop"]) < 1e-15
        assert judgement["value"] != -keys["max_drop"]
        assert (judgement["outcome"], judgement["margin"]) == ("pass", 0)
        tight = Gate(metric="accuracy", against="baseline", **keys | {"max_drop": 0.0199})
        assert not judge_gates([tight], states)["passed"]


def test_a_weighted_run_is_not_compared_with_an_unweighted_one() -> None:
    plan = plan_of(CONFIG.replace(", weight: w", ""))
    evaluation = evaluate(rows(), plan)
    other = RunStates.of("other", plan, evaluation.table, evaluation.states)
    keys: dict[str, Any] = {"metric": "roc_auc", "head": "h", "max_drop": 0.5, "against": "run"}
    assert judge(other, **keys)["outcome"] == "undecided"
    (judgement,) = judge(other, unweighted=True, **keys)["judgements"]
    assert (judgement["outcome"], judgement["value"]) == ("pass", 0)
