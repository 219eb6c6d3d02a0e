"""Accuracy against minutes, for a ladder of recipes from frozen features to the whole network.

Recipes are compared on a validation split of CIFAR-10's training images. ``--test`` prints the
accuracy on the test images as well, and ``--refit`` trains on all 50,000 and prints nothing else:
for the end, when nothing is chosen any more. With ``--models``, what was fitted before is loaded
instead of being fitted again.

    python benchmarks/fine_tuning.py                          # 10,000 images, the short recipes
    python benchmarks/fine_tuning.py --full --seeds 0 1 2     # all images, all recipes
    python benchmarks/fine_tuning.py --full --refit --precision bfloat16 --frozen-seeds 0 1 2
                                                              # the guide's ladder
    python benchmarks/fine_tuning.py --against-keras          # minutes, side by side
    python benchmarks/fine_tuning.py --choices                # what the recipes were chosen by
    python benchmarks/fine_tuning.py --maps                   # stored maps in memory and in a file

``--against-keras`` times fine-tuning of the top blocks of the same network and head
(``feature_layers="last"``) beside plain Keras' for the same epochs, as its guide has it and with
batch normalisation frozen altogether. All take turns;
the fastest of their turns counts. Of plain Keras, the fastest epoch after the first stands for all
the later ones.
"""

import argparse
import time
from functools import partial
from unittest.mock import patch

import joblib
import numpy as np
from common import (
    BATCH_SIZE,
    plain_keras_fit_seconds,
    plain_keras_model,
    print_machine,
    print_table,
)
from sklearn.model_selection import train_test_split

from skcifar import MobileNetV2Classifier, clear_feature_cache, recipes
from skcifar.datasets import fetch_cifar10, load_digits_rgb

N_VALIDATION = 5_000
# Values of test_time_augmentation, and what a column is called after.
VIEWS = {False: "", True: ", mirrored too", "flip_translate": ", moved too"}
# What the choices are compared with, and, with the head of plain Keras, what is timed beside it.
TUNED = {
    "epochs": 8,
    "augmentation": "flip",
    "label_smoothing": 0.1,
    "fine_tune_epochs": 4,
    "fine_tune_learning_rate": 5e-4,
}
AGAINST_KERAS = {**TUNED, "feature_layers": "last", "label_smoothing": 0.0}
RECIPES = {
    "defaults": {},
    **{f"defaults, {size} px": {"input_size": size} for size in (160, 192, 224)},
    "depthwise features, 160 px, flipped": {
        "feature_layers": "depthwise",
        "input_size": 160,
        "augmentation": "flip",
    },
    "fine_tune_epochs=5": {"fine_tune_epochs": 5},
    "recipes.FAST": recipes.FAST,
    "recipes.BALANCED": recipes.BALANCED,
    "recipes.ACCURATE": recipes.ACCURATE,
}
# What is compared on 10,000 training images and 3,000 of those for validation.
CHOICES = {
    "frozen": {"fine_tune_epochs": 0},
    **{
        f"top {n_blocks} blocks, {rate:g}": {
            "fine_tune_blocks": n_blocks,
            "fine_tune_learning_rate": rate,
        }
        for n_blocks, rate in (
            *((4, 1e-4), (4, 5e-4), (4, 1e-3)),
            *((10, 5e-4), (11, 2e-4), (11, 5e-4), (11, 1e-3)),
        )
    },
    "top 11 blocks, 0.0005, shifted too": {
        "fine_tune_blocks": 11,
        "augmentation": "flip_translate",
    },
    "top 11 blocks, 0.0005, no label smoothing": {"fine_tune_blocks": 11, "label_smoothing": 0.0},
    "top 11 blocks, 0.0005, weight decay 0.05": {"fine_tune_blocks": 11, "weight_decay": 0.05},
    **{
        f"top 11 blocks, 0.0005, feature_layers={layers!r}": {
            "fine_tune_blocks": 11,
            "feature_layers": layers,
        }
        for layers in ("last", "all", "depthwise")
    },
}
WITH_BATCH_STATISTICS = "top 4 blocks, 0.0005"
WITH_TRAINED_NORMALIZATION = ("top 4 blocks, 0.0005", "top 11 blocks, 0.0005")
# Few images, other images, and no settings: no epoch may fall apart.
DEFAULTS = {"weights": "imagenet", "fine_tune_epochs": 5}
N_WARM_UP_STEPS = 22  # of 110 on the digits
QUICK = ("defaults", "defaults, 160 px", "recipes.FAST")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="all training images, all recipes")
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=None)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--frozen-seeds", nargs="+", type=int, help="of recipes without tuning")
    parser.add_argument("--choices", action="store_true", help="compare settings, no more")
    parser.add_argument("--against-keras", action="store_true", help="time both, no more")
    parser.add_argument("--maps", action="store_true", help="time where they are kept, no more")
    parser.add_argument("--turns", type=int, default=2, help="of each, against Keras; of --maps")
    parser.add_argument("--test", action="store_true", help="look at the test images too")
    parser.add_argument("--refit", action="store_true", help="validation images trained on too")
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    parser.add_argument("--checkpoint-dir", help="where an interrupted run goes on from")
    parser.add_argument("--models", help="folder where fitted classifiers are kept")
    arguments = parser.parse_args()
    arguments.recipes = arguments.recipes or (list(RECIPES) if arguments.full else QUICK)
    return arguments


def validation_split():
    """Return 45,000 training images and 5,000 others, each with their labels."""
    X, y = fetch_cifar10(return_X_y=True)
    parts = train_test_split(X, y, test_size=N_VALIDATION, stratify=y, random_state=0)
    X_train, X_val, y_train, y_val = parts
    return (X_train, y_train), (X_val, y_val)


def fit(parameters, training, checkpoint_dir):
    """Return a fitted classifier and the minutes it took."""
    clear_feature_cache()
    start = time.perf_counter()
    classifier = MobileNetV2Classifier(**parameters, checkpoint_dir=checkpoint_dir, verbose=1)
    classifier.fit(*training)
    return classifier, (time.perf_counter() - start) / 60


def accuracies(classifier, sets):
    """Return the accuracy on each set, by each kind of `VIEWS`."""
    return [
        classifier.set_params(test_time_augmentation=views).score(*part)
        for part in sets
        for views in VIEWS
    ]


def fine_tuning_seconds(X, y, n_blocks, precision):
    """Return what the second phase of a fit takes: views, compilation and all."""
    recipe = {**AGAINST_KERAS, "fine_tune_blocks": n_blocks, "precision": precision}
    recipe["random_state"] = 0
    frozen = {**recipe, "fine_tune_epochs": 0}
    clear_feature_cache()
    MobileNetV2Classifier(**frozen).fit(X, y)  # keeps the features of the first phase
    seconds = []
    for parameters in (frozen, recipe):
        start = time.perf_counter()
        MobileNetV2Classifier(**parameters).fit(X, y)
        seconds.append(time.perf_counter() - start)
    return seconds[1] - seconds[0]


def plain_keras_seconds(X, y, n_blocks, frozen_normalization):
    """Return what plain Keras takes for the same epochs."""
    model = plain_keras_model(TUNED["fine_tune_learning_rate"], n_blocks, frozen_normalization)
    fit = partial(model.fit, X.astype(np.float32), y, batch_size=BATCH_SIZE, verbose=0)
    return plain_keras_fit_seconds(fit, TUNED["fine_tune_epochs"])[0]


def against_keras(X, y, n_turns):
    """Yield the rows of the table: seconds of fine-tuning, and ratios to both plain Keras."""
    for n_blocks in (4, 11):
        seconds = {}
        for _ in range(n_turns):
            for name, measure, option in (
                ("Keras", plain_keras_seconds, False),
                ("frozen", plain_keras_seconds, True),
                ("float32", fine_tuning_seconds, "float32"),
                ("bfloat16", fine_tuning_seconds, "bfloat16"),
            ):
                turn = measure(X, y, n_blocks, option)
                seconds[name] = min(turn, seconds.get(name, turn))
        for name in ("float32", "bfloat16"):
            ratios = (seconds[plain] / seconds[name] for plain in ("Keras", "frozen"))
            times = (seconds[column] for column in (name, "Keras", "frozen"))
            yield (
                f"top {n_blocks} blocks, {name}",
                *(f"{time:.0f}" for time in times),
                *(f"{ratio:.1f}" for ratio in ratios),
            )


def maps_in_memory_and_on_disk(X, y, precision, n_turns):
    """Yield (where the maps are, seconds of a fit as `recipes.ACCURATE`, but for three epochs)."""
    from skcifar._training import inputs

    recipe = {**recipes.ACCURATE, "fine_tune_epochs": 3, "precision": precision, "random_state": 0}
    n_images = 4_000
    for place, n_bytes in (("memory", inputs._MEMORY_BOUND), ("a file", 0)) * n_turns:
        clear_feature_cache()
        start = time.perf_counter()
        with patch.object(inputs, "_MEMORY_BOUND", n_bytes):
            MobileNetV2Classifier(**recipe).fit(X[:n_images], y[:n_images])
        yield place, f"{time.perf_counter() - start:.1f}"


def validation_curve(parameters, training, X_val, y_val):
    """Return the accuracy before fine-tuning, and after each epoch of it."""
    classifier = MobileNetV2Classifier(**parameters, random_state=0)
    history = classifier.fit(*training, X_val=X_val, y_val=y_val).history_
    first = (classifier.fine_tune_start_ or len(history["loss"])) - 1
    return " ".join(f"{accuracy:.3f}" for accuracy in history["val_accuracy"][first:])


def linear_warm_up(steps):
    """Return the shares of a step that a linear warm-up takes, in place of `rectification`."""
    return np.minimum(steps / N_WARM_UP_STEPS, 1)


def choices(training, held_out, precision):
    """Yield (name, curve) of each setting."""
    from skcifar._keras import fine_tuning
    from skcifar._training import schedule

    tuned, defaults = ({**settings, "precision": precision} for settings in (TUNED, DEFAULTS))
    for name, changes in CHOICES.items():
        yield name, validation_curve({**tuned, **changes}, training, *held_out)
    parameters = {**tuned, **CHOICES[WITH_BATCH_STATISTICS]}
    with patch.object(fine_tuning, "BATCH_STATISTICS", True):
        curve = validation_curve(parameters, training, *held_out)
    yield f"{WITH_BATCH_STATISTICS}, statistics of the batch", curve
    for name in WITH_TRAINED_NORMALIZATION:
        with patch.object(fine_tuning, "NORMALIZATION_IS_TRAINED", True):
            curve = validation_curve({**tuned, **CHOICES[name]}, training, *held_out)
        yield f"{name}, scale and shift trained", curve
    X, y = load_digits_rgb(return_X_y=True)
    X, X_val, y, y_val = train_test_split(X, y, stratify=y, random_state=0)
    yield "defaults, digits", validation_curve(defaults, (X, y), X_val, y_val)
    with patch.object(schedule, "rectification", linear_warm_up):
        curve = validation_curve(defaults, (X, y), X_val, y_val)
    yield "defaults, digits, linear warm-up", curve
    few = [part[:1_000] for part in training]
    yield "defaults, 1,000 images", validation_curve(defaults, few, *held_out)


def ladder(arguments, training, sets):
    """Print the accuracy of each recipe on each set, against minutes."""
    fit_once = joblib.Memory(arguments.models, verbose=0).cache(fit, ignore=["checkpoint_dir"])
    rows = []
    for recipe in arguments.recipes:
        runs = []
        is_tuned = RECIPES[recipe].get("fine_tune_epochs")
        for seed in arguments.seeds if is_tuned else arguments.frozen_seeds or arguments.seeds:
            parameters = {**RECIPES[recipe], "precision": arguments.precision, "random_state": seed}
            classifier, minutes = fit_once(parameters, training, arguments.checkpoint_dir)
            runs.append([minutes, *accuracies(classifier, sets.values())])
        minutes, *means = np.mean(runs, axis=0)
        figures = (f"{minutes:.1f}", *(f"{mean:.4f}" for mean in means))
        rows.append((recipe, len(runs), *figures))
        print(*rows[-1], flush=True)
    header = [name + suffix for name in sets for suffix in VIEWS.values()]
    print_table((f"{len(training[1])} images", "seeds", "minutes", *header), rows)


def main():
    arguments = parse_arguments()
    (X_train, y_train), (X_val, y_val) = validation_split()
    if not arguments.full:
        X_train, y_train = X_train[:10_000], y_train[:10_000]
    print_machine()
    if arguments.against_keras:
        header = (
            f"{len(X_train)} images",
            "fine-tuning, s",
            "plain Keras, s",
            "normalisation frozen, s",
            "ratio",
            "ratio to frozen",
        )
        return print_table(header, against_keras(X_train, y_train, arguments.turns))
    if arguments.maps:
        rows = maps_in_memory_and_on_disk(X_train, y_train, arguments.precision, arguments.turns)
        return print_table(("maps in", "seconds"), rows)
    if arguments.choices:
        held_out = X_val[:3_000], y_val[:3_000]
        rows = choices((X_train, y_train), held_out, arguments.precision)
        header = (f"{len(X_train)} images", "validation accuracy: frozen, then after each epoch")
        return print_table(header, rows)
    test = fetch_cifar10(subset="test", return_X_y=True)
    if arguments.refit:
        return ladder(arguments, fetch_cifar10(return_X_y=True), {"test": test})
    sets = {"validation": (X_val, y_val), **({"test": test} if arguments.test else {})}
    return ladder(arguments, (X_train, y_train), sets)


if __name__ == "__main__":
    main()
