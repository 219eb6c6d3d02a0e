"""TensorFlow as an engine."""

import functools
import os

from .._model.frozen import apply_frozen
from .._system.libraries import import_keras

# Fastest of 8, 16, 32 and 64 on two cores at 96 px, in float32 and in bfloat16.
BATCH_SIZE = 64


def is_installed():
    return True


def is_preferred():
    return True


def has_bfloat16():
    return has_gpu() or "avx512_bf16" in _cpu_flags()


def has_gpu():
    """Whether TensorFlow would run on a GPU; it is imported only where a driver is loaded."""
    if not os.path.exists("/proc/driver/nvidia/version"):
        return False
    import_keras()
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


@functools.cache
def _cpu_flags():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            return frozenset(next(line for line in file if line.startswith("flags")).split())
    except (OSError, StopIteration):
        return frozenset()


def compile_network(frozen, precision, threads):
    """Compile for TensorFlow, whose threads are the process's own."""
    keras = import_keras()
    import tensorflow as tf

    from .._keras.layers import KerasLayers

    dtype = "float32" if precision == "float32" else "mixed_bfloat16"
    inputs = keras.Input(frozen.image_shape, dtype="float32")
    model = keras.Model(inputs, apply_frozen(KerasLayers(dtype=dtype), inputs, frozen))
    model.set_weights([*frozen.preprocessing[2:], *frozen.weights])
    signature = tf.TensorSpec((None, *frozen.image_shape), tf.float32)

    @tf.function(input_signature=[signature])
    def compute(batch):
        return tf.cast(model(batch, training=False), tf.float32)

    traced = compute.get_concrete_function()  # here, not once in each thread that comes first

    def run(batches, out):
        for start, batch in batches:
            rows = out[start : start + len(batch)]
            rows[:] = traced(tf.constant(batch)).numpy()[: len(rows)]

    return run
