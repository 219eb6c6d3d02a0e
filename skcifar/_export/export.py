"""export: a fitted classifier for runtimes that know nothing of Python."""

from pathlib import Path
from typing import Literal

from sklearn.base import BaseEstimator
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._base_classifier import BaseImageClassifier
from .._normalizer import ImageNormalizer
from .._validation.types import PathLike
from . import to_litert, to_onnx, to_openvino

# Modules that offer ``write(classifier, normalizers, path)``.
_FORMATS = {"onnx": to_onnx, "litert": to_litert, "openvino": to_openvino}


def export(
    estimator: BaseEstimator,
    path: PathLike,
    format: Literal["onnx", "litert", "openvino"] = "onnx",
) -> None:
    """Write a fitted classifier as one model for another runtime.

    The model takes float32 images (n, height, width, channels), with pixels as `fit` saw them,
    and returns the probabilities (n, n_classes) in the order of ``classes_``. Resizing,
    `test_time_augmentation` and the steps of a Pipeline are in it. An ONNX file holds
    ``class_names``, ``pixel_range`` and ``resize`` too, as JSON in its custom metadata.

    Read more in the :ref:`User Guide <saving>`.

    Parameters
    ----------
    estimator : MobileNetV2Classifier or Pipeline
        A Pipeline may hold `ImageNormalizer` steps before the classifier.
    path : str or path-like
        Used as it is. With ``"openvino"`` the weights are written to a second file of the same
        name, with the suffix ``.bin``.
    format : {"onnx", "litert", "openvino"}, default="onnx"
        For ONNX Runtime, for LiteRT (formerly TensorFlow Lite), or for OpenVINO.

    Raises
    ------
    ImportError
        If the package that writes the format is not installed.
    OSError
        If the file cannot be written. An existing file is left untouched.
    TypeError
        If `estimator` is not an image classifier.
    ValueError
        If `format` is not one of these.
    sklearn.exceptions.NotFittedError
        If `estimator`, or a step of it, is not fitted.

    See Also
    --------
    save : Keep the whole estimator, to continue with it in Python.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skcifar import MobileNetV2Classifier, export
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=60, random_state=0)
    >>> classifier = MobileNetV2Classifier(weights=None, input_size=32, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(classifier, Path(folder) / "classifier.onnx")
    ...     print(*(path.name for path in Path(folder).iterdir()))
    classifier.onnx
    """
    if format not in _FORMATS:
        raise ValueError(f"format must be one of {', '.join(map(repr, _FORMATS))}. Got {format!r}.")
    classifier, normalizers = _parts(estimator)
    for step in (*normalizers, classifier):
        check_is_fitted(step)
    _FORMATS[format].write(classifier, normalizers, Path(path))


def _parts(estimator):
    """Return the classifier, and the normalizers before it."""
    steps = [step for _, step in estimator.steps] if type(estimator) is Pipeline else [estimator]
    steps = [step for step in steps if step not in (None, "passthrough")]
    *normalizers, classifier = steps or [None]
    wanted = [isinstance(step, ImageNormalizer) for step in normalizers]
    if not all(wanted) or not isinstance(classifier, BaseImageClassifier):
        names = " and ".join(type(step).__name__ for step in steps) or "no step"
        raise TypeError(
            "export takes a MobileNetV2Classifier, or a Pipeline of ImageNormalizer steps and one. "
            f"Got {names}. For a search, pass search.best_estimator_."
        )
    return classifier, normalizers
