"""Small images, small estimators, and the environment that scikit-learn's checks ask for."""

import os

# Without it scikit-learn skips its check of array API input; SciPy reads it when imported.
os.environ["SCIPY_ARRAY_API"] = "1"

from collections import Counter
from pathlib import Path

import pytest
from joblib.externals.loky import get_reusable_executor

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import make_images

# A random network at 32 px: no download, and the 64 images below are through it in a moment.
SMALL_BACKBONE = {"weights": None, "alpha": 0.35, "input_size": 32}


TESTS = Path(__file__).resolve().parent


@pytest.hookimpl(tryfirst=True)  # before pytest selects by marker
def pytest_collection_modifyitems(items):
    """Mark what is costly, and begin with the files that hold most of it.

    A file stays on one process, where its tests share fixtures, compiled heads and networks; so
    the long files come first, and the short ones fill both processes up.
    """
    costly = set((TESTS / "costly-tests.txt").read_text().splitlines())
    for item in items:
        file = item.path.relative_to(TESTS).as_posix()
        test = f"{file}::{item.name}"
        if costly & {file, test, test.partition("[")[0]}:
            item.add_marker("costly")
    costs = Counter(item.path for item in items if item.get_closest_marker("costly"))
    items.sort(key=lambda item: -costs[item.path])


def pytest_terminal_summary(terminalreporter):
    """Print what tests have to say, whichever process they ran in."""
    for report in terminalreporter.getreports("passed"):
        for name, text in report.user_properties:
            if name == "summary":
                terminalreporter.write_line(text)


@pytest.fixture(scope="module", autouse=True)
def joblib_starts_anew():
    """Stop joblib's workers after each file: one that has been idle for five minutes may stop just
    as the next file hands it work, which then waits for ever."""
    yield
    get_reusable_executor().shutdown()


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
