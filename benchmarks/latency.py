"""Latency of one image, as a service has it: skcifar, `keras.Model.__call__` and ONNX Runtime.

The same classifier in all four: 32 px images, resized to 96 px, random weights. skcifar keeps no
features here, so that the network runs in every call. Calls come in blocks, so that idle threads
of one library do not disturb the next.
"""

import tempfile
import time
from pathlib import Path

import numpy as np
from common import parse_arguments, print_machine, print_table

from skcifar import MobileNetV2Classifier, export
from skcifar.datasets import make_images

N_WARM, N_IN_BLOCK, PAUSE = 5, 25, 0.02


def milliseconds(functions, n_blocks):
    """Return the durations of each function by name, all in turn."""
    durations = {name: [] for name in functions}
    for _ in range(n_blocks):
        for name, function in functions.items():
            time.sleep(PAUSE)
            for _ in range(N_WARM):
                function()
            for _ in range(N_IN_BLOCK):
                start = time.perf_counter()
                function()
                durations[name].append(1000 * (time.perf_counter() - start))
    return durations


def classifier(engine):
    X, y = make_images(n_samples=60, random_state=0)
    options = {"weights": None, "input_size": 96, "epochs": 1, "feature_cache": None}
    return MobileNetV2Classifier(engine=engine, random_state=0, **options).fit(X, y)


def onnx_session(fitted):
    import onnxruntime

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "classifier.onnx")
        export(fitted, path)
        return onnxruntime.InferenceSession(path)


def main():
    arguments = parse_arguments(__doc__, n_blocks=(8, 40))
    print_machine()
    image = make_images(n_samples=1, random_state=1)[0]
    pixels = image.astype(np.float32)
    openvino, tensorflow = classifier("openvino"), classifier("tensorflow")
    model, session = openvino.model_, onnx_session(openvino)
    name = session.get_inputs()[0].name
    durations = milliseconds(
        {
            "skcifar, openvino": lambda: openvino.predict_proba(image),
            "skcifar, tensorflow": lambda: tensorflow.predict_proba(image),
            "model_.__call__": lambda: model(pixels),
            "ONNX Runtime": lambda: session.run(None, {name: pixels}),
        },
        arguments.n_blocks,
    )
    rows = [
        (name, f"{np.median(values):.2f}", f"{np.percentile(values, 95):.2f}", f"{min(values):.2f}")
        for name, values in durations.items()
    ]
    print_table(("one image, ms", "median", "95 %", "least"), rows)


if __name__ == "__main__":
    main()
