import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skcifar.datasets import make_images


@pytest.mark.parametrize("image_shape", [(32, 32, 3), (40, 24, 3), (8, 8, 1)])
def test_shape_type_and_classes(image_shape):
    X, y = make_images(20, 4, image_shape, random_state=0)
    assert X.shape == (20, *image_shape)
    assert X.dtype == np.uint8
    assert np.bincount(y).tolist() == [5, 5, 5, 5]


def test_same_seed_gives_the_same_images():
    first, second, other = (make_images(10, random_state=seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first[0], second[0])
    np.testing.assert_array_equal(first[1], second[1])
    assert (first[0] != other[0]).any()


def test_order_is_random():
    _, y = make_images(30, random_state=0)
    assert (np.diff(y) < 0).any()


@pytest.mark.parametrize("channels", [1, 3])
def test_what_is_learned_from_one_seed_holds_for_another(channels):
    train = make_images(200, 10, (32, 32, channels), random_state=0)
    test = make_images(100, 10, (32, 32, channels), random_state=1)
    classifier = KNeighborsClassifier().fit(_spectrum(train[0]), train[1])
    assert classifier.score(_spectrum(test[0]), test[1]) > 0.95


def _spectrum(X):
    """Return features that do not depend on where the stripes begin."""
    spectrum = np.abs(np.fft.fft2(X.mean(axis=-1)))[:, :6].reshape(len(X), -1)
    return np.log1p(np.hstack([spectrum, X.mean(axis=(1, 2))]))


def test_other_image_shapes_are_an_error():
    with pytest.raises(ValueError, match=r"image_shape must be \(height, width, channels\)"):
        make_images(image_shape=(32, 32))
