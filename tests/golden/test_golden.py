"""Tests of all recorded cases of the estimator heads, to the tolerance of float32.

The cases were recorded with TensorFlow 2.15.1 and tensorflow-estimator 2.15.0; each holds the
arguments of a head, batches, and the results of the head: predictions with shapes and dtypes,
losses, metrics after each batch, errors with fragments of their messages, and estimator specs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest

import heads
from tests.golden.recorded import Case, accepted, argument, array, cases, number, parameter

CASES = cases()

# Accidents of TensorFlow that the heads do not share, and why. These cases must fail.
NOT_SHARED = {
    "binary_degenerate:features_none": "features=None is the default, and works",
    "binary_extremes:nonfinite_probabilities": "softmax of an infinite logit is NaN throughout",
    "binary_loss_fn:required_loss_reduction_is_not_passed": "what has no default is passed",
    "binary_keys:reg_empty_list": "no regularization losses add up to 0",
    "binary_keys:thresholds_zero_is_falsy": "a bare number is no list of thresholds",
    "multiclass_degenerate:features_none": "features=None is the default, and works",
    "multiclass_errors:labels_int8_unsupported": "class ids may be integers of any width",
    "multiclass_extremes:nan_row": "softmax of a NaN logit is NaN throughout",
    "multilabel_degenerate:features_none": "features=None is the default, and works",
    "multilabel_errors:labels_bool": "bool indicators have one meaning, and work",
}

PREDICTIONS = {"rtol": 1e-5, "atol": 1e-37}
SPEC_KEYS = {"scores", "classes", "value"}


def _parameters() -> list[Any]:
    return [
        pytest.param(
            case,
            id=name,
            marks=pytest.mark.xfail(strict=True, reason=NOT_SHARED[name])
            if name in NOT_SHARED
            else (),
        )
        for name, case in CASES.items()
    ]


def test_all_cases_are_here() -> None:
    assert len(CASES) == 448
    for name in NOT_SHARED:
        assert "quirk" in CASES[name]["tags"]


@pytest.mark.parametrize("case", _parameters())
def test_case(case: Case) -> None:
    make = getattr(heads, case["head"]["class"])
    arguments = {key: parameter(value) for key, value in case["head"]["kwargs"].items()}
    expect = case["expect"]
    if "init_error" in expect:
        check_error(expect["init_error"], partial(make, **arguments))
        return
    head = make(**arguments)
    for name, value in expect.get("attributes", {}).items():
        assert getattr(head, name) == value, name
    regularization = {}
    if case.get("regularization_losses") is not None:
        regularization = {"regularization_losses": case["regularization_losses"]}

    metrics = head.metrics(**regularization)
    losses = []
    for given, wanted in zip(case["batches"], expect["batches"], strict=True):
        batch = inputs(given)
        check_predictions(case, head, batch["logits"], wanted)
        if "loss_error" in wanted:
            check_error(wanted["loss_error"], partial(head.loss, **batch, **regularization))
        elif "loss" in wanted:
            losses.append(head.loss(**batch, **regularization))
            check_number(case, losses[-1], wanted["loss"])
        update = partial(head.update_metrics, metrics, **batch, **regularization)
        if "update_error" in wanted:
            check_error(wanted["update_error"], update)
        elif not wanted.get("skip_update"):
            metrics = update()
        if "metrics" in wanted:
            check_metrics(case, metrics, wanted["metrics"])
    if "metrics" in expect:
        check_metrics(case, metrics, expect["metrics"])
    for key, value in expect.get("estimator_evaluate", {}).items():
        result = np.mean(losses) if key == "loss" else metrics[key].result()
        check_number(case, result, value, key)
    if "estimator_spec" in expect:
        check_specs(case, head, expect["estimator_spec"], regularization)


def inputs(batch: dict[str, Any]) -> dict[str, Any]:
    features = batch["features"]
    return {
        "labels": argument(batch["labels"]),
        "logits": argument(batch["logits"]),
        "features": features and {key: argument(value) for key, value in features.items()},
    }


def check_predictions(case: Case, head: Any, logits: Any, wanted: dict[str, Any]) -> None:
    keys = [wanted["keys"]] if "keys" in wanted else []
    if "predictions_error" in wanted:
        check_error(wanted["predictions_error"], partial(head.predictions, logits, *keys))
    elif "predictions" in wanted:
        predictions = head.predictions(logits, *keys)
        if case["head"]["class"] == "binary_classification_head":
            predictions = {key: predictions[key] for key in wanted["predictions"]}
        assert set(predictions) == set(wanted["predictions"])
        for key, record in wanted["predictions"].items():
            check_array(predictions[key], record, key)


def check_specs(case: Case, head: Any, wanted: dict[str, Any], regularization: Any) -> None:
    batch = inputs(case["batches"][0])
    unlabelled = {key: value for key, value in batch.items() if key != "labels"}
    if "infer" in wanted:
        spec = head.create_estimator_spec(mode="infer", **unlabelled)
        assert set(spec.predictions) == set(wanted["infer"]["prediction_keys"])
        assert set(spec.export_outputs) == set(wanted["infer"]["export_outputs"])
        for name, record in wanted["infer"]["export_outputs"].items():
            output = spec.export_outputs[name]
            if "output_keys" in record:
                assert set(output.outputs) == set(record["output_keys"])
            for field in SPEC_KEYS & set(record):
                check_array(getattr(output, field), record[field], f"{name}.{field}")
    if "eval" in wanted:
        spec = head.create_estimator_spec(mode="eval", **batch, **regularization)
        check_number(case, spec.loss, wanted["eval"]["loss"])
        assert set(spec.eval_metric_ops) == set(wanted["eval"]["metric_keys"])
    if "train" in wanted:
        seen: list[Any] = []
        spec = head.create_estimator_spec(
            mode="train",
            train_op_fn=lambda loss: [seen.append(loss)],
            **batch,
            **regularization,
        )
        assert spec.train_op == [None]
        for loss in (spec.loss, *seen):
            check_number(case, loss, wanted["train"]["loss"])
        assert len(seen) == 1
    for error in wanted.get("errors", ()):
        arguments = batch if error.get("labels", True) else unlabelled
        if error.get("train_op_fn"):
            arguments = {**arguments, "train_op_fn": repr}
        call = partial(head.create_estimator_spec, mode=error["mode"], **arguments)
        check_error(error, call)


def check_error(error: dict[str, Any], call: Callable[[], Any]) -> None:
    with pytest.raises(accepted(error)) as raised:
        call()
    message = str(raised.value).lower()
    for fragment in error.get("contains", ()):
        assert fragment.lower() in message


def check_metrics(case: Case, metrics: dict[str, Any], wanted: dict[str, Any]) -> None:
    assert set(metrics) == set(wanted)
    for key, value in wanted.items():
        check_number(case, metrics[key].result(), value, key)
        assert np.array_equal(metrics[key].result(), metrics[key].result(), equal_nan=True)


def check_number(case: Case, actual: Any, wanted: Any, key: str = "loss") -> None:
    assert np.shape(actual) == ()
    tolerance = case.get("tolerance", {})
    rtol = tolerance.get("rtol", 1e-5)
    if key.startswith("auc_precision_recall"):
        rtol = max(rtol, 3e-5)
    rtol = tolerance.get("keys", {}).get(key, rtol)
    np.testing.assert_allclose(
        float(actual), number(wanted), rtol, tolerance.get("atol", 1e-6), err_msg=key
    )


def check_array(actual: np.ndarray, record: dict[str, Any], key: str) -> None:
    wanted = array(record)
    assert actual.shape == wanted.shape, key
    if record["dtype"] in ("string", "bytes"):
        assert actual.dtype.kind == "U", key
        assert actual.tolist() == wanted.astype(str).tolist(), key
        return
    assert str(actual.dtype) == record["dtype"], key
    if actual.dtype.kind == "f":
        np.testing.assert_allclose(actual, wanted, err_msg=key, **PREDICTIONS)
    else:
        np.testing.assert_array_equal(actual, wanted, err_msg=key)
