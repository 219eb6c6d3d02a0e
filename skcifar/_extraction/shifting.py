"""Shifts and mirrors images; edge pixels fill the gap."""

import numpy as np

from .digests import image_digests

_FURTHEST = 1 / 8  # of the height and of the width


def furthest_shift(image_shape):
    """Return by how many pixels rows and columns may be shifted, as two floats."""
    return np.array(image_shape[:2]) * _FURTHEST


def shifted(images, shifts, mirrored=None):
    """Return a copy of `images` (n, height, width, channels), shifted.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    shifts : ndarray of shape (n, 2) or (1, 2), int
        By how many rows and columns each image moves up and left.
    mirrored : ndarray of shape (n,), bool, default=None
        Which images are mirrored left to right first.
    """
    height, width = images.shape[1:3]
    rows = np.clip(np.arange(height) + shifts[:, :1], 0, height - 1)
    columns = np.clip(np.arange(width) + shifts[:, 1:], 0, width - 1)
    if mirrored is not None:
        columns = np.where(mirrored[:, None], columns[:, ::-1], columns)
    image_numbers = np.arange(len(images))[:, None, None]
    return images[image_numbers, rows[:, :, None], columns[:, None, :]]


def shifted_by_content(images, number):
    """Return each image shifted by up to an eighth of its sides.

    The shift derives from `number` and the content of the image: the same whenever and wherever
    it is computed, so that the features can be kept.
    """
    draws = [np.random.default_rng([number, *digest]).random(2) for digest in image_digests(images)]
    shifts = (2 * np.reshape(draws, (-1, 2)) - 1) * furthest_shift(images.shape[1:3])
    return shifted(images, np.round(shifts).astype(int))
