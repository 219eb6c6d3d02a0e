"""Your own pictures, from one folder per class."""

import warnings
from typing import Any, Literal

import numpy as np
from sklearn.utils import Bunch, check_random_state

from .._images.image_files import ImageFiles
from .._images.reading import check_headers, read_into
from .._images.sizing import check_sizing
from .._images.unreadable import listing, printable
from .._system.paths import user_path
from .._system.progress import progress_bar
from .._validation.types import PathLike, RandomState
from ._equal_files import warn_of_equal_files
from ._folder_layout import read_layout

_ON_ERROR = ("raise", "warn", "skip")


def load_image_folder(
    path: PathLike,
    *,
    image_size: int | tuple[int, int] = 96,
    resize: Literal["stretch", "crop", "pad"] = "stretch",
    shuffle: bool = True,
    random_state: RandomState = 0,
    recursive: bool = True,
    on_error: Literal["raise", "warn", "skip"] = "raise",
    as_files: bool = False,
    return_X_y: bool = False,
    verbose: int = 0,
) -> Any:
    """Load pictures from a folder that holds one folder per class.

    The layout is ``path/class_name/picture.jpg``; pictures in folders inside a class folder belong
    to that class. Hidden files (their names begin with a dot), ``Thumbs.db``, ``desktop.ini`` and
    ``__MACOSX`` are ignored, tables and texts next to the class folders are listed in `skipped`,
    and links to folders are not followed. Everything else has to be a picture; see `on_error`.

    Parameters
    ----------
    path : str or path-like
        The folder that holds the folders of the classes; ``~`` is the home folder.
    image_size : int or (height, width), default=96
        Size in pixels to bring every picture to, with bilinear interpolation (antialiased when
        shrinking).
    resize : {"stretch", "crop", "pad"}, default="stretch"
        What happens to the aspect ratio. "stretch" does not keep it. "crop" keeps it and uses the
        middle of the picture. "pad" keeps it and adds grey borders.
    shuffle : bool, default=True
        Whether to return the pictures in random order. If False, they come class by class, and
        cross-validation without shuffling leaves whole classes out.
    random_state : int, RandomState instance or None, default=0
        Seed of the random order.
    recursive : bool, default=True
        Whether to read folders inside the class folders as well.
    on_error : {"raise", "warn", "skip"}, default="raise"
        What to do about files that cannot be used: raise one error that lists all of them, by
        reason; or leave them out and list them in `skipped`, with one warning or without.
    as_files : bool, default=False
        Whether `images` is an :class:`~skcifar.ImageFiles` that reads the pictures when they are
        needed, for more of them than fit into memory. Then only the header of each file is
        checked here; damage further inside is an error when that picture is read.
    return_X_y : bool, default=False
        Whether to return ``(images, y)`` instead of a `Bunch`, with class names as `y`.
    verbose : int, default=0
        1 shows progress.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        images : ndarray of shape (n_samples, height, width, 3), uint8, or ImageFiles
            RGB images, rotated as their EXIF data say. Transparent parts are white; only the first
            frame or page of a file is used, and the upper 8 bits of 16-bit pixels. See
            :func:`~skcifar.load_image`, which uses the same decoder.
        data : ndarray of shape (n_samples, height * width * 3), uint8
            The same images, each as one row; not with `as_files`.
        target : ndarray of shape (n_samples,)
            Classes, as indices of `target_names`.
        target_names : ndarray of shape (n_classes,)
            Names of the folders, sorted.
        filenames : ndarray of shape (n_samples,), object
            Paths of the pictures.
        skipped : list of (str, str)
            Paths that are not among the pictures, and why.
        DESCR : str
            Where they come from.
    (images, y) : tuple if ``return_X_y=True``
        The images, and the name of the class of each.

    Raises
    ------
    ValueError
        If files cannot be used and `on_error` is "raise"; if the folder holds no class folders,
        or what looks like parts of a split; if a parameter is invalid.
    OSError
        If `path` is not a folder, or may not be read.

    See Also
    --------
    skcifar.load_image : One picture, for example a new one to predict.
    skcifar.ImageFiles : Pictures with labels from elsewhere, for example a table.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> from PIL import Image
    >>> from skcifar.datasets import load_image_folder
    >>> with TemporaryDirectory() as folder:
    ...     for name, colour in (("cat", "black"), ("dog", "brown")):
    ...         Path(folder, name).mkdir()
    ...         Image.new("RGB", (64, 48), colour).save(Path(folder, name, "1.png"))
    ...     pets = load_image_folder(folder, image_size=32, shuffle=False)
    >>> pets.images.shape
    (2, 32, 32, 3)
    >>> pets.target_names[pets.target].tolist()
    ['cat', 'dog']
    """
    sizing = check_sizing(image_size, resize)
    if on_error not in _ON_ERROR:
        raise ValueError(f"on_error must be one of {_ON_ERROR}; got {on_error!r}.")
    root = _check_folder(path)
    layout = read_layout(root, recursive)
    paths, labels = _samples(layout.classes)
    if shuffle:
        order = check_random_state(random_state).permutation(len(paths))
        paths, labels = paths[order], labels[order]
    with progress_bar(verbose) as progress:
        progress.phase("Reading pictures", len(paths))
        read = _read_headers if as_files else _read_pixels
        images, kept, faults = read(paths, sizing, progress)
    faults = sorted(layout.faults + faults, key=lambda fault: fault[0])
    _tell(faults, root, len(kept), on_error)
    filenames = paths[kept]
    target_names, target = np.unique(labels[kept], return_inverse=True)
    warn_of_equal_files(filenames, target)
    if return_X_y:
        return images, target_names[target]
    return Bunch(
        images=images,
        **({} if as_files else {"data": images.reshape(len(images), -1)}),
        target=target,
        target_names=target_names,
        filenames=filenames,
        skipped=[(file, fault.reason) for file, fault in layout.ignored + faults],
        DESCR=f"{len(images):,} pictures in {len(target_names)} classes from {root}, "
        f"{sizing.height} x {sizing.width} px.\n",
    )


def _check_folder(path):
    root = user_path(path)
    if not root.is_dir():
        raise FileNotFoundError(
            f"{printable(root)} is not a folder. Pass the folder that holds one folder of "
            f"pictures for each class."
        )
    return str(root)


def _samples(classes):
    """Return the paths of all classes, and the name of the class of each."""
    paths = np.array([path for files in classes.values() for path in files], object)
    return paths, np.repeat(list(classes), [len(files) for files in classes.values()])


def _read_pixels(paths, sizing, progress):
    """Return the images that can be read, the indices of their paths, and (path, fault) pairs."""
    images = np.empty((len(paths), *sizing.image_shape), np.uint8)
    bad = _collect(read_into(images, paths, sizing, n_jobs=None), progress)
    kept = np.delete(np.arange(len(paths)), list(bad))
    if bad:
        for new, old in enumerate(kept):  # in place: a copy might not fit into memory
            images[new] = images[old]
    return images[: len(kept)], kept, [(paths[index], fault) for index, fault in bad.items()]


def _read_headers(paths, sizing, progress):
    """Return the same, with images that are still to be read."""
    bad = _collect(check_headers(paths), progress)
    kept = np.delete(np.arange(len(paths)), list(bad))
    images = ImageFiles(paths[kept], image_size=(sizing.height, sizing.width), resize=sizing.resize)
    return images, kept, [(paths[index], fault) for index, fault in bad.items()]


def _collect(blocks, progress):
    """Return what is wrong with pictures, by index, and report how far the reading is."""
    bad = {}
    for n_done, faults in blocks:
        bad.update(faults)
        progress.advance(n_done)
    return bad


def _tell(faults, root, n_good, on_error):
    """Raise or warn about what cannot be used; raise if nothing is left."""
    if not faults or (on_error == "skip" and n_good):
        return
    message = (
        f"{_counted(len(faults), 'file or folder', 'files or folders')} in {printable(root)} "
        f"cannot be used, {_counted(n_good, 'picture', 'pictures')} can.\n{listing(faults)}\n"
    )
    if on_error == "warn" and n_good:
        warnings.warn(f"{message}They are left out.", UserWarning, stacklevel=3)
        return
    raise ValueError(f'{message}With on_error="skip" they are left out and listed in `skipped`.')


def _counted(number, one, more):
    return f"{number:,} {one if number == 1 else more}"
