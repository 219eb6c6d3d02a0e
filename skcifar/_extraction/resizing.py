"""Resizes large images before the network, a few rows of pixels at a time.

Within the network resizing is two products with dense matrices, for a whole batch in float32: the
least work for small images, gigabytes for photographs.
"""

import functools
import math

import numpy as np
from scipy.sparse import csr_array

from .._model.preprocessing import affine_map, resizing_matrix

# Bytes of an image in float32 above which it is resized before the network: 295 x 295 RGB pixels.
_LARGE = 2**20
_BAND_BYTES = 2**22  # converted to float32 at a time


def is_resized_before(frozen):
    """Whether images for `frozen` are large."""
    return 4 * math.prod(frozen.image_shape) > _LARGE


def resized(images, frozen):
    """Return what the network sees of `images`, as float32 of shape (n, side, side, 3).

    Computes what `FrozenNetwork.preprocessing` stands for, up to rounding.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    frozen : FrozenNetwork
    """
    size = frozen.network.input_size
    height, width, channels = frozen.image_shape
    up, left = frozen.moved_by
    rows = _sampling(height, size, moved_by=up)
    columns = _sampling(width, size, mirrored=frozen.mirrored, moved_by=left)
    scale, offset = affine_map(frozen.pixel_range, frozen.network.pixel_range)
    out = np.empty((len(images), size, size, 3), np.float32)
    for image, target in zip(images, out, strict=True):
        lines = _weighted_lines(rows, image.reshape(height, width * channels))
        lines = lines.reshape(size, width, channels).swapaxes(0, 1).reshape(width, -1)
        pixels = (columns @ lines).reshape(size, size, channels).swapaxes(0, 1)
        target[:] = pixels * np.float32(scale) + np.float32(offset)  # grey is repeated to RGB
    return out


@functools.lru_cache(maxsize=16)  # ten views of images of one shape have nine
def _sampling(n_in, n_out, **options):
    return csr_array(resizing_matrix(n_in, n_out, **options).T)


def _weighted_lines(matrix, lines):
    """Return ``matrix @ lines`` in float32; `lines` of any dtype is converted in bands."""
    product = np.zeros((matrix.shape[0], lines.shape[1]), np.float32)
    n_lines = max(1, _BAND_BYTES // (4 * lines.shape[1]))
    for start in range(0, len(lines), n_lines):
        band = lines[start : start + n_lines].astype(np.float32)
        part = matrix[:, start : start + len(band)]
        touched = np.flatnonzero(np.diff(part.indptr))
        if not len(touched):  # these pixels moved out of the picture
            continue
        within = slice(touched[0], touched[-1] + 1)
        product[within] += part[within] @ band
    return product
