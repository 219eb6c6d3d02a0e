"""Accuracy, log loss and calibration error of the default head, by `label_smoothing`.

    python benchmarks/label_smoothing.py            # the small sets
    python benchmarks/label_smoothing.py --full     # 45,000 images too

On the validation images of ``feature_layers.py``, means over its draws and folds. The calibration
error is the expected one: the difference between confidence and the share that is correct, in 15
bins of equal width, weighted by the images in each.
"""

import numpy as np
from common import parse_arguments, print_machine, print_table
from feature_layers import splits
from sklearn.metrics import log_loss

from skcifar import MobileNetV2Classifier

AMOUNTS = (0.0, 0.05, 0.1)
N_BINS = 15


def calibration_error(confidence, is_correct):
    """Return the expected calibration error."""
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, weights=confidence - is_correct)
    return np.abs(gaps).sum() / len(bins)


def scores(parameters, parts):
    """Return mean accuracy, log loss and calibration error over `parts`."""
    rows = []
    for seed, (X, y, X_val, y_val) in enumerate(parts):
        classifier = MobileNetV2Classifier(random_state=seed, **parameters).fit(X, y)
        probabilities = classifier.predict_proba(X_val)
        is_correct = classifier.classes_[probabilities.argmax(axis=1)] == y_val
        rows.append(
            (
                is_correct.mean(),
                log_loss(y_val, probabilities),
                calibration_error(probabilities.max(axis=1), is_correct),
            )
        )
    return np.mean(rows, axis=0)


def main():
    arguments = parse_arguments(__doc__)
    print_machine()
    rows = []
    for name, parameters, parts in splits(arguments.full):
        for amount in AMOUNTS:
            measured = scores({**parameters, "label_smoothing": amount}, parts)
            rows.append((name, amount, *(f"{score:.4f}" for score in measured)))
            print(*rows[-1], flush=True)
    print()
    print_table(("set", "label_smoothing", "accuracy", "log loss", "calibration error"), rows)


if __name__ == "__main__":
    main()
