"""Resizing and scaling as matrices, for engines that know no images."""

import numpy as np


def resizing_matrix(n_in, n_out, *, mirrored=False, moved_by=0):
    """Return the matrix that resamples `n_in` pixels to `n_out`.

    Bilinear with half-pixel centres, and antialiased (the triangle is as wide as an output
    pixel) when shrinking: what ``tf.image.resize(..., antialias=True)`` computes, as a matrix
    because no inference engine has that operation.

    Parameters
    ----------
    n_in, n_out : int
        Number of pixels along one axis.
    mirrored : bool, default=False
        Whether the output runs from the last pixel to the first.
    moved_by : int, default=0
        By how many pixels the input moves towards its start first; pixels of the edge fill the gap.

    Returns
    -------
    ndarray of shape (n_in, n_out), float32
        Columns sum to 1.
    """
    step = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * step - 0.5
    distances = np.abs(np.arange(n_in)[:, None] - centres) / max(step, 1.0)
    weights = np.maximum(0.0, 1.0 - distances)
    weights = (weights / weights.sum(axis=0)).astype(np.float32)
    if moved_by:
        in_place, weights = weights, np.zeros_like(weights)
        np.add.at(weights, np.clip(np.arange(n_in) + moved_by, 0, n_in - 1), in_place)
    return weights[:, ::-1] if mirrored else weights


def affine_map(pixel_range, wanted_range):
    """Return the scale and the offset that map one range to another."""
    (low, high), (wanted_low, wanted_high) = pixel_range, wanted_range
    scale = (wanted_high - wanted_low) / (high - low)
    return scale, wanted_low - low * scale


def preprocessing_arrays(network, image_shape, pixel_range, *, mirrored=False, moved_by=(0, 0)):
    """Return what turns images into network input: a scale, an offset and two matrices.

    The image, seen as `height` rows of ``width * channels`` numbers, is multiplied by the
    first matrix (columns of pixels, grey repeated to RGB) and by the second (rows of pixels).

    Returns
    -------
    scale, offset : float
        Map `pixel_range` to that of the network.
    columns : ndarray of shape (width * channels, input_size * 3), float32
    rows : ndarray of shape (height, input_size), float32
    """
    height, width, channels = image_shape
    scale, offset = affine_map(pixel_range, network.pixel_range)
    to_rgb = np.eye(3, dtype=np.float32) if channels == 3 else np.ones((1, 3), np.float32)
    size, (up, left) = network.input_size, moved_by
    columns = resizing_matrix(width, size, mirrored=mirrored, moved_by=left)
    rows = resizing_matrix(height, size, moved_by=up)
    return scale, offset, np.kron(columns, to_rgb), rows
