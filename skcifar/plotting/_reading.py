"""What the Displays read: the steps of estimators, the names of classes, the pixels of images."""

import math
import warnings
from collections.abc import Mapping

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array, gen_batches
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_is_fitted

from .._images.given import pictures_in
from .._images.image_files import ImageFiles
from .._validation.pixel_range import resolve_pixel_range

_MAX_NAME_LENGTH = 20
_CHUNK_SIZE = 256
_SIDE = 160  # of pictures in files, where no estimator says what it sees of them


def fitted_steps(estimator):
    """Return what a fitted estimator consists of, first to last; searches and Pipelines open."""
    check_is_fitted(estimator)
    return _steps(estimator)


def _steps(estimator):
    estimator = getattr(estimator, "best_estimator_", estimator)
    if not isinstance(estimator, Pipeline):
        return [estimator]
    steps = [step for _, step in estimator.steps if step not in (None, "passthrough")]
    return [inner for step in steps for inner in _steps(step)]


def transform_before_last(estimator, X):
    """Return `X` as it reaches the last step of `estimator`."""
    for transformer in fitted_steps(estimator)[:-1]:
        X = transformer.transform(X)
    return X


def fitted_attribute(estimator, name):
    """Return the attribute `name` of the first step that has it, or None."""
    steps = fitted_steps(estimator)
    return next((getattr(step, name) for step in steps if hasattr(step, name)), None)


def predict_with_probability(estimator, X):
    """Return (classes, probability of each, or None for an estimator without probabilities)."""
    y_pred = np.asarray(estimator.predict(X))
    if not hasattr(estimator, "predict_proba"):
        return y_pred, None
    columns = np.searchsorted(estimator.classes_, y_pred)
    return y_pred, np.asarray(estimator.predict_proba(X))[np.arange(len(y_pred)), columns]


def name_classes(*labels, class_names=None):
    """Return a dict from each class in `labels` to the name that is drawn.

    `class_names` may map classes to names, or list them: for classes that are integers below
    its length by position, else in sorted order. Strings that are among the names keep theirs.
    """
    classes = unique_labels(*labels)
    if class_names is None:
        class_names = {}
    if isinstance(class_names, Mapping):
        return {label: str(class_names.get(label, label)) for label in classes.tolist()}
    return dict(zip(classes.tolist(), _listed_names(classes, class_names), strict=True))


def _listed_names(classes, class_names):
    names = [str(name) for name in class_names]
    is_numbered = classes.dtype.kind in "iub"
    if not is_numbered and set(map(str, classes)) <= set(names):
        return [str(label) for label in classes]
    if is_numbered and 0 <= int(classes[0]) and int(classes[-1]) < len(names):
        return [names[int(label)] for label in classes]
    if len(classes) != len(names):
        raise ValueError(
            f"class_names holds {len(names)} names for {len(classes)} classes "
            f"({listing(classes)}). Pass one name per class, in sorted order of the classes, or "
            "a dict of class and name."
        )
    return names


def listing(values, n_shown=10):
    """Return the first values as text."""
    shown = ", ".join(map(str, values[:n_shown]))
    return shown + (", ..." if len(values) > n_shown else "")


def drawn_name(label, class_names):
    """Return the name of a class from a dict (or None), cut to what fits into a picture."""
    return shorten(str((class_names or {}).get(label, label)))


def shorten(name, length=_MAX_NAME_LENGTH):
    """Return `name`, cut to `length` characters in the middle: names often differ at the end."""
    if len(name) <= length:
        return name
    n_last = length // 2 - 1
    return f"{name[: length - n_last - 1]}…{name[-n_last:]}"


def lazy_files(X, source=None):
    """Return pictures in files as `ImageFiles`, of what `source` sees of them; else `X` itself."""
    pictures = pictures_in(X)
    if pictures is None or isinstance(pictures, ImageFiles):
        return X
    if source is None:
        return ImageFiles(pictures, image_size=_SIDE, resize="pad")
    shape, resize = (fitted_attribute(source, name) for name in ("image_shape_", "resize_"))
    return ImageFiles(
        pictures, image_size=shape[:2] if shape else _SIDE, resize=resize or "stretch"
    )


def to_pictures(images, *, source=None):
    """Return `images` as matplotlib shows them: uint8 of shape (n_samples, height, width, 3).

    Pictures in files are decoded when they are drawn: they come as `ImageFiles`.

    Parameters
    ----------
    images : array-like of shape (n_samples, height, width, channels) or (n_samples, n_pixels)
        Grey or RGB images of any real dtype, in any range. One scale is used for all. Or files.
    source : estimator, default=None
        A fitted estimator that was given such images: its ``image_shape_`` and
        ``pixel_range_`` are used where it has them.
    """
    images = lazy_files(images, source)
    if isinstance(images, ImageFiles):
        return images
    images = check_array(images, allow_nd=True, input_name="images")
    image_shape = pixel_range = None
    if source is not None:
        image_shape = fitted_attribute(source, "image_shape_")
        pixel_range = getattr(fitted_steps(source)[0], "pixel_range_", None)
    images = _to_four_dimensions(images, image_shape)
    pictures = _to_uint8(images, *(pixel_range or _usual_pixel_range(images)))
    return np.repeat(pictures, 3, axis=-1) if pictures.shape[-1] == 1 else pictures


def _to_uint8(images, low, high):
    """Map [low, high] to [0, 255], a few images at a time to bound memory."""
    if images.dtype == np.uint8 and (low, high) == (0, 255):
        return images
    pictures = np.empty(images.shape, dtype=np.uint8)
    for rows in gen_batches(len(images), _CHUNK_SIZE):
        scaled = (images[rows].astype(np.float32) - low) * (255 / (high - low))
        pictures[rows] = scaled.clip(0, 255).round()
    return pictures


def _to_four_dimensions(images, image_shape):
    if images.ndim == 2:
        side = math.isqrt(images.shape[1] // 3)
        image_shape = image_shape or (side, side, 3)
        if math.prod(image_shape) == images.shape[1]:
            images = images.reshape(-1, *image_shape)
    if images.ndim != 4 or images.shape[-1] not in (1, 3):
        raise ValueError(
            f"images has shape {images.shape}; the Displays show (n_samples, height, width, "
            "channels) with 1 or 3 channels, or rows of square RGB images. Type "
            "images.reshape(n_samples, height, width, channels), with channels 1 for grey images."
        )
    return images


def _usual_pixel_range(images):
    """Return the (low, high) a classifier would take them for; a picture may guess in silence."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return resolve_pixel_range(images, "auto")
