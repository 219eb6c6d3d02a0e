"""The networks that ship with the package, each with a head that knows CIFAR-10's classes.

``benchmarks/train_cifar10_weights.py`` makes their files. Beside each lies its model card, which
says how good it is and what it is not for.
"""

import functools
from dataclasses import dataclass
from importlib.resources import files

import numpy as np

from .._model.head import Head, Standardization
from .._validation.types import FeatureLayers


@dataclass(frozen=True)
class ShippedNetwork:
    """What one file of weights is for.

    Parameters
    ----------
    file_name : str
        In the folder of this module.
    alpha : float
        Width of the network.
    variant : {"imagenet", "cifar10"}
        Strides of the network.
    input_size : int or "auto"
        What ``input_size="auto"`` is. "auto" is as with ImageNet's weights.
    feature_layers : {"last", "blocks", "all", "depthwise"}
        What its head sees.
    n_training : int
        How many of CIFAR-10's images it was trained on; the others calibrated it.
    """

    file_name: str
    alpha: float
    variant: str
    input_size: int | str
    feature_layers: FeatureLayers
    n_training: int


SHIPPED = {
    "cifar10": ShippedNetwork("cifar10_96px.npz", 1.0, "imagenet", "auto", "all", 47_500),
    "cifar10-32px": ShippedNetwork("cifar10_32px.npz", 0.5, "cifar10", 32, "last", 48_000),
}


@functools.cache
def shipped_weights(name):
    """Return the arrays of the network called `name` in `SHIPPED`, and its head.

    Returns
    -------
    backbone : tuple of ndarray
        Read-only, float32, in the order of ``build_units(...).get_weights()``.
    head : Head
        Ten classes; its arrays are read-only, too.
    """
    with (files(__package__) / SHIPPED[name].file_name).open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        arrays = {key: stored[key].astype(np.float32) for key in stored.files}
    for array in arrays.values():
        array.flags.writeable = False
    standardization = Standardization(arrays["mean"], arrays["scale"])
    return tuple(_numbered(arrays, "network")), Head(_numbered(arrays, "head"), standardization)


def _numbered(arrays, prefix):
    """Return the arrays called "prefix0", "prefix1" and so on."""
    count = sum(key.startswith(prefix) for key in arrays)
    return [arrays[f"{prefix}{number}"] for number in range(count)]
