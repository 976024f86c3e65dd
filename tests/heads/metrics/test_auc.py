"""The 200 thresholds of the estimator's areas."""

from __future__ import annotations

import numpy as np

from heads import BinaryClassHead
from heads.losses import sigmoid
from heads.statistics.cuts import ScoreSpace


def keras_buckets(probability: np.ndarray) -> np.ndarray:
    """The last threshold that Keras 2.15 counts a float32 probability as above."""
    scaled = probability * np.float32(199)
    assert scaled.dtype == np.float32
    return np.maximum(np.ceil(scaled) - 1, 0).astype(int)


def test_cuts_of_logits_are_the_buckets_of_probabilities() -> None:
    space = ScoreSpace("logits", single=True)
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


def test_negative_weights() -> None:
    # Worked by hand: positives weigh 1 and 3, negatives -0.5 and 2; see the recorded case.
    head = BinaryClassHead("w")
    batch = {"features": {"w": [1, -0.5, 2, 3]}, "labels": [1, 0, 0, 1]}
    logits = [[2.0], [-1.0], [0.5], [-2.0]]
    metrics = head.update_metrics(head.metrics(), logits=logits, **batch)
    assert metrics["auc"].result() == 0.25
