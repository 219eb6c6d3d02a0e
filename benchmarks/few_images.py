"""Accuracy on few images: the defaults, by `batch_size`, and the recipes.

    python benchmarks/few_images.py            # 50 to 1,000 images, means of four draws
    python benchmarks/few_images.py --full --bfloat16   # all recipes, up to 2,000, of two draws
    python benchmarks/few_images.py --test     # on the test images: for the end

On the last 5,000 training images of CIFAR-10, on folds of the digits, which are not mirrored, and
on the test patches of two photographs, all at 96 px where a recipe does not say otherwise. "Frozen
alike" is `recipes.FAST` without its fine-tuning. Logistic regression has the best of three values
of C, chosen by these images themselves: a bound for the head.
"""

import numpy as np
from common import load_cifar10, parse_arguments, print_machine, print_table
from feature_layers import N_HELD_OUT, other_splits, regression_accuracy

from skcifar import MobileNetV2Classifier, recipes

SETTINGS = {
    "defaults": {},
    "batch_size=64": {"batch_size": 64},
    "recipes.FAST": recipes.FAST,
    "frozen alike": {**recipes.FAST, "fine_tune_epochs": 0},
}
MORE_SETTINGS = {
    **{f"batch_size={size}": {"batch_size": size} for size in (32, 16, 8, 4)},
    "fine_tune_epochs=5": {"fine_tune_epochs": 5},
    "recipes.BALANCED": recipes.BALANCED,
    "recipes.ACCURATE": recipes.ACCURATE,
}
SIZES = (50, 100, 250, 500, 1_000, 2_000)
NETWORK = {"input_size": 96}
NOT_MIRRORED = {"augmentation": None, "test_time_augmentation": False}


def draws(X, y, held_out, n_images, n_draws):
    """Return so many parts of `n_images` images, no two of them with a common one."""
    starts = range(0, n_draws * n_images, n_images)
    return [
        (X[start : start + n_images], y[start : start + n_images], *held_out) for start in starts
    ]


def sets(arguments):
    """Yield (name, parameters of every classifier, list of (X, y, X_val, y_val))."""
    precision = {"precision": "bfloat16" if arguments.bfloat16 else "float32"}
    X, y, *test = load_cifar10(50_000, N_HELD_OUT)
    held_out = test if arguments.test else (X[-N_HELD_OUT:], y[-N_HELD_OUT:])
    for n_images in (size for size in SIZES if size <= arguments.largest):
        parts = draws(X, y, held_out, n_images, arguments.n_draws)
        yield f"CIFAR-10, {n_images:,} images", precision, parts
    for name, parameters, parts in other_splits():
        yield name, {**precision, **parameters}, parts[: arguments.n_draws]


def accuracy(parts, parameters):
    """Return the mean accuracy of the classifier over `parts`."""
    scores = []
    for seed, (X, y, X_val, y_val) in enumerate(parts):
        classifier = MobileNetV2Classifier(**{**NETWORK, **parameters}, random_state=seed)
        scores.append(classifier.fit(X, y).score(X_val, y_val))
    return np.mean(scores)


def main():
    flags = {"test": "on the test images of CIFAR-10", "bfloat16": "instead of float32"}
    arguments = parse_arguments(__doc__, flags, largest=(1_000, 2_000), n_draws=(4, 2))
    print_machine()
    settings = {**SETTINGS, **(MORE_SETTINGS if arguments.full else {})}
    rows = []
    for name, network, parts in sets(arguments):
        fixed = {**network, **(NOT_MIRRORED if "digits" in name else {})}
        scores = [accuracy(parts, {**parameters, **fixed}) for parameters in settings.values()]
        scores.append(regression_accuracy({**NETWORK, **network}, parts))
        rows.append((name, *(f"{score:.4f}" for score in scores)))
        print(*rows[-1], flush=True)
    print()
    print_table(("set", *settings, "logistic regression"), rows)


if __name__ == "__main__":
    main()
