"""load_pretrained: a fitted classifier, without a download."""

from typing import Literal

import numpy as np

from ._classifier import MobileNetV2Classifier
from ._model.head import Head, Standardization
from ._weights.shipped import cifar10_weights


def load_pretrained(name: Literal["cifar10"]) -> MobileNetV2Classifier:
    """Return a fitted classifier that ships with the package.

    Parameters
    ----------
    name : {"cifar10"}
        ``"cifar10"`` was trained on CIFAR-10's 50,000 training images only. Its classes are the
        numbers 0 to 9 of `fetch_cifar10`: airplane, automobile, bird, cat, deer, dog, frog, horse,
        ship and truck. It sees 32 px, and averages the probabilities of the image and of its
        mirror image; its head is one dense layer.

    Returns
    -------
    MobileNetV2Classifier
        Ready to `predict`, `score`, `partial_fit`, save and export, for uint8 images of 32 x 32
        pixels.

    Raises
    ------
    ValueError
        If there is no classifier of that name.

    Examples
    --------
    >>> from skcifar import load_pretrained
    >>> from skcifar.datasets import make_images
    >>> X, _ = make_images(n_samples=5, random_state=0)
    >>> load_pretrained("cifar10").predict(X).shape
    (5,)
    """
    if name != "cifar10":
        raise ValueError(f"name must be 'cifar10'. Got {name!r} instead.")
    _, (kernel, bias) = cifar10_weights()
    as_trained = Standardization(
        np.zeros(len(kernel), np.float32), np.ones(len(kernel), np.float32)
    )
    classifier = MobileNetV2Classifier(
        weights="cifar10",
        feature_layers="last",
        hidden_units=(),
        test_time_augmentation=True,
        random_state=0,
    )
    return classifier._with_head(
        Head([kernel, bias], as_trained),
        image_shape=(32, 32, 3),
        classes=np.arange(len(bias)),
        n_samples=50_000,
    )
