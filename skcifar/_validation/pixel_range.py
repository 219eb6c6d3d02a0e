"""Which range the pixels of images have."""

import math
import warnings

import numpy as np

from .pixel_guess import guess_pixel_range, holds_fractions_of_one, other_float_range

# Beyond this share of the width of a range, pixels are called outside of it.
_TOLERANCE = 0.01
# Networks compute in float32: its greatest number is 3e38, and pixels are added up.
_LARGEST_PIXEL = 1e30


def resolve_pixel_range(images, pixel_range):
    """Return the (low, high) of the pixels that are mapped to what the network was trained on.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        The images of `fit`.
    pixel_range : "auto" or (low, high)

    Returns
    -------
    tuple of two floats

    Raises
    ------
    ValueError
        If `images` leave an explicit range by more than 1 %, or are too large to compute with.

    Warns
    -----
    UserWarning
        If "auto" is in doubt.
    """
    if isinstance(pixel_range, str) and images.dtype in (np.uint8, np.bool_):
        return (0.0, 255.0) if images.dtype == np.uint8 else (0.0, 1.0)
    if images.dtype == np.uint8 and tuple(pixel_range) == (0, 255):
        return (0.0, 255.0)  # nothing to find out
    low, high = _extremes(images)
    if max(-low, high) > _LARGEST_PIXEL:
        raise ValueError(
            f"X holds pixels in [{low:g}, {high:g}], which are too large to compute with in "
            "float32. Look for what is not a pixel in them, or scale them to [0, 1]."
        )
    if isinstance(pixel_range, str):
        bounds, doubt = guess_pixel_range(images, low, high)
        if doubt:
            _warn_of_doubt(low, high, doubt)
        return bounds
    wanted = tuple(float(bound) for bound in pixel_range)
    if _are_outside(low, high, wanted):
        raise ValueError(
            f"X holds pixels in {_interval(low, high, wanted)}, outside pixel_range={wanted}. "
            'Pass the range that your pixels have, or pixel_range="auto".'
        )
    return wanted


def _warn_of_doubt(low, high, doubt):
    warnings.warn(
        f"X holds pixels in [{low:g}, {high:g}], {doubt}. If another range is meant, pass "
        "pixel_range=(low, high).",
        UserWarning,
        stacklevel=3,
    )


def warn_outside_range(images, pixel_range, *, name="X"):
    """Warn if pixels were scaled in another way than those that were fitted.

    That is, if they are more than 1 % outside of `pixel_range`, if they are fractions of 1 where
    it is that of bytes or wider, or if they are certainly in the other of [0, 1] and [-1, 1].

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    pixel_range : tuple of two floats
        That of the fit.
    name : str, default="X"
        Of the argument that the images came in.
    """
    if images.dtype == np.uint8 and pixel_range == (0.0, 255.0):
        return  # nothing to find out, and a memory-mapped file is not read
    low, high = _extremes(images)
    if _are_outside(low, high, pixel_range) or _are_scaled_otherwise(
        images, low, high, pixel_range
    ):
        warnings.warn(
            f"{name} holds pixels in {_interval(low, high, pixel_range)}, but the fit was on "
            f"pixels in [{pixel_range[0]:g}, {pixel_range[1]:g}]. Scale them in the same way as "
            "at fit.",
            UserWarning,
            stacklevel=2,
        )


def _are_outside(low, high, pixel_range):
    tolerance = _TOLERANCE * (pixel_range[1] - pixel_range[0])
    return low < pixel_range[0] - tolerance or high > pixel_range[1] + tolerance


def _are_scaled_otherwise(images, low, high, pixel_range):
    """Whether pixels within `pixel_range` were certainly not scaled to it."""
    width = pixel_range[1] - pixel_range[0]
    if width > 255 and images.dtype == np.uint8:
        return True
    if width >= 255:
        return holds_fractions_of_one(images, low, high)
    return other_float_range(images, low, high, pixel_range) is not None


def _extremes(images):
    return float(images.min()), float(images.max())


def _interval(low, high, pixel_range):
    """Return [low, high] with as many digits as tell them from the ends of `pixel_range`."""
    width = pixel_range[1] - pixel_range[0]
    digits = 6 + max(0, math.ceil(math.log10(max(map(abs, pixel_range)) / width)))
    return f"[{low:.{digits}g}, {high:.{digits}g}]"
