"""Estimator heads in NumPy: loss, predictions and metrics of stored logits, without TensorFlow."""

from heads.binary import BinaryClassHead
from heads.contrib import binary_classification_head
from heads.estimator_spec import (
    ClassificationOutput,
    EstimatorSpec,
    ExportOutput,
    PredictOutput,
    RegressionOutput,
)
from heads.head import Head
from heads.keys import MetricKeys, ModeKeys, PredictionKeys, Reduction
from heads.label_sets import SparseLabels
from heads.multiclass import MultiClassHead
from heads.multilabel import MultiLabelHead

__all__ = [
    "BinaryClassHead",
    "ClassificationOutput",
    "EstimatorSpec",
    "ExportOutput",
    "Head",
    "MetricKeys",
    "ModeKeys",
    "MultiClassHead",
    "MultiLabelHead",
    "PredictOutput",
    "PredictionKeys",
    "Reduction",
    "RegressionOutput",
    "SparseLabels",
    "binary_classification_head",
]
