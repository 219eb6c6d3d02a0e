"""Images some at a time, alike for arrays and for pictures in files."""

from functools import partial

from .._images.image_files import ImageFiles
from .._images.pieces import pieces_of
from .._system.threads import one_ahead
from .._validation.selected_rows import SelectedRows
from .digests import image_digests


def looked_at(function, images, size):
    """Yield ``function(chunk)`` for chunks of at most `size` images.

    Of files, the next chunk is looked at while one is used.

    Parameters
    ----------
    function : callable
        Of a `_ArrayChunk` or a `FilePiece`.
    images : ndarray of shape (n, ...), SelectedRows, LayerImages or ImageFiles
    size : int
    """
    if isinstance(images, ImageFiles):
        return one_ahead(function, pieces_of(images, size))
    starts = range(0, len(images), size)
    return (function(_ArrayChunk(images[start : start + size])) for start in starts)


class _ArrayChunk:
    """What `FilePiece` is of files, of images that are there."""

    faults = ()

    def __init__(self, images):
        self._images = images
        self.digests = partial(image_digests, images)

    def __len__(self):
        return len(self._images)

    def pixels(self, indices):
        everything = len(indices) == len(self)
        return self._images if everything else SelectedRows(self._images, indices)
