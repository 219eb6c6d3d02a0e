"""What an image batch is, and what labels and weights go with it.

Every error about data is worded here, or raised by scikit-learn from here.
"""

import math
import warnings
from contextlib import contextmanager
from numbers import Real

import numpy as np
from scipy.sparse import issparse
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import (
    check_array,
    check_consistent_length,
    column_or_1d,
    validate_data,
)

# Beyond this share of the width of `pixel_range_`, pixels at predict are called outside.
_RANGE_TOLERANCE = 0.01
# Networks compute in float32: its greatest number is 3e38, and pixels are added up.
_LARGEST_PIXEL = 1e30
_FLOAT_RANGES = ((0.0, 1.0), (-1.0, 1.0), (0.0, 255.0))


@contextmanager
def unchanged_on_error(estimator):
    """Put every attribute of `estimator` back if the block raises, Ctrl-C included."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


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
        shape, rows = self._as_rows(X, reset=reset)
        validated = validate_data(self, rows, y, reset=reset, dtype="numeric")
        rows, *labels = validated if isinstance(validated, tuple) else (validated,)
        _check_is_numeric(rows)
        images = self._rows_to_images(rows, shape, reset=reset)
        if reset:
            self.image_shape_ = images.shape[1:]
        return (images, *labels) if labels else images

    def _as_rows(self, X, *, reset):
        """Return the image shape that `X` itself states (or None) and `X` in two dimensions."""
        if issparse(X):
            return None, X
        images = X if hasattr(X, "ndim") else _as_array(X)
        _check_is_one_array(images)
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


def check_labels(y, *, minimum_classes=2, name="y"):
    """Return the classes in `y`, and `y` as indices into them.

    Raises
    ------
    ValueError
        If `y` is continuous (scikit-learn's message), or names fewer than two classes.
    """
    check_classification_targets(y)
    classes, encoded = np.unique(y, return_inverse=True)
    if len(classes) < minimum_classes:
        raise ValueError(
            f"{name} holds one class, {classes.tolist()[0]!r}; a classifier needs at least two. "
            "Check how the rows were split or sorted."
        )
    return classes, encoded


def check_all_classes(classes, known=None):
    """Return the `classes` that `partial_fit` was given, sorted.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
    known : ndarray of shape (n_classes,), default=None
        Those of the first call; None at the first call.

    Raises
    ------
    ValueError
        If they are missing at the first call, are no labels, or differ from `known`.
    """
    if classes is None:
        if known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return known
    classes, _ = check_labels(column_or_1d(classes), name="classes")
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"classes={classes.tolist()} is not what the first call was given: "
            f"{known.tolist()}. Fit a new estimator for other classes."
        )
    return classes


def has_validation_data(X_val, y_val, sample_weight_val):
    """Return whether `fit` was given validation data.

    Raises
    ------
    ValueError
        If it was given a part of them only.
    """
    given = [X_val is not None, y_val is not None]
    if any(given) != all(given) or (sample_weight_val is not None and not all(given)):
        raise ValueError(
            "X_val and y_val belong together, and sample_weight_val to both: pass X_val and "
            "y_val, or none of them."
        )
    return all(given)


def encode_labels(y, classes, *, name="y"):
    """Return `y` as indices into `classes`.

    Raises
    ------
    ValueError
        If a label is none of `classes`.
    """
    y = column_or_1d(y, warn=True)
    unknown = sorted(set(y.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(
            f"{name} holds labels that are none of the classes of this classifier: "
            f"{unknown[:5]}. Its classes are {classes.tolist()[:10]}."
        )
    return np.searchsorted(classes, y)


def check_weights(sample_weight, X, *, name="sample_weight"):
    """Return `sample_weight` as floats of shape (n,); None is a weight of 1 each.

    Raises
    ------
    ValueError
        If weights are not one a row, not finite, negative, or all zero.
    """
    n_samples = len(X)
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    weights = _check_floats(sample_weight, name)
    if weights.ndim != 1:
        raise ValueError(
            f"{name} has shape {weights.shape}; expected one weight a row: (n_samples,)."
        )
    check_consistent_length(X, weights)
    if weights.min() < 0:
        raise ValueError(f"{name} holds negative weights, the least is {weights.min():g}.")
    if not weights.any():
        raise ValueError(f"{name} is zero for every row: nothing is left to train on.")
    return weights


def _check_floats(values, name):
    try:
        return check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    except ValueError as error:
        if name in str(error):
            raise
        raise ValueError(f"{name} must hold one number a row. {error}") from error


def check_class_weight(class_weight, classes, labels, weights):
    """Return `weights` times the weight of the class of each row.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        ``"balanced"`` gives every class the same sum of weights.
    classes : ndarray of shape (n_classes,)
    labels : ndarray of shape (n,)
        Indices into `classes`; need not hold all of them.
    weights : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If `class_weight` names other classes (scikit-learn's message), or leaves no row a weight.
    """
    if class_weight == "balanced":
        totals = np.bincount(labels, weights, len(classes))
        of_class = np.zeros(len(classes))
        np.divide(totals.sum() / np.count_nonzero(totals), totals, of_class, where=totals > 0)
    else:
        of_class = compute_class_weight(class_weight, classes=classes, y=classes)
    weights = weights * of_class[labels]
    if not weights.any():
        raise ValueError(
            f"class_weight={class_weight!r} is zero for every row that has a weight: nothing is "
            "left to train on."
        )
    return weights


def split_hold_out(labels, fraction, seed):
    """Return the row numbers that training keeps and those held out, stratified and shuffled.

    Raises
    ------
    ValueError
        If a class has too few rows to stand in both parts.
    """
    try:
        kept, held_out = train_test_split(
            np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction} of {len(labels)} rows leaves no part with rows of "
            f"every class ({error}). Pass another validation_fraction, or X_val and y_val."
        ) from error
    return np.sort(kept), np.sort(held_out)


def resolve_pixel_range(images, pixel_range):
    """Return the (low, high) of the pixels that are mapped to what the network was trained on.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
        The images of `fit`.
    pixel_range : "auto" or (low, high)

    Returns
    -------
    tuple of two floats

    Raises
    ------
    ValueError
        If `images` leave an explicit range, or are too large to compute with.

    Warns
    -----
    UserWarning
        If "auto" finds no usual range and takes the least and the greatest pixel.
    """
    if isinstance(pixel_range, str) and images.dtype in (np.uint8, np.bool_):
        return (0.0, 255.0) if images.dtype == np.uint8 else (0.0, 1.0)
    low, high = _extremes(images)
    if max(-low, high) > _LARGEST_PIXEL:
        raise ValueError(
            f"X holds pixels in [{low:g}, {high:g}], which are too large to compute with in "
            "float32. Look for what is not a pixel in them, or scale them to [0, 1]."
        )
    if isinstance(pixel_range, str):
        return _guess_pixel_range(images.dtype, low, high)
    wanted = tuple(float(bound) for bound in pixel_range)
    if low < wanted[0] or high > wanted[1]:
        raise ValueError(
            f"X holds pixels in [{low:g}, {high:g}], outside pixel_range={wanted}. "
            'Pass the range that your pixels have, or pixel_range="auto".'
        )
    return wanted


def _guess_pixel_range(dtype, low, high):
    if dtype.kind in "ui" and low >= 0 and high <= 255:
        return (0.0, 255.0)
    if dtype.kind == "u" and dtype.itemsize == 2:
        return (0.0, 65535.0)
    if dtype.kind == "f":
        for bounds in _FLOAT_RANGES:
            if bounds[0] <= low and high <= bounds[1]:
                return bounds
    warnings.warn(
        f"X holds pixels in [{low:g}, {high:g}], which is no usual range; it is mapped to what the "
        "network was trained on. If another range is meant, pass pixel_range=(low, high).",
        UserWarning,
        stacklevel=2,
    )
    # One value: a width that float32 tells apart.
    return (low, high if high > low else low + max(1.0, abs(low) / 2**20))


def warn_outside_range(images, pixel_range):
    """Warn if pixels are more than 1 % outside the range that was fitted."""
    if images.dtype == np.uint8 and pixel_range == (0.0, 255.0):
        return  # nothing to find out, and a memory-mapped file is not read
    low, high = _extremes(images)
    tolerance = _RANGE_TOLERANCE * (pixel_range[1] - pixel_range[0])
    if low < pixel_range[0] - tolerance or high > pixel_range[1] + tolerance:
        warnings.warn(
            f"X holds pixels in [{low:g}, {high:g}], but the fit was on pixels in "
            f"[{pixel_range[0]:g}, {pixel_range[1]:g}]. Scale them in the same way as at fit.",
            UserWarning,
            stacklevel=2,
        )


def _extremes(images):
    return float(images.min()), float(images.max())
