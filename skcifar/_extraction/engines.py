"""Which engine runs a frozen network, how precisely, and on how many threads.

An engine is a module that offers

- ``BATCH_SIZE``: images it is given at a time,
- ``is_installed()``, and ``is_preferred()`` where it is,
- ``has_bfloat16()``: whether it has that precision on this processor,
- ``compile_network(frozen, precision, threads)``: a function ``run(batches, out)`` from pairs of
  (first row, float32 batch) to rows of `out`.

Compiled networks are kept and shared by every estimator of the process.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .._system.processors import n_processors
from . import openvino_engine, tensorflow_engine
from .shifting import shifted_by_content

# In the order in which "auto" asks them.
_ENGINES = {"openvino": openvino_engine, "tensorflow": tensorflow_engine}
ENGINES = tuple(reversed(_ENGINES))
PRECISIONS = ("float32", "bfloat16")

# A compiled network takes 10 to 40 MB.
_MAX_COMPILED = 8


def resolve_engine(engine):
    """Return the engine that the parameter `engine` stands for.

    Raises
    ------
    ImportError
        If an engine is asked for that is not installed.
    """
    if engine == "auto":
        return next(
            name
            for name, module in _ENGINES.items()
            if module.is_installed() and module.is_preferred()
        )
    if not _ENGINES[engine].is_installed():
        raise ImportError(
            'engine="openvino" needs OpenVINO, which is not installed. '
            'Run `pip install "skcifar[openvino]"`, or pass engine="tensorflow".'
        )
    return engine


def check_precision(engine, precision):
    """Raise if `engine` or this processor has no `precision`.

    Raises
    ------
    ValueError
    """
    if precision == "bfloat16" and not _ENGINES[engine].has_bfloat16():
        raise ValueError(
            f'precision="bfloat16" is not to be had from engine={engine!r} on this processor. '
            'Pass precision="float32".'
        )


def check_training_precision(precision):
    """Raise if TensorFlow, which trains whatever the engine is, has no `precision` here.

    Raises
    ------
    ValueError
    """
    if precision == "bfloat16" and not tensorflow_engine.has_bfloat16():
        raise ValueError(
            'precision="bfloat16" is not to be had from TensorFlow, which does the fine-tuning, on '
            'this processor. Pass precision="float32", or fine_tune_epochs=0.'
        )


def run_network(frozen, images, engine, precision):
    """Return the features of `images`, computed now.

    Parameters
    ----------
    frozen : FrozenNetwork
    images : ndarray of shape (n, height, width, channels)
    engine, precision : str

    Returns
    -------
    ndarray of shape (n, *frozen.feature_shape), float32
    """
    features = np.empty((len(images), *frozen.feature_shape), np.float32)
    if frozen.translation:
        images = shifted_by_content(images, frozen.translation)
    run = _compiled(frozen, engine, precision, n_processors())
    run(_batches(images, _ENGINES[engine].BATCH_SIZE), features)
    return features


def _batches(images, size):
    """Yield (start, float32 batch); the last batch is padded, so that all have one shape."""
    for start in range(0, len(images), size):
        batch = images[start : start + size]
        if len(batch) == size:
            yield start, batch.astype(np.float32)
        else:
            padded = np.zeros((size, *images.shape[1:]), np.float32)
            padded[: len(batch)] = batch
            yield start, padded


_compiled_networks: OrderedDict[tuple, Callable] = OrderedDict()
_compiling = threading.Lock()


def _compiled(frozen, engine, precision, threads):
    """Return the compiled network, made once a process and shared."""
    frozen = replace(frozen, translation=0)  # a shift happens before the network
    key = (frozen.fingerprint, engine, precision, threads)
    with _compiling:
        if key not in _compiled_networks:
            compile_network = _ENGINES[engine].compile_network
            _compiled_networks[key] = compile_network(frozen, precision, threads)
        _compiled_networks.move_to_end(key)
        while len(_compiled_networks) > _MAX_COMPILED:
            _compiled_networks.popitem(last=False)
        return _compiled_networks[key]
