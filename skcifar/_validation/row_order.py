"""Notices rows whose colours lie one after the other, as in CIFAR-10's own files."""

import warnings

import numpy as np

# What is looked at: 340 rows of CIFAR-10, evenly spread.
_NUMBERS = 2**20
# Below, pixels are neighbours by chance in either order.
_LEAST_SIDE = 16
# The largest of the three ratios in samples of 1 to 300 images, with the channels last: 1.43 to 28
# on CIFAR-10, 1.0 to 155 on patches of photographs and digits, 0.96 to 1.06 on noise, 0.98 and more
# on gradients and stripes. As planes, CIFAR-10 has 0.43 to 0.53 from 10 images up.
_CLEARLY = 0.85


def warn_of_planes(images):
    """Warn if images seem to be made of rows of all red, then all green, then all blue pixels.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        Rows, in the shape that they are taken for.
    """
    height, width, channels = images.shape[1:]
    if channels == 3 and min(height, width) >= _LEAST_SIDE and _seem_planes(images):
        warnings.warn(
            "X holds rows that seem to be all red, then all green, then all blue pixels. They are "
            "read as (height, width, channels). If they are planes, pass "
            f"X.reshape(-1, 3, {height}, {width}).transpose(0, 2, 3, 1).",
            UserWarning,
            stacklevel=2,
        )


def _seem_planes(images):
    with np.errstate(all="ignore"):  # numbers that are no pixels are another's to refuse
        return all(ratio < _CLEARLY for ratio in plane_ratios(images))


def plane_ratios(images):
    """Return how much smoother images are as planes, in three ways: below 1 they are.

    Neighbours in a line, and in a column, as planes against channels last; the colours of one
    pixel against any two pixels. If the channels are last, the first two may be below 1 where
    images run along one axis; the third is then not.
    """
    last = images[:: -(-images.size // _NUMBERS)].astype(np.float32)
    planes = last.reshape(-1, 3, *last.shape[1:3])
    rows = last.reshape(len(last), -1)
    any_two = rows - rows[:, np.random.default_rng(0).permutation(rows.shape[1])]
    pairs = (
        (np.diff(planes, axis=3), np.diff(last, axis=2)),
        (np.diff(planes, axis=2), np.diff(last, axis=1)),
        (np.diff(planes, axis=1), any_two),
    )
    sizes = [[float(np.abs(differences).mean()) for differences in pair] for pair in pairs]
    return [as_planes / otherwise if otherwise else 1.0 for as_planes, otherwise in sizes]
