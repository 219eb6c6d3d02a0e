"""What a step of fine-tuning consists of, and what each part takes.

A step of 64 images with the top 4 and the top 11 blocks, in both precisions: how long it takes, how
many cores it keeps busy, and where the time of its operations goes, as TensorFlow's profiler has
it. Operations run side by side and on several threads, so that their times add up to more than the
step takes.

    python benchmarks/fine_tuning_step.py           # 96 px
    python benchmarks/fine_tuning_step.py --full    # 160 px
"""

import collections
import pathlib
import tempfile
import time
from itertools import product

import numpy as np
from common import BATCH_SIZE, load_cifar10, parse_arguments, print_machine, print_table

from skcifar import MobileNetV2Classifier
from skcifar._extraction.engines import training_precision

N_IMAGES = 200
N_STEPS, N_TURNS = 10, 5
# Names of TensorFlow's operations, by what they do here; all others are of the last row.
PARTS = {
    "products of 1 x 1 convolutions and dense layers": ("MatMul",),
    "rounding to bfloat16 and back": ("Cast",),
    "depthwise convolutions, forward": ("DepthwiseConv2dNative",),
    "depthwise convolutions, gradients": ("BackpropFilter", "BackpropInput"),
    "shift and ReLU6": ("BiasAdd", "BiasAddGrad", "Relu6", "Relu6Grad"),
    "scale in the weights, dropout": ("Mul",),
    "Adam": ("ResourceApplyAdam",),
}
OTHERS = "others"
# What the profiler lists besides operations: their frames, and pieces of them on threads.
FRAMES = ("Process", "Run", "Execute", "Eager", "Executor", "Parallel", "run_batch", "Py_", "Task")


def build(n_blocks, precision, input_size):
    """Return the model that is trained, and the arguments of a step."""
    import tensorflow as tf

    from skcifar._keras.fine_tuning import _build_top
    from skcifar._model.head import HeadSettings

    X, y, _, _ = load_cifar10(N_IMAGES, 1)
    classifier = MobileNetV2Classifier(epochs=1, input_size=input_size, random_state=0).fit(X, y)
    frozen, head = classifier._frozen, classifier._head
    settings = HeadSettings(
        n_features=len(head.standardization.mean),
        hidden_units=head.hidden_units,
        n_classes=head.n_classes,
        dropout=classifier.dropout,
        optimizer="adam",
        label_smoothing=0.05,
        weight_decay=0.0,
        precision=precision,
    )
    first_unfrozen = frozen.network.first_unfrozen(n_blocks)
    model = _build_top(frozen, head, settings, first_unfrozen, precision)
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(BATCH_SIZE, *model.units.input_shape[1:]))
    labels = rng.integers(head.n_classes, size=BATCH_SIZE)
    step = (
        tf.constant(maps, tf.float32),
        tf.constant(labels, tf.int32),
        tf.ones(BATCH_SIZE),
        tf.constant(float(BATCH_SIZE)),
        tf.constant(1e-4),
    )
    return model, step


def take_steps(model, step):
    for _ in range(N_STEPS):
        model._compiled_batch(*step).numpy()


def timed(model, step):
    """Return milliseconds of a step, and how many cores were busy, in the fastest turn."""
    take_steps(model, step)  # compiles
    turns = []
    for _ in range(N_TURNS):
        start, start_of_cores = time.perf_counter(), time.process_time()
        take_steps(model, step)
        seconds = time.perf_counter() - start
        turns.append((1e3 * seconds / N_STEPS, (time.process_time() - start_of_cores) / seconds))
    return min(turns)


def milliseconds_by_part(model, step):
    """Return what operations take in a step, by part, as the profiler has it."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        with tf.profiler.experimental.Profile(folder):
            take_steps(model, step)
        (file,) = pathlib.Path(folder).glob("plugins/profile/*/*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    totals = collections.Counter()
    for plane in space.planes:
        for event in (event for line in plane.lines for event in line.events):
            name = plane.event_metadata[event.metadata_id].name.split(":")[-1]
            if plane.name == "/host:CPU" and not any(frame in name for frame in FRAMES):
                totals[part_of(name)] += event.duration_ps / 1e9 / N_STEPS
    return totals


def part_of(operation):
    for part, ends in PARTS.items():
        if operation.endswith(ends):
            return part
    return OTHERS


def main():
    arguments = parse_arguments(__doc__, input_size=(96, 160))
    print_machine()
    columns = {}
    precisions = dict.fromkeys(map(training_precision, ("float32", "bfloat16")))
    for n_blocks, precision in product((4, 11), precisions):
        model, step = build(n_blocks, precision, arguments.input_size)
        milliseconds, n_cores = timed(model, step)
        by_part = milliseconds_by_part(model, step)
        columns[f"top {n_blocks}, {precision}"] = [
            f"{milliseconds:.1f}",
            f"{n_cores:.2f}",
            *(f"{by_part[part]:.1f}" for part in (*PARTS, OTHERS)),
        ]
    names = ("the step, ms", "cores busy", *PARTS, OTHERS)
    rows = zip(names, *columns.values(), strict=True)
    print_table((f"{BATCH_SIZE} images of {arguments.input_size} px", *columns), rows)


if __name__ == "__main__":
    main()
