"""The files of the networks that ship with the package: how they are written and judged."""

import hashlib
import os
from importlib.resources import files

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Features, load_pretrained
from skcifar._weights.shipped import SHIPPED
from skcifar.datasets import fetch_cifar10, load_digits_rgb, load_photo_patches

N_SHIFT = 2  # pixels, of 32


def write_shipped(path, backbone, head, mean, scale):
    """Write a file of `skcifar._weights.shipped`: weights in half precision, the rest in single.

    Parameters
    ----------
    path : pathlib.Path
    backbone : list of ndarray
        In the order of ``build_units(...).get_weights()``.
    head : list of ndarray
        Kernel and bias of each layer.
    mean, scale : ndarray
        What features are standardised with before the head.
    """
    arrays = {f"network{number}": array for number, array in enumerate(backbone)}
    arrays |= {f"head{number}": array for number, array in enumerate(head)}
    with np.errstate(over="ignore"):
        rounded = {name: np.asarray(array, np.float16) for name, array in arrays.items()}
    if not all(np.isfinite(array).all() for array in rounded.values()):
        raise ValueError("There are weights that half precision cannot hold.")
    standardization = {"mean": np.asarray(mean, np.float32), "scale": np.asarray(scale, np.float32)}
    write_atomically(path, rounded | standardization, save=np.savez_compressed)


def write_atomically(path, arrays, save=np.savez):
    """Write `arrays`, by name, to `path`: the whole file or none."""
    temporary = path.with_suffix(".tmp.npz")
    save(temporary, **arrays)
    os.replace(temporary, path)


# --- Calibration -----------------------------------------------------------------------------


def temperature_of(views, target):
    """Return the number to divide logits by for the best likelihood of `target`.

    Parameters
    ----------
    views : list of ndarray of shape (n, n_classes)
        Logits of each view of the images; the probabilities of the views are averaged.
    target : ndarray of shape (n,)

    References
    ----------
    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    temperatures = np.geomspace(0.2, 5.0, 200)
    classes = np.arange(views[0].shape[1])
    losses = [
        log_loss(
            target,
            np.mean([softmax(logits / t, axis=1) for logits in views], axis=0),
            labels=classes,
        )
        for t in temperatures
    ]
    return float(temperatures[np.argmin(losses)])


def calibration_error(probabilities, target, n_bins=15):
    """Return the expected calibration error: the mean gap of confidence and accuracy."""
    confidence = probabilities.max(axis=1)
    gap = (probabilities.argmax(axis=1) == target) - confidence
    bins = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    return float(np.abs(np.bincount(bins, gap, n_bins)).sum() / len(target))


# --- What a network is worth -----------------------------------------------------------------


def transfer_accuracies(**parameters):
    """Return what frozen features are worth for images that are not CIFAR-10's.

    Parameters
    ----------
    **parameters
        Of `MobileNetV2Features`.

    Returns
    -------
    digits : float
        Accuracy of logistic regression, the mean of five folds.
    photographs : float
        The same on patches of scikit-learn's sample photographs: trained on those of one part of
        the pictures, tested on those of another.
    """
    features = MobileNetV2Features(**parameters)
    regression = make_pipeline(StandardScaler(), LogisticRegression(C=0.03, max_iter=1000))
    X, y = load_digits_rgb(return_X_y=True)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    digits = cross_val_score(regression, features.fit_transform(X), y, cv=folds).mean()
    train, test = load_photo_patches(), load_photo_patches(subset="test")
    regression.fit(features.fit_transform(train.images), train.target)
    return digits, regression.score(features.transform(test.images), test.target)


def evaluate(name):
    """Print the figures of the model card for the shipped network called `name`."""
    test = fetch_cifar10(subset="test")
    classifier = load_pretrained(name)
    probabilities = classifier.predict_proba(test.images)
    right = probabilities.argmax(axis=1) == test.target
    print("| class | images | accuracy |\n| --- | --- | --- |")
    for number, of_class in enumerate(test.target_names):
        rows = test.target == number
        print(f"| {of_class} | {rows.sum()} | {right[rows].mean():.3f} |")
    print(f"| **all** | {len(right)} | **{right.mean():.4f}** |")
    print(f"log loss {log_loss(test.target, probabilities):.4f}")
    print(
        f"expected calibration error, 15 bins: {calibration_error(probabilities, test.target):.4f}"
    )
    plain = classifier.set_params(test_time_augmentation=False)
    print(f"without the mirror image: {plain.score(test.images, test.target):.4f}")
    shifted = np.pad(test.images, ((0, 0), (N_SHIFT, N_SHIFT), (N_SHIFT, N_SHIFT), (0, 0)), "edge")
    shifts = ((row, column) for row in (0, 2 * N_SHIFT) for column in (0, 2 * N_SHIFT))
    accuracies = [
        plain.score(shifted[:, row : row + 32, column : column + 32], test.target)
        for row, column in shifts
    ]
    print(f"shifted by {N_SHIFT} pixels to each of four corners: {np.mean(accuracies):.4f}")
    for weights in (name, "imagenet"):
        for layers in ("last", "blocks", "all"):
            digits, photographs = transfer_accuracies(weights=weights, feature_layers=layers)
            print(f"{weights}, {layers}: digits {digits:.4f}, photographs {photographs:.4f}")
    file = files("skcifar._weights") / SHIPPED[name].file_name
    print(f"{file.stat().st_size} bytes, SHA-256 {hashlib.sha256(file.read_bytes()).hexdigest()}")
