"""MobileNetV2 image classification as scikit-learn estimators."""

from . import datasets, metrics, model_selection, plotting, recipes
from ._classifier import MobileNetV2Classifier
from ._export.export import export
from ._extraction.feature_cache import clear_feature_cache
from ._features import MobileNetV2Features
from ._images.image_files import ImageFiles
from ._images.reading import load_image
from ._normalizer import ImageNormalizer
from ._persistence.pretrained import load_pretrained
from ._persistence.save_load import load, save
from ._version import __version__

__all__ = [
    "ImageFiles",
    "ImageNormalizer",
    "MobileNetV2Classifier",
    "MobileNetV2Features",
    "__version__",
    "clear_feature_cache",
    "datasets",
    "export",
    "load",
    "load_image",
    "load_pretrained",
    "metrics",
    "model_selection",
    "plotting",
    "recipes",
    "save",
]
