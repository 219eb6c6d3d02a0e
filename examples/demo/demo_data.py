"""What the demo runs on: CIFAR-10, photo patches, or a folder of one's own pictures."""

import os
from dataclasses import dataclass, field

import numpy as np
from sklearn.model_selection import train_test_split

from skcifar import MobileNetV2Features
from skcifar.datasets import fetch_example_data, load_image_folder

N_TRAIN, N_TEST = 4_000, 2_000
LEAST_PICTURES = 8  # of a class: some to test with, some to validate, and two folds to search in


@dataclass
class DemoData:
    """Images with classes from 0 on, in three parts, and where they come from."""

    X_train: np.ndarray
    y_train: np.ndarray
    X_val: np.ndarray
    y_val: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray
    class_names: np.ndarray
    weights: str
    source: str
    remark: str = ""
    skipped: list = field(default_factory=list)


def load_demo_data(folder=None):
    """Return the `DemoData` of a folder, or of the best example data that this machine has."""
    return _from_folder(folder) if folder else _from_examples()


def _from_examples():
    data = fetch_example_data(n_train=N_TRAIN, n_test=N_TEST)
    remark = (
        "Training and validation patches overlap, so validation accuracy is optimistic; the test "
        "patches come from other parts of the photographs."
    )
    return DemoData(
        *_split(data.X_train, data.y_train, 0.2),
        data.X_test,
        data.y_test,
        data.target_names,
        data.weights,
        data.DESCR,
        remark if data.name == "photo patches" else "",
    )


def _from_folder(folder):
    pictures = load_image_folder(folder, on_error="skip", verbose=1)
    X, y = pictures.images, pictures.target
    _check_counts(np.bincount(y), pictures.target_names)
    rows = _drawn(y, N_TRAIN + N_TEST)
    X, y = X[rows], y[rows]
    X_train, y_train, X_test, y_test = _split(X, y, 0.25)
    weights = _weights(X_train)
    root = os.path.realpath(os.path.expanduser(folder))
    source = (
        f"{len(X):,} pictures in {len(pictures.target_names)} classes, from the folder "
        f"{os.path.basename(root)}. Weights: {weights}."
    )
    return DemoData(
        *_split(X_train, y_train, 0.2),
        X_test,
        y_test,
        pictures.target_names,
        weights,
        source,
        skipped=[(_below(root, path), reason) for path, reason in pictures.skipped],
    )


def _drawn(y, n):
    """Return about `n` rows at random, of each class its share, but no fewer than are needed."""
    rng, share = np.random.default_rng(0), min(n / len(y), 1)
    rows = [
        rng.permutation(members)[: max(round(share * len(members)), LEAST_PICTURES)]
        for members in (np.flatnonzero(y == label) for label in np.unique(y))
    ]
    return np.sort(np.concatenate(rows))


def _weights(X):
    """Return ImageNet's weights, if they are there or can be downloaded, or those that ship."""
    try:
        MobileNetV2Features(weights="imagenet").fit(X[:1])
    except OSError:
        return "cifar10"
    return "imagenet"


def _split(X, y, share):
    X, X_other, y, y_other = train_test_split(X, y, test_size=share, stratify=y, random_state=0)
    return X, y, X_other, y_other


def _check_counts(counts, names):
    if len(counts) < 2:
        raise ValueError(
            f"The folder holds one class, {names[0]}. Add a folder of pictures of another one."
        )
    few = [
        f"{name} ({count})"
        for name, count in zip(names, counts, strict=True)
        if count < LEAST_PICTURES
    ]
    if few:
        raise ValueError(
            f"Too few pictures of {', '.join(few)}: the demo needs {LEAST_PICTURES} of each class."
        )


def _below(root, path):
    return os.path.relpath(os.path.realpath(path), root)
