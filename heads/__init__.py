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
from heads.multi_head import MultiHead
from heads.multiclass import MultiClassHead
from heads.multilabel import MultiLabelHead
from heads.regression import LogisticRegressionHead, PoissonRegressionHead, RegressionHead

__all__ = [
    "BinaryClassHead",
    "ClassificationOutput",
    "EstimatorSpec",
    "ExportOutput",
    "Head",
    "LogisticRegressionHead",
    "MetricKeys",
    "ModeKeys",
    "MultiClassHead",
    "MultiHead",
    "MultiLabelHead",
    "PoissonRegressionHead",
    "PredictOutput",
    "PredictionKeys",
    "Reduction",
    "RegressionHead",
    "RegressionOutput",
    "SparseLabels",
    "binary_classification_head",
]
