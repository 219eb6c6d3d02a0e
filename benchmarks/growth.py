"""How time grows with images, epochs, folds and grid points; and memory over many fits.

One thing is doubled at a time. The features are there already in all but the rows of images.
"""

import gc
import warnings

import numpy as np
import psutil
from common import (
    Stopwatch,
    load_cifar10,
    network_timed,
    parse_arguments,
    print_machine,
    print_table,
)
from sklearn.model_selection import GridSearchCV

from skcifar import MobileNetV2Classifier, clear_feature_cache

N_FITS, N_WARM = 20, 3


def search_row(X, y, *, epochs=5, folds=2, points=2, cold=False):
    if cold:
        clear_feature_cache()
    stopwatch = Stopwatch()
    grid = {"learning_rate": np.geomspace(1e-4, 1e-3, points).tolist()}
    with stopwatch("search"), network_timed(stopwatch) as counts:
        GridSearchCV(MobileNetV2Classifier(epochs=epochs, random_state=0), grid, cv=folds).fit(X, y)
    size = (len(X), epochs, folds, points)
    return (*size, counts["images"], f"{stopwatch.seconds['search']:.1f}")


def kinds_of_fits(X, y):
    """Return functions from the number of a fit to the fit, by name."""
    import keras

    small = {"epochs": 2, "weights": "cifar10-32px"}
    going_on = MobileNetV2Classifier(**small, random_state=0)

    def fit(number, **options):
        MobileNetV2Classifier(**{**small, "random_state": number, **options}).fit(X, y)

    return {
        "frozen": lambda number: fit(number, weights="imagenet"),
        "fine-tuning, 4 blocks": lambda number: fit(number, fine_tune_epochs=1),
        "fine-tuning, all blocks": lambda number: fit(
            number, fine_tune_epochs=1, fine_tune_blocks="all"
        ),
        "another head each time": lambda number: fit(number, dropout=number / 1000),
        "a layer as augmentation": lambda number: fit(
            number, augmentation=keras.layers.RandomRotation(0.1)
        ),
        "partial_fit": lambda _: going_on.partial_fit(X, y, classes=np.unique(y)),
    }


def memory_over_fits(fit):
    """Return resident memory in MB after the first fits and after all."""
    process, measured = psutil.Process(), []
    for number in range(1, N_FITS + 1):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the network that runs in each epoch
            fit(number)
        if number in (N_WARM, N_FITS):
            gc.collect()
            measured.append(process.memory_info().rss / 1e6)
    return measured


def memory_over_a_search(X, y):
    """Return resident memory in MB before and after a search over 12 settings of the head."""
    process, measured = psutil.Process(), []
    grid = {"dropout": [0.1, 0.2, 0.3, 0.4], "hidden_units": [(64,), (128,), (256,)]}
    estimator = MobileNetV2Classifier(epochs=2, weights="cifar10-32px", random_state=0)
    search = GridSearchCV(estimator, grid, cv=2)
    for run in (estimator.fit, search.fit):
        run(X, y)
        gc.collect()
        measured.append(process.memory_info().rss / 1e6)
    return measured


def main():
    arguments = parse_arguments(__doc__, n_train=(1_000, 5_000))
    X, y, _, _ = load_cifar10(2 * arguments.n_train, 0)
    print_machine()
    half = X[: len(X) // 2], y[: len(X) // 2]
    search_row(*half)
    rows = [
        search_row(*half, cold=True),
        search_row(X, y, cold=True),
        search_row(*half),
        search_row(*half, epochs=10),
        search_row(*half, folds=4),
        search_row(*half, points=4),
    ]
    print_table(("images", "epochs", "folds", "grid points", "images run", "seconds"), rows)
    few = X[:200], y[:200]
    memory = {"a search of 12 heads": memory_over_a_search(*few)}
    for name, fit in kinds_of_fits(*few).items():
        memory[f"{N_FITS} fits, {name}"] = memory_over_fits(fit)
    print_table(
        ("memory, MB", f"before, or after {N_WARM} fits", "after all", "growth"),
        [
            (name, f"{start:.0f}", f"{end:.0f}", f"{end - start:.0f}")
            for name, (start, end) in memory.items()
        ],
    )


if __name__ == "__main__":
    main()
