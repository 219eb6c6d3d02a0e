"""What the README promises on real CIFAR-10; runs where it and the ImageNet weights are there."""

import numpy as np
import pytest
from sklearn.metrics import ConfusionMatrixDisplay
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier
from skcifar._weights.imagenet import imagenet_weights_path
from skcifar.datasets import fetch_cifar10

pytestmark = [pytest.mark.realdata, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def cifar10():
    try:
        train = fetch_cifar10(return_X_y=True, download_if_missing=False)
        test = fetch_cifar10(subset="test", return_X_y=True, download_if_missing=False)
        imagenet_weights_path(1.0)
    except OSError as error:
        pytest.skip(str(error))
    return *train, *test


@pytest.fixture(scope="module")
def small(cifar10):
    X, y, X_test, y_test = cifar10
    return X[:1500], y[:1500], X_test[:500], y_test[:500]


@pytest.mark.slow
def test_defaults_reach_the_promised_accuracy(cifar10):
    X, y, X_test, y_test = cifar10
    classifier = MobileNetV2Classifier(random_state=0).fit(X, y)
    assert classifier.score(X_test, y_test) >= 0.88
    assert classifier.score(X, y) >= 0.92


@pytest.mark.parametrize("method", ["unit", "symmetric"])
def test_normalised_images_score_as_raw_ones_do(small, method):
    X, y, X_test, y_test = small
    raw = MobileNetV2Classifier(random_state=0).fit(X, y)
    normalised = make_pipeline(ImageNormalizer(method), MobileNetV2Classifier(random_state=0))
    assert normalised.fit(X, y).score(X_test, y_test) == pytest.approx(
        raw.score(X_test, y_test), abs=0.005
    )


def test_search_in_a_pipeline(small):
    X, y, X_test, y_test = small
    pipeline = Pipeline(
        [
            ("normalize", ImageNormalizer()),
            ("classify", MobileNetV2Classifier(epochs=5, random_state=0)),
        ]
    )
    search = GridSearchCV(pipeline, {"classify__learning_rate": [1e-4, 1e-3]}, cv=3).fit(X, y)
    assert search.best_params_ == {"classify__learning_rate": 1e-3}
    assert search.score(X_test, y_test) > 0.65
    assert cross_val_score(search.best_estimator_, X, y, cv=3).min() > 0.6


def test_confusion_matrix(small):
    X, y, X_test, y_test = small
    classifier = MobileNetV2Classifier(epochs=5, random_state=0).fit(X, y)
    display = ConfusionMatrixDisplay.from_estimator(classifier, X_test, y_test)
    assert display.confusion_matrix.sum() == len(y_test)
    assert np.trace(display.confusion_matrix) / len(y_test) > 0.65


@pytest.mark.slow
def test_fine_tuning_the_top_blocks_beats_the_frozen_network(small):
    X, y, X_test, y_test = small
    options = {"epochs": 10, "random_state": 0}
    frozen = MobileNetV2Classifier(**options).fit(X, y).score(X_test, y_test)
    tuned = MobileNetV2Classifier(
        **options,
        augmentation="flip",
        fine_tune_epochs=5,
        fine_tune_learning_rate=5e-4,
        fine_tune_blocks=11,
    )
    assert tuned.fit(X, y).score(X_test, y_test) > frozen + 0.02
