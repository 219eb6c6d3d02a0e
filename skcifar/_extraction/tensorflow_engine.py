"""TensorFlow as an engine."""

import functools
import os

from .._model.frozen import apply_frozen
from .._system.forks import check_not_forked
from .._system.interrupts import ctrl_c_waits
from .._system.libraries import import_keras

# A driver of NVIDIA's, and what Windows offers of its own within WSL2.
_SIGNS_OF_GPUS = ("/proc/driver/nvidia/version", "/dev/dxg")
# Fastest of 8, 16, 32 and 64 on two cores at 96 px, in float32 and in bfloat16.
BATCH_SIZE = 64
TAKES_FEWER = True


def is_installed():
    return True


def is_preferred():
    return True


def has_bfloat16():
    return has_gpu() or "avx512_bf16" in _cpu_flags()


def has_gpu():
    """Whether TensorFlow would run on a GPU; it is imported only where a driver is loaded."""
    if not any(map(os.path.exists, _SIGNS_OF_GPUS)):
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


@ctrl_c_waits()
def compile_network(frozen, precision, threads, batch_size):
    """Compile for TensorFlow, whose threads are the process's own."""
    check_not_forked("TensorFlow")
    keras = import_keras()
    import tensorflow as tf

    from .._keras.layers import KerasLayers

    dtype = "float32" if precision == "float32" else "mixed_bfloat16"
    inputs = keras.Input(frozen.image_shape, dtype="float32")
    model = keras.Model(inputs, apply_frozen(KerasLayers(dtype=dtype), inputs, frozen))
    resizing = () if frozen.takes_images_as_they_are else frozen.preprocessing[2:]
    model.set_weights([*resizing, *frozen.needed_weights])
    signature = tf.TensorSpec((None, *frozen.image_shape), tf.float32)

    @tf.function(input_signature=[signature])
    def compute(batch):
        return tf.cast(model(batch, training=False), tf.float32)

    traced = compute.get_concrete_function()  # here, not once in each thread that comes first

    def run(batches, out):
        check_not_forked("TensorFlow")
        for start, batch in batches:
            with ctrl_c_waits():
                out[start : start + len(batch)] = traced(tf.constant(batch)).numpy()

    return run
