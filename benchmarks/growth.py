"""How time grows with images, epochs, folds and grid points; and memory over many fits.

One thing is doubled at a time. The features are there already in all but the rows of images.
"""

import gc

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

N_FITS, N_WARM = 50, 5


def search_row(X, y, *, epochs=5, folds=2, points=2, cold=False):
    if cold:
        clear_feature_cache()
    stopwatch = Stopwatch()
    grid = {"learning_rate": np.geomspace(1e-4, 1e-3, points).tolist()}
    with stopwatch("search"), network_timed(stopwatch) as counts:
        GridSearchCV(MobileNetV2Classifier(epochs=epochs, random_state=0), grid, cv=folds).fit(X, y)
    size = (len(X), epochs, folds, points)
    return (*size, counts["images"], f"{stopwatch.seconds['search']:.1f}")


def memory_over_fits(X, y):
    """Return resident memory in MB after the first fits and after all."""
    process, measured = psutil.Process(), {}
    for number in range(1, N_FITS + 1):
        MobileNetV2Classifier(epochs=2, random_state=number).fit(X, y)
        if number in (N_WARM, N_FITS):
            gc.collect()
            measured[number] = process.memory_info().rss / 1e6
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
    memory = memory_over_fits(X[:200], y[:200])
    grown = memory[N_FITS] - memory[N_WARM]
    print_table(
        ("", f"after {N_WARM} fits", f"after {N_FITS} fits", "growth"),
        [("memory, MB", f"{memory[N_WARM]:.0f}", f"{memory[N_FITS]:.0f}", f"{grown:.0f}")],
    )


if __name__ == "__main__":
    main()
