"""Train the CIFAR-10 weights of the package from random initialisation.

Keras calls only, so that it runs on the TensorFlow, JAX or PyTorch backend, on a CPU or a GPU;
on TensorFlow batch normalisation goes through the fused kernel. A run that was killed goes on
from its last finished epoch when it is started again.

    python benchmarks/train_cifar10_weights.py --checkpoint-dir ~/cifar10-run --output w.npz
    python benchmarks/train_cifar10_weights.py --evaluate w.npz
"""

import argparse
import csv
import hashlib
import os
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._model.preprocessing import resizing_matrix
from skcifar.datasets import fetch_cifar10, load_digits_rgb

N_CLASSES, IMAGE_SIZE = 10, 32
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
    _write_atomically(path, dict(enumerate(states)))


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


def write_weights(model, alpha, temperature, path):
    """Write what the package ships: the backbone and the calibrated head, in half precision."""
    backbone = model.get_layer("mobilenetv2")
    kernel, bias = model.get_layer("head").get_weights()
    arrays = dict(enumerate(backbone.get_weights()))
    arrays |= {"kernel": kernel / temperature, "bias": bias / temperature}
    arrays = {name: array.astype(np.float16) for name, array in arrays.items()}
    _write_atomically(path, arrays | {"alpha": np.float32(alpha)}, save=np.savez_compressed)


def read_weights(path):
    """Return (alpha, backbone weights, [kernel, bias]) of a file of `write_weights`."""
    with np.load(path) as archive:
        arrays = {name: archive[name].astype(np.float32) for name in archive.files}
    alpha, kernel, bias = (arrays.pop(name) for name in ("alpha", "kernel", "bias"))
    return round(float(alpha), 2), [arrays[str(i)] for i in range(len(arrays))], [kernel, bias]


def temperature_of(logits, target):
    """Return the number that `logits` are divided by for the best likelihood of `target`.

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    temperatures = np.geomspace(0.2, 5.0, 200)
    losses = [_log_loss(softmax(logits / t), target) for t in temperatures]
    return float(temperatures[np.argmin(losses)])


def softmax(logits):
    """Return the probabilities of `logits`, row by row."""
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def calibration_error(probabilities, target, n_bins=15):
    """Return the expected calibration error: the mean gap of confidence and accuracy."""
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == target) - confidence
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, gap, n_bins)).sum() / len(target))


def evaluate(path):
    """Print the figures of the model card for the weights at `path`."""
    alpha, backbone_weights, (kernel, bias) = read_weights(path)
    backbone = build_units(MobileNetV2(IMAGE_SIZE, alpha, "cifar10"), pooled=True)
    backbone.set_weights(backbone_weights)
    test = fetch_cifar10(subset="test")
    logits = _features(backbone, test.images) @ kernel + bias
    probabilities = softmax(logits)
    calibration = calibration_error(probabilities, test.target)
    mirrored = softmax(_features(backbone, test.images[:, :, ::-1]) @ kernel + bias)
    of_both = (probabilities + mirrored).argmax(axis=1) == test.target
    is_right = logits.argmax(axis=1) == test.target
    for name, of_the_class in zip(test.target_names, np.eye(N_CLASSES, dtype=bool), strict=True):
        rows = of_the_class[test.target]
        print(f"| {name} | {rows.sum()} | {is_right[rows].mean():.3f} |")
    print(f"| **all** | {len(is_right)} | **{is_right.mean():.4f}** |")
    print(f"with the mirror image {of_both.mean():.4f}")
    print(f"log loss {_log_loss(probabilities, test.target):.4f}")
    print(f"expected calibration error, 15 bins: {calibration:.4f}")
    print(f"handwritten digits, frozen features: {digits_accuracy(backbone):.4f}")
    print(f"{path.stat().st_size} bytes, SHA-256 {hashlib.sha256(path.read_bytes()).hexdigest()}")


def digits_accuracy(backbone):
    """Return the test accuracy of a logistic regression on frozen features of the digits."""
    digits = load_digits_rgb()
    parts = train_test_split(
        _features(backbone, digits.images), digits.target, stratify=digits.target, random_state=0
    )
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    return model.fit(parts[0], parts[2]).score(parts[1], parts[3])


def _features(backbone, images):
    return backbone.predict(images / np.float32(127.5) - 1, batch_size=128, verbose=0)


def _log_loss(probabilities, target):
    return -np.log(probabilities[np.arange(len(target)), target]).mean()


def _write_atomically(path, arrays, save=np.savez):
    temporary = path.with_suffix(".tmp.npz")
    save(temporary, **{str(name): array for name, array in arrays.items()})
    os.replace(temporary, path)


def parse_arguments(arguments=None):
    """Return the command line as a namespace."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--alpha", type=float, default=0.5)
    parser.add_argument("--batch-size", type=int, default=128)
    parser.add_argument("--n-validation", type=int, default=2000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--checkpoint-dir", type=Path, help="outside of the repository")
    parser.add_argument("--output", type=Path, help="where the trained weights go, .npz")
    parser.add_argument("--evaluate", type=Path, help="print the figures of these weights, no more")
    options = parser.parse_args(arguments)
    if not options.evaluate and not (options.checkpoint_dir and options.output):
        parser.error("pass --checkpoint-dir and --output to train, or --evaluate")
    return options


def main(arguments=None):
    """Run the command line."""
    options = parse_arguments(arguments)
    if options.evaluate:
        return evaluate(options.evaluate)
    images, target = fetch_cifar10(subset="train", return_X_y=True)
    model = train(
        images,
        target,
        alpha=options.alpha,
        batch_size=options.batch_size,
        n_validation=options.n_validation,
        checkpoint_dir=options.checkpoint_dir,
        seed=options.seed,
    )
    _, (held_out, labels) = split(images, target, options.n_validation)
    logits = model.predict(held_out, batch_size=options.batch_size, verbose=0)["head"]
    write_weights(model, options.alpha, temperature_of(logits, labels), options.output)


if __name__ == "__main__":
    main()
