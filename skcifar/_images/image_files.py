"""Many pictures as a sequence of images that are read when they are needed."""

import copy
from collections.abc import Iterable, Iterator
from numbers import Integral
from typing import Any, Literal

import numpy as np

from .._system.threads import check_n_jobs, one_ahead
from .._validation.types import Array
from .pins import Pins
from .reading import digests_into, read_into
from .sizing import check_sizing
from .sources import check_picture, is_pil_image, name_of
from .unreadable import error_about

_PIECE_BYTES = 2**24  # 606 images of 96 x 96 pixels


class ImageFiles:
    """Pictures that are decoded when they are needed, as a sequence of images of one size.

    It behaves like an array of shape ``(n, height, width, 3)``, but holds no pixels: indexing it
    with a slice, an array of indices or a mask gives another `ImageFiles` at hardly any cost, so
    that :func:`~sklearn.model_selection.train_test_split` and cross-validation work on it.
    ``files[3]`` is an image, and ``numpy.asarray(files)`` reads all of them. Passed as `X` to
    :class:`~skcifar.MobileNetV2Classifier` and :class:`~skcifar.MobileNetV2Features`, they are
    read a few at a time.

    It stands for the pictures as they were when they were first read: a file that has changed
    since then raises an error that names it.

    Parameters
    ----------
    files : sequence of str, path-like, bytes or PIL.Image.Image
        Paths (``~`` is the home folder), the contents of files, or pictures that Pillow has opened.
        A list, an array or a pandas Series.
    image_size : int or (height, width)
        Size in pixels to bring every picture to, with bilinear interpolation (antialiased when
        shrinking).
    resize : {"stretch", "crop", "pad"}, default="stretch"
        What happens to the aspect ratio. "stretch" does not keep it. "crop" keeps it and uses the
        middle of the picture. "pad" keeps it and adds grey borders.
    n_jobs : int, default=None
        How many threads read and decode. None and -1 mean one per processor.

    Attributes
    ----------
    files : ndarray of shape (n,), object
        The pictures, paths as strings.
    image_shape : tuple
        ``(height, width, 3)``.
    shape : tuple
        ``(n, height, width, 3)``.
    ndim : int
        Always 4.
    dtype : dtype
        ``uint8``.

    See Also
    --------
    skcifar.load_image : One picture.
    skcifar.datasets.load_image_folder : A folder with one folder per class, also as `ImageFiles`.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> import numpy as np
    >>> from PIL import Image
    >>> from skcifar import ImageFiles
    >>> folder = TemporaryDirectory()
    >>> for number in range(5):
    ...     Image.new("RGB", (640, 480)).save(Path(folder.name, f"{number}.jpg"))
    >>> files = ImageFiles(sorted(Path(folder.name).glob("*.jpg")), image_size=96)
    >>> files.shape
    (5, 96, 96, 3)
    >>> files[:2]
    ImageFiles(2 pictures, image_size=(96, 96), resize='stretch')
    >>> np.asarray(files[[0, 4]]).shape
    (2, 96, 96, 3)
    >>> folder.cleanup()
    """

    def __init__(
        self,
        files: Iterable[Any],
        *,
        image_size: int | tuple[int, int],
        resize: Literal["stretch", "crop", "pad"] = "stretch",
        n_jobs: int | None = None,
    ) -> None:
        self._sizing = check_sizing(image_size, resize)
        check_n_jobs(n_jobs)
        self.n_jobs = n_jobs
        self.files = _as_objects(files)
        self._pins = Pins.of(len(self.files))

    @property
    def image_size(self):
        """(height, width) of the images in pixels."""
        return self._sizing.height, self._sizing.width

    @property
    def resize(self):
        """What happens to the aspect ratio."""
        return self._sizing.resize

    @property
    def image_shape(self):
        """(height, width, 3)."""
        return self._sizing.image_shape

    @property
    def shape(self):
        """(n, height, width, 3)."""
        return len(self.files), *self.image_shape

    @property
    def ndim(self):
        """Always 4."""
        return 4

    @property
    def dtype(self):
        """``uint8``."""
        return np.dtype(np.uint8)

    def __len__(self):
        return len(self.files)

    def __repr__(self):
        return (
            f"ImageFiles({len(self):,} pictures, image_size={self.image_size}, "
            f"resize={self.resize!r})"
        )

    def __getitem__(self, key):
        if isinstance(key, tuple) and len(key) == 2 and key[1] is Ellipsis:
            key = key[0]  # as scikit-learn asks for rows
        if isinstance(key, Integral) and not isinstance(key, bool):
            index = range(len(self))[key]
            return np.asarray(self[index : index + 1])[0]
        files = None if key is None or isinstance(key, tuple) else self.files[key]
        if not isinstance(files, np.ndarray) or files.ndim != 1:
            raise IndexError(
                "ImageFiles are indexed by whole pictures: with an integer, a slice, an array of "
                "integers, or a mask. numpy.asarray(files) is an array of all pixels."
            )
        return self._part(files, self._pins[key])

    def _part(self, files, pins):
        part = copy.copy(self)
        part.files, part._pins = files, pins
        return part

    def __iter__(self):
        for images in self.pieces():
            yield from images

    def __array__(self, dtype=None, copy=None):
        if copy is False:
            raise ValueError("ImageFiles are read from files: an array of them is always new.")
        images = np.empty(self.shape, np.uint8)
        decode_into(images, self)
        return images if dtype is None else images.astype(dtype, copy=False)

    def pieces(self, n_images: int | None = None) -> Iterator[Array]:
        """Return an iterator over all images, a few at a time.

        The next ones are read while these are used; images that have been used are discarded.

        Parameters
        ----------
        n_images : int, default=None
            How many at a time; None is as many as fit into 16 MiB.

        Returns
        -------
        iterator of ndarray of shape (n_images, height, width, 3), uint8
            The last one may be shorter.
        """
        size = n_images or max(_PIECE_BYTES // int(np.prod(self.image_shape)), 1)
        return one_ahead(np.asarray, (self[i : i + size] for i in range(0, len(self), size)))

    def digests(self) -> list[bytes]:
        """Return a digest of each picture, without decoding it.

        Returns
        -------
        list of bytes
            For each picture the BLAKE2b digest, 16 bytes, of the content of its file, its final
            size, `resize` and the version of Pillow.
        """
        self._raise_faults(digests_into(self._pins, self.files, self._sizing, self.n_jobs))
        return self._pins.digests()

    def _raise_faults(self, blocks, progress=None):
        """Go through what `reading` yields; raise one error about all that cannot be read."""
        faults = []
        for n_done, of_block in blocks:
            faults += [(name_of(self.files[index]), fault) for index, fault in of_block]
            if progress is not None:
                progress(n_done)
        if faults:
            raise error_about(faults) from faults[0][1].__cause__


def decode_into(images, files, progress=None):
    """Read all of an `ImageFiles` into an array of its shape.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, 3), uint8
    files : ImageFiles
    progress : callable, default=None
        Called with the number of pictures done since the last call.
    """
    blocks = read_into(images, files.files, files._sizing, files.n_jobs, pins=files._pins)
    files._raise_faults(blocks, progress)


def _as_objects(files):
    """Return pictures as an array of objects, in which NumPy looks into none."""
    if isinstance(files, (str, bytes)) or hasattr(files, "__fspath__") or is_pil_image(files):
        raise TypeError(
            f"files must be a list of pictures; got one {type(files).__name__}. Pass [file]; "
            f"load_image_folder reads folders."
        )
    if getattr(files, "ndim", 1) != 1:  # a frame would give the names of its columns
        raise TypeError(
            f"files must have one dimension; got shape {files.shape}. Pass a list or a column, "
            f'such as frame["path"].'
        )
    if hasattr(files, "tolist"):  # NumPy's own strings take four bytes a letter
        files = files.tolist()
    return checked_pictures(files, "files")


def checked_pictures(pictures, name):
    """Return pictures as an array of objects; raise TypeError, with its place, if one is not."""
    pictures = list(pictures)
    checked = np.empty(len(pictures), object)
    for index, picture in enumerate(pictures):
        checked[index] = check_picture(picture, f"{name}[{index}]")
    return checked
