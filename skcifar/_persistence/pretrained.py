"""load_pretrained: a fitted classifier, without a download."""

from typing import Literal

import numpy as np

from .._classifier import MobileNetV2Classifier
from .._weights.shipped import SHIPPED, shipped_weights


def load_pretrained(
    name: Literal["cifar10", "cifar10-32px"] = "cifar10",
) -> MobileNetV2Classifier:
    """Return a fitted classifier that ships with the package.

    Its classes are the numbers 0 to 9 of `fetch_cifar10`: airplane, automobile, bird, cat, deer,
    dog, frog, horse, ship and truck. It averages the probabilities of the image and of its mirror
    image; its head is one dense layer.

    Parameters
    ----------
    name : {"cifar10", "cifar10-32px"}, default="cifar10"
        ``"cifar10"`` was fine-tuned in all its layers from ImageNet's weights, on 47,500 of
        CIFAR-10's 50,000 training images; the others calibrated it. It sees 96 px.
        ``"cifar10-32px"`` was trained on CIFAR-10 only, is half as wide and sees 32 px: less
        accurate, in half the time.

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
    if name not in SHIPPED:
        names = " or ".join(map(repr, SHIPPED))
        raise ValueError(f"name must be {names}. Got {name!r} instead.")
    _, head = shipped_weights(name)
    classifier = MobileNetV2Classifier(
        weights=name,
        feature_layers=SHIPPED[name].feature_layers,
        hidden_units=(),
        test_time_augmentation=True,
        random_state=0,
    )
    return classifier._with_head(
        head,
        image_shape=(32, 32, 3),
        classes=np.arange(head.n_classes),
        n_samples=SHIPPED[name].n_training,
    )
