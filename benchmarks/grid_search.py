"""A grid search over learning rates against scikeras around the whole network.

The plain way is that of scikeras' documentation: `KerasClassifier(build_fn)` in `GridSearchCV`.
Four epochs of one of its fits are timed; the fastest after the first stands for all the later
ones, and the fit for all folds x learning rates, and the refit.
"""

import time

import numpy as np
from common import (
    BATCH_SIZE,
    Stopwatch,
    head_timed,
    load_cifar10,
    network_timed,
    parse_arguments,
    plain_keras_fit_seconds,
    plain_keras_model,
    print_machine,
    print_table,
)
from sklearn.model_selection import GridSearchCV

from skcifar import MobileNetV2Classifier, clear_feature_cache

EPOCHS, FOLDS = 20, 3


def search(X, y, n_learning_rates):
    """Return the seconds of a search and its parts, and over how many images the network ran."""
    clear_feature_cache()
    stopwatch = Stopwatch()
    grid = {"learning_rate": np.geomspace(1e-4, 3e-3, n_learning_rates).tolist()}
    with stopwatch("search"), network_timed(stopwatch) as counts, head_timed(stopwatch):
        classifier = MobileNetV2Classifier(
            feature_layers="last", label_smoothing=0.0, epochs=EPOCHS, random_state=0
        )
        GridSearchCV(classifier, grid, cv=FOLDS).fit(X, y)
    return stopwatch.seconds, counts["images"]


def plain_search_seconds(X, y, n_learning_rates):
    """Return what the plain search would take: one fit and its scoring, multiplied."""
    from scikeras.wrappers import KerasClassifier

    in_fold = len(X) * (FOLDS - 1) // FOLDS
    estimator = KerasClassifier(plain_keras_model, batch_size=BATCH_SIZE, verbose=0)

    def fit(**options):
        estimator.set_params(**options).fit(X[:in_fold].astype(np.float32), y[:in_fold])

    fit_seconds, epoch = plain_keras_fit_seconds(fit, EPOCHS)
    start = time.perf_counter()
    estimator.predict(X[in_fold:].astype(np.float32))
    scoring = time.perf_counter() - start
    refit = fit_seconds + EPOCHS * epoch * (len(X) / in_fold - 1)
    return n_learning_rates * FOLDS * (fit_seconds + scoring) + refit


def main():
    arguments = parse_arguments(__doc__, n_train=(1_500, 10_000))
    X, y, _, _ = load_cifar10(arguments.n_train, 0)
    import tensorflow  # noqa: F401 (not in the times)

    print_machine()
    rows = []
    for n_learning_rates in (4, 8):
        seconds, n_images = search(X, y, n_learning_rates)
        plain = plain_search_seconds(X, y, n_learning_rates)
        total, network, head = (seconds[name] for name in ("search", "network", "head"))
        rows.append(
            (
                f"{n_learning_rates} learning rates x {FOLDS} folds + refit",
                *(f"{time:.1f}" for time in (total, network, head, total - network - head)),
                n_images,
                f"{plain:.0f}",
                f"{plain / total:.0f}",
            )
        )
    header = ("", "search, s", "network", "head", "rest", "images run", "scikeras, s", "ratio")
    print_table((f"{arguments.n_train} images", *header[1:]), rows)


if __name__ == "__main__":
    main()
