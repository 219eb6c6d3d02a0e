"""Runs a frozen network over images: engines, batches, precision, threads.

An engine compiles a `FrozenNetwork` into a function from batches to features. Compiled
networks are kept and shared by every estimator of the process.
"""

import functools
import hashlib
import importlib.metadata
import importlib.util
import math
import os
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from joblib import cpu_count

from .._model.graph_layers import ChannelsFirstLayers
from .._model.mobilenet_v2 import (
    LAST_CONVOLUTION,
    STEM,
    KerasLayers,
    MobileNetV2,
    apply_units,
    preprocessing_arrays,
)
from .._system.libraries import import_keras, import_openvino
from .._training.out_of_memory import release_mapped_pages
from .feature_cache import FORMAT_VERSION, image_digests

ENGINES = ("tensorflow", "openvino")
PRECISIONS = ("float32", "bfloat16")

# Fastest of 8, 16, 32 and 64 on two cores at 96 px, in float32 and in bfloat16.
_BATCH_SIZES = {"openvino": 16, "tensorflow": 64}
# Images whose features are looked up, computed and kept at a time: bounds memory, and what a
# killed run loses.
_CHUNK_SIZE = 4096
# A compiled network takes 10 to 40 MB.
_MAX_COMPILED = 8


@dataclass(frozen=True)
class FrozenNetwork:
    """A network that is not trained, and what is done to the images before it.

    Parameters
    ----------
    network : MobileNetV2
        Shape of the whole network.
    weights : tuple of ndarray
        Arrays of the units up to `last`, in the order of ``build_units(...).get_weights()``.
    image_shape : tuple of int
        (height, width, channels) of the images.
    pixel_range : tuple of float
        (low, high) of their pixels.
    mirrored : bool, default=False
        Whether images are mirrored left to right.
    translation : int, default=0
        Above 0, each image is shifted, by up to an eighth of its sides, by an amount that derives
        from this number and from the image.
    last : int, default=18
        Last unit that is run; up to the last convolution, its map is averaged over the pixels.
    """

    network: MobileNetV2
    weights: tuple = field(repr=False, compare=False)
    image_shape: tuple
    pixel_range: tuple
    mirrored: bool = False
    translation: int = 0
    last: int = LAST_CONVOLUTION

    @property
    def pooled(self):
        return self.last == LAST_CONVOLUTION

    @property
    def feature_shape(self):
        """Shape of what comes out for one image."""
        if self.pooled:
            return (self.network.n_features,)
        return self.network.input_shape(self.last + 1)

    @cached_property
    def preprocessing(self):
        return preprocessing_arrays(
            self.image_shape, self.pixel_range, self.network.input_size, mirrored=self.mirrored
        )

    @cached_property
    def fingerprint(self):
        """Digest of all that decides the features, the content of the weights included."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((FORMAT_VERSION, self)).encode())
        for array in self.weights:
            digest.update(np.ascontiguousarray(array))
        return digest.digest()


def resolve_engine(engine):
    """Return the engine that the parameter `engine` stands for.

    Raises
    ------
    ImportError
        If OpenVINO is asked for and not installed.
    """
    installed = importlib.util.find_spec("openvino") is not None
    if engine == "auto":
        return "openvino" if installed and not _has_gpu() else "tensorflow"
    if engine == "openvino" and not installed:
        raise ImportError(
            'engine="openvino" needs OpenVINO, which is not installed. '
            'Run `pip install "skcifar[openvino]"`, or pass engine="tensorflow".'
        )
    return engine


def _has_gpu():
    """Whether TensorFlow would run on a GPU; it is imported only where a driver is loaded."""
    if not os.path.exists("/proc/driver/nvidia/version"):
        return False
    import_keras()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def check_precision(engine, precision):
    """Raise if `engine` or this processor has no `precision`.

    Raises
    ------
    ValueError
    """
    if precision == "bfloat16" and not _has_bfloat16(engine):
        raise ValueError(
            f'precision="bfloat16" is not to be had from engine={engine!r} on this processor. '
            'Pass precision="float32".'
        )


def _has_bfloat16(engine):
    if engine == "openvino":
        return "BF16" in _openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return _has_gpu() or "avx512_bf16" in _cpu_flags()


@functools.cache
def _cpu_flags():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return frozenset(next(line for line in file if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return frozenset()


def n_threads():
    """Return how many threads an engine may use here: what joblib grants, in its workers too."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(granted), cpu_count()) if granted.isdigit() and int(granted) else cpu_count()


@dataclass(frozen=True)
class Extractor:
    """Computes the features of images, running a network once over each.

    Parameters
    ----------
    engine : {"tensorflow", "openvino"}
    precision : {"float32", "bfloat16"}
    store : MemoryStore, DiskStore or None, default=None
        Where features are looked up and kept.
    """

    engine: str
    precision: str = "float32"
    store: object = None

    def begin_call(self):
        """Let the store warn: it does so once a call of an estimator, however often it fails."""
        if self.store is not None:
            self.store.begin_call()

    def extract(self, frozen, images, *, progress=None):
        """Return the features of all `images`.

        Parameters
        ----------
        frozen : FrozenNetwork
        images : ndarray of shape (n, height, width, channels)
            Read in chunks; never converted as a whole.
        progress : callable, default=None
            Called with the number of images done since the last call.

        Returns
        -------
        ndarray of shape (n, *frozen.feature_shape), float32
        """
        features = np.empty((len(images), *frozen.feature_shape), np.float32)
        for rows, part in self.iterate(frozen, images):
            features[rows] = part
            if progress is not None:
                progress(len(part))
        return features

    def iterate(self, frozen, images):
        """Yield (slice of rows, features of these rows), for any number of images.

        More features than the store holds are looked up there but not kept, so that a long
        `predict` pushes nothing out.
        """
        row_bytes = 4 * math.prod(frozen.feature_shape)
        keeps = self.store is not None and row_bytes * len(images) <= self.store.limit
        for start in range(0, len(images), _CHUNK_SIZE):
            chunk = images[start : start + _CHUNK_SIZE]
            yield slice(start, start + len(chunk)), self._extract_chunk(frozen, chunk, keeps)
            release_mapped_pages(images)

    def _extract_chunk(self, frozen, images, keeps):
        if self.store is None:
            return run_network(frozen, images, self.engine, self.precision)
        key, digests = self._store_key(frozen), image_digests(images)
        features = np.empty((len(images), *frozen.feature_shape), np.float32)
        missing = self.store.read(key, digests, features)
        first = {digests[index]: index for index in reversed(missing)}
        new = sorted(first.values())
        if new:
            features[new] = run_network(frozen, images[new], self.engine, self.precision)
        if keeps and new:
            self.store.write(key, [digests[index] for index in new], features[new])
        for index in missing:
            features[index] = features[first[digests[index]]]
        return features

    def _store_key(self, frozen):
        version = _engine_version(self.engine)
        suffix = f"{self.engine} {version} {self.precision}".encode()
        return hashlib.blake2b(frozen.fingerprint + suffix, digest_size=16).digest()


def _translated(images, number):
    """Return each image shifted by up to an eighth of its sides; edge pixels fill the gap.

    The shift derives from `number` and the content of the image: the same whenever and wherever
    it is computed, so that the features can be kept.
    """
    height, width = images.shape[1:3]
    draws = [np.random.default_rng([number, *digest]).random(2) for digest in image_digests(images)]
    shifts = np.round((2 * np.reshape(draws, (-1, 2)) - 1) * (height / 8, width / 8)).astype(int)
    rows = np.clip(np.arange(height) + shifts[:, :1], 0, height - 1)
    columns = np.clip(np.arange(width) + shifts[:, 1:], 0, width - 1)
    image_numbers = np.arange(len(images))[:, None, None]
    return images[image_numbers, rows[:, :, None], columns[:, None, :]]


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
        images = _translated(images, frozen.translation)
    run = _compiled(frozen, engine, precision, n_threads())
    run(_batches(images, _BATCH_SIZES[engine]), features)
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


@functools.cache
def _engine_version(engine):
    return importlib.metadata.version(engine)


# --- Engines: compile a frozen network into run(batches, out) ------------------------------

_compiled_networks = OrderedDict()
_compiling = threading.Lock()


def _compiled(frozen, engine, precision, threads):
    """Return the compiled network, made once a process and shared."""
    frozen = replace(frozen, translation=0)  # a shift happens before the network
    key = (frozen.fingerprint, engine, precision, threads)
    with _compiling:
        if key not in _compiled_networks:
            compile_network = {"openvino": _compile_openvino, "tensorflow": _compile_tensorflow}
            _compiled_networks[key] = compile_network[engine](frozen, precision, threads)
        _compiled_networks.move_to_end(key)
        while len(_compiled_networks) > _MAX_COMPILED:
            _compiled_networks.popitem(last=False)
        return _compiled_networks[key]


def _compile_tensorflow(frozen, precision, threads):
    """Compile for TensorFlow, whose threads are the process's own."""
    keras = import_keras()
    import tensorflow as tf

    dtype = "float32" if precision == "float32" else "mixed_bfloat16"
    inputs = keras.Input(frozen.image_shape, dtype="float32")
    model = keras.Model(inputs, apply_frozen(KerasLayers(dtype=dtype), inputs, frozen))
    model.set_weights([*frozen.preprocessing[2:], *frozen.weights])
    signature = tf.TensorSpec((None, *frozen.image_shape), tf.float32)

    @tf.function(input_signature=[signature])
    def compute(batch):
        return tf.cast(model(batch, training=False), tf.float32)

    def run(batches, out):
        for start, batch in batches:
            rows = out[start : start + len(batch)]
            rows[:] = compute(batch).numpy()[: len(rows)]

    return run


def _compile_openvino(frozen, precision, threads):
    """Compile for OpenVINO, straight from the table of the network.

    Neither TensorFlow nor a converter is needed.
    """
    properties = {
        "PERFORMANCE_HINT": "THROUGHPUT",
        # Said outright: bfloat16 is OpenVINO's own default where the processor has it.
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
    }
    compiled = _openvino_core().compile_model(_openvino_model(frozen), "CPU", properties)
    n_requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")

    def run(batches, out):
        # No callbacks, and so no AsyncInferQueue: OpenVINO's threads would ask for Python's lock
        # after the last batch is there, and a process that ends then hangs or aborts.
        idle = [compiled.create_infer_request() for _ in range(n_requests)]
        running = deque()
        for start, batch in batches:
            request = idle.pop() if idle else _finished(running, out)
            request.start_async({0: batch})
            running.append((request, start))
        while running:
            _finished(running, out)

    run.compiled = compiled
    return run


def _finished(running, out):
    """Wait for the oldest of the `running` requests, keep what it computed, and return it."""
    request, start = running.popleft()
    request.wait()
    rows = out[start : start + _BATCH_SIZES["openvino"]]
    rows[:] = request.get_output_tensor(0).data[: len(rows)]
    return request


@functools.cache
def _openvino_core():
    return import_openvino().Core()


def _openvino_model(frozen):
    openvino = import_openvino()
    from openvino import opset13 as ops

    shape = (_BATCH_SIZES["openvino"], *frozen.image_shape)
    inputs = ops.parameter(shape, np.float32)
    outputs = apply_frozen(ChannelsFirstLayers(ops, frozen.weights), inputs, frozen)
    return openvino.Model([outputs], [inputs])


def apply_frozen(layers, x, frozen):
    """Apply what `frozen` does to images `x`, with the operations of `layers`."""
    x = layers.preprocess(x, frozen.image_shape, frozen.preprocessing)
    x = apply_units(layers, x, frozen.network, STEM, frozen.last)
    return layers.pool(x) if frozen.pooled else layers.to_channels_last(x)
