"""The network and the weights that the parameters `weights`, `alpha` and `input_size` stand for."""

import difflib
import functools
from dataclasses import replace
from functools import partial

import numpy as np

from .._model.mobilenet_v2 import MobileNetV2
from .._system.libraries import import_keras
from .._system.paths import user_path
from .imagenet import imagenet_weights_path
from .shipped import SHIPPED, shipped_weights

# Seed of weights=None: the same random network in every process, so that the cache serves it.
_RANDOM_WEIGHTS_SEED = 0


def weight_names(network_type):
    """Return the names that `weights` may take for a type of network."""
    return tuple(_NAMED_WEIGHTS.get(network_type, ()))


def load_backbone(network_type, weights, alpha, input_size, image_shape):
    """Return a network and the arrays of its weights.

    Parameters
    ----------
    network_type : type
        Of the network, such as `MobileNetV2`.
    weights : name, path or None
        One of `weight_names`, the path of a Keras weights file, or None for random ones.
    alpha : float or None
        None is 1.0, or what the shipped weights were trained with.
    input_size : int or "auto"
    image_shape : tuple of (height, width, channels)
        Decides what "auto" is.

    Returns
    -------
    network : Network
    weights : tuple of ndarray
        Read-only, shared in the process, in the order of ``build_units(...).get_weights()``.

    Raises
    ------
    OSError
        If the weights are not there and cannot be downloaded.
    ValueError
        If there are none for `alpha`, or a file holds something else.
    """
    names = weight_names(network_type)
    if isinstance(weights, str) and weights.lower() in names:
        named = _NAMED_WEIGHTS[network_type][weights.lower()]
        return named(alpha, input_size, image_shape)
    network = _published(network_type, alpha, input_size, image_shape)
    if weights is None:
        return network, _random_weights(network_type, network.alpha)
    path = user_path(weights)
    if not path.is_file():
        listed = ", ".join([*map(_quoted, names), "None"])
        raise FileNotFoundError(
            f"weights={str(weights)!r} is not a file, and not one of the names {listed}. "
            f"{_advice(str(weights), names)}"
        )
    return network, _from_file(path, network)


def _quoted(name):
    return f'"{name}"'


def _advice(weights, names):
    """Return what to pass instead of `weights`: the name that it comes near to, or a file."""
    near = difflib.get_close_matches(weights.lower(), names, n=1)
    return f"Did you mean {_quoted(near[0])}?" if near else "Pass the path of a Keras weights file."


def _published(network_type, alpha, input_size, image_shape):
    """Return the network as it was published."""
    if input_size == "auto":
        input_size = network_type.nearest_size(image_shape)
    # Plain numbers, however they were given: the network's `repr` is a part of cache keys.
    return network_type(int(input_size), 1.0 if alpha is None else _plain_float(alpha))


def _plain_float(number):
    """Return the float that is written as `number` is: 0.35 for numpy.float32(0.35)."""
    return float(str(number)) if isinstance(number, np.floating) else float(number)


def _imagenet(alpha, input_size, image_shape):
    network = _published(MobileNetV2, alpha, input_size, image_shape)
    return network, _from_file(imagenet_weights_path(network.alpha), network)


def _shipped(name, alpha, input_size, image_shape):
    shipped = SHIPPED[name]
    if alpha is not None and _plain_float(alpha) != shipped.alpha:
        raise ValueError(
            f'weights="{name}" were trained with alpha={shipped.alpha}. Got alpha={alpha!r}. '
            "Pass alpha=None, or other weights."
        )
    if input_size == "auto":
        input_size = shipped.input_size
    network = _published(MobileNetV2, shipped.alpha, input_size, image_shape)
    return replace(network, variant=shipped.variant), shipped_weights(name)[0]


# Of each type of network: functions of (alpha, input_size, image_shape), as `load_backbone` is.
_NAMED_WEIGHTS = {
    MobileNetV2: {"imagenet": _imagenet, **{name: partial(_shipped, name) for name in SHIPPED}}
}


@functools.lru_cache(maxsize=4)
def _random_weights(network_type, alpha):
    return _read_only(_build(network_type, alpha).get_weights())


def _from_file(path, network):
    status = path.stat()
    # The time of the last change may be copied with a file; the other time, of any change, is not.
    stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
    return _weights_from_file(str(path.absolute()), type(network), network.alpha, stamp)


@functools.lru_cache(maxsize=4)
def _weights_from_file(path, network_type, alpha, stamp):
    """Return the weights of a Keras file; `stamp` makes a file that changed another one."""
    model = _build(network_type, alpha)
    try:
        model.load_weights(path)
    except Exception as error:  # Keras and h5py raise many types for a file that does not fit
        raise ValueError(
            f"{path} does not hold the weights of a {network_type.__name__} without top and of "
            f"alpha={alpha:g}: {error}. Pass the alpha that the file was trained with, or remove a "
            "damaged file."
        ) from error
    return _read_only(model.get_weights())


def _build(network_type, alpha):
    import_keras()
    from .._keras.layers import build_units

    # The size of the images does not matter for the shapes of the weights.
    network = network_type(network_type.min_input_size, alpha)
    return build_units(network, seed=_RANDOM_WEIGHTS_SEED)


def _read_only(arrays):
    for array in arrays:
        array.flags.writeable = False
    return tuple(arrays)
