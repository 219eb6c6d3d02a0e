"""Pictures of any kind of pixel, brought to 8 bits: grey, RGB or RGBA."""

import numpy as np

from .unreadable import UnreadableError


def eight_bits(picture):
    """Return a PIL image of mode L, RGB or RGBA.

    Of 16 bits the upper eight are kept, so that 65,535 becomes 255: this is what Pillow does to
    colour pictures of 16 bits, and it depends on no other pixel and no other picture. Floats are
    taken for [0, 1].

    Raises
    ------
    UnreadableError
        If the pixels have no white that is known: other floats, integers above 65,535.
    """
    if picture.mode in ("L", "RGB") and not picture.has_transparency_data:
        return picture
    if picture.mode.startswith("I"):
        return _of_integers(np.asarray(picture))
    if picture.mode.startswith("F"):
        return _of_floats(np.asarray(picture))
    if picture.has_transparency_data:
        return picture.convert("RGBA")
    return picture.convert("L" if picture.mode == "1" else "RGB")


def _of_integers(pixels):
    from PIL import Image

    if pixels.min() < 0 or pixels.max() > 65_535:
        raise _unknown_white("integers", pixels)
    return Image.fromarray((pixels >> 8).astype(np.uint8))


def _of_floats(pixels):
    from PIL import Image

    if not (pixels.min() >= 0 and pixels.max() <= 1):  # false for NaN, too
        raise _unknown_white("floating-point numbers", pixels)
    return Image.fromarray(np.rint(pixels * 255).astype(np.uint8))


def _unknown_white(kind, pixels):
    return UnreadableError(
        f"its pixels are {kind} in [{pixels.min():.6g}, {pixels.max():.6g}], and it is not known "
        "which of them is white",
        "Scale them to 16-bit integers, where 65535 is white, or to floats in [0, 1], and save "
        "it again.",
    )
