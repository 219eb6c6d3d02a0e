"""One picture, or many into an array."""

from typing import Any, Literal

from .._system.threads import in_blocks
from .._validation.types import Array
from .decoding import check_header, decode, digest
from .pins import Pins
from .sizing import check_sizing
from .sources import check_picture, name_of, read_file, read_stream
from .unreadable import UnreadableError


def load_image(
    file: Any,
    *,
    image_size: int | tuple[int, int],
    resize: Literal["stretch", "crop", "pad"] = "stretch",
) -> Array:
    """Load one picture as pixels.

    :class:`~skcifar.ImageFiles` and :func:`~skcifar.datasets.load_image_folder` use the same
    decoder: a picture has the same pixels in all three, so that a classifier that was fitted on
    a folder can predict a new file.

    Parameters
    ----------
    file : str, path-like, bytes, file object or PIL.Image.Image
        The path of a picture (``~`` is the home folder), the content of its file, a file that is
        open for reading bytes, or a picture that Pillow has opened. The format is recognised by
        the content, not by the name.
    image_size : int or (height, width)
        Size in pixels to bring the picture to, with bilinear interpolation (antialiased when
        shrinking).
    resize : {"stretch", "crop", "pad"}, default="stretch"
        What happens to the aspect ratio. "stretch" does not keep it. "crop" keeps it and uses the
        middle of the picture. "pad" keeps it and adds grey borders.

    Returns
    -------
    image : ndarray of shape (height, width, 3), uint8
        RGB pixels, rotated as the EXIF data say. Transparent parts are white; only the first frame
        or page of a file is used, and the upper 8 bits of 16-bit pixels.

    Raises
    ------
    ValueError
        If it is not a picture, is damaged, or has more pixels than
        ``PIL.Image.MAX_IMAGE_PIXELS``; if `image_size` or `resize` is invalid.
    OSError
        If the file does not exist, or may not be read.

    See Also
    --------
    skcifar.ImageFiles : Many pictures, read when they are needed.
    skcifar.datasets.load_image_folder : A folder with one folder per class.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from skcifar import load_image
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder, "new.jpg")
    ...     Image.new("RGB", (640, 480), "red").save(path)
    ...     image = load_image(path, image_size=96)
    >>> image.shape
    (96, 96, 3)

    Estimators take several images: ``classifier.predict(image[None])``.
    """
    sizing = check_sizing(image_size, resize)
    name = "A picture that was given as an open file"
    if hasattr(file, "read"):
        read = read_stream
    else:
        file, read = check_picture(file, "file"), content_of
        name = name_of(file)
    try:
        return decode(read(file), sizing)
    except UnreadableError as fault:
        raise fault.named(name) from fault.__cause__


def content_of(picture):
    """Return what `decode` takes: the bytes of a file, or the PIL image itself."""
    return read_file(picture) if isinstance(picture, str) else picture


def read_into(images, pictures, sizing, n_jobs, *, pins=None):
    """Read pictures into the rows of an array, yielding what could not be read.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), uint8
        Filled while the caller iterates; rows of pictures that cannot be read are left alone.
    pictures : sequence of str, bytes or PIL.Image.Image
    sizing : Sizing
    n_jobs : int or None
    pins : Pins, default=None
        What these pictures were when they were read before.

    Yields
    ------
    n_done : int
        How many pictures have been dealt with since the last time.
    faults : list of (int, UnreadableError)
        Which of these are not in `images`, and why.
    """
    if pins is None:
        pins = Pins.of(len(pictures))

    def read(index):
        content = content_of(pictures[index])
        pins.check(index, digest(content, sizing))
        images[index] = decode(content, sizing)

    return collecting_faults(read, len(pictures), n_jobs)


def digests_into(pins, pictures, sizing, n_jobs):
    """Read pictures for their digests alone; otherwise like `read_into`."""

    def read(index):
        pins.check(index, digest(content_of(pictures[index]), sizing))

    return collecting_faults(read, len(pictures), n_jobs)


def check_headers(paths, n_jobs=None):
    """Check that files begin as pictures do; otherwise like `read_into`."""
    return collecting_faults(lambda index: check_header(paths[index]), len(paths), n_jobs)


def collecting_faults(read, n, n_jobs):
    """Call ``read(index)`` for `n` indices, in threads; yield as `read_into` does."""

    def read_block(indices):
        faults = []
        for index in indices:
            try:
                read(index)
            except UnreadableError as fault:
                faults.append((index, fault))
        return len(indices), faults

    return in_blocks(read_block, n, n_jobs)
