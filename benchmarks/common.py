"""What the benchmarks share: the data, the machine, tables, timing and plain Keras."""

import argparse
import importlib.metadata
import os
import platform
import resource
import time
from contextlib import contextmanager
from itertools import pairwise

from skcifar.datasets import fetch_cifar10

LIBRARIES = ("tensorflow", "keras", "scikeras", "scikit-learn", "numpy", "openvino")
INPUT_SIZE, HIDDEN_UNITS, DROPOUT, N_CLASSES, BATCH_SIZE = 96, 256, 0.3, 10, 64
N_TIMED_EPOCHS = 4  # of plain Keras


def parse_arguments(description, flags=None, **sizes):
    """Return the command line: ``--full``, and the sizes it stands for.

    Parameters
    ----------
    description : str
    flags : dict of str to str, default=None
        Other options without a value, and their help.
    **sizes : (quick, full)
        Each becomes an attribute of the result.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--full", action="store_true", help="the sizes that the README quotes")
    for name, text in (flags or {}).items():
        parser.add_argument(f"--{name}", action="store_true", help=text)
    arguments = parser.parse_args()
    for name, (quick, full) in sizes.items():
        setattr(arguments, name, full if arguments.full else quick)
    return arguments


def load_cifar10(n_train, n_test):
    """Return the first images of both parts: X_train, y_train, X_test, y_test."""
    X, y = fetch_cifar10(subset="train", return_X_y=True)
    X_test, y_test = fetch_cifar10(subset="test", return_X_y=True)
    return X[:n_train], y[:n_train], X_test[:n_test], y_test[:n_test]


def print_machine():
    """Print processor, memory and versions."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = ", ".join(f"{name} {_version(name)}" for name in LIBRARIES)
    print(f"{os.cpu_count()} cores of {_processor()}, {memory:.0f} GiB; {platform.system()}")
    print(f"Python {platform.python_version()}, {versions}\n")


def _version(name):
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _processor():
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":")[1].strip() for line in file if line.startswith("model name")]
        return names[0]
    except (OSError, IndexError):
        return platform.processor() or platform.machine()


def print_table(header, rows):
    """Print a Markdown table, each row when it is there."""
    print("| " + " | ".join(header) + " |")
    print("|" + " --- |" * len(header), flush=True)
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |", flush=True)
    print(flush=True)


class Stopwatch:
    """Seconds that blocks took, by name; blocks of one name add up."""

    def __init__(self):
        self.seconds = {}

    @contextmanager
    def __call__(self, name):
        start = time.perf_counter()
        try:
            yield
        finally:
            elapsed = time.perf_counter() - start
            self.seconds[name] = self.seconds.get(name, 0.0) + elapsed


@contextmanager
def network_timed(stopwatch):
    """Count images and seconds of the frozen network while the block runs, under "network"."""
    from skcifar._extraction import engines

    run_network, counts = engines.run_network, {"images": 0}

    def timed(frozen, images, *arguments):
        counts["images"] += len(images)
        with stopwatch("network"):
            return run_network(frozen, images, *arguments)

    engines.run_network = timed
    try:
        yield counts
    finally:
        engines.run_network = run_network


@contextmanager
def head_timed(stopwatch):
    """Count the seconds of the training of heads while the block runs, under "head"."""
    from skcifar._keras import head_training

    train_head = head_training.train_head

    def timed(*args, **options):
        with stopwatch("head"):
            return train_head(*args, **options)

    head_training.train_head = timed
    try:
        yield
    finally:
        head_training.train_head = train_head


def peak_memory():
    """Return the peak resident memory of this process in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def plain_keras_model(
    learning_rate=1e-3, fine_tune_blocks=0, frozen_normalization=False, image_size=32
):
    """Return the same network and head, the way that Keras' guide to transfer learning has it.

    Frozen, or with the top blocks unfrozen: of batch normalisation, scale and shift are trained
    then, the statistics kept, unless it is frozen altogether.
    """
    import keras

    from skcifar._model.mobilenet_v2 import MobileNetV2

    backbone = keras.applications.MobileNetV2(
        (INPUT_SIZE, INPUT_SIZE, 3), include_top=False, weights=None
    )
    backbone.load_weights(_weights_path())
    backbone.trainable = bool(fine_tune_blocks)
    if fine_tune_blocks:
        names = [layer.name for layer in backbone.layers]
        for layer in backbone.layers[
            : names.index(f"block_{MobileNetV2.n_blocks - fine_tune_blocks}_expand")
        ]:
            layer.trainable = False
    if frozen_normalization:
        for layer in backbone.layers:
            if isinstance(layer, keras.layers.BatchNormalization):
                layer.trainable = False
    inputs = x = keras.Input((image_size, image_size, 3))
    x = keras.layers.Rescaling(1 / 127.5, offset=-1)(x)
    x = keras.layers.Resizing(INPUT_SIZE, INPUT_SIZE)(x)
    x = keras.layers.GlobalAveragePooling2D()(backbone(x, training=False))
    return _compiled(keras.Model(inputs, _head(x)), learning_rate)


def plain_keras_fit_seconds(fit, n_epochs):
    """Return what a fit of `n_epochs` in plain Keras takes, and how much of it is one epoch.

    A few epochs are run. The fastest after the first, in which models are compiled, stands for all
    later ones: now and then an epoch of plain Keras keeps to one core and takes twice as long.

    Parameters
    ----------
    fit : callable
        Called once, with ``epochs`` and ``callbacks``.
    n_epochs : int
    """
    import keras

    starts = []
    note_start = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: starts.append(time.perf_counter())
    )
    start = time.perf_counter()
    fit(epochs=N_TIMED_EPOCHS, callbacks=[note_start])
    first, *others = pairwise([*starts, time.perf_counter()])
    epoch = min(end - begin for begin, end in others)
    return first[1] - start + (n_epochs - 1) * epoch, epoch


def plain_keras_head(learning_rate=1e-3):
    """Return the head alone, on features."""
    import keras

    inputs = keras.Input((1280,))
    return _compiled(keras.Model(inputs, _head(inputs)), learning_rate)


def _head(x):
    from keras import layers

    x = layers.Dense(HIDDEN_UNITS, activation="relu")(layers.Dropout(DROPOUT)(x))
    return layers.Dense(N_CLASSES, activation="softmax")(layers.Dropout(DROPOUT)(x))


def _compiled(model, learning_rate):
    import keras

    optimizer = keras.optimizers.Adam(learning_rate)
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def _weights_path():
    from skcifar._weights.imagenet import imagenet_weights_path

    return imagenet_weights_path(1.0)
