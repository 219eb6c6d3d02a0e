"""The range that pixels seem to have, and what makes that doubtful.

A guess hangs neither on rounding nor on single pixels: next to the limits that it draws, there is
a doubt, of which the user is warned.
"""

from dataclasses import dataclass

import numpy as np
from sklearn.utils import gen_batches

# Of the width of a range: up to here pixels are in it but for rounding.
_ROUNDING = 0.01
# Up to here they have shot over it, as bicubic resizing does at edges: by 0.07 a side for a step
# from 0 to 1 along one axis, by twice that with a Lanczos window along two.
_OVERSHOOT = 0.25
# Images of one data set fill at least this share of their range from below.
_FILLED = 0.25
# Between 0 and 1 in 16 bits. 257 of them are one of 8 bits, and odd stays odd.
_STEPS = 65535
# float32 computes what is in [-1, 1] to 0.03 of a step.
_STEP_TOLERANCE = 0.1
# So many levels are all odd by chance once in 65,536 times.
_ENOUGH_LEVELS = 16
_PIXELS_PER_PASS = 2**16


def guess_pixel_range(images, low, high):
    """Return the range that `images` seem to have, and a doubt in words, or None.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    low, high : float
        Their least and greatest pixel.
    """
    dtype = images.dtype
    if dtype.kind == "f" and _lies_within(low, high, (0.0, 1.0), _OVERSHOOT):
        return _unit_or_symmetric(images, low, high)
    if dtype.kind == "f" and _lies_within(low, high, (-1.0, 1.0), _OVERSHOOT):
        return _with_overshoot(low, high, (-1.0, 1.0))
    if dtype.kind == "u" and dtype.itemsize == 2 and high > 255:
        return _with_small_part(high, (0.0, 65535.0))
    # Relative to the pixels: standardised ones, from -2 to 2, are not taken for bytes.
    undershoot = _OVERSHOOT if high >= _FILLED * 255 else _ROUNDING
    if low >= -undershoot * high and high <= 255 * (1 + _OVERSHOOT):
        bounds, doubt = _with_overshoot(low, high, (0.0, 255.0))
        return (bounds, doubt) if doubt or dtype.kind != "f" else _with_small_part(high, bounds)
    # One value: a width that float32 tells apart.
    bounds = (low, high if high > low else low + max(1.0, abs(low) / 2**20))
    return bounds, "which is not a usual range; it is mapped to what the network was trained on"


def _lies_within(low, high, bounds, tolerance):
    tolerance = tolerance * (bounds[1] - bounds[0])
    return bounds[0] - tolerance <= low and high <= bounds[1] + tolerance


def _with_overshoot(low, high, bounds):
    if _lies_within(low, high, bounds, _ROUNDING):
        return bounds, None
    return bounds, f"a little outside [{bounds[0]:g}, {bounds[1]:g}], which is assumed"


def _with_small_part(high, bounds):
    if high >= _FILLED * bounds[1]:
        return bounds, None
    return bounds, f"a small part of [{bounds[0]:g}, {bounds[1]:g}], which is assumed"


def _unit_or_symmetric(images, low, high):
    """Tell [0, 1] from bright images in [-1, 1], by the steps that bytes leave in floats.

    A byte k becomes k / 255 in the one, and (2 k - 255) / 255, an odd number of 255ths, in the
    other.
    """
    steps = _Steps.of(images)
    if steps.show_symmetric:
        return (-1.0, 1.0), None
    bounds, doubt = _with_overshoot(low, high, (0.0, 1.0))
    if doubt is None and (low >= _FILLED if steps.are_missing else steps.are_odd):
        doubt = "which may be meant as [0, 1] or [-1, 1]; [0, 1] is assumed"
    return bounds, doubt


def holds_fractions_of_one(images, low, high):
    """Whether pixels are true or false, or numbers in [-1, 1] that are not all whole."""
    if images.dtype.kind not in "bf" or not _lies_within(low, high, (-1.0, 1.0), _ROUNDING):
        return False
    if images.dtype.kind == "b":
        return True
    parts = (images[part] for part in _parts(images))
    return any((part != np.rint(part)).any() for part in parts)


def other_float_range(images, low, high, bounds):
    """Return which of [0, 1] and [-1, 1] `images` certainly have, if that is not `bounds`."""
    if images.dtype.kind != "f" or not _lies_within(low, high, (0.0, 1.0), _ROUNDING):
        return None
    if bounds == (0.0, 1.0) and _Steps.of(images).show_symmetric:
        return (-1.0, 1.0)
    if bounds == (-1.0, 1.0) and _Steps.of(images).show_unit:
        return (0.0, 1.0)
    return None


@dataclass(frozen=True)
class _Steps:
    """The steps of 1 / 65535 that pixels lie on: `n_levels` of them, 0 if they lie between."""

    n_levels: int
    are_odd: bool

    @classmethod
    def of(cls, images):
        levels, are_odd = set(), True
        for part in _parts(images):
            steps = images[part].astype(np.float64) * _STEPS
            nearest = np.rint(steps)
            if images.dtype.itemsize < 4 or (abs(steps - nearest) > _STEP_TOLERANCE).any():
                return cls(0, False)
            are_odd = are_odd and bool((nearest % 2 == 1).all())
            if len(levels) < _ENOUGH_LEVELS:
                levels.update(np.unique(nearest))
            elif not are_odd:
                break
        return cls(len(levels), are_odd)

    @property
    def are_missing(self):
        return self.n_levels == 0

    @property
    def show_symmetric(self):
        return self.are_odd and self.n_levels >= _ENOUGH_LEVELS

    @property
    def show_unit(self):
        return not self.are_odd and self.n_levels >= _ENOUGH_LEVELS


def _parts(images):
    """Yield slices of a few images, so that a look at all of them seldom reads all."""
    n_pixels = max(1, images[0].size)
    return gen_batches(len(images), max(1, _PIXELS_PER_PASS // n_pixels))
