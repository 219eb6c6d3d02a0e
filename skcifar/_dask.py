"""Runs methods of estimators over Dask arrays: lazily, one block of whole images after another."""

import copy
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

import numpy as np
from sklearn.utils.validation import check_is_fitted

Method = TypeVar("Method", bound=Callable)


def is_dask_array(X):
    """Whether `X` is a Dask array; Dask is not imported to find out: who has one has done so."""
    return isinstance(X, getattr(sys.modules.get("dask.array"), "Array", ()))


def block_by_block(describe_output: Callable) -> Callable[[Method], Method]:
    """Make a method from images to one row an image return a Dask array for a Dask array.

    Shape and dtype of the images are checked at once. Nothing else is computed before the result
    is asked for, and then by a copy of the estimator as it is now.

    Parameters
    ----------
    describe_output : callable
        From the fitted estimator and `X` to the shape (a tuple) and the dtype of one row of what
        the method returns.
    """

    def decorate(method: Method) -> Method:
        @wraps(method)
        def run(self: Any, X: Any) -> Any:
            if not is_dask_array(X):
                return method(self, X)
            _check_images(self, X)
            return _map_blocks(self, method.__name__, X, *describe_output(self, X))

        return cast(Method, run)

    return decorate


def one_number_a_class(classifier, X):
    """Describe a row of probabilities."""
    return (classifier.n_classes_,), np.float32


def one_score_a_class(classifier, X):
    """Describe a row of scores: one number where there are two classes."""
    return (() if classifier.n_classes_ == 2 else (classifier.n_classes_,)), np.float32


def one_class(classifier, X):
    """Describe a predicted class."""
    return (), classifier.classes_.dtype


def _check_images(estimator, X):
    """Raise what the estimator would raise for such images, held against black ones."""
    n_rows = 0 if X.shape[0] == 0 else 1  # NaN where the chunks are unknown
    check_is_fitted(estimator)
    estimator._validate_images(np.zeros((n_rows, *X.shape[1:]), X.dtype), reset=False)


def _map_blocks(estimator, name, X, row_shape, dtype):
    from dask import delayed

    pixel_axes = range(1, X.ndim)
    return X.rechunk(dict.fromkeys(pixel_axes, -1)).map_blocks(
        _call,
        delayed(_streaming_copy(estimator), traverse=False),
        name,
        row_shape,
        np.dtype(dtype),
        drop_axis=list(pixel_axes),
        new_axis=list(range(1, 1 + len(row_shape))),
        chunks=(X.chunks[0], *((width,) for width in row_shape)),
        dtype=dtype,
        meta=np.empty((0,) * (1 + len(row_shape)), dtype),
    )


def _streaming_copy(estimator):
    """Return a copy that keeps no features in memory: more images go by than fit there."""
    estimator = copy.copy(estimator)
    if getattr(estimator, "feature_cache", None) == "memory":
        estimator.feature_cache = None
    return estimator


def _call(block, estimator, name, row_shape, dtype):
    if not len(block):  # a filter left nothing of it
        return np.empty((0, *row_shape), dtype)
    return np.asarray(getattr(estimator, name)(block))
