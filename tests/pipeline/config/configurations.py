"""Configurations for the tests: short texts, and generated ones that are right."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from pipeline.config.load import parse_config
from pipeline.config.model import Config

law = settings(deadline=None)

BINARY = "heads:\n  h: {type: binary, logits: s, label: y}\n"
IDS = "label: {column: y, form: ids}"
REGRESSION = "regression, poisson, logistic_regression"
TYPES = f"binary, multi_class, multi_label, contrib_binary, {REGRESSION}"


def binary(keys: str) -> str:
    return f"heads: {{h: {{type: binary, {keys}}}}}"


def multi_class(keys: str) -> str:
    return f"heads: {{h: {{type: multi_class, logits: s, {keys}}}}}"


def multi_label(keys: str) -> str:
    return f"heads: {{h: {{type: multi_label, logits: s, n_classes: 3, {keys}}}}}"


def regression(keys: str) -> str:
    return f"heads: {{h: {{type: regression, {keys}}}}}"


names = st.text("abcdefg", min_size=1, max_size=4)
columns = names | st.sampled_from(["true", "1", "a.b", "größe", "two words"])


def words(count: int) -> st.SearchStrategy[list[str]]:
    return st.lists(columns, min_size=count, max_size=count, unique=True)


def maybe(**keys: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=keys)


@st.composite
def heads(draw: st.DrawFn) -> dict[str, Any]:
    kind = draw(st.sampled_from(TYPES.split(", ")))
    n_classes = draw(st.integers(3, 6))
    head: dict[str, Any] = {"type": kind}
    score = columns | st.fixed_dictionaries({"column": columns})
    head |= draw(maybe(weight=columns | st.none(), metrics=words(2)))
    if "multi" in kind:
        head |= {"n_classes": n_classes} | draw(maybe(class_names=words(n_classes)))
        vocabulary = draw(st.none() | words(n_classes))
    else:
        indexed: dict[str, st.SearchStrategy[Any]] = {"column": columns, "index": st.integers(0, 3)}
        score |= st.fixed_dictionaries(indexed)
        vocabulary = draw(st.none() | words(2))
    if kind in REGRESSION:
        return head | draw(_regression_keys(score))
    head[draw(st.sampled_from(["logits", "probability"]))] = draw(score)
    label = {"column": draw(columns), "vocabulary": vocabulary}
    if kind == "multi_label":
        label["form"] = "names" if vocabulary else draw(st.sampled_from(["ids", "multi_hot"]))
        head |= draw(maybe(class_metrics=st.lists(st.integers(0, n_classes - 1), unique=True)))
    elif vocabulary and "binary" in kind:
        label["positive"] = draw(st.sampled_from([None, *vocabulary]))
    head["label"] = label
    if kind != "multi_class":
        thousandths = st.lists(st.integers(1, 999), unique=True, max_size=3)
        head["thresholds"] = [n / 1000 for n in draw(thousandths)]
        tenths = st.lists(st.integers(-99, 99), unique=True, max_size=3)
        head["logit_thresholds"] = [n / 10 for n in draw(tenths)]
    if "binary" in kind:
        shares = st.lists(st.sampled_from([0, 0.25, 0.9999999, 0.99999995, 1]), unique=True)
        head |= draw(maybe(at=maybe(recall=shares, false_positive_rate=shares)))
    return head


@st.composite
def _regression_keys(draw: st.DrawFn, score: st.SearchStrategy[Any]) -> dict[str, Any]:
    shares = st.lists(st.sampled_from([0.1, 0.5, 0.9999999]), unique=True)
    keys = draw(maybe(pinball_quantiles=shares, error_quantiles=shares))
    keys |= draw(st.sampled_from([{}, {"lower": "low", "upper": "high"}]))
    keys[draw(st.sampled_from(["logits", "prediction"]))] = draw(score)
    return {**keys, "label": draw(columns | st.fixed_dictionaries({"column": columns}))}


values = st.lists(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | columns, min_size=1
)
slices: list[list[Any]] = [
    [],
    ["a", {"column": "b"}],
    [{"column": "a", "edges": [-1, 0.5]}, {"columns": ["b", "a"], "max_slices": 3}],
    [{"columns": [{"column": "a", "values": [1, "1", True, None, 0.5]}, {"column": "two words"}]}],
]
confidence = maybe(
    level=st.floats(0.01, 0.99),
    folds=st.just(0) | st.integers(10, 100),
    key=st.none() | columns,
    max_slices=st.integers(0, 300),
)
configs = st.fixed_dictionaries(
    {"heads": st.dictionaries(names, heads(), min_size=1, max_size=3)},
    optional={
        "input": columns | words(2),
        "output": columns,
        "slices": st.sampled_from(slices).map(deepcopy),
        "min_slice_size": st.integers(1, 99),
        "confidence": confidence,
        "where": values.map(lambda listed: [{"column": "split", "values": listed}]),
    },
)


def parse(data: Any) -> Config:
    return parse_config(json.dumps(data, ensure_ascii=False, indent=1), "c.yaml")
