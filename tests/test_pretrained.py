import pickle

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Classifier, MobileNetV2Features, load, load_pretrained, save
from skcifar.datasets import fetch_cifar10, load_digits_rgb, make_images

NAMES = ("cifar10", "cifar10-32px")


@pytest.fixture(scope="module", params=NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def classifier(name):
    return load_pretrained(name)


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


def test_goes_on_learning_and_survives_a_pickle(name, cifar_images):
    classifier = load_pretrained(name).partial_fit(cifar_images, np.arange(12) % 10)
    again = pickle.loads(pickle.dumps(classifier))
    np.testing.assert_array_equal(
        again.predict_proba(cifar_images), classifier.predict_proba(cifar_images)
    )
    assert classifier.n_iter_ == 1


def test_each_call_returns_a_classifier_of_its_own(name, cifar_images):
    first, second = load_pretrained(name), load_pretrained(name)
    before = second.predict_proba(cifar_images)
    first.partial_fit(cifar_images, np.arange(12) % 10)
    np.testing.assert_array_equal(second.predict_proba(cifar_images), before)


def test_saved_and_loaded_again(classifier, cifar_images, tmp_path):
    save(classifier, tmp_path / "classifier")
    np.testing.assert_array_equal(
        load(tmp_path / "classifier").predict_proba(cifar_images),
        classifier.predict_proba(cifar_images),
    )


def test_the_default_is_the_accurate_one():
    assert load_pretrained().weights == "cifar10"


def test_unknown_name():
    expected = r"name must be 'cifar10' or 'cifar10-32px'\. Got 'imagenet' instead"
    with pytest.raises(ValueError, match=expected):
        load_pretrained("imagenet")


@pytest.mark.parametrize(("name", "alpha"), [("cifar10", 1.0), ("cifar10-32px", 0.5)])
def test_other_alpha_names_the_shipped_one(images, name, alpha):
    expected = rf'weights="{name}" were trained with alpha={alpha}\. Got alpha=0\.35'
    with pytest.raises(ValueError, match=expected):
        MobileNetV2Classifier(weights=name, alpha=0.35).fit(*images)


def test_small_network_sees_32_pixels(images):
    features = MobileNetV2Features(weights="cifar10-32px").fit(images[0])
    assert features._frozen.network.input_size == 32
    assert features.transform(images[0]).shape == (64, 760)


@pytest.mark.parametrize(("side", "expected"), [(32, 96), (130, 128)])
def test_large_network_sees_what_imagenet_s_would(side, expected):
    features = MobileNetV2Features(weights="cifar10").fit(np.zeros((1, side, side, 3), np.uint8))
    assert features._frozen.network.input_size == expected
    assert features.transform(np.zeros((1, side, side, 3), np.uint8)).shape == (1, 1504)


def test_fine_tunes_like_any_other(name, images):
    X, y = images
    classifier = MobileNetV2Classifier(weights=name, epochs=2, fine_tune_epochs=1)
    assert classifier.fit(X, y).fine_tune_start_ == 2


# The model cards have 0.984 for the last map of the small network.
@pytest.mark.parametrize(("name", "least"), [("cifar10", 0.975), ("cifar10-32px", 0.97)])
def test_frozen_features_transfer_to_the_digits(name, least):
    X, y = load_digits_rgb(return_X_y=True)
    X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)
    model = make_pipeline(
        MobileNetV2Features(weights=name), StandardScaler(), LogisticRegression(max_iter=1000)
    )
    assert model.fit(X_train, y_train).score(X_test, y_test) >= least


# The model cards have 0.9600 and 0.9026 on 5,000 test images.
@pytest.mark.realdata
@pytest.mark.parametrize(("name", "least"), [("cifar10", 0.945), ("cifar10-32px", 0.895)])
def test_accuracy_on_cifar10(name, least):
    try:
        X, y = fetch_cifar10(subset="test", return_X_y=True, download_if_missing=False)
    except OSError as error:
        pytest.skip(str(error))
    assert load_pretrained(name).score(X, y) >= least
