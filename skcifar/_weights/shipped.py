"""The weights that ship with the package: MobileNetV2 trained on CIFAR-10 alone.

They are the output of ``benchmarks/train_cifar10_weights.py``; ``MODEL_CARD.md`` in this folder
tells how good they are and what they are not for.
"""

import functools
from importlib.resources import files

import numpy as np

CIFAR10_ALPHA = 0.5
CIFAR10_SIZE = 32
_FILE_NAME = f"cifar10_alpha{CIFAR10_ALPHA}.npz"


@functools.cache
def cifar10_weights():
    """Return the arrays of the network and of its classifier.

    Returns
    -------
    backbone : tuple of ndarray
        Read-only, float32, in the order of ``build_units(...).get_weights()``.
    classifier : tuple of ndarray
        Kernel of shape (1280, 10) and bias of shape (10,), on the pooled features.
    """
    with (files(__package__) / _FILE_NAME).open("rb") as file:
        stored = np.load(file, allow_pickle=False)
        arrays = {name: stored[name].astype(np.float32) for name in stored.files}
    for array in arrays.values():
        array.flags.writeable = False
    classifier = arrays.pop("kernel"), arrays.pop("bias")
    arrays.pop("alpha")
    return tuple(arrays[str(number)] for number in range(len(arrays))), classifier
