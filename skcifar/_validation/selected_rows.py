"""Rows of an array that are read when they are asked for."""

import math

import numpy as np

_PIECE_BYTES = 2**24  # read at a time where all rows are looked at


class SelectedRows:
    """Some rows of an array of images: what a fit needs of an array, and no copy.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels) or SelectedRows
    rows : ndarray of ints or bools
    """

    def __init__(self, images, rows):
        rows = np.arange(len(images))[rows]
        if isinstance(images, SelectedRows):
            images, rows = images.base, images._rows[rows]
        self.base, self._rows = images, rows

    @property
    def dtype(self):
        return self.base.dtype

    @property
    def shape(self):
        return (len(self._rows), *self.base.shape[1:])

    @property
    def ndim(self):
        return self.base.ndim

    @property
    def size(self):
        return math.prod(self.shape)

    def __len__(self):
        return len(self._rows)

    def __getitem__(self, numbers):
        return self.base[self._rows[numbers]]

    def min(self):
        return min(piece.min() for piece in self._pieces())

    def max(self):
        return max(piece.max() for piece in self._pieces())

    def _pieces(self):
        row_bytes = max(1, self.base[:1].nbytes)
        size = max(1, _PIECE_BYTES // row_bytes)
        for start in range(0, len(self), size):
            yield self[start : start + size]
