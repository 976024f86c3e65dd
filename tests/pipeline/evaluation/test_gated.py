"""What gates judge, and the gates that judge nothing a configuration measures."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from heads.statistics import Key
from pipeline.config.gates import Gate
from pipeline.config.slices import Slice, SliceColumn
from pipeline.errors.problems import ConfigError
from pipeline.evaluation.gated import check_gates, entry_of, heads_of
from pipeline.evaluation.plan import Plan
from pipeline.slicing.codes import make_codes
from pipeline.slicing.named import named_keys
from tests.pipeline.tables import law, plan_of

CONFIG = """
slices:
  - country
  - {column: size, values: [small, large, null, 1, 0.5, true]}
  - {column: age, edges: [18, 30]}
  - {column: age, values: [7]}
  - columns: [country, {column: age, edges: [18, 30]}]
  - {column: twice, values: [a]}
  - {column: twice, values: [b]}
heads:
  click: {type: binary, logits: s, label: y, weight: w, baseline: {logits: o}}
  buy: {type: binary, logits: s, label: z, metrics: [roc_auc, accuracy]}
  price:
    type: regression
    prediction: p
    label: q
    lower: a
    upper: b
    baseline: {prediction: r}
"""


@pytest.fixture(scope="module")
def plan() -> Plan:
    return plan_of(CONFIG)


def gate(**keys: Any) -> Gate:
    return Gate.model_validate({"metric": "roc_auc", **keys})


def with_gates(plan: Plan, *gates: Gate) -> Plan:
    config = plan.config.model_copy(update={"gates": gates})
    return Plan(config, plan.heads)


def told(plan: Plan, *gates: Gate) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_gates(with_gates(plan, *gates), "g.yaml")
    return [str(problem) for problem in caught.value.problems]


GOOD: list[tuple[dict[str, Any], list[str], int | None]] = [
    ({"at_least": 0}, ["click", "buy"], None),
    ({"at_least": 1, "head": "buy"}, ["buy"], None),
    ({"at_least": 1, "unweighted": True}, ["click"], None),
    ({"max_drop": 1, "against": "run"}, ["click", "buy"], None),
    ({"max_drop": 1, "against": "baseline"}, ["click"], None),
    ({"max_rise": 9, "against": "baseline", "relative": True}, ["click"], None),
    ({"metric": "accuracy", "at_most": 1}, ["click", "buy"], None),
    ({"metric": "average_loss", "at_most": 9, "decide_by": "best_end"}, ["click", "price"], None),
    ({"metric": "flip_rate", "at_most": 1}, ["click"], None),
    # The baseline has no interval that could cover a label.
    ({"metric": "interval_coverage", "max_drop": 0.5, "against": "run"}, ["price"], None),
    ({"at_least": 0, "slices": ["country"]}, ["click", "buy"], 0),
    ({"at_least": 0, "slices": ["age", "country"]}, ["click", "buy"], 4),
    ({"at_least": 0, "slice": {"country": 3}}, ["click", "buy"], 0),
    ({"at_least": 0, "slice": {"size": None}}, ["click", "buy"], 1),
    ({"at_least": 0, "slice": {"size": 1.0}}, ["click", "buy"], 1),
    ({"at_least": 0, "slice": {"size": "0.5"}}, ["click", "buy"], 1),
    ({"at_least": 0, "slice": {"size": True}}, ["click", "buy"], 1),
    ({"at_least": 0, "slice": {"size": "(missing)"}}, ["click", "buy"], 1),
    ({"at_least": 0, "slice": {"age": "[18, 30)"}}, ["click", "buy"], 2),
    ({"at_least": 0, "slice": {"age": "nan"}}, ["click", "buy"], 2),
    ({"at_least": 0, "slice": {"age": None}}, ["click", "buy"], 2),
    ({"at_least": 0, "slice": {"age": 7}}, ["click", "buy"], 3),
    ({"at_least": 0, "slice": {"age": "(-inf, 18)", "country": "DE"}}, ["click", "buy"], 4),
    ({"at_least": 0, "slice": {"twice": "b"}}, ["click", "buy"], 6),
]


@pytest.mark.parametrize(("keys", "heads", "entry"), GOOD)
def test_a_gate_judges_heads_and_an_entry(
    plan: Plan, keys: dict[str, Any], heads: list[str], entry: int | None
) -> None:
    found = gate(**keys)
    check_gates(with_gates(plan, found), "g.yaml")
    assert heads_of(found, plan) == heads
    assert entry_of(found, plan) == entry


BAD: list[tuple[dict[str, Any], str]] = [
    ({"metric": "roc_au"}, "metric: no head has the metric 'roc_au'; did you mean 'roc_auc'?"),
    ({"metric": "zzz"}, "metric: no head has the metric 'zzz'; there are: "),
    (
        {"head": "price"},
        "metric: head 'price' has no metric 'roc_auc'; of these it is one: 'click', 'buy'",
    ),
    (
        {"metric": "flip_rat", "head": "click"},
        "metric: head 'click' has no metric 'flip_rat'; did you mean 'flip_rate'?",
    ),
    (
        {"metric": "brier_score", "head": "buy"},
        "metric: 'metrics' of head 'buy' leaves 'brier_score' out; add it there",
    ),
    ({"head": "clik"}, "head: there is no head 'clik'; did you mean 'click'?"),
    ({"head": "zzz"}, "head: there is no head 'zzz'; there are: click, buy, price"),
    ({"unweighted": True, "head": "buy"}, "unweighted: head 'buy' has no weights; leave it out"),
    (
        {"metric": "flip_rate", "unweighted": True},
        "unweighted: 'flip_rate' is of both models, and given with weights alone",
    ),
    (
        {"metric": "flip_rate", "max_drop": 0.1, "against": "run"},
        "max_drop: 'flip_rate' compares both models itself; give 'at_least' or 'at_most'",
    ),
    (
        {"metric": "spiegelhalter_z", "max_rise": 0.1, "against": "run"},
        "max_rise: a difference of 'spiegelhalter_z' says nothing",
    ),
    (
        {"max_drop": 0.1, "against": "baseline", "head": "buy"},
        "against: head 'buy' has no 'baseline'",
    ),
    (
        {"metric": "interval_coverage", "max_drop": 0.1, "against": "baseline"},
        "against: the baseline of head 'price' has no 'interval_coverage'",
    ),
    ({"at_least": 80}, "at_least: 'roc_auc' is from 0 to 1, and never 80"),
    ({"at_most": -0.5}, "at_most: 'roc_auc' is from 0 to 1, and never -0.5"),
    (
        {"metric": "mean_absolute_error", "at_most": -1},
        "at_most: 'mean_absolute_error' is from 0 to 1, and never -1",
    ),
    (
        {"metric": "average_loss", "at_most": -1},
        "at_most: 'average_loss' is at least 0, and never -1",
    ),
    (
        {"max_drop": 2, "against": "run"},
        "max_drop: 'roc_auc' is from 0 to 1, and never changes by 2",
    ),
    (
        {"max_drop": 2, "against": "run", "relative": True},
        "max_drop: 'roc_auc' is from 0 to 1, and never drops by more than all of it; write 0.02",
    ),
    (
        {"metric": "spiegelhalter_z", "decide_by": "worst_end"},
        "decide_by: 'spiegelhalter_z' has no interval: ",
    ),
    (
        {"slices": ["contry"]},
        "slices: no entry of 'slices' has the column 'contry'; did you mean 'country'?",
    ),
    (
        {"slices": ["size", "country"]},
        "slices: no entry of 'slices' is of 'country' and 'size' alone; there are: column 'country'"
        ", column 'size' with these values, ",
    ),
    (
        {"slices": ["twice"]},
        "slices: slices[5] and slices[6] are all of 'twice' alone; name a 'slice', or keep one",
    ),
    (
        {"slice": {"agee": 3}},
        "slice: no entry of 'slices' has the column 'agee'; did you mean 'age'?",
    ),
    (
        {"slice": {"size": "smal"}},
        "slice: 'smal' is no slice of column 'size'; did you mean 'small'?",
    ),
    ({"slice": {"size": "1"}}, "slice: '1' is no slice of column 'size'; did you mean 1?"),
    (
        {"slice": {"size": False}},
        "slice: false is no slice of column 'size'; there are: 'small', 'large', null, 1, 0.5",
    ),
    ({"slice": {"age": 20}}, "slice: 20 is no slice of column 'age'; did you mean '[18, 30)'?"),
    (
        {"slice": {"age": "[18,30)"}},
        "slice: '[18,30)' is no slice of column 'age'; did you mean '[18, 30)'?",
    ),
    (
        {"slice": {"age": 30.5, "country": "DE"}},
        "slice: 30.5 is no slice of column 'age'; did you mean '[30, inf)'?",
    ),
    ({"slice": {"twice": "c"}}, "slice: 'c' is no slice of column 'twice'; there are: 'a', 'b'"),
]


@pytest.mark.parametrize(("keys", "problem"), BAD)
def test_a_gate_on_what_is_not_measured_is_told(
    plan: Plan, keys: dict[str, Any], problem: str
) -> None:
    limit = {} if {"at_least", "at_most", "max_drop", "max_rise"} & keys.keys() else {"at_least": 0}
    (line,) = told(plan, gate(at_least=0), gate(**limit, **keys))
    assert line.startswith(f"g.yaml: gates[1].{problem}")


def test_all_gates_are_told_in_their_order_and_the_first_with_near_names(plan: Plan) -> None:
    lines = told(plan, *(gate(metric=f"roc_au{n}", at_least=0, slices=["zz"]) for n in range(30)))
    assert len(lines) == 60
    assert lines[0].endswith(
        "gates[0].metric: no head has the metric 'roc_au0'; did you mean 'roc_auc'?"
    )
    assert lines[58].endswith("gates[29].metric: there is no metric 'roc_au29'")


@pytest.mark.parametrize(
    ("confidence", "keys", "problem"),
    [
        ("folds: 0", {}, "there are no intervals: 'confidence.folds' is 0"),
        (
            "max_slices: 0",
            {"slices": ["country"]},
            "slices have no interval of 'roc_auc': 'confidence.max_slices' is 0",
        ),
    ],
)
def test_without_intervals_none_can_decide(
    confidence: str, keys: dict[str, Any], problem: str
) -> None:
    plan = plan_of(f"confidence: {{{confidence}}}\n{CONFIG}")
    assert told(plan, gate(at_least=0, decide_by="worst_end", **keys)) == [
        f"g.yaml: gates[0].decide_by: {problem}"
    ]
    check_gates(with_gates(plan, gate(at_least=0, **keys)), "g.yaml")


def test_without_slices_none_can_be_judged() -> None:
    plan = plan_of("heads: {h: {type: binary, logits: s, label: y}}")
    assert told(plan, gate(at_least=0, slices=["a"])) == [
        "g.yaml: gates[0].slices: the configuration has no 'slices'"
    ]


def test_gates_change_nothing_else_of_a_plan(plan: Plan) -> None:
    gated = with_gates(plan, gate(at_least=0))
    assert gated.columns == plan.columns
    assert gated.heads == plan.heads


listed = st.lists(
    st.sampled_from([None, True, False, -3, 0, 1, 0.5, 2.0, "a", "1", "0.5"]),
    min_size=1,
    unique_by=repr,
)
asked = (
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "a", "1", "nan"])
)


@law
@given(st.data())
def test_a_gate_names_a_slice_exactly_if_an_entry_may_have_its_key(data: st.DataObject) -> None:
    # The encoder of the column knows which slices there may be.
    by = data.draw(st.fixed_dictionaries({"values": listed}) | st.just({"edges": [-1, 0.5]}))
    column = SliceColumn.model_validate({"column": "c", **by})
    value = data.draw(asked | st.sampled_from(["[-1, 0.5)", "(-inf, -1)", "[0.5, inf)"]))
    spec = Slice.model_validate(column.model_dump())
    keys: set[Key] = {(("c", *condition),) for condition in make_codes(column).conditions()}
    plan = plan_of("heads: {h: {type: binary, logits: s, label: y}}")
    plan = Plan(plan.config.model_copy(update={"slices": (spec,)}), plan.heads)
    may_have = any(key in keys for key in named_keys({"c": value}))
    assert (entry_of(gate(at_least=0, slice={"c": value}), plan) == 0) == may_have
