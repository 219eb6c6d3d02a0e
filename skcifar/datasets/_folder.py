"""Your own pictures, from one folder a class."""

import warnings
from numbers import Integral
from pathlib import Path

import numpy as np
from sklearn.utils import Bunch

from .._validation.types import PathLike
from ._bunch import image_bunch

# What operating systems leave among pictures; names that begin with a dot are skipped too.
_METADATA = ("thumbs.db", "desktop.ini", "__macosx")


def load_image_folder(path: PathLike, *, image_size: int | tuple[int, int]) -> Bunch:
    """Load pictures from a folder that holds one folder a class.

    The layout is ``path/class_name/picture.png``. Nothing is skipped silently: what is no
    picture is an error, apart from hidden files (their names begin with a dot),
    ``Thumbs.db``, ``desktop.ini`` and ``__MACOSX``.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the folders of the classes.
    image_size : int or (height, width)
        Size in pixels to bring every picture to, with bilinear interpolation (antialiased when
        shrinking). The aspect ratio is not kept.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        images : ndarray of shape (n_samples, height, width, 3), uint8
            RGB images, upright as their EXIF data say. What is transparent is white; of an
            animation it is the first picture.
        data : ndarray of shape (n_samples, height * width * 3), uint8
            The same images, each as one row.
        target : ndarray of shape (n_samples,)
            Classes, as indices of `target_names`.
        target_names : ndarray of shape (n_classes,)
            Names of the folders, sorted.
        filenames : ndarray of shape (n_samples,)
            Paths of the pictures: class by class, sorted within each.
        DESCR : str
            Where they come from.

    Raises
    ------
    ValueError
        If `image_size` is no size, if a picture cannot be read, or if the layout is another.
    OSError
        If `path` is no folder, or may not be read.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from skcifar.datasets import load_image_folder
    >>> with TemporaryDirectory() as folder:
    ...     for name in ("cat", "dog"):
    ...         Path(folder, name).mkdir()
    ...         Image.new("RGB", (64, 48)).save(Path(folder, name, "1.png"))
    ...     pets = load_image_folder(folder, image_size=32)
    >>> pets.images.shape
    (2, 32, 32, 3)
    >>> pets.target_names[pets.target].tolist()
    ['cat', 'dog']
    """
    height, width = _check_image_size(image_size)
    root = Path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root} is no folder. Give the folder that holds one folder of pictures a class."
        )
    files_of_class = {folder.name: _pictures(folder) for folder in _class_folders(root)}
    files = [file for files in files_of_class.values() for file in files]
    images = np.empty((len(files), height, width, 3), dtype=np.uint8)
    for image, file in zip(images, files, strict=True):
        image[:] = _read_picture(file, (width, height))
    counts = [len(files) for files in files_of_class.values()]
    target = np.repeat(np.arange(len(counts)), counts)
    descr = (
        f"{len(files):,} pictures in {len(counts)} classes from {root}, {height} x {width} px.\n"
    )
    filenames = np.array([str(file) for file in files])
    return image_bunch(images, target, list(files_of_class), descr, filenames=filenames)


def _check_image_size(image_size):
    """Return (height, width)."""
    size = (image_size, image_size) if isinstance(image_size, Integral) else image_size
    try:
        height, width = size
        if all(isinstance(side, Integral) and side > 0 for side in size):
            return int(height), int(width)
    except (TypeError, ValueError):
        pass
    raise ValueError(
        f"image_size must be a number of pixels, or (height, width), such as 96 or (96, 128); "
        f"got {image_size!r}."
    )


def _class_folders(root):
    folders = _visible(root)
    for entry in folders:
        if not entry.is_dir():
            raise ValueError(
                f"{entry} lies beside the folders of the classes. Move it into the folder of "
                f"its class, or away: the layout is class_name/picture.png."
            )
    if not folders:
        raise ValueError(
            f"{root} holds no folders. Put the pictures of each class into a folder of its own: "
            f"the layout is class_name/picture.png."
        )
    return folders


def _pictures(folder):
    files = _visible(folder)
    if not files:
        raise ValueError(
            f"{folder} holds no pictures. Put some in, or remove it: each folder is a class."
        )
    for file in files:
        if not file.is_file():
            raise ValueError(
                f"{file} is no file. Move it away: the layout is class_name/picture.png, with "
                f"no folders below those of the classes."
            )
    return files


def _visible(folder):
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(".") and entry.name.lower() not in _METADATA
    )


def _read_picture(file, size):
    """Return the pixels of one picture, brought to `size` (width, height)."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # Pillow only warns about pictures that take up to twice what it holds for safe.
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as picture:
                upright = _to_rgb(ImageOps.exif_transpose(picture))
        return np.asarray(upright.resize(size, Image.Resampling.BILINEAR))
    # Decoders raise nearly anything on damaged files, from SyntaxError to zlib.error.
    except Exception as error:
        raise ValueError(
            f"{file} cannot be read as a picture: {error}. Repair it, or move it out of the folder."
        ) from error


def _to_rgb(picture):
    from PIL import Image

    if picture.mode.startswith(("I", "F")):
        # Pillow would cut off everything above 255.
        raise ValueError(f"its pixels have more than 8 bits (mode {picture.mode})")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    picture = picture.convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(white, picture).convert("RGB")
