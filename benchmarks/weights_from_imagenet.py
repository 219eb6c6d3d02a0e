"""The network of 96 px that ships with the package, fine-tuned from ImageNet's weights.

Every array is trained: all convolutions, and scale and shift of all normalisations. The
statistics of these are not trained and not shipped either: they become a part of scale and shift.
A run that was killed goes on from its last finished epoch when it is started again.
"""

from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

import numpy as np
from common import print_table
from shipped_file import temperature_of, transfer_accuracies, write_shipped
from sklearn.model_selection import train_test_split

from skcifar import MobileNetV2Classifier, load, save
from skcifar._keras import fine_tuning
from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import BATCH_NORM_EPSILON, MobileNetV2
from skcifar._weights.loading import load_backbone
from skcifar._weights.shipped import shipped_weights

N_HELD_OUT = 2_500
INPUT_SIZE = 96
# What the head sees: "all", for the last convolution has to be trained, too.
HEAD = {"input_size": INPUT_SIZE, "feature_layers": "all", "hidden_units": ()}
RECIPE = {
    **HEAD,
    "weights": "imagenet",
    "epochs": 8,
    "augmentation": "flip_translate",
    "label_smoothing": 0.05,
    "fine_tune_blocks": "all",
    "fine_tune_epochs": 16,
    "fine_tune_learning_rate": 2e-4,
    "precision": "bfloat16",
    "random_state": 0,
}
# The head that `compare` trains on weights between the two.
COMPARED = {**HEAD, "label_smoothing": 0.0}
# How far from ImageNet's weights to the fine-tuned ones `compare` goes.
SHARES = (0.0, 0.5, 0.75, 0.9, 1.0)


def split(X, y):
    """Return what is trained on and what is held out: X, X_held_out, y, y_held_out."""
    return train_test_split(X, y, test_size=N_HELD_OUT, stratify=y, random_state=0)


def fine_tuned(X, y, checkpoint_dir):
    """Return the fine-tuned classifier, trained now or kept in `checkpoint_dir` before."""
    path = Path(checkpoint_dir) / "fine_tuned.skcifar"
    if path.exists():
        return load(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    X, X_held_out, y, y_held_out = split(X, y)
    classifier = MobileNetV2Classifier(**RECIPE, checkpoint_dir=checkpoint_dir, verbose=1)
    with patch.object(fine_tuning, "NORMALIZATION_IS_TRAINED", True):
        classifier.fit(X, y, X_val=X_held_out, y_val=y_held_out)
    save(classifier, path)
    return classifier


def without_statistics(weights):
    """Return `weights` with each normalisation's statistics inside its scale and shift.

    `weights` has four arrays a normalisation (scale, shift, mean, variance), and kernels between.
    """
    weights, folded = list(weights), []
    while weights:
        if weights[0].ndim > 1:
            folded.append(weights.pop(0))
            continue
        (scale, shift, mean, variance), weights = weights[:4], weights[4:]
        scale = scale / np.sqrt(variance + BATCH_NORM_EPSILON)
        neutral = [np.zeros_like(mean), np.full_like(variance, 1 - BATCH_NORM_EPSILON)]
        folded += [scale, shift - mean * scale, *neutral]
    return folded


def log_probabilities(classifier, X):
    """Return the logits of `X`, up to a constant for each image."""
    probabilities = classifier.predict_proba(X)
    return np.log(np.maximum(probabilities, np.finfo(probabilities.dtype).tiny))


def calibrated_head(classifier, X, y):
    """Return the layers of the head of `classifier`, its logits divided by a temperature."""
    plain = classifier.set_params(test_time_augmentation=False)
    views = [log_probabilities(plain, images) for images in (X, X[:, :, ::-1])]
    *hidden, kernel, bias = classifier._head.weights
    temperature = temperature_of(views, y)
    print(f"temperature {temperature:.3f}")
    return [*hidden, kernel / temperature, bias / temperature]


def make_network(X, y, *, checkpoint_dir, output):
    """Fine-tune, calibrate the head on the held-out images, and write the file."""
    classifier = fine_tuned(X, y, checkpoint_dir)
    _, X_held_out, _, y_held_out = split(X, y)
    head = calibrated_head(classifier, X_held_out, y_held_out)
    standardization = classifier._head.standardization
    backbone = without_statistics(classifier._frozen.weights)
    write_shipped(output, backbone, head, standardization.mean, standardization.scale)


def compare(X, y):
    """Print what weights between ImageNet's and the shipped ones are worth.

    For CIFAR-10, with a head that is trained anew: the accuracy on held-out images, which the
    network was not trained on; for other images: that of `transfer_accuracies`.
    """
    tuned = shipped_weights("cifar10")[0]
    start = load_backbone(MobileNetV2, "imagenet", 1.0, INPUT_SIZE, (32, 32, 3))[1]
    start = without_statistics(start)
    X, X_held_out, y, y_held_out = split(X, y)

    def rows():
        for share in SHARES:
            between = [a + share * (b - a) for a, b in zip(start, tuned, strict=True)]
            with TemporaryDirectory() as folder:
                path = Path(folder) / "between.weights.h5"
                network = build_units(MobileNetV2(INPUT_SIZE))
                network.set_weights(between)
                network.save_weights(path)
                classifier = MobileNetV2Classifier(**COMPARED, weights=path, random_state=0)
                held_out = classifier.fit(X, y).score(X_held_out, y_held_out)
                others = (
                    accuracy
                    for layers in ("last", "blocks")
                    for accuracy in transfer_accuracies(weights=path, feature_layers=layers)
                )
                yield f"{share:g}", *(f"{accuracy:.4f}" for accuracy in (held_out, *others))

    sets = [
        f"{name}, {layers}" for layers in ("last", "blocks") for name in ("digits", "photographs")
    ]
    print_table(("share", "CIFAR-10, held out", *sets), rows())
