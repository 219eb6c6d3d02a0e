import pickle

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Classifier, MobileNetV2Features, load_pretrained
from skcifar.datasets import fetch_cifar10, load_digits_rgb, make_images


@pytest.fixture(scope="module")
def classifier():
    return load_pretrained("cifar10")


@pytest.fixture(scope="module")
def cifar_images():
    return make_images(n_samples=12, random_state=0)[0]


def test_predicts_the_ten_classes(classifier, cifar_images):
    probabilities = classifier.predict_proba(cifar_images)
    assert probabilities.shape == (12, 10)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(classifier.classes_, range(10))


def test_model_is_the_whole_network(classifier, cifar_images):
    np.testing.assert_allclose(
        classifier.model_.predict(cifar_images, verbose=0),
        classifier.predict_proba(cifar_images),
        atol=1e-3,
    )


def test_goes_on_learning_and_survives_a_pickle(cifar_images):
    classifier = load_pretrained("cifar10").partial_fit(cifar_images, np.arange(12) % 10)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(
        again.predict_proba(cifar_images), classifier.predict_proba(cifar_images)
    )
    assert classifier.n_iter_ == 1


def test_each_call_returns_a_classifier_of_its_own(cifar_images):
    first, second = load_pretrained("cifar10"), load_pretrained("cifar10")
    before = second.predict_proba(cifar_images)
    first.partial_fit(cifar_images, np.arange(12) % 10)
    np.testing.assert_array_equal(second.predict_proba(cifar_images), before)


def test_unknown_name():
    with pytest.raises(ValueError, match=r"name must be 'cifar10'\. Got 'imagenet' instead"):
        load_pretrained("imagenet")


def test_other_alpha_names_the_shipped_one(images):
    with pytest.raises(ValueError, match=r"were trained with alpha=0\.5\. Got alpha=1\.0"):
        MobileNetV2Classifier(weights="cifar10", alpha=1.0).fit(*images)


def test_input_size_is_32(images):
    features = MobileNetV2Features(weights="cifar10").fit(images[0])
    assert features._frozen.network.input_size == 32
    assert features.transform(images[0]).shape == (64, 760)


def test_fine_tunes_like_any_other(images):
    X, y = images
    classifier = MobileNetV2Classifier(weights="cifar10", epochs=2, fine_tune_epochs=1)
    assert classifier.fit(X, y).fine_tune_start_ == 2


def test_frozen_features_transfer_to_the_digits():
    X, y = load_digits_rgb(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = make_pipeline(
        MobileNetV2Features(weights="cifar10"), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    # The model card has 0.984.
    assert model.fit(X_train, y_train).score(X_test, y_test) >= 0.97


@pytest.mark.realdata
def test_accuracy_on_cifar10(classifier):
    try:
        X, y = fetch_cifar10(subset="test", return_X_y=True, download_if_missing=False)
    except OSError as error:
        pytest.skip(str(error))
    # The model card has 0.9026 on 5,000 test images.
    assert classifier.score(X, y) >= 0.895
