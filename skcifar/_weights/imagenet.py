"""The ImageNet weights of MobileNetV2: where Keras keeps them, and how they get there."""

import os

from .._model.mobilenet_v2 import IMAGENET_ALPHAS
from .._system.downloads import download
from .._system.paths import check_home_folder, user_path

# As keras/src/applications/mobilenet_v2.py has it; Keras publishes no checksum of these files.
_BASE_URL = "https://storage.googleapis.com/tensorflow/keras-applications/mobilenet_v2/"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_ADVICE = (
    "Download it from {url} and put it there by hand, or use weights='cifar10' (shipped with "
    "skcifar), weights=None (random), or weights=<path of a Keras weights file>."
)


def imagenet_weights_path(alpha):
    """Return the path of the ImageNet weights for one width, downloading them if need be.

    It is the checkpoint for 224 px without its top, in Keras' own folder (``models`` below
    ``KERAS_HOME``, or below ``~/.keras``) and under Keras' own name, so that one copy
    serves both. What is in the file is checked where it is loaded.

    Parameters
    ----------
    alpha : float
        Width multiplier: 0.35, 0.5, 0.75, 1.0, 1.3 or 1.4.

    Returns
    -------
    pathlib.Path
        An HDF5 file (9 MB for alpha 1.0).

    Raises
    ------
    ValueError
        If there are no such weights for `alpha`.
    OSError
        If the file is not there and could not be downloaded.
    """
    if alpha not in IMAGENET_ALPHAS:
        raise ValueError(
            f"weights='imagenet' exist for alpha in {IMAGENET_ALPHAS}; got alpha={alpha!r}. "
            "Use one of these, or weights=None."
        )
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{float(alpha)}_224_no_top.h5"
    path = _keras_home() / "models" / name
    if os.path.isfile(path):
        return path
    url = _BASE_URL + name
    return download(url, path, signature=_HDF5_SIGNATURE, advice=_ADVICE.format(url=url))


def _keras_home():
    if "KERAS_HOME" not in os.environ:
        advice = "Set the environment variable KERAS_HOME to a folder, or use weights='cifar10'."
        check_home_folder("the ImageNet weights", advice)
    return user_path(os.environ.get("KERAS_HOME", "~/.keras"))
