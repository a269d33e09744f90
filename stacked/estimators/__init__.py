"""Estimators of scikit-learn: stacks in pipelines, grids and cross-validation. The only folder that imports it."""

from stacked.estimators.classifier import PretrainedClassifier
from stacked.estimators.regressor import PretrainedRegressor
from stacked.estimators.transformer import StackedAutoencoderTransformer

__all__ = ["PretrainedClassifier", "PretrainedRegressor", "StackedAutoencoderTransformer"]
