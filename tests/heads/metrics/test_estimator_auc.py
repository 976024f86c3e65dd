"""The 200 thresholds of the estimator's areas."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest

from heads import BinaryClassHead
from heads.class_scores import IndependentScores
from heads.statistics.cuts import ScoreSpace
from tests.heads.oracles import areas
from tests.heads.streams import Rows, results


def sigmoid(logits: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """The float32 probabilities of logits `[n]`, as the heads compute them."""
    return IndependentScores(logits.reshape(-1, 1)).probability.ravel()


def keras_buckets(probability: np.ndarray) -> np.ndarray:
    """The last threshold that Keras 2.15 counts a float32 probability as above."""
    scaled = probability * np.float32(199)
    assert scaled.dtype == np.float32
    return np.maximum(np.ceil(scaled) - 1, 0).astype(int)


def test_cuts_of_logits_are_the_buckets_of_probabilities() -> None:
    space = ScoreSpace("logits", float32=True)
    cuts = np.array([space.bucket(i) for i in range(1, 199)])
    around = [cuts.astype(np.float32)]
    for direction in (np.inf, -np.inf):
        near = cuts.astype(np.float32)
        for _ in range(8):
            near = np.nextafter(near, np.float32(direction))
            around.append(near)
    logits = np.concatenate([*around, np.linspace(-120, 120, 20_001, dtype=np.float32)])
    counted = (logits.astype(np.float64)[:, np.newaxis] > cuts).sum(axis=1)
    assert np.array_equal(counted, keras_buckets(sigmoid(logits)))


def test_all_in_one_bucket_is_a_half() -> None:
    head = BinaryClassHead()
    logits = np.array([[0.001], [0.002], [0.003], [0.004]])
    metrics = head.update_metrics(head.metrics(), {}, logits, [0, 0, 1, 1])
    assert metrics["auc"].result() == 0.5


@pytest.mark.parametrize("seed", range(20))
def test_negative_weights(seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Whole weights, so that sums that cancel are 0 in any order.
    weights = rng.integers(-3, 4, 12).astype(np.float32)
    data = Rows(rng.normal(0, 2, (12, 1)), rng.integers(0, 2, 12), weights)
    actual = results(BinaryClassHead("w"), data)
    p = sigmoid(data.logits.astype(np.float32)).ravel()
    wanted = areas(p, data.labels, weights)
    assert (actual["auc"], actual["auc_precision_recall"]) == pytest.approx(wanted, abs=1e-12)
