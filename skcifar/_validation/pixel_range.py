"""Which range the pixels of images have."""

import warnings

import numpy as np

# Beyond this share of the width of `pixel_range_`, pixels at predict are called outside.
_RANGE_TOLERANCE = 0.01
# Networks compute in float32: its greatest number is 3e38, and pixels are added up.
_LARGEST_PIXEL = 1e30
_FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


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
        If `images` leave an explicit range, or are too large to compute with.

    Warns
    -----
    UserWarning
        If "auto" finds no usual range and takes the least and the greatest pixel.
    """
    if isinstance(pixel_range, str) and images.dtype in (np.uint8, np.bool_):
        return (0.0, 255.0) if images.dtype == np.uint8 else (0.0, 1.0)
    low, high = _extremes(images)
    if max(-low, high) > _LARGEST_PIXEL:
        raise ValueError(
            f"X holds pixels in [{low:g}, {high:g}], which are too large to compute with in "
            "float32. Look for what is not a pixel in them, or scale them to [0, 1]."
        )
    if isinstance(pixel_range, str):
        return _guess_pixel_range(images.dtype, low, high)
    wanted = tuple(float(bound) for bound in pixel_range)
    if low < wanted[0] or high > wanted[1]:
        raise ValueError(
            f"X holds pixels in [{low:g}, {high:g}], outside pixel_range={wanted}. "
            'Pass the range that your pixels have, or pixel_range="auto".'
        )
    return wanted


def _guess_pixel_range(dtype, low, high):
    if dtype.kind in "ui" and low >= 0 and high <= 255:
        return (0.0, 255.0)
    if dtype.kind == "u" and dtype.itemsize == 2:
        return (0.0, 65535.0)
    if dtype.kind == "f":
        for bounds in _FLOAT_RANGES:
            if bounds[0] <= low and high <= bounds[1]:
                return bounds
    warnings.warn(
        f"X holds pixels in [{low:g}, {high:g}], which is no usual range; it is mapped to what the "
        "network was trained on. If another range is meant, pass pixel_range=(low, high).",
        UserWarning,
        stacklevel=2,
    )
    # One value: a width that float32 tells apart.
    return (low, high if high > low else low + max(1.0, abs(low) / 2**20))


def warn_outside_range(images, pixel_range):
    """Warn if pixels are more than 1 % outside the range that was fitted."""
    if images.dtype == np.uint8 and pixel_range == (0.0, 255.0):
        return  # nothing to find out, and a memory-mapped file is not read
    low, high = _extremes(images)
    tolerance = _RANGE_TOLERANCE * (pixel_range[1] - pixel_range[0])
    if low < pixel_range[0] - tolerance or high > pixel_range[1] + tolerance:
        warnings.warn(
            f"X holds pixels in [{low:g}, {high:g}], but the fit was on pixels in "
            f"[{pixel_range[0]:g}, {pixel_range[1]:g}]. Scale them in the same way as at fit.",
            UserWarning,
            stacklevel=2,
        )


def _extremes(images):
    return float(images.min()), float(images.max())
