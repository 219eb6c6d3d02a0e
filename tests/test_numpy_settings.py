"""NumPy's numbers as parameters, and its settings of floating-point errors."""

import numpy as np
import pytest

from skcifar import ImageNormalizer, MobileNetV2Features

NUMBERS = {
    "alpha": (0.35, [np.float64(0.35), np.float32(0.35), np.float16(0.35)]),
    "input_size": (32, [np.int64(32), np.uint8(32)]),
    "image_shape": ((16, 16, 3), [tuple(np.array([16, 16, 3])), [16, 16, np.uint8(3)]]),
    "pixel_range": ((0, 255), [tuple(np.array([0, 255])), np.array([0, 255], np.float32)]),
}


@pytest.mark.parametrize(
    ("name", "plain", "number"),
    [(name, plain, number) for name, (plain, numbers) in NUMBERS.items() for number in numbers],
)
def test_number_of_numpy_shares_the_features_of_a_plain_one(
    make_features, images, name, plain, number
):
    found, expected = (
        make_features(**{name: value}).fit(images[0])._frozen.fingerprint
        for value in (number, plain)
    )
    assert found == expected


def test_number_of_blocks_of_numpy_shares_the_maps_of_a_plain_one(make_features, images):
    frozen = make_features().fit(images[0])._frozen
    found, expected = (
        frozen.below(frozen.network.first_unfrozen(blocks)).fingerprint
        for blocks in (np.int64(4), 4)
    )
    assert found == expected


def test_width_of_the_shipped_weights_may_be_of_numpy(images):
    MobileNetV2Features(weights="cifar10-32px", alpha=np.float16(0.5)).fit(images[0])


def test_one_hidden_layer_may_be_a_number(make_classifier, images):
    X, y = images
    for width in (16, np.int64(16)):
        found = make_classifier(hidden_units=width).fit(X, y).predict_proba(X)
        expected = make_classifier(hidden_units=(16,)).fit(X, y).predict_proba(X)
        np.testing.assert_array_equal(found, expected)


@pytest.fixture
def tiny_pixels(images):
    """Return images in [0, 1] with pixels that float32 does not hold."""
    X, y = images
    return np.where(X < 60, 1e-60, X / 255), y


@pytest.mark.parametrize("method", ["predict_proba", "predict_log_proba", "decision_function"])
def test_underflow_is_no_error_in_a_classifier(make_classifier, tiny_pixels, method):
    X, y = tiny_pixels
    # So sure that probabilities underflow, weights so small that products do.
    classifier = make_classifier(
        epochs=40, learning_rate=0.1, class_weight={0: 1e-300}, test_time_augmentation=True
    )
    with np.errstate(all="raise"):
        getattr(classifier.fit(X, y), method)(X)


@pytest.mark.parametrize("method", ["unit", "symmetric", "standardize"])
def test_underflow_is_no_error_in_transformers(make_features, tiny_pixels, method):
    X, _ = tiny_pixels
    normalizer = ImageNormalizer(method)
    with np.errstate(all="raise"):
        make_features().fit(X).transform(X)
        normalizer.inverse_transform(normalizer.fit(X).transform(X))
