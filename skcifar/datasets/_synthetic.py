"""Synthetic images, for tests and examples that need no data."""

import numpy as np
from sklearn.utils import check_random_state

from .._validation.types import ImageShape, RandomState

_STRIPES = 4  # across the image: wide enough to survive resizing, many enough to be a texture
_BASE, _COLOUR, _CONTRAST, _NOISE = 128, 48, 48, 12  # of 255: they add up to hardly any clipping


def make_images(
    n_samples: int = 100,
    n_classes: int = 3,
    image_shape: ImageShape = (32, 32, 3),
    random_state: RandomState = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Make synthetic images that a classifier can learn.

    Each class has its own colour and its own direction of stripes; where the stripes begin,
    and the noise on top, are random. The classes depend on `n_classes` alone, so that what is
    learned from one `random_state` holds for another.

    Parameters
    ----------
    n_samples : int, default=100
        Number of images, spread over the classes as evenly as can be.
    n_classes : int, default=3
        Number of classes.
    image_shape : tuple of (height, width, channels), default=(32, 32, 3)
        Shape of each image, in pixels.
    random_state : int, RandomState instance or None, default=None
        Seed of order, stripes and noise.

    Returns
    -------
    X : ndarray of shape (n_samples, height, width, channels), uint8
        The images.
    y : ndarray of shape (n_samples,)
        Their classes, 0 to ``n_classes - 1``, in random order.

    Raises
    ------
    ValueError
        If `image_shape` does not have three numbers.

    Examples
    --------
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=6, random_state=0)
    >>> X.shape, X.dtype
    ((6, 32, 32, 3), dtype('uint8'))
    >>> sorted(y.tolist())
    [0, 0, 1, 1, 2, 2]
    """
    if len(image_shape) != 3:
        raise ValueError(
            f"image_shape must be (height, width, channels), such as (32, 32, 3); "
            f"got {image_shape!r}."
        )
    rng = check_random_state(random_state)
    y = rng.permutation(np.arange(n_samples) % n_classes)
    begins = rng.uniform(0, 2 * np.pi, size=n_samples)
    pixels = _stripes(y / n_classes, begins, *image_shape[:2])[..., None]
    pixels = pixels + _colours(y / n_classes, image_shape[2])[:, None, None, :]
    pixels += rng.normal(0, _NOISE, size=pixels.shape)
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8), y


def _stripes(fraction, begins, height, width):
    """Return waves of shape (n, height, width), turned by `fraction` of half a circle."""
    rows, columns = np.linspace(0, 1, height)[:, None], np.linspace(0, 1, width)
    angle, begins = (np.pi * fraction)[:, None, None], begins[:, None, None]
    along = columns * np.cos(angle) + rows * np.sin(angle)
    return _CONTRAST * np.sin(2 * np.pi * _STRIPES * along + begins)


def _colours(fraction, channels):
    """Return a colour of shape (n, channels) from around the colour wheel."""
    turns = fraction[:, None] + np.arange(channels) / channels
    return _BASE + _COLOUR * np.cos(2 * np.pi * turns)
