"""Displays: pictures of training, predictions, features and decisions, in scikit-learn's manner.

matplotlib and seaborn are imported when something is drawn, not when this package is imported.
"""

from ._confused_pairs import ConfusedPairsDisplay
from ._feature_map import FeatureMapDisplay
from ._grad_cam import GradCAMDisplay
from ._learning_rate import LearningRateDisplay
from ._predictions import PredictionsDisplay
from ._training_history import TrainingHistoryDisplay

__all__ = [
    "ConfusedPairsDisplay",
    "FeatureMapDisplay",
    "GradCAMDisplay",
    "LearningRateDisplay",
    "PredictionsDisplay",
    "TrainingHistoryDisplay",
]
