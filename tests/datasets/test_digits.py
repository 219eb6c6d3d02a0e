import numpy as np
from sklearn.datasets import load_digits

from skcifar.datasets import load_digits_rgb


def test_shape_type_and_range_are_those_of_cifar10():
    digits = load_digits_rgb()
    assert digits.images.shape == (1797, 32, 32, 3)
    assert digits.images.dtype == np.uint8
    assert (digits.images.min(), digits.images.max()) == (0, 255)
    assert digits.target_names.tolist() == list("0123456789")
    assert "8 x 8" in digits.DESCR


def test_data_are_the_images_as_rows():
    digits = load_digits_rgb()
    np.testing.assert_array_equal(digits.data, digits.images.reshape(1797, -1))


def test_images_are_grey():
    images = load_digits_rgb().images
    assert (images == images[..., :1]).all()


def test_images_shrunk_again_are_the_digits_of_scikit_learn():
    images = load_digits_rgb().images[..., 0].reshape(-1, 8, 4, 8, 4).mean(axis=(2, 4))
    expected = load_digits().images * (255 / 16)
    # Interpolation smooths edges: the blocks agree on the whole, not pixel by pixel.
    assert np.corrcoef(images.ravel(), expected.ravel())[0, 1] > 0.97


def test_images_and_target_alone():
    X, y = load_digits_rgb(return_X_y=True)
    digits = load_digits_rgb()
    np.testing.assert_array_equal(X, digits.images)
    np.testing.assert_array_equal(y, digits.target)
