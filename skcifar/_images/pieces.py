"""Pictures some at a time, each read once: for its digest, then, if it is new, for its pixels."""

import os
import threading

import numpy as np

from .decoding import decode, digest
from .reading import collecting_faults, content_of
from .sources import name_of

# Of files, in memory from the digest to the decoding: 300 files of 200 kB, or 15 photographs of a
# telephone.
_FILE_BYTES = 2**26
_PIXEL_BYTES = 2**23  # of decoded images: 303 of 96 x 96 pixels


def pieces_of(files, most_images):
    """Yield all of an `ImageFiles` as `FilePiece`, none larger than keeps memory low.

    Parameters
    ----------
    files : ImageFiles
    most_images : int
        In a piece.
    """
    most_images = max(1, min(most_images, _PIXEL_BYTES // int(np.prod(files.image_shape))))
    start = n_bytes = 0
    for index, picture in enumerate(files.files):
        n_bytes += _file_size(picture)
        if index - start == most_images or (n_bytes > _FILE_BYTES and index > start):
            yield FilePiece(files[start:index])
            start, n_bytes = index, _file_size(picture)
    yield FilePiece(files[start:])


def _file_size(picture):
    try:
        return os.stat(os.path.expanduser(picture)).st_size if isinstance(picture, str) else 0
    except (OSError, ValueError):
        return 0  # an error when it is read


class FilePiece:
    """Some pictures of an `ImageFiles`.

    Parameters
    ----------
    files : ImageFiles

    Attributes
    ----------
    faults : list of (str, UnreadableError)
        Which pictures could not be read so far, and why; their digests and pixels mean nothing.
    """

    def __init__(self, files):
        self._files = files
        self._contents, self._n_bytes, self._keeping = {}, 0, threading.Lock()
        self._bad = set()
        self.faults = []

    def __len__(self):
        return len(self._files)

    def digests(self):
        """Return one digest a picture; nothing is decoded."""
        self._read(range(len(self)), lambda index: self._keep(index, self._content(index)))
        return self._files._pins.digests()

    def pixels(self, indices):
        """Return the images of some pictures, as an array; what else is kept is forgotten."""
        images = np.empty((len(indices), *self._files.image_shape), np.uint8)
        rows = {index: row for row, index in enumerate(indices) if index not in self._bad}

        def read(index):
            content = self._contents.pop(index, None)
            if content is None:
                content = self._content(index)
            images[rows[index]] = decode(content, self._files._sizing)

        self._read(list(rows), read)
        self._contents.clear()
        return images

    def _content(self, index):
        """Read what `decode` takes; raise `UnreadableError` if it is not what it was before."""
        content = content_of(self._files.files[index])
        self._files._pins.check(index, digest(content, self._files._sizing))
        return content

    def _keep(self, index, content):
        n_bytes = len(content) if isinstance(self._files.files[index], str) else 0
        with self._keeping:
            if self._n_bytes + n_bytes <= _FILE_BYTES:
                self._n_bytes += n_bytes
                self._contents[index] = content

    def _read(self, indices, read):
        """Call `read` with each index, in threads; note what raises `UnreadableError`."""
        blocks = collecting_faults(
            lambda place: read(indices[place]), len(indices), self._files.n_jobs
        )
        for _, faults in blocks:
            for place, fault in faults:
                index = indices[place]
                self._bad.add(index)
                self.faults.append((name_of(self._files.files[index]), fault))
