"""Rows in the order of CIFAR-10's own files are noticed, and no others."""

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from skcifar._validation.row_order import plane_ratios, warn_of_planes
from skcifar.datasets import fetch_cifar10, load_digits_rgb, make_images

RNG = np.random.default_rng(0)
ROWS, COLUMNS = np.mgrid[:32, :32] / 31


def photographs(side):
    """Return patches of two photographs."""
    return np.array(
        [
            image[top : top + side, left : left + side]
            for image in load_sample_images().images
            for top in range(0, image.shape[0] - side, side)
            for left in range(0, image.shape[1] - side, side)
        ]
    )


def patterns(function):
    """Return grey images of a function of two random numbers."""
    drawn = [function(*RNG.uniform(-1, 1, 2)) for _ in range(30)]
    return np.repeat(np.array(drawn, float)[..., None], 3, axis=3)


SMOOTH = {
    "photographs": photographs(32),
    "photographs of 96 px": photographs(96),
    "digits": load_digits_rgb().images[:300],
}
OTHERS = {
    **SMOOTH,
    "grey": np.repeat(photographs(32).mean(axis=3, keepdims=True), 3, axis=3),
    "synthetic": make_images(random_state=0)[0],
    "bytes of noise": RNG.integers(0, 256, (100, 32, 32, 3)),
    "normal noise": RNG.normal(size=(20, 17, 40, 3)),
    "black": np.zeros((3, 32, 32, 3)),
    "one colour each": np.zeros((9, 32, 32, 3)) + RNG.uniform(size=(9, 1, 1, 3)),
    "gradients": patterns(lambda a, b: a * ROWS + b * COLUMNS),
    "gradients down": patterns(lambda a, b: a * ROWS),
    "stripes": patterns(lambda a, b: np.sin(20 * a * ROWS + b)),
    "discs": patterns(lambda a, b: np.hypot(ROWS - a, COLUMNS - b) < 0.3),
    "small": RNG.integers(0, 256, (5, 4, 4, 3)),
    "too large for float32": np.full((4, 32, 32, 3), 1e300),
}


@pytest.mark.parametrize("n_images", [1, 10, None])
@pytest.mark.parametrize("images", OTHERS.values(), ids=OTHERS)
def test_channels_last_do_not_warn(images, n_images):
    for start in range(0, len(images), n_images or len(images)):
        warn_of_planes(images[start : start + n_images] if n_images else images)


@pytest.mark.parametrize("images", SMOOTH.values(), ids=SMOOTH)
def test_planes_warn(images):
    planes = np.moveaxis(images, 3, 1).reshape(images.shape)
    with pytest.warns(UserWarning, match=r"all red, .*X\.reshape\(-1, 3, (32|96), (32|96)\)\.tr"):
        warn_of_planes(planes)


def test_only_rows_are_looked_at(make_features):
    planes = np.moveaxis(SMOOTH["digits"], 3, 1)
    with pytest.warns(UserWarning, match="all blue pixels"):
        make_features().fit(planes.reshape(len(planes), -1))
    make_features().fit(planes.reshape(SMOOTH["digits"].shape))  # of that shape: as they are


@pytest.mark.realdata
def test_single_images_of_cifar10_do_not_warn_and_ten_planes_do():
    try:
        images, _ = fetch_cifar10(return_X_y=True, download_if_missing=False)
    except OSError as error:
        pytest.skip(str(error))
    for image in images[:500]:
        warn_of_planes(image[None])
    planes = np.moveaxis(images, 3, 1).reshape(images.shape)
    for start in range(0, 5000, 10):
        assert max(plane_ratios(planes[start : start + 10])) < 0.7
