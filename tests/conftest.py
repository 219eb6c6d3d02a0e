"""Small images, small estimators, and the environment that scikit-learn's checks ask for."""

import os

# Without it scikit-learn skips its check of array API input; SciPy reads it when imported.
os.environ["SCIPY_ARRAY_API"] = "1"

import pytest

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import make_images

# A random network at 32 px: no download, and the 64 images below are through it in a moment.
SMALL_BACKBONE = {"weights": None, "alpha": 0.35, "input_size": 32}


@pytest.fixture(scope="session")
def images():
    """Return (X, y): 64 images of 16 x 16 pixels in three classes, read-only."""
    X, y = make_images(n_samples=64, image_shape=(16, 16, 3), random_state=0)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def new_images():
    """Return (X, y): 30 images of the same classes that `images` does not hold."""
    X, y = make_images(n_samples=30, image_shape=(16, 16, 3), random_state=1)
    X.flags.writeable = y.flags.writeable = False
    return X, y


@pytest.fixture(scope="session")
def make_classifier():
    """Return a function from parameters to a classifier that learns `images` in a few epochs."""

    def make(**parameters):
        defaults = {"hidden_units": (16,), "epochs": 4, "learning_rate": 0.01, "random_state": 0}
        return MobileNetV2Classifier(**{**SMALL_BACKBONE, **defaults, **parameters})

    return make


@pytest.fixture(scope="session")
def make_features():
    """Return a function from parameters to a transformer on the same network."""
    return lambda **parameters: MobileNetV2Features(**{**SMALL_BACKBONE, **parameters})
