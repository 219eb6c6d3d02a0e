"""The size that pictures are brought to, and the ways to do it."""

import math
from dataclasses import dataclass
from numbers import Integral

RESIZE = ("stretch", "crop", "pad")

# In [-1, 1], where MobileNetV2 was trained, this is 0.004: what its own convolutions pad with.
_PADDING = (128, 128, 128)


@dataclass(frozen=True)
class Sizing:
    """A size in pixels, and how pictures of another aspect ratio are brought to it.

    Parameters
    ----------
    height, width : int
    resize : {"stretch", "crop", "pad"}
    """

    height: int
    width: int
    resize: str = "stretch"

    @property
    def image_shape(self):
        return self.height, self.width, 3

    def transposed(self):
        """Return the same for a picture that lies on its side."""
        return Sizing(self.width, self.height, self.resize)

    def scales(self, width, height):
        """Return the factors (horizontal, vertical) by which a picture is resized."""
        x, y = self.width / width, self.height / height
        if self.resize == "stretch":
            return x, y
        return (max(x, y),) * 2 if self.resize == "crop" else (min(x, y),) * 2

    def box(self, width, height):
        """Return what is used of a picture: (left, upper, right, lower), in its own pixels."""
        if self.resize != "crop":
            return 0.0, 0.0, float(width), float(height)
        scale, _ = self.scales(width, height)
        left, upper = (width - self.width / scale) / 2, (height - self.height / scale) / 2
        # Rounding may leave a side a hair outside of the picture.
        left, upper = max(left, 0.0), max(upper, 0.0)
        return left, upper, width - left, height - upper

    def inner_size(self, width, height):
        """Return the (width, height) in pixels that the box is resized to."""
        if self.resize != "pad":
            return self.width, self.height
        scale, _ = self.scales(width, height)
        return max(round(width * scale), 1), max(round(height * scale), 1)

    def padded(self, picture):
        """Return an RGB picture with grey borders up to the full size."""
        from PIL import Image

        if picture.size == (self.width, self.height):
            return picture
        canvas = Image.new("RGB", (self.width, self.height), _PADDING)
        left, upper = (self.width - picture.width) // 2, (self.height - picture.height) // 2
        canvas.paste(picture, (left, upper))
        return canvas

    def enough_pixels(self, width, height):
        """Return the (width, height) from which on a decoder may reduce a picture by itself.

        Twice the final size: the antialiased resizing that follows still has two pixels or more
        for each of its own.
        """
        x, y = self.scales(width, height)
        return math.ceil(2 * width * x), math.ceil(2 * height * y)


def check_sizing(image_size, resize):
    """Return the `Sizing` that two public parameters stand for.

    Raises
    ------
    ValueError
        If one of them is invalid.
    """
    if not isinstance(resize, str) or resize not in RESIZE:
        raise ValueError(
            f'resize must be "stretch", "crop" (the middle of the picture) or "pad" (grey '
            f"borders); got {resize!r}."
        )
    return Sizing(*_check_image_size(image_size), resize)


def _check_image_size(image_size):
    """Return (height, width)."""
    size = (image_size, image_size) if isinstance(image_size, Integral) else image_size
    try:
        height, width = size
        if all(
            isinstance(side, Integral) and not isinstance(side, bool) and side > 0
            for side in (height, width)
        ):
            return int(height), int(width)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"image_size must be a number of pixels, or (height, width), such as 96 or (96, 128); "
        f"got {image_size!r}."
    )
