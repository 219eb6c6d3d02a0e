"""The network of 32 px that ships with the package, trained from random initialisation.

Keras calls only, so that it runs on the TensorFlow, JAX or PyTorch backend, on a CPU or a GPU;
on TensorFlow batch normalisation goes through the fused kernel. A run that was killed goes on
from its last finished epoch when it is started again.
"""

import csv
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from shipped_file import temperature_of, write_atomically, write_shipped

from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._model.preprocessing import resizing_matrix

N_CLASSES, IMAGE_SIZE = 10, 32
ALPHA, BATCH_SIZE, N_VALIDATION = 0.5, 128, 2_000
WARM_UP, MOMENTUM = 0.15, 0.9
# Keras multiplies the decay by the learning rate outside of the momentum: 5e-3 here is the
# customary 5e-4 inside of it.
WEIGHT_DECAY = 5e-3
# What the features are asked to keep of the picture, in the second cycle: its colours at 8 x 8.
PICTURE_SIZE = 8


@dataclass(frozen=True)
class Cycle:
    """Epochs over which the learning rate rises to its peak once, and decays to zero.

    Parameters
    ----------
    sizes : tuple of (int, int)
        (side in pixels of the images, epochs). An epoch at 16 px costs 0.29, one at 24 px 0.57
        of one at 32 px.
    peak_learning_rate : float
    label_smoothing : float
    picture_weight : float
        Weight of the mean squared error with which a linear map reads the 8 x 8 picture from the
        features. Without it they keep only what tells the ten classes apart, and a classifier of
        anything else finds little in them.
    """

    sizes: tuple
    peak_learning_rate: float
    label_smoothing: float = 0.0
    picture_weight: float = 0.0

    @property
    def sizes_by_epoch(self):
        return [size for size, n_epochs in self.sizes for _ in range(n_epochs)]


CYCLES = (
    Cycle(((16, 6), (24, 12), (32, 4)), peak_learning_rate=0.2, label_smoothing=0.1),
    Cycle(((24, 3), (32, 7)), peak_learning_rate=0.1, picture_weight=1.0),
)
LOG_COLUMNS = ("size", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")


def build_classifier(alpha, seed=0):
    """Return the network for training: pixels in [0, 255] of any size to logits and picture."""
    import keras

    options = {}
    if keras.backend.backend() == "tensorflow":
        from skcifar._keras.faster_parts import FusedBatchNormalization

        options["batch_normalization"] = FusedBatchNormalization
    network = MobileNetV2(IMAGE_SIZE, alpha, "cifar10")
    backbone = for_any_size(build_units(network, pooled=True, seed=seed, **options))
    inputs = keras.Input((None, None, 3))
    x = keras.layers.Rescaling(1 / 127.5, -1.0)(inputs)
    features = backbone(x)
    outputs = {}
    for name, width in (("head", N_CLASSES), ("picture", 3 * PICTURE_SIZE**2)):
        initializer = keras.initializers.GlorotUniform(seed)
        dense = keras.layers.Dense(width, kernel_initializer=initializer, name=name)
        outputs[name] = dense(features)
    return keras.Model(inputs, outputs)


def for_any_size(model):
    """Return a copy of `model` that takes images of any size, with the same weights."""
    import keras

    copy = keras.models.clone_model(model, input_tensors=keras.Input((None, None, 3)))
    copy.set_weights(model.get_weights())
    return copy


def compile_classifier(model, cycle, steps_per_epoch):
    """Compile `model` for `cycle`."""
    import keras

    n_steps = steps_per_epoch * len(cycle.sizes_by_epoch)
    warm_up = max(1, int(WARM_UP * n_steps))
    schedule = keras.optimizers.schedules.CosineDecay(
        0.0,
        max(1, n_steps - warm_up),
        warmup_target=cycle.peak_learning_rate,
        warmup_steps=warm_up,
    )
    optimizer = keras.optimizers.SGD(
        schedule, momentum=MOMENTUM, nesterov=True, weight_decay=WEIGHT_DECAY
    )
    # Batch normalisation and the biases of the dense layers are not decayed.
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    optimizer.build(model.trainable_variables)
    cross_entropy = keras.losses.CategoricalCrossentropy(
        from_logits=True, label_smoothing=cycle.label_smoothing
    )
    model.compile(
        optimizer,
        {"head": cross_entropy, "picture": "mean_squared_error"},
        loss_weights={"head": 1.0, "picture": cycle.picture_weight},
        metrics={"head": ["accuracy"]},
        jit_compile=False,
    )


def resize(images, size):
    """Return `images` as uint8 at `size` x `size` pixels, in slices to bound the memory."""
    if images.shape[1] == size:
        return images
    matrix = resizing_matrix(images.shape[1], size)
    resized = np.empty((len(images), size, size, 3), np.uint8)
    for start in range(0, len(images), 1000):
        part = images[start : start + 1000].astype(np.float32)
        part = np.einsum("bhwc,hr,ws->brsc", part, matrix, matrix, optimize=True)
        resized[start : start + 1000] = np.clip(np.rint(part), 0, 255)
    return resized


def augment(images, rng):
    """Return `images` shifted by up to an eighth of the side, and half of them mirrored."""
    n_images, size = images.shape[:2]
    margin = size // 8
    padded = np.pad(images, ((0, 0), (margin,) * 2, (margin,) * 2, (0, 0)), mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (size, size), axis=(1, 2))
    rows, columns = rng.integers(2 * margin + 1, size=(2, n_images))
    shifted = np.moveaxis(windows[np.arange(n_images), rows, columns], 1, -1)
    mirrored = rng.random(n_images) < 0.5
    return np.where(mirrored[:, None, None, None], shifted[:, :, ::-1], shifted)


def targets_of(images, target):
    """Return what the outputs of the network are compared with."""
    pictures = resize(images, PICTURE_SIZE).reshape(len(images), -1)
    return {
        "head": np.eye(N_CLASSES, dtype=np.float32)[target],
        "picture": pictures / np.float32(64.0) - 2,  # a deviation of about 1
    }


def split(images, target, n_validation):
    """Return (images, target) for training and for validation, the same ones in each run."""
    order = np.random.default_rng(0).permutation(len(images))
    held_out, kept = order[:n_validation], order[n_validation:]
    return (images[kept], target[kept]), (images[held_out], target[held_out])


def train_epoch(model, training, validation, epoch, *, size, batch_size, seed):
    """Train for one epoch, whose order and views derive from (seed, epoch); return a log row."""
    start = time.perf_counter()
    rng = np.random.default_rng((seed, epoch))
    n_used = len(training[0]) // batch_size * batch_size
    order = rng.permutation(len(training[0]))[:n_used]
    images = augment(resize(training[0], size)[order], rng)
    options = {"batch_size": batch_size, "verbose": 0}
    targets = targets_of(images, training[1][order])
    history = model.fit(images, targets, shuffle=False, **options).history
    held_out = resize(validation[0], size)
    targets = targets_of(held_out, validation[1])
    figures = model.evaluate(held_out, targets, return_dict=True, **options)
    seconds = time.perf_counter() - start
    return (
        size,
        history["head_loss"][0],
        history["head_accuracy"][0],
        figures["head_loss"],
        figures["head_accuracy"],
        seconds,
    )


def train(
    images, target, *, alpha, batch_size, n_validation, checkpoint_dir, cycles=CYCLES, seed=0
):
    """Train from random weights, or from the checkpoint in `checkpoint_dir`; return the model."""
    checkpoint_dir = Path(checkpoint_dir)
    checkpoint_dir.mkdir(parents=True, exist_ok=True)
    training, validation = split(images, target, n_validation)
    model, log = build_classifier(alpha, seed), []
    first_epoch = 0
    for number, cycle in enumerate(cycles):
        compile_classifier(model, cycle, len(training[0]) // batch_size)
        path = checkpoint_dir / f"cycle{number}.npz"
        log = restore(model, path) or log
        for epoch, size in enumerate(cycle.sizes_by_epoch, start=first_epoch):
            if epoch < len(log):
                continue
            options = {"size": size, "batch_size": batch_size, "seed": seed}
            log.append(train_epoch(model, training, validation, epoch, **options))
            write_checkpoint(model, log, path)
            write_log(log, checkpoint_dir / "log.csv")
        first_epoch += len(cycle.sizes_by_epoch)
    return model


def write_checkpoint(model, log, path):
    """Write weights, optimizer and log in one atomic step."""
    variables = [*model.variables, *model.optimizer.variables]
    states = [np.asarray(log, np.float64), *(variable.numpy() for variable in variables)]
    write_atomically(path, {str(number): state for number, state in enumerate(states)})


def restore(model, path):
    """Load the checkpoint at `path` into `model`, if there is one, and return its log."""
    if not path.exists():
        return []
    with np.load(path) as archive:
        log, *states = (archive[str(i)] for i in range(len(archive.files)))
    variables = [*model.variables, *model.optimizer.variables]
    for variable, state in zip(variables, states, strict=True):
        variable.assign(state)
    return [tuple(row) for row in log]


def write_log(log, path):
    """Write one line an epoch."""
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("epoch", *LOG_COLUMNS))
        for epoch, (size, *figures) in enumerate(log, start=1):
            writer.writerow((epoch, int(size), *(f"{figure:.4f}" for figure in figures)))


def make_network(images, target, *, checkpoint_dir, output):
    """Train the network, calibrate its head on the held-out images, and write the file."""
    options = {"alpha": ALPHA, "batch_size": BATCH_SIZE, "n_validation": N_VALIDATION}
    model = train(images, target, checkpoint_dir=checkpoint_dir, **options)
    _, (held_out, labels) = split(images, target, N_VALIDATION)
    logits = model.predict(held_out, batch_size=BATCH_SIZE, verbose=0)["head"]
    write_weights(model, temperature_of([logits], labels), output)


def write_weights(model, temperature, path):
    """Write what the package ships: the backbone and the calibrated head."""
    kernel, bias = model.get_layer("head").get_weights()
    mean, scale = np.zeros(len(kernel)), np.ones(len(kernel))  # the head takes features as they are
    head = [kernel / temperature, bias / temperature]
    write_shipped(path, model.get_layer("mobilenetv2").get_weights(), head, mean, scale)
