"""Standard errors, intervals and p-values of a report, against evaluations without each fold."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from heads.metrics.core.methods import FEW_LABELS, FEW_OF_A_CLASS, FEW_OF_A_KIND
from pipeline.confidence.halves import HALVES_AGREE
from pipeline.confidence.intervals import FEW, binomial_interval
from pipeline.confidence.jackknife import AGREE, FEW_FOLDS
from pipeline.evaluate import Evaluation, evaluate
from pipeline.extract.folds import folds_by_key
from pipeline.results.differences import TOO_FEW
from pipeline.results.stack import NO_FOLDS, NOT_LARGEST
from tests.pipeline.tables import plan_of, slices_of

FOLDS = 14
METRICS = (
    "average_loss",
    "accuracy",
    "precision",
    "f1",
    "brier_score",
    "label/mean",
    "auc",
    "auc_precision_recall",
    "roc_auc",
    "average_precision",
)
A, B, MISSING = ("g", "string", "a"), ("g", "string", "b"), ("g", "missing", None)
PAIRS = ("auc", "roc_auc")
# Read by fold in the largest slices alone.
AREAS = (*PAIRS, "auc_precision_recall", "average_precision")


def config(confidence: str, metrics: tuple[str, ...] = METRICS, weight: str = ", weight: w") -> str:
    return (
        f"slices: [g]\nconfidence: {{{confidence}}}\nheads: {{h: {{type: binary, logits: s,"
        f" label: y{weight}, baseline: {{logits: t}}, metrics: [{', '.join(metrics)}]}}}}"
    )


KEYED = f"folds: {FOLDS}, key: id"


@cache
def table() -> pa.Table:
    """Few distinct scores, so that no histogram is coarse."""
    rng = np.random.default_rng(5)
    rows = 700
    s = rng.normal(0, 2, rows).round(1)
    return pa.table(
        {
            "s": s,
            "t": (s + rng.normal(0, 1, rows)).round(1),
            "y": (rng.random(rows) < 1 / (1 + np.exp(-s))).astype(np.int64),
            "w": rng.gamma(2, 1, rows).round(2),
            "g": pa.array(rng.choice(["a", "b"], rows), mask=rng.random(rows) < 0.2),
            "id": rng.integers(0, 90, rows),
        }
    )


@cache
def whole(confidence: str = KEYED, weight: str = ", weight: w") -> Evaluation:
    return evaluate(table(), plan_of(config(confidence, weight=weight)))


@cache
def without() -> list[Evaluation]:
    """Evaluations without the rows of each fold."""
    plan = plan_of(config("folds: 0"))
    return [evaluate(table().filter(pa.array(folds() != fold)), plan) for fold in range(FOLDS)]


@cache
def folds() -> Any:
    return folds_by_key(table()["id"].combine_chunks(), FOLDS)


def present(key: Any) -> list[int]:
    """The folds that have rows in a slice."""
    in_slice = [key is None or value == key[2] for value in table()["g"].to_pylist()]
    return sorted(set(folds()[in_slice].tolist()))


def degrees_of(key: Any, of: str, name: str) -> float:
    """The degrees of freedom, from the squared weights of a metric's scarcest part by fold."""
    if of == "difference":
        return min(degrees_of(key, model, name) for model in ("candidate", "baseline"))
    column = {name: table()[name].to_numpy() for name in "styw"}
    in_slice = np.array([key is None or value == key[2] for value in table()["g"].to_pylist()])
    weight = np.ones(len(in_slice)) if of == "unweighted" else column["w"]
    positive = column["y"] > 0
    predicted = column["t" if of == "baseline" else "s"] > 0
    parts = {
        "precision": [predicted],
        "f1": [positive | predicted],
        "auc": [positive, ~positive],
        "roc_auc": [positive, ~positive],
        "auc_precision_recall": [positive],
        "average_precision": [positive],
    }.get(name, [np.ones(len(in_slice), bool)])
    masks = [part & in_slice for part in parts]
    scarcest = min(masks, key=lambda part: weight[part].sum() ** 2 / (weight[part] ** 2).sum())
    mass = np.bincount(folds()[scarcest], weight[scarcest] ** 2, FOLDS)
    return float(mass.sum() ** 2 / (mass**2).sum() - 1)


def area_variance(key: Any, of: str, name: str, value: float) -> float:
    """What is added to the squared error of an area of few labels."""
    y, w = (table()[column].to_numpy() for column in "yw")
    in_slice = np.array([key is None or value == key[2] for value in table()["g"].to_pylist()])
    w = np.ones(len(w)) if of == "unweighted" else w
    masks = [in_slice & (y == label) for label in ((0, 1) if name in PAIRS else (1,))]
    size = min(w[mask].sum() ** 2 / (w[mask] ** 2).sum() for mask in masks)
    return value * (1 - value) / (size**2 * (2 if name in PAIRS else 1))


def share_variance(key: Any, of: str, name: str) -> float:
    """What is added to the squared error of a difference of shares: a row that differs."""
    if of != "difference" or name not in ("accuracy", "precision"):
        return 0.0
    column = {name: table()[name].to_numpy() for name in "stw"}
    in_slice = np.array([key is None or value == key[2] for value in table()["g"].to_pylist()])
    added = 0.0
    for score in "st":
        w = column["w"][in_slice & ((column[score] > 0) | (name == "accuracy"))]
        added += ((w**2).sum() / w.sum() ** 2) ** 2
    return added


def part(entry: dict[str, Any], of: str) -> dict[str, Any]:
    """The metrics of a model, or those of the candidate less those of the baseline."""
    if of == "unweighted":
        return {name: value["unweighted"] for name, value in entry["metrics"].items()}
    found: dict[str, Any] = {
        "candidate": entry["metrics"],
        "baseline": entry["baseline"]["metrics"],
        "difference": entry["difference"],
    }[of]
    return found


def by_folds(replicates: Any) -> float:
    """The standard error of the jackknife."""
    squares = ((replicates - replicates.mean()) ** 2).sum()
    return math.sqrt((len(replicates) - 1) / len(replicates) * squares)


@pytest.mark.parametrize("of", ["candidate", "baseline", "difference", "unweighted"])
@pytest.mark.parametrize("key", [None, A, B, MISSING])
def test_errors_are_those_of_the_jackknife(of: str, key: Any) -> None:
    found = part(slices_of(whole())[key], of)
    assert set(found) == set(METRICS)
    others = [part(slices_of(without()[fold])[key], of) for fold in present(key)]
    count = len(others)
    assert count > 10
    for name in METRICS:
        if (of, name) == ("difference", "label/mean"):
            assert found[name] == {"value": pytest.approx(0, abs=1e-15), "no_interval": AGREE}
            continue
        replicates = np.array([other[name]["value"] for other in others])
        rounding = 1e-9
        expected = by_folds(replicates)
        added = share_variance(key, of, name)
        if name in AREAS or added:
            rounding = 1e-6
        if name in AREAS and of != "difference":
            added = area_variance(key, of, name, found[name]["value"])
        elif name in AREAS:
            # As much is missing as of the errors of both areas.
            shown, missing = 0.0, 0.0
            for model in ("candidate", "baseline"):
                values = [part(slices_of(without()[f])[key], model)[name] for f in present(key)]
                shown += by_folds(np.array([value["value"] for value in values])) ** 2
                value = part(slices_of(whole())[key], model)[name]["value"]
                missing += area_variance(key, model, name, value)
            expected *= math.sqrt((shown + missing) / shown)
        expected = math.hypot(expected, math.sqrt(added))
        assert found[name]["standard_error"] == pytest.approx(expected, rel=rounding), name
        degrees = degrees_of(key, of, name)
        # Squares of weights are kept to few digits.
        assert found[name]["degrees_of_freedom"] == pytest.approx(degrees, rel=1e-6), name
        assert found[name]["lower"] < found[name]["value"] < found[name]["upper"]


def test_values_do_not_depend_on_folds() -> None:
    alone = slices_of(whole("folds: 0"))
    for key, entry in slices_of(whole()).items():
        for of in ("candidate", "baseline", "difference", "unweighted"):
            for name, metric in part(entry, of).items():
                other = part(alone[key], of)[name]
                assert metric["value"] == other["value"]
                assert other.keys() == {"value", "no_interval"} | other.keys() & {"unweighted"}
                assert other["no_interval"] == NO_FOLDS


def test_unweighted_metrics_are_those_of_a_head_without_weights() -> None:
    alone = slices_of(whole(weight=""))
    for key, entry in slices_of(whole()).items():
        for of in ("metrics", "baseline"):
            metrics = entry[of] if of == "metrics" else entry[of]["metrics"]
            other = alone[key][of] if of == "metrics" else alone[key][of]["metrics"]
            assert {name: value["unweighted"] for name, value in metrics.items()} == other


def test_intervals_are_those_of_students_distribution() -> None:
    entry = slices_of(whole())[None]
    for name, metric in entry["difference"].items():
        if name == "label/mean":
            continue
        t = stats.t.ppf(0.975, metric["degrees_of_freedom"])
        half = t * metric["standard_error"]
        ends = metric["value"] - half, metric["value"] + half
        assert (metric["lower"], metric["upper"]) == pytest.approx(ends, rel=1e-9), name
    # A share: on the scale of the logit.
    metric = entry["metrics"]["roc_auc"]
    value, t = metric["value"], stats.t.ppf(0.975, metric["degrees_of_freedom"])
    half = t * metric["standard_error"] / (value * (1 - value))
    ends = [1 / (1 + math.exp(-math.log(value / (1 - value)) - sign * half)) for sign in (-1, 1)]
    assert [metric["lower"], metric["upper"]] == pytest.approx(ends, rel=1e-9)
    # A loss: on that of the logarithm.
    metric = entry["metrics"]["average_loss"]
    t = stats.t.ppf(0.975, metric["degrees_of_freedom"])
    half = t * metric["standard_error"] / metric["value"]
    ends = [metric["value"] * math.exp(sign * half) for sign in (-1, 1)]
    assert [metric["lower"], metric["upper"]] == pytest.approx(ends, rel=1e-9)


def test_a_lower_level_gives_narrower_intervals_of_the_same_errors() -> None:
    narrow, wide = (
        slices_of(evaluate(table(), plan_of(config(f"{KEYED}, level: {level}"))))[None]["metrics"]
        for level in (0.5, 0.95)
    )
    for name in METRICS:
        assert narrow[name]["standard_error"] == wide[name]["standard_error"]
        assert wide[name]["lower"] < narrow[name]["lower"] < narrow[name]["upper"]
        assert narrow[name]["upper"] < wide[name]["upper"]


def test_the_p_value_of_a_worse_candidate() -> None:
    higher_is_better = dict.fromkeys(METRICS, True) | {
        "average_loss": False,
        "brier_score": False,
    }
    for entry in slices_of(whole()).values():
        for name, metric in entry["difference"].items():
            if name == "label/mean":
                assert "p_worse" not in metric
                continue
            gain = metric["value"] if higher_is_better[name] else -metric["value"]
            degrees = metric["degrees_of_freedom"]
            expected = stats.t.cdf(gain / metric["standard_error"], degrees)
            assert metric["p_worse"] == pytest.approx(expected, rel=1e-9), name
        assert all("p_worse" not in metric for metric in entry["metrics"].values())


def test_folds_without_rows_are_no_folds() -> None:
    # So many keys as to fill 9, and then 10, folds.
    keys = np.arange(200)
    fold = folds_by_key(pa.array(keys), 20)
    for wanted in (9, 10):
        few = pa.array(keys[fold < wanted][:300])
        rows = len(few)
        rng = np.random.default_rng(wanted)
        columns = {"s": rng.normal(size=rows), "y": rng.integers(0, 2, rows), "id": few}
        text = "confidence: {key: id}\nheads: {h: {type: binary, logits: s, label: y}}"
        metric = slices_of(evaluate(pa.table(columns), plan_of(text)))[None]["metrics"]
        for name in ("average_loss", "auc", "roc_auc"):
            if wanted == 9:
                assert metric[name]["no_interval"] == FEW_FOLDS
                assert "lower" not in metric[name]
                continue
            counts = np.bincount(fold[few.to_numpy()])
            t = stats.t.ppf(0.975, rows**2 / (counts**2).sum() - 1)
            value, error = metric["average_loss"]["value"], metric["average_loss"]["standard_error"]
            upper = value * math.exp(t * error / value)
            assert metric["average_loss"]["upper"] == pytest.approx(upper, rel=1e-9)


def entry_of(
    columns: dict[str, Any], metrics: tuple[str, ...], weight: str = "", keyed: bool = True
) -> dict[str, Any]:
    key = "key: id" if keyed else ""
    text = (
        f"confidence: {{{key}}}\nheads: {{h: {{type: binary, logits: s, label: y{weight},"
        f" metrics: [{', '.join(metrics)}]}}}}"
    )
    found: dict[str, Any] = slices_of(evaluate(pa.table(columns), plan_of(text)))[None]["metrics"]
    return found


def test_why_there_is_no_interval() -> None:
    rows = 400
    s = np.where(np.arange(rows) % 2, 1.0, -1.0)
    columns = {"s": s, "y": (s > 0).astype(int), "id": np.arange(rows)}
    names = ("roc_auc", "label/mean", "average_loss", "kolmogorov_smirnov", "best_f1")
    found = entry_of(columns, names)
    assert found["best_f1"] == {"value": 1.0, "no_interval": HALVES_AGREE}
    # Every score is right, whatever is left out.
    assert found["roc_auc"] == {"value": 1.0, "no_interval": AGREE}
    # A distance of rates has the interval of proportions, as a share of few rows has.
    assert 0.95 < found["kolmogorov_smirnov"]["lower"] < found["kolmogorov_smirnov"]["upper"] == 1
    assert "standard_error" not in found["kolmogorov_smirnov"]
    assert found["average_loss"]["no_interval"] == AGREE
    assert "lower" in found["label/mean"]
    # One positive label: without its fold there is none.
    one_positive = columns | {"y": (np.arange(rows) == 7).astype(int)}
    found = entry_of(one_positive, ("roc_auc", "recall", "average_loss"))
    assert found["roc_auc"]["no_interval"] == FEW_OF_A_CLASS
    # A proportion of one row has the binomial interval.
    assert (found["recall"]["lower"], found["recall"]["upper"]) == pytest.approx((0.025, 1.0))
    assert "standard_error" not in found["recall"]
    # No positive label: there is no value either.
    none = columns | {"y": np.zeros(rows, int)}
    assert entry_of(none, ("roc_auc",))["roc_auc"] == {
        "value": None,
        "reason": "no label is positive",
    }


@pytest.mark.parametrize("weighted", [False, True])
def test_rare_proportions_have_the_binomial_interval(weighted: bool) -> None:
    rng = np.random.default_rng(0)
    rows = 900
    y = rng.integers(0, 2, rows)
    wrong = np.isin(np.arange(rows), rng.choice(rows, FEW - 4, replace=False))
    w = rng.gamma(3, 1, rows)
    columns = {"s": np.where(wrong, -1.0, 1.0) * (2 * y - 1), "y": y, "id": np.arange(rows), "w": w}
    found = entry_of(columns, ("accuracy", "f1"), ", weight: w" if weighted else "")
    accuracy = found["accuracy"]
    share = np.average(~wrong, weights=w if weighted else None)
    assert accuracy["value"] == pytest.approx(share, rel=1e-12)
    size = w.sum() ** 2 / (w**2).sum() if weighted else rows
    size = min(size, share * (1 - share) / accuracy["standard_error"] ** 2)
    ends = binomial_interval(np.array([share]), np.array([size]), 0.95)
    assert [accuracy["lower"], accuracy["upper"]] == pytest.approx(np.ravel(ends), rel=1e-9)
    # Clopper and Pearson's, by the other definition of its ends.
    lower = stats.beta.ppf(0.025, share * size, size - share * size + 1)
    assert accuracy["lower"] == pytest.approx(lower, rel=1e-9)
    # F1 is no proportion of rows.
    t = stats.t.ppf(0.975, found["f1"]["degrees_of_freedom"]) * found["f1"]["standard_error"]
    value = found["f1"]["value"]
    logit = math.log(value / (1 - value)) - t / (value * (1 - value))
    assert found["f1"]["lower"] == pytest.approx(1 / (1 + math.exp(-logit)), rel=1e-9)


def test_rows_of_one_key_are_no_more_than_one() -> None:
    rng = np.random.default_rng(1)
    s, y = rng.normal(size=300), rng.integers(0, 2, 300)
    once = {"s": s, "y": y, "id": np.arange(300)}
    often = {name: np.repeat(values, 9) for name, values in once.items()}
    single, repeated = (entry_of(columns, METRICS[:9]) for columns in (once, often))
    for name in METRICS[:9]:
        for field in ("value", "standard_error", "degrees_of_freedom", "lower", "upper"):
            if name in AREAS and field in ("standard_error", "lower", "upper"):
                # Of few labels an area has a larger error, and here there are more.
                assert repeated[name][field] == pytest.approx(single[name][field], rel=1e-2)
                continue
            found, expected = repeated[name][field], single[name][field]
            assert found == pytest.approx(expected, rel=1e-9), (name, field)
    # Without the key they would seem to know more.
    assert (
        entry_of(often, ("average_loss",), keyed=False)["average_loss"]["standard_error"]
        < 0.6 * single["average_loss"]["standard_error"]
    )


def test_small_slices_have_all_values_and_say_which_intervals_they_lack() -> None:
    few = slices_of(whole(f"{KEYED}, max_slices: 1"))
    largest = max((A, B, MISSING), key=lambda key: few[key]["examples"])
    for key, every in slices_of(whole()).items():
        if key in (None, largest):
            assert few[key] == every
            continue
        for of in ("candidate", "baseline", "difference", "unweighted"):
            found, expected = part(few[key], of), part(every, of)
            for name in METRICS:
                assert found[name]["value"] == expected[name]["value"]
                if name in AREAS:
                    assert found[name]["no_interval"] == NOT_LARGEST
                    assert "standard_error" not in found[name]
                else:
                    assert found[name] == expected[name]


def test_slices_that_got_worse() -> None:
    rng = np.random.default_rng(3)
    rows = 4000
    g = rng.integers(0, 12, rows)
    t = rng.normal(0, 2, rows)
    y = (rng.random(rows) < 1 / (1 + np.exp(-t))).astype(int)
    s = t + np.where(g < 3, 2.5, 0.4) * rng.normal(size=rows)
    columns = {"s": s.round(1), "t": t.round(1), "y": y, "g": g, "k": g % 4, "id": np.arange(rows)}
    columns["g"] = np.where((g == 11) & (np.arange(rows) % 9 > 0), 10, g)
    text = (
        "slices: [g, k]\nmin_slice_size: 200\nconfidence: {key: id, level: 0.9}\n"
        "heads: {h: {type: binary, logits: s, label: y, baseline: {logits: t},"
        " metrics: [average_loss, roc_auc, label/mean, accuracy]}}"
    )
    evaluation = evaluate(pa.table(columns), plan_of(text))
    entries = slices_of(evaluation)
    assert {entry["small"] for entry in entries.values()} == {False, True}
    families: list[tuple[int | None, list[Any]]] = [(None, [None])]
    families += [(i, [k for k in entries if k and k[0] == c]) for i, c in enumerate("gk")]
    expected = []
    for name in ("average_loss", "roc_auc", "accuracy"):
        for number, keys in families:
            large = [key for key in keys if entries[key]["examples"] >= 200]
            p = np.array([entries[key]["difference"][name]["p_worse"] for key in large])
            adjusted = stats.false_discovery_control(p)
            expected += [
                (name, number, key, pytest.approx(q, rel=1e-12))
                for key, q in zip(large, adjusted, strict=True)
                if q <= 0.1
            ]
    found = [
        (
            worsened["metric"],
            worsened["slices"],
            next(((c["column"], c["kind"], c["value"]) for c in worsened["slice"]), None),
            worsened["p_adjusted"],
        )
        for worsened in evaluation.report["heads"]["h"]["worse"]
    ]
    # In the order of the report's metrics.
    names = list(dict.fromkeys(name for name, *_ in found))
    assert found == sorted(expected, key=lambda row: names.index(row[0]))
    worse = {(name, key) for name, _, key, _ in found}
    # Those that were made worse, and not all.
    assert {("average_loss", ("g", "int", i)) for i in range(3)} <= worse
    assert len(worse) < 3 * sum(not entry["small"] for entry in entries.values())
    for worsened in evaluation.report["heads"]["h"]["worse"]:
        key = next(((c["column"], c["kind"], c["value"]) for c in worsened["slice"]), None)
        metric = entries[key]["difference"][worsened["metric"]]
        assert (worsened["difference"], worsened["p_worse"]) == (metric["value"], metric["p_worse"])


def test_equal_models_differ_by_nothing() -> None:
    both = table().set_column(1, "t", table()["s"])
    head = evaluate(both, plan_of(config(KEYED))).report["heads"]["h"]
    for entry in head["slices"]:
        for metric in entry["difference"].values():
            assert metric == {"value": 0.0, "no_interval": AGREE}
    assert head["worse"] == []


def test_no_difference_of_shares_of_few_rows_that_are_there_often() -> None:
    rng = np.random.default_rng(4)
    rows, predicted = 400, np.arange(400) < 9
    y = np.where(predicted, np.arange(rows) % 3 < 1, rng.random(rows) < 0.5)
    once = {"s": np.where(predicted, 1.0, -1.0), "t": rng.normal(0, 1, rows)}
    once |= {"y": y.astype(int), "id": np.arange(rows)}
    often = {name: np.repeat(values, 5) for name, values in once.items()}
    text = (
        "confidence: {key: id}\nheads: {h: {type: binary, logits: s, label: y,"
        " baseline: {logits: t}, metrics: [precision]}}"
    )
    for columns in (once, often):
        entry = slices_of(evaluate(pa.table(columns), plan_of(text)))[None]
        assert entry["difference"]["precision"]["no_interval"] == TOO_FEW
        assert "p_worse" not in entry["difference"]["precision"]
        assert "lower" in entry["metrics"]["precision"]


@pytest.mark.parametrize("predicted", [14, 15])
def test_ratios_need_fifteen_rows_of_each_label_and_prediction(predicted: int) -> None:
    rows = 400
    at = np.arange(rows)
    # Half of what is predicted positive is, and 30 rows that are not.
    s = np.where(at < predicted, 1.0, -1.0)
    columns = {"s": s, "y": ((at < predicted) & (at % 2 == 0)) | (at >= rows - 30), "id": at}
    columns["y"] = columns["y"].astype(int)
    ratios = ("f1", "balanced_accuracy", "cohen_kappa", "markedness")
    shares = ("precision", "recall", "threat_score", "negative_predictive_value")
    found = entry_of(columns, (*ratios, *shares))
    for name in ratios:
        assert (found[name].get("no_interval") == FEW_OF_A_KIND) == (predicted < 15), name
        assert ("lower" in found[name]) == (predicted == 15), name
    assert all("lower" in found[name] for name in shares)


@pytest.mark.parametrize("scarce", [14, 15])
def test_means_over_classes_need_fifteen_rows_of_each(scarce: int) -> None:
    rows = 400
    label = np.arange(rows) % 2
    label[:scarce] = 2
    guess = np.where(np.arange(rows) % 3 == 0, 1, label)
    guess[:scarce] = 2
    logits = pa.array(np.eye(3)[guess].tolist())
    text = (
        "confidence: {key: id}\nheads: {h: {type: multi_class, n_classes: 3, logits: s, label: y}}"
    )
    columns = pa.table({"s": logits, "y": label, "id": np.arange(rows)})
    found = slices_of(evaluate(columns, plan_of(text)))[None]["metrics"]
    few = {"f1/macro": FEW_OF_A_KIND, "precision/macro": FEW_OF_A_KIND}
    few |= {"recall/macro": FEW_OF_A_KIND, "balanced_accuracy": FEW_LABELS}
    for name, reason in few.items():
        assert (found[name].get("no_interval") == reason) == (scarce < 15), name
        assert ("lower" in found[name]) == (scarce == 15), name
    assert "lower" in found["f1/weighted"]
    assert "lower" in found["accuracy"]
