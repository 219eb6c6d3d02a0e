"""Which engine runs a frozen network, how precisely, and on how many threads.

An engine is a module that offers

- ``BATCH_SIZE``: images it is given at a time, and ``TAKES_FEWER``: whether fewer will do, or
  each number of images needs a network that was compiled for it,
- ``is_installed()``, and ``is_preferred()`` where it is,
- ``has_bfloat16()``: whether it has that precision on this processor,
- ``compile_network(frozen, precision, threads, batch_size)``: a function ``run(batches, out)``
  from pairs of (first row, float32 batch) to rows of `out`.

Compiled networks are kept and shared by every estimator of the process.
"""

import functools
import importlib
import math
import threading
from collections import OrderedDict
from collections.abc import Callable

import numpy as np

from .._system.forks import forget_in_child
from .._system.libraries import installed_version
from .._system.processors import n_processors
from . import openvino_engine, tensorflow_engine
from .resizing import is_resized_before, resized
from .shifting import shifted, shifted_by_content

# In the order in which "auto" asks them.
_ENGINES = {"openvino": openvino_engine, "tensorflow": tensorflow_engine}
ENGINES = tuple(reversed(_ENGINES))
PRECISIONS = ("float32", "bfloat16")

# A compiled network takes 10 to 40 MB.
_MAX_COMPILED = 8
# Bound of the largest map between two units, for all images of a batch: it binds above 256 px.
_BATCH_BYTES = 2**27


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


def described(engine, precision):
    """Return all that features depend on besides the network and the image."""
    version = installed_version(engine) or importlib.import_module(engine).__version__
    # On a GPU TensorFlow's float32 products may be TF32 ones.
    device = " gpu" if engine == "tensorflow" and tensorflow_engine.has_gpu() else ""
    return f"{engine} {version} {precision}{device}"


def check_precision(engine, precision):
    """Raise if `engine` or this processor has no `precision`.

    Raises
    ------
    ValueError
    """
    if precision == "bfloat16" and not _ENGINES[engine].has_bfloat16():
        raise ValueError(
            f'precision="bfloat16" is not available with engine={engine!r} on this processor. '
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
            'precision="bfloat16" is not available in TensorFlow, which does the fine-tuning, on '
            'this processor. Pass precision="float32", or fine_tune_epochs=0.'
        )


def training_precision(precision):
    """Return `precision` if TensorFlow, which trains the head, has it here, or else float32."""
    return precision if tensorflow_engine.has_bfloat16() else "float32"


def run_network(frozen, images, engine, precision, progress=None):
    """Return the features of `images`, computed now.

    Parameters
    ----------
    frozen : FrozenNetwork
    images : ndarray of shape (n, height, width, channels), or SelectedRows
    engine, precision : str
    progress : callable, default=None
        Called with the number of images done since the last call.

    Returns
    -------
    ndarray of shape (n, *frozen.feature_shape), float32
    """
    features = np.empty((len(images), *frozen.feature_shape), np.float32)
    size = _batch_size(frozen.network, _ENGINES[engine], len(images))
    run = _compiled(frozen, engine, precision, size)
    batches = _batches(frozen, images, size, padded=not _ENGINES[engine].TAKES_FEWER)
    run(batches if progress is None else _reporting(batches, len(images), progress), features)
    return features


def _reporting(batches, n_images, progress):
    """Yield `batches`; tell how many images were taken, once the engine asks for more."""
    n_told = 0
    for start, batch in batches:
        yield start, batch
        n_taken = min(start + len(batch), n_images)  # the last batch may be padded
        progress(n_taken - n_told)
        n_told = n_taken


def _batch_size(network, engine, n_images):
    """Return how many images the engine is given at a time: fewer of those that take much."""
    most = max(1, _BATCH_BYTES // (4 * _largest_map(network)))
    if engine.TAKES_FEWER:
        return min(engine.BATCH_SIZE, most)
    return engine.BATCH_SIZE if min(n_images, most) >= engine.BATCH_SIZE else 1


@functools.cache
def _largest_map(network):
    return max(math.prod(network.input_shape(unit)) for unit in range(network.last_unit + 1))


def _batches(frozen, images, size, padded):
    """Yield (start, float32 batch); the last batch is padded if all must have one shape."""
    for start in range(0, len(images), size):
        batch = _converted(frozen, images[start : start + size])
        if padded and len(batch) < size:
            padding = np.zeros((size - len(batch), *batch.shape[1:]), np.float32)
            batch = np.concatenate([batch, padding])
        yield start, batch


def _converted(frozen, images):
    """Return what enters the compiled network."""
    if frozen.translation:
        images = shifted_by_content(images, frozen.translation)
    if is_resized_before(frozen):
        return resized(images, frozen)
    if any(frozen.moved_by):
        images = shifted(images, np.array([frozen.moved_by]))
    return images.astype(np.float32)


_compiled_networks: OrderedDict[tuple, Callable] = OrderedDict()
_compiling = threading.Lock()


def _compiled(frozen, engine, precision, batch_size):
    """Return the compiled network, made once a process and shared."""
    graph = frozen.after_resizing if is_resized_before(frozen) else frozen.unshifted
    threads = n_processors()
    key = (graph.fingerprint, engine, precision, threads, batch_size)
    with _compiling:
        if key not in _compiled_networks:
            compile_network = _ENGINES[engine].compile_network
            _compiled_networks[key] = compile_network(graph, precision, threads, batch_size)
        _compiled_networks.move_to_end(key)
        while len(_compiled_networks) > _MAX_COMPILED:
            _compiled_networks.popitem(last=False)
        return _compiled_networks[key]


def _forget():
    """Return what was compiled, after forgetting it: it is compiled anew when it is needed."""
    global _compiled_networks, _compiling
    compiled, _compiled_networks = _compiled_networks, OrderedDict()
    _compiling = threading.Lock()  # another thread of the parent may have held it
    return compiled.values()


forget_in_child(_forget)
