"""What an image batch is: shapes, rows and layouts. Errors about them are worded here."""

import math
from contextlib import contextmanager

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import validate_data

from .parameters import integer, option, real, satisfying
from .row_order import warn_of_planes


def _is_image_shape(value):
    return (
        isinstance(value, (tuple, list))
        and len(value) == 3
        and all(map(integer(1).holds, value))
        and value[2] in (1, 3)
    )


def _is_range(value):
    return (
        isinstance(value, (tuple, list, np.ndarray))
        and len(value) == 2
        and all(map(real(-np.inf, low_open=True).holds, value))
        and value[0] < value[1]
    )


# Parameters of whatever takes images.
IMAGE_CONSTRAINTS = {
    "image_shape": option(None)
    | satisfying("a tuple (height, width, channels) with 1 or 3 channels", _is_image_shape),
    "pixel_range": option("auto") | satisfying("a tuple (low, high) with low < high", _is_range),
}


class ImageInputMixin:
    """Turns what users pass as `X` into a batch of images.

    Expects a constructor parameter `image_shape`; sets `n_features_in_` and `image_shape_`.
    """

    def _validate_images(self, X, y="no_validation", *, reset):
        """Return `X` as images of shape (n, height, width, channels), in their own dtype.

        Parameters
        ----------
        X : array-like of shape (n, height, width, channels) or (n, height * width * channels)
        y : array-like of shape (n,), optional
            Labels, validated with `X` when given.
        reset : bool
            Whether to learn the shape of the images (at fit) or to hold them against it.

        Returns
        -------
        images : ndarray of shape (n, height, width, channels)
            A view of `X` where that is possible; never a conversion of all of it to floats.
        y : ndarray of shape (n,)
            Only if `y` was given.
        """
        _check_is_not_one_hot(y)
        shape, rows = self._as_rows(X, reset=reset)
        validated = validate_data(self, rows, y, reset=reset, dtype="numeric")
        rows, *labels = validated if isinstance(validated, tuple) else (validated,)
        _check_is_numeric(rows)
        images = self._rows_to_images(rows, shape, reset=reset)
        if shape is None:
            warn_of_planes(images)
        if reset:
            self.image_shape_ = images.shape[1:]
        return (images, *labels) if labels else images

    def _as_rows(self, X, *, reset):
        """Return the image shape that `X` itself states (or None) and `X` in two dimensions."""
        if issparse(X):
            return None, X
        images = X if hasattr(X, "ndim") else _as_array(X)
        _check_is_one_array(images)
        _check_is_no_iterator(X, images)
        if images.ndim < 3:
            return None, X  # as it is: a frame has feature names
        images = np.asarray(images)
        self._check_image_dimensions(images, reset=reset)
        return images.shape[1:], images.reshape(len(images), math.prod(images.shape[1:]))

    def _check_image_dimensions(self, X, *, reset):
        name = type(self).__name__
        if X.ndim != 4 or X.shape[3] not in (1, 3):
            raise ValueError(
                f"X has shape {X.shape}; {name} expects (n_samples, height, width, channels) with "
                f"1 or 3 channels, or rows of such images. {_shape_advice(X)}"
            )
        if 0 in X.shape[1:]:
            raise ValueError(f"X has shape {X.shape}: its images have no pixels.")
        expected = self.image_shape if reset else self.image_shape_
        if expected is not None and tuple(expected) != X.shape[1:]:
            source = "image_shape is" if reset else f"this {name} was fitted on images of shape"
            raise ValueError(
                f"X has images of shape {X.shape[1:]}, but {source} {tuple(expected)}. "
                f"Resize them, or fit on images of shape {X.shape[1:]}."
            )

    def _rows_to_images(self, rows, shape, *, reset):
        """Return the (n, height, width, channels) view of `rows`.

        The one step that a test adapter overrides, to pad rows of any width to an image.
        """
        if shape is None:
            shape = self._shape_of_rows(rows) if reset else self.image_shape_
        return rows.reshape(len(rows), *shape)

    def _shape_of_rows(self, rows):
        """Return the shape of the images whose pixels are `rows`: stated, or square RGB."""
        width = rows.shape[1]
        side = math.isqrt(width // 3)
        shape = (side, side, 3) if self.image_shape is None else tuple(self.image_shape)
        if math.prod(shape) == width and width:
            return shape
        if self.image_shape is not None:
            advice = f"image_shape={shape} needs rows of {math.prod(shape)} numbers."
        elif math.isqrt(width) ** 2 == width:
            side = math.isqrt(width)
            advice = f"For grey images pass image_shape=({side}, {side}, 1)."
        else:
            advice = "Pass image_shape=(height, width, channels) for other rows."
        raise ValueError(
            f"X has shape {rows.shape}; {type(self).__name__} expects "
            "(n_samples, height, width, channels), or rows of a square RGB image "
            f"(3072 numbers for 32 x 32). {advice}"
        )


def _as_array(X):
    try:
        return np.asarray(X)
    except ValueError as error:
        raise ValueError(
            "X holds images of different shapes, or rows of different lengths. Resize them to one "
            "shape."
        ) from error


def _check_is_one_array(X):
    """Raise if `X` is an array of arrays, which NumPy makes of images of different shapes."""
    if X.ndim == 1 and X.dtype == object:
        shapes = sorted({np.shape(image) for image in X})
        if any(shapes):
            raise ValueError(
                f"X is an array of {len(X)} arrays, of shapes {shapes[:5]}. Resize the images to "
                "one shape and pass np.stack(X)."
            )


def _check_is_no_iterator(X, array):
    """Raise if `X` hands out images one after another, as generators and Keras' data sets do."""
    if array.ndim == 0 and hasattr(X, "__iter__") and not isinstance(X, (str, bytes, dict, set)):
        raise ValueError(
            f"X is a {type(X).__name__}; expected one array of images. Of batches pass "
            "np.concatenate(list(X)), of pairs with labels np.concatenate([images for images, _ in "
            "X]), or give one batch at a time to partial_fit."
        )


def _check_is_not_one_hot(y):
    """Raise scikit-learn's error about labels in several columns, and say what to do."""
    shape = () if issparse(y) else getattr(y, "shape", ())
    if isinstance(y, (list, tuple)) and len(y) and isinstance(y[0], (list, tuple, np.ndarray)):
        shape = (len(y), len(y[0]))
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(
            f"y should be a 1d array, got an array of shape {tuple(shape)} instead. If its rows "
            "are one-hot, pass np.argmax(y, axis=1)."
        )


def _shape_advice(X):
    if X.ndim == 3 and X.shape[-1] in (1, 3):
        return "For one image pass X[None]."
    if X.ndim == 3:
        return "For grey images without a channel axis pass X[..., None]."
    if X.ndim == 4 and X.shape[-1] == 4:
        return "Drop an alpha channel with X[..., :3]."
    if X.ndim == 4 and X.shape[1] in (1, 3):
        return "Move channels last with X.transpose(0, 2, 3, 1)."
    return "Reshape it."


def _check_is_numeric(X):
    if X.dtype.kind not in "buif":
        raise ValueError(f"X has dtype {X.dtype}; expected real numbers: ints, floats or bools.")


@contextmanager
def naming(arguments):
    """Begin the message of an error about data with the names of the arguments it came in."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise type(error)(f"In {arguments}: {error}") from error
