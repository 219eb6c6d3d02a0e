"""Accuracy of the head, without label smoothing, and of logistic regression, by `feature_layers`.

    python benchmarks/feature_layers.py            # the small sets
    python benchmarks/feature_layers.py --full     # 45,000 images too

All on validation images: the last 5,000 training images of CIFAR-10, folds of the digits, and
the test patches of scikit-learn's two photographs. Logistic regression has the best of three
values of C, chosen by the validation images themselves: a bound for the head. The difference to
"last" is that of the same draws or folds, with its standard error where there are several.
"""

import time

import numpy as np
from common import load_cifar10, parse_arguments, print_machine, print_table
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar.datasets import load_digits_rgb, load_photo_patches

HEAD = {"label_smoothing": 0.0}
FEATURE_LAYERS = ("last", "blocks", "all", "depthwise")
STRENGTHS = (0.003, 0.03, 0.3)
MOST_FOR_REGRESSION = 10**8  # numbers, images times features: it takes minutes for more
N_HELD_OUT = 5_000
SEEDS = (0, 1, 2)


def splits(full):
    """Yield (name, parameters of the network, list of (X, y, X_val, y_val))."""
    X, y, _, _ = load_cifar10(50_000, 0)
    for input_size in (96, 160):
        for n_images in (500, 5_000, *([45_000] if full else ())):
            parts = [slice(seed * n_images, (seed + 1) * n_images) for seed in SEEDS]
            parts = parts if n_images <= N_HELD_OUT else parts[:1]
            yield (
                f"CIFAR-10, {n_images:,} images, {input_size} px",
                {"input_size": input_size},
                [(X[part], y[part], X[-N_HELD_OUT:], y[-N_HELD_OUT:]) for part in parts],
            )
    yield from other_splits()


def other_splits():
    """Yield the same of the digits and the photographs."""
    X, y = load_digits_rgb(return_X_y=True)
    folds = list(StratifiedKFold(5, shuffle=True, random_state=0).split(X, y))
    for weights in ("imagenet", "cifar10"):
        parts = [(X[rows], y[rows], X[others], y[others]) for rows, others in folds]
        yield f"digits, weights={weights!r}", {"weights": weights}, parts
    patches = [*load_photo_patches(return_X_y=True)]
    patches += load_photo_patches(subset="test", return_X_y=True)
    for weights in ("imagenet", "cifar10"):
        yield f"photo patches, weights={weights!r}", {"weights": weights}, [tuple(patches)]


def head_accuracy(parameters, parts):
    """Return the accuracy of the classifier on each part, and the seconds of its fits."""
    scores, seconds = [], 0.0
    for seed, (X, y, X_val, y_val) in enumerate(parts):
        classifier = MobileNetV2Classifier(**{**HEAD, **parameters}, random_state=seed)
        start = time.perf_counter()
        classifier.fit(X, y)
        seconds += time.perf_counter() - start
        scores.append(classifier.score(X_val, y_val))
    return np.array(scores), seconds


def difference(scores, baseline):
    """Return the mean difference of paired scores and its standard error, as text."""
    differences = scores - baseline
    if len(differences) == 1:
        return f"{differences[0]:+.4f}"
    error = differences.std(ddof=1) / np.sqrt(len(differences))
    return f"{differences.mean():+.4f} ± {error:.4f}"


def regression_accuracy(parameters, parts):
    """Return the mean accuracy of logistic regression, or None for too many numbers."""
    best = []
    for X, y, X_val, y_val in parts:
        features = MobileNetV2Features(**parameters).fit(X)
        A, B = features.transform(X), features.transform(X_val)
        if A.size > MOST_FOR_REGRESSION:
            return None
        models = [make_pipeline(StandardScaler(), LogisticRegression(C=C)) for C in STRENGTHS]
        best.append(max(model.fit(A, y).score(B, y_val) for model in models))
    return np.mean(best)


def main():
    arguments = parse_arguments(__doc__)
    print_machine()
    rows = []
    for name, parameters, parts in splits(arguments.full):
        last = None
        for feature_layers in FEATURE_LAYERS:
            options = {**parameters, "feature_layers": feature_layers}
            scores, seconds = head_accuracy(options, parts)
            last = scores if last is None else last
            regression = regression_accuracy(options, parts)
            rows.append(
                (
                    name,
                    feature_layers,
                    f"{scores.mean():.4f}",
                    difference(scores, last),
                    "" if regression is None else f"{regression:.4f}",
                    f"{seconds / len(parts):.1f}",
                )
            )
            print(*rows[-1], flush=True)
    print()
    header = ("head", "difference to last", "logistic regression, best C", "fit, s")
    print_table(("set", "feature_layers", *header), rows)


if __name__ == "__main__":
    main()
