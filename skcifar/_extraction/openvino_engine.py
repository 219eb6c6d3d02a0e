"""OpenVINO as an engine."""

import functools
import importlib.util
from collections import deque

import numpy as np

from .._model.frozen import apply_frozen
from .._model.graph_layers import ChannelsFirstLayers
from .._system.libraries import import_openvino
from .tensorflow_engine import has_gpu

# Fewer images than that run one by one, each on all threads. Milliseconds of a processor an image
# in batches of 1, 2, 4 and 16, in float32 (the features are the same to the bit):
# 0.21, 0.17, 0.17, 0.18 at 32 px (alpha 0.5); 0.38, 0.37, 0.33, 0.35 at 96 px; 2.1, 1.9, 2.1, 2.3
# at 224 px.
BATCH_SIZE = 4
TAKES_FEWER = False


def is_installed():
    return importlib.util.find_spec("openvino") is not None


def is_preferred():
    """Whether it is the faster one: it runs on the processor, at three times the speed there."""
    return not has_gpu()


def has_bfloat16():
    return "BF16" in _openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def compile_network(frozen, precision, threads, batch_size):
    """Compile for OpenVINO, straight from the table of the network.

    Neither TensorFlow nor a converter is needed.
    """
    properties = {
        "PERFORMANCE_HINT": "THROUGHPUT" if batch_size > 1 else "LATENCY",
        # Said outright: bfloat16 is OpenVINO's own default where the processor has it.
        "INFERENCE_PRECISION_HINT": {"float32": "f32", "bfloat16": "bf16"}[precision],
        "INFERENCE_NUM_THREADS": threads,
    }
    model = _openvino_model(frozen, batch_size)
    compiled = _openvino_core().compile_model(model, "CPU", properties)
    n_requests = compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
    kept = deque(maxlen=1)  # of the last call: making a request takes a tenth of one for one image

    def run(batches, out):
        # No callbacks, and so no AsyncInferQueue: OpenVINO's threads would ask for Python's lock
        # after the last batch is there, and a process that ends then hangs or aborts.
        idle = [_one_of(kept) or compiled.create_infer_request() for _ in range(n_requests)]
        running = deque()
        for start, batch in batches:
            request = idle.pop() if idle else _finished(running, out)
            request.get_input_tensor(0).data[:] = batch
            request.start_async()
            running.append((request, start))
        while running:
            idle.append(_finished(running, out))
        kept.extend(idle)

    run.compiled = compiled
    return run


def _one_of(requests):
    """Take one of the `requests`, which other threads take from, too; None if there is none."""
    try:
        return requests.pop()
    except IndexError:
        return None


def _finished(running, out):
    """Wait for the oldest of the `running` requests, keep what it computed, and return it."""
    request, start = running.popleft()
    request.wait()
    computed = request.get_output_tensor(0).data
    rows = out[start : start + len(computed)]
    rows[:] = computed[: len(rows)]
    return request


@functools.cache
def _openvino_core():
    return import_openvino().Core()


def _openvino_model(frozen, batch_size):
    openvino = import_openvino()
    from openvino import opset13 as ops

    shape = (batch_size, *frozen.image_shape)
    inputs = ops.parameter(shape, np.float32)
    outputs = apply_frozen(ChannelsFirstLayers(ops, frozen.weights), inputs, frozen)
    return openvino.Model([outputs], [inputs])
