"""One fit of 20 epochs against plain Keras' `model.fit` of the same network and head.

The comparison is of the same computation: ``feature_layers="last"`` without label smoothing. A row
for the defaults stands beside it. Plain Keras runs the network again in every epoch. Four full
epochs of it are timed; the fastest after the first stands for all the later ones. Its accuracy
after all epochs is that of its head trained by `model.fit` on what the frozen network puts out:
the same computation.
Importing TensorFlow is in none of the times; compiling and a cold cache are.
"""

from functools import partial
from itertools import product

from common import (
    BATCH_SIZE,
    Stopwatch,
    head_timed,
    load_cifar10,
    network_timed,
    parse_arguments,
    peak_memory,
    plain_keras_fit_seconds,
    plain_keras_head,
    plain_keras_model,
    print_machine,
    print_table,
)

from skcifar import MobileNetV2Classifier, MobileNetV2Features, clear_feature_cache

EPOCHS = 20
LABEL_SMOOTHING = {"last": 0.0, "blocks": 0.05}  # plain Keras' loss has none


def fit_skcifar(data, precision, feature_layers):
    """Return the seconds of a fit and its parts, and its test accuracy."""
    X, y, X_test, y_test = data
    clear_feature_cache()
    stopwatch = Stopwatch()
    with stopwatch("fit"), network_timed(stopwatch), head_timed(stopwatch):
        classifier = MobileNetV2Classifier(
            epochs=EPOCHS,
            precision=precision,
            feature_layers=feature_layers,
            label_smoothing=LABEL_SMOOTHING[feature_layers],
            random_state=0,
        ).fit(X, y)
    with stopwatch("second fit"), network_timed(Stopwatch()) as counts:
        classifier.fit(X, y)
    print(
        f"second fit, {precision}, {feature_layers}: the network ran over {counts['images']} images"
    )
    return stopwatch.seconds, classifier.score(X_test, y_test), peak_memory()


def plain_keras_accuracy(data):
    """Return the test accuracy of plain Keras after `EPOCHS` epochs."""
    X, y, X_test, y_test = data
    features = MobileNetV2Features(feature_layers="last").fit(X)
    head = plain_keras_head()
    head.fit(features.transform(X), y, batch_size=BATCH_SIZE, epochs=EPOCHS, verbose=0)
    return head.evaluate(features.transform(X_test), y_test, verbose=0)[1]


def main():
    arguments = parse_arguments(__doc__, n_train=(5_000, 50_000), n_test=(1_000, 5_000))
    data = load_cifar10(arguments.n_train, arguments.n_test)
    import keras  # noqa: F401 (not in the times)
    import tensorflow  # noqa: F401

    print_machine()
    rows = []
    for precision, layers in product(("float32", "bfloat16"), ("last", "blocks")):
        try:
            rows.append((f"{precision}, {layers}", *fit_skcifar(data, precision, layers)))
        except ValueError as error:  # no bfloat16 on this processor
            print(error)
    fit_plain = partial(plain_keras_model().fit, *data[:2], batch_size=BATCH_SIZE, verbose=0)
    plain, plain_epoch = plain_keras_fit_seconds(fit_plain, EPOCHS)
    plain_accuracy = plain_keras_accuracy(data)
    print(f"plain Keras: {plain_epoch:.1f} s for one epoch of {arguments.n_train} images\n")
    print_table(
        ("", "fit, s", "network", "head", "rest", "second fit", "x plain Keras", "accuracy", "GB"),
        [
            ("plain Keras", f"{plain:.0f}", *4 * [""], "1", f"{plain_accuracy:.4f}", ""),
            *(describe(row, plain) for row in rows),
        ],
    )


def describe(row, plain):
    name, seconds, accuracy, memory = row
    fit, network, head = (seconds[name] for name in ("fit", "network", "head"))
    times = (fit, network, head, fit - network - head, seconds["second fit"])
    figures = (f"{plain / fit:.1f}", f"{accuracy:.4f}", f"{memory:.2f}")
    return (f"skcifar, {name}", *(f"{time:.1f}" for time in times), *figures)


if __name__ == "__main__":
    main()
