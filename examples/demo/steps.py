"""The steps of the demo: each returns a `Section` or a `Text` of the report."""

import time
from functools import cached_property

import matplotlib.pyplot as plt
import numpy as np
from report import Section, Text
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import ConfusionMatrixDisplay, confusion_matrix
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline

from skcifar import ImageNormalizer, MobileNetV2Classifier, clear_feature_cache
from skcifar.metrics import most_confused
from skcifar.plotting import ConfusedPairsDisplay, PredictionsDisplay, TrainingHistoryDisplay

INPUT_SIZE, EPOCHS = 96, 20
LEARNING_RATES = (1e-4, 3e-4, 1e-3, 3e-3, 1e-2)
N_TIMED, BATCH_SIZE = 400, 64  # of the race against plain Keras
KERAS_EPOCHS = 3  # of it that are timed
MOST_LABELS = 20  # classes that a matrix names


class Run:
    """The data, and what is fitted on them."""

    def __init__(self, data):
        self.data = data
        self.names = data.class_names
        network = MobileNetV2Classifier(
            weights=data.weights,
            input_size=INPUT_SIZE,
            epochs=EPOCHS,
            random_state=0,
        )
        self.pipeline = Pipeline([("normalize", ImageNormalizer()), ("classify", network)])

    @cached_property
    def classifier(self):
        """The network's head, fitted with validation images beside the training images."""
        warm_up = clone(self.pipeline[-1]).set_params(epochs=1, feature_cache=None)
        warm_up.fit(self.data.X_val, self.data.y_val)  # importing TensorFlow is not in the time
        classifier = clone(self.pipeline[-1]).set_params(verbose=1)
        start = time.perf_counter()
        classifier.fit(
            self.data.X_train, self.data.y_train, X_val=self.data.X_val, y_val=self.data.y_val
        )
        self.fit_seconds = time.perf_counter() - start
        return classifier

    @cached_property
    def probabilities(self):
        return self.classifier.predict_proba(self.data.X_test)

    @cached_property
    def predicted(self):
        return self.classifier.classes_[self.probabilities.argmax(axis=1)]

    @cached_property
    def test_accuracy(self):
        return float(np.mean(self.predicted == self.data.y_test))

    @property
    def pairs(self):
        return most_confused(self.data.y_test, self.predicted)


def show_data(run):
    data = run.data
    shown = [np.flatnonzero(data.y_train == label)[:8] for label in np.unique(data.y_train)[:10]]

    def draw():
        figure, axes = plt.subplots(
            len(shown), 8, figsize=(7, 0.85 * len(shown)), squeeze=False, layout="constrained"
        )
        for row, indices, name in zip(axes, shown, run.names, strict=False):
            for ax in row:
                ax.set_axis_off()
            for ax, index in zip(row, indices, strict=False):
                ax.imshow(data.X_train[index])
            row[0].text(-0.15, 0.5, name, transform=row[0].transAxes, ha="right", va="center")
        return figure

    counts = [len(part) for part in (data.X_train, data.X_val, data.X_test)]
    return Section(
        "The data",
        f"{counts[0]:,} pictures to train on, {counts[1]:,} to validate with and {counts[2]:,} to "
        f"test with, in {len(run.names)} classes.",
        draw,
        f"Training pictures, {data.X_train.shape[2]} x {data.X_train.shape[1]} pixels each.",
        f"A grid of training pictures, one class a row: {_listed(run.names[:10])}.",
    )


def show_training(run):
    history = run.classifier.history_
    training, validation = history["accuracy"][-1], history["val_accuracy"][-1]
    return Section(
        "Training",
        f"In {run.fit_seconds:.1f} seconds the frozen network ran once over each picture, and a "
        f"small head on top of it was trained for {EPOCHS} epochs. {run.data.remark}".strip(),
        lambda: TrainingHistoryDisplay.from_estimator(run.classifier).figure_,
        "Loss and accuracy after each epoch, of training and of validation pictures.",
        f"Two line charts by epoch. Training accuracy ends at {training:.2f}, validation accuracy "
        f"at {validation:.2f}.",
        wide=True,
    )


def show_accuracy(run):
    data = run.data
    flat = [images.reshape(len(images), -1) for images in (data.X_train, data.X_test)]
    forest = RandomForestClassifier(random_state=0, n_jobs=-1).fit(flat[0], data.y_train)
    bars = {
        "most frequent class": np.bincount(data.y_test).max() / len(data.y_test),
        "random forest on pixels": forest.score(flat[1], data.y_test),
        "skcifar": run.test_accuracy,
    }
    run.forest_accuracy = bars["random forest on pixels"]
    return Section(
        "Accuracy",
        f"skcifar classifies {run.test_accuracy:.1%} of the test pictures correctly, a random "
        f"forest on their pixels {run.forest_accuracy:.1%}.",
        lambda: _bar_chart(bars, "test accuracy", "{:.1%}"),
        "Share of test pictures that are classified correctly.",
        f"Bar chart of test accuracies: {_said(bars, '{:.1%}')}.",
    )


def show_confusion_matrix(run):
    labelled = len(run.names) <= MOST_LABELS

    def draw():
        figure, ax = plt.subplots(figsize=(7.5, 7), layout="constrained")
        ConfusionMatrixDisplay.from_predictions(
            run.data.y_test,
            run.predicted,
            labels=np.arange(len(run.names)),
            display_labels=run.names if labelled else None,
            include_values=labelled,
            xticks_rotation=45,
            cmap="Blues",
            colorbar=False,
            ax=ax,
        )
        return figure

    labels = np.arange(len(run.names))
    matrix = confusion_matrix(run.data.y_test, run.predicted, labels=labels)
    shares = matrix.diagonal() / np.maximum(matrix.sum(axis=1), 1)
    best, worst = (run.names[index] for index in (shares.argmax(), shares.argmin()))
    return Section(
        "Confusion matrix",
        f"{best} is recognised best ({shares.max():.0%}), {worst} worst ({shares.min():.0%}).",
        draw,
        "Rows are the true classes of the test pictures, columns the predicted ones.",
        f"Confusion matrix of {len(run.names)} classes; {np.trace(matrix):,} of {matrix.sum():,} "
        "test pictures lie on the diagonal.",
    )


def show_confused_pairs(run):
    if not run.pairs:
        return Text("Confused pairs", "None: every test picture is classified correctly.")
    true, predicted, count = run.pairs[0]
    said = f"{run.names[true]} mistaken for {run.names[predicted]}"
    return Section(
        "Confused pairs",
        f"The most frequent mistake: {said}, {_times(count)}.",
        lambda: (
            ConfusedPairsDisplay.from_predictions(
                run.data.y_test, run.predicted, images=run.data.X_test, class_names=run.names
            ).figure_
        ),
        "The most frequent mistakes, with some of the pictures beside each.",
        f"Bar chart of confused pairs of classes. The longest bar: {said}, {_times(count)}.",
        wide=True,
    )


def show_predictions(run):
    n_images = min(20, len(run.predicted))
    unsure = run.probabilities.max(axis=1).argsort(kind="stable")[:n_images]
    n_right = int(np.sum(run.predicted[unsure] == run.data.y_test[unsure]))
    return Section(
        "Sample predictions",
        f"Of the {n_images} test pictures that the classifier is least sure of, {n_right} are "
        f"classified correctly.",
        lambda: (
            PredictionsDisplay.from_predictions(
                run.data.X_test[unsure],
                run.data.y_test[unsure],
                run.predicted[unsure],
                y_proba=run.probabilities[unsure],
                class_names=run.names,
            ).figure_
        ),
        "Test pictures with the predicted class and its probability; mistakes have a dashed frame.",
        f"{n_images} test pictures with their predictions, {n_images - n_right} of them wrong.",
        wide=True,
    )


def show_grid_search(run):
    data = run.data
    n_folds = int(min(3, np.bincount(data.y_train).min()))
    grid = {"classify__learning_rate": list(LEARNING_RATES)}
    search = GridSearchCV(run.pipeline, grid, cv=n_folds)
    start = time.perf_counter()
    search.fit(data.X_train, data.y_train)
    seconds = time.perf_counter() - start
    best = search.best_params_["classify__learning_rate"]
    results = search.cv_results_

    def draw():
        figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
        mean, deviation = results["mean_test_score"], results["std_test_score"]
        ax.errorbar(LEARNING_RATES, mean, deviation, marker="o", capsize=4, color="tab:blue")
        ax.axvline(best, linestyle="--", color="tab:orange", label=f"best: {best:g}")
        ax.set(xscale="log", xlabel="learning_rate", ylabel="cross-validated accuracy")
        ax.legend()
        return figure

    n_fits = len(LEARNING_RATES) * n_folds + 1
    return Section(
        "Grid search",
        f"GridSearchCV over a Pipeline with ImageNormalizer: {n_fits} fits in {seconds:.0f} "
        f"seconds, because all of them share one run of the network over each picture. The best "
        f"learning rate, {best:g}, classifies {search.score(data.X_test, data.y_test):.1%} of the "
        f"test pictures correctly.",
        draw,
        f"Mean accuracy over {n_folds} folds by learning rate; bars are standard deviations.",
        f"Line chart of accuracy by learning rate, highest at {best:g} with "
        f"{search.best_score_:.3f}.",
    )


def show_speed(run):
    X, y = run.data.X_train[:N_TIMED], run.data.y_train[:N_TIMED]
    seconds = {"plain Keras": _keras_seconds(run, X, y), "skcifar": _skcifar_seconds(run, X, y)}
    run.speedup = seconds["plain Keras"] / seconds["skcifar"]
    return Section(
        "Time against plain Keras",
        f"Plain Keras runs the network again in each epoch, skcifar once: {run.speedup:.0f} times "
        f"as fast with {len(X):,} pictures, {EPOCHS} epochs "
        f"and {BATCH_SIZE} pictures a step on this machine.",
        lambda: _bar_chart(seconds, "seconds for one fit", "{:.1f} s"),
        f"skcifar: measured, with an empty cache. Plain Keras: the fastest of {KERAS_EPOCHS} "
        f"epochs, times {EPOCHS}.",
        f"Bar chart of the time of one fit: {_said(seconds, '{:.1f} seconds')}.",
    )


def _skcifar_seconds(run, X, y):
    classifier = clone(run.pipeline[-1]).set_params(batch_size=BATCH_SIZE)
    clear_feature_cache()
    start = time.perf_counter()
    classifier.fit(X, y)
    return time.perf_counter() - start


def _keras_seconds(run, X, y):
    """Return what `EPOCHS` epochs take in plain Keras.

    The network is the same, and the head has the same layers.
    """
    import keras

    frozen = keras.applications.MobileNetV2(
        input_shape=(INPUT_SIZE, INPUT_SIZE, 3),
        include_top=False,
        weights=None,  # they do not change the time
        pooling="avg",
    )
    frozen.trainable = False
    model = keras.Sequential(
        [
            keras.layers.Input(X.shape[1:]),
            keras.layers.Resizing(INPUT_SIZE, INPUT_SIZE),
            keras.layers.Rescaling(1 / 127.5, -1),
            frozen,
            keras.layers.Dropout(0.3),
            keras.layers.Dense(256, "relu"),
            keras.layers.Dropout(0.3),
            keras.layers.Dense(len(run.names), "softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy")
    epochs = []
    for _ in range(KERAS_EPOCHS):
        start = time.perf_counter()
        model.fit(X, y, batch_size=BATCH_SIZE, verbose=0)
        epochs.append(time.perf_counter() - start)
    return EPOCHS * min(epochs)


def show_own_folder(run):
    return Text(
        "Now with your own pictures",
        "Put the pictures of each class into a folder of its own, such as pets/cat/tom.jpg and "
        "pets/dog/rex.jpg. The first line makes this report for them; the rest is all the Python "
        "that it takes to use the classifier.",
        _OWN_FOLDER.format(weights=run.data.weights),
    )


_OWN_FOLDER = """\
make demo FOLDER="path/to/pets"

from skcifar import MobileNetV2Classifier
from skcifar.datasets import load_image_folder

X, y = load_image_folder("path/to/pets", return_X_y=True)
classifier = MobileNetV2Classifier(weights="{weights}").fit(X, y)
classifier.predict(["new.jpg"])"""


def show_skipped(run):
    return Text(
        "Left out",
        "These files are not among the pictures:",
        items=tuple(f"{path}: {reason}" for path, reason in run.data.skipped),
    )


STEPS = (
    show_data,
    show_training,
    show_accuracy,
    show_confusion_matrix,
    show_confused_pairs,
    show_predictions,
    show_grid_search,
    show_speed,
    show_own_folder,
)


def _bar_chart(bars, label, form):
    figure, ax = plt.subplots(figsize=(7, 0.9 + 0.6 * len(bars)), layout="constrained")
    colors = ["tab:gray"] * (len(bars) - 1) + ["tab:blue"]
    drawn = ax.barh(list(bars), list(bars.values()), color=colors)
    ax.bar_label(drawn, [form.format(value) for value in bars.values()], padding=4)
    ax.invert_yaxis()
    ax.margins(x=0.2)
    ax.set_xlabel(label)
    ax.spines[["top", "right"]].set_visible(False)
    return figure


def _times(count):
    return "once" if count == 1 else f"{count} times"


def _said(bars, form):
    return ", ".join(f"{name} {form.format(value)}" for name, value in bars.items())


def _listed(names):
    return ", ".join(map(str, names))
