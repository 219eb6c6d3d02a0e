"""Which frozen network the parameters of an estimator stand for, and its weights."""

import functools
import os
from pathlib import Path

import numpy as np

from ._extraction.engines import (
    ENGINES,
    PRECISIONS,
    Extractor,
    FrozenNetwork,
    check_precision,
    resolve_engine,
)
from ._extraction.feature_cache import open_store
from ._model.mobilenet_v2 import (
    CIFAR_SIZE,
    MIN_INPUT_SIZE,
    MobileNetV2,
    build_units,
    nearest_input_size,
)
from ._system.libraries import import_keras
from ._validation.labels import ImageInputMixin, resolve_pixel_range
from ._validation.parameters import instance, integer, option, real, satisfying
from ._weights.imagenet import imagenet_weights_path
from ._weights.shipped import CIFAR10_ALPHA, cifar10_weights

# Seed of weights=None: the same random network in every process, so that the cache serves it.
_RANDOM_WEIGHTS_SEED = 0


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


_PATH = instance("a path", str, os.PathLike)

BACKBONE_CONSTRAINTS = {
    "weights": option("imagenet", "cifar10", None) | _PATH,
    "alpha": option(None) | real(0, low_open=True),
    "input_size": option("auto") | integer(MIN_INPUT_SIZE),
    "image_shape": option(None)
    | satisfying("a tuple (height, width, channels) with 1 or 3 channels", _is_image_shape),
    "pixel_range": option("auto") | satisfying("a tuple (low, high) with low < high", _is_range),
}
ENGINE_CONSTRAINTS = {
    "feature_cache": option("memory", None) | _PATH,
    "engine": option("auto", *ENGINES),
    "precision": option(*PRECISIONS),
}


class BackboneMixin(ImageInputMixin):
    """Builds the frozen network and what runs it from the parameters of an estimator."""

    def _frozen_network(self, images):
        """Return the `FrozenNetwork` for `images`, those of `fit`."""
        pixel_range = resolve_pixel_range(images, self.pixel_range)
        image_shape = images.shape[1:]
        input_size = self.input_size
        if input_size == "auto":
            is_cifar = self.weights == "cifar10"
            input_size = CIFAR_SIZE if is_cifar else nearest_input_size(image_shape)
        network, weights = load_backbone(self.weights, self.alpha, input_size)
        return FrozenNetwork(network, weights, image_shape, pixel_range)

    def _extractor(self):
        engine = resolve_engine(self.engine)
        check_precision(engine, self.precision)
        return Extractor(engine, self.precision, open_store(self.feature_cache))


def load_backbone(weights, alpha, input_size):
    """Return a `MobileNetV2` and the arrays of its weights.

    Parameters
    ----------
    weights : "imagenet", "cifar10", None or path
    alpha : float or None
        None is 1.0, or what the shipped weights were trained with.
    input_size : int

    Returns
    -------
    network : MobileNetV2
    weights : tuple of ndarray
        Read-only, shared in the process, in the order of ``build_units(...).get_weights()``.

    Raises
    ------
    OSError
        If the weights are not there and cannot be downloaded.
    ValueError
        If there are none for `alpha`, or a file holds something else.
    """
    if weights == "cifar10":
        _check_cifar10_alpha(alpha)
        network = MobileNetV2(input_size, CIFAR10_ALPHA, variant="cifar10")
        return network, cifar10_weights()[0]
    alpha = 1.0 if alpha is None else float(alpha)
    if weights is None:
        return MobileNetV2(input_size, alpha), _random_weights(alpha)
    path = imagenet_weights_path(alpha) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"weights={str(weights)!r} is no file, and none of the names "
            '"imagenet", "cifar10", None. Pass the path of a Keras weights file.'
        )
    stamp = path.stat().st_mtime_ns
    return MobileNetV2(input_size, alpha), _weights_from_file(str(path.absolute()), alpha, stamp)


def _check_cifar10_alpha(alpha):
    if alpha not in (None, CIFAR10_ALPHA):
        raise ValueError(
            f'weights="cifar10" were trained with alpha={CIFAR10_ALPHA}. Got alpha={alpha!r}. '
            "Pass alpha=None, or other weights."
        )


@functools.lru_cache(maxsize=4)
def _random_weights(alpha):
    return _read_only(_build(alpha).get_weights())


@functools.lru_cache(maxsize=4)
def _weights_from_file(path, alpha, stamp):
    """Return the weights of a Keras file; `stamp` makes a file that changed another one."""
    model = _build(alpha)
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and h5py raise many types for a file that does not fit
        raise ValueError(
            f"{path} does not hold the weights of a MobileNetV2 without top and of "
            f"alpha={alpha:g}: {error}. Pass the alpha that the file was trained with, or remove a "
            "damaged file."
        ) from error
    return _read_only(model.get_weights())


def _build(alpha):
    import_keras()
    # The size of the images does not matter for the shapes of the weights.
    return build_units(MobileNetV2(MIN_INPUT_SIZE, alpha), seed=_RANDOM_WEIGHTS_SEED)


def _read_only(arrays):
    for array in arrays:
        array.flags.writeable = False
    return tuple(arrays)
