"""Accuracy on few images: the defaults, by `batch_size`, and `recipes.FAST`.

    python benchmarks/few_images.py            # 50 to 500 images, means of two draws
    python benchmarks/few_images.py --full     # 50 to 2,000 images, means of four

On the last 5,000 training images of CIFAR-10, at 96 px. "Frozen alike" is the recipe without its
fine-tuning: mirror images and label smoothing. Logistic regression has the best of three values
of C, chosen by these images themselves: a bound for the head.
"""

import numpy as np
from common import load_cifar10, parse_arguments, print_machine, print_table
from feature_layers import N_HELD_OUT, regression_accuracy

from skcifar import MobileNetV2Classifier, recipes

SETTINGS = {
    **{f"batch_size={size!r}": {"batch_size": size} for size in ("auto", 64, 32, 16, 8)},
    "recipes.FAST": recipes.FAST,
    "frozen alike": {**recipes.FAST, "fine_tune_epochs": 0},
}
SIZES = (50, 100, 250, 500, 1_000, 2_000)
NETWORK = {"input_size": 96}


def draws(X, y, n_images, n_draws):
    """Return so many parts of `n_images` images, no two of them with a common one."""
    held_out = X[-N_HELD_OUT:], y[-N_HELD_OUT:]
    starts = range(0, n_draws * n_images, n_images)
    return [
        (X[start : start + n_images], y[start : start + n_images], *held_out) for start in starts
    ]


def accuracy(parts, parameters):
    """Return the mean accuracy of the classifier over `parts`."""
    scores = []
    for seed, (X, y, X_val, y_val) in enumerate(parts):
        classifier = MobileNetV2Classifier(**NETWORK, **parameters, random_state=seed)
        scores.append(classifier.fit(X, y).score(X_val, y_val))
    return np.mean(scores)


def main():
    arguments = parse_arguments(__doc__, largest=(500, 2_000), n_draws=(2, 4))
    print_machine()
    X, y, _, _ = load_cifar10(50_000, 0)
    header = ("images", *SETTINGS, "logistic regression")
    rows = []
    for n_images in (size for size in SIZES if size <= arguments.largest):
        parts = draws(X, y, n_images, arguments.n_draws)
        scores = [accuracy(parts, parameters) for parameters in SETTINGS.values()]
        scores.append(regression_accuracy(NETWORK, parts))
        rows.append((f"{n_images:,}", *(f"{score:.4f}" for score in scores)))
        print(*rows[-1], flush=True)
    print()
    print_table(header, rows)


if __name__ == "__main__":
    main()
