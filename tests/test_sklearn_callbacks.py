"""scikit-learn's callback protocol over grid, fold and epoch."""

import subprocess
import sys

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import ImageNormalizer, load, save

sklearn_callback = pytest.importorskip("sklearn.callback")


class Recorder:
    """Records the hooks that are called, with the name of the task."""

    max_propagation_depth = None

    def __init__(self, stop_after=None, fail_at=None):
        self.calls, self.stop_after, self.fail_at = [], stop_after, fail_at

    def _record(self, hook, context):
        self.calls.append((hook, context.task_name))
        if hook == self.fail_at:
            raise RuntimeError(f"fails at {hook}")

    def setup(self, estimator, context):
        self._record("setup", context)

    def on_fit_task_begin(self, estimator, context):
        self._record("begin", context)

    def on_fit_task_end(self, estimator, context):
        self._record("end", context)
        n_epochs = self.calls.count(("end", "epoch"))
        return context.task_name == "epoch" and n_epochs == self.stop_after

    def teardown(self, estimator, context):
        self._record("teardown", context)


class StopAfter(keras.callbacks.Callback):
    def __init__(self, n_epochs):
        super().__init__()
        self.n_epochs = n_epochs

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 == self.n_epochs


def test_fit_is_a_task_and_each_epoch_one_within_it(make_classifier, images):
    recorder = Recorder()
    make_classifier(epochs=2).set_callbacks(recorder).fit(*images)
    epoch = [("begin", "epoch"), ("end", "epoch")]
    fit = [("begin", "fit"), *epoch, *epoch, ("end", "fit")]
    assert recorder.calls == [("setup", "fit"), *fit, ("teardown", "fit")]


def test_partial_fit_is_a_task_with_one_epoch(make_classifier, images):
    recorder = Recorder()
    classifier = make_classifier().set_callbacks(recorder)
    classifier.partial_fit(*images, classes=[0, 1, 2])
    assert recorder.calls.count(("end", "epoch")) == 1


def test_transformers_are_one_task(make_features, images):
    for transformer in (make_features(), ImageNormalizer()):
        recorder = Recorder()
        assert transformer.set_callbacks(recorder).fit(images[0]) is transformer
        hooks = ["setup", "begin", "end", "teardown"]
        assert recorder.calls == [(hook, "fit") for hook in hooks]


def test_monitor_scores_the_classifier_as_it_was_after_each_epoch(make_classifier, images):
    X, y = images
    monitor = sklearn_callback.ScoringMonitor(scoring="neg_log_loss")
    make_classifier(epochs=3).set_callbacks(monitor).fit(X, y)
    rows = monitor.get_logs().data
    found = [row["neg_log_loss"] for row in rows if row["task_name"] == "epoch"]
    expected = [
        -log_loss(y, make_classifier(epochs=3, callbacks=[StopAfter(n)]).fit(X, y).predict_proba(X))
        for n in (1, 2, 3)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    (after_fit,) = (row["neg_log_loss"] for row in rows if row["task_name"] == "fit")
    np.testing.assert_allclose(after_fit, expected[-1], rtol=1e-6)


def test_monitor_scores_with_the_weights_of_the_rows(make_classifier, images):
    X, y = images
    weights = np.linspace(0.1, 3, len(X))
    monitor = sklearn_callback.ScoringMonitor(scoring="neg_log_loss")
    classifier = make_classifier().set_callbacks(monitor).fit(X, y, weights)
    expected = -log_loss(y, classifier.predict_proba(X), sample_weight=weights)
    np.testing.assert_allclose(monitor.get_logs().data[0]["neg_log_loss"], expected, rtol=1e-6)


def test_monitor_follows_both_phases(make_classifier, images):
    X, y = images
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    classifier = make_classifier(epochs=2, fine_tune_epochs=1, fine_tune_blocks=1)
    classifier.set_callbacks(monitor).fit(X, y)
    scores = [row["accuracy"] for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    assert len(scores) == 3
    assert scores[-1] == classifier.score(X, y)


def test_monitor_leaves_the_fit_as_it_was(make_classifier, images):
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    monitored = make_classifier().set_callbacks(monitor).fit(*images)
    expected = make_classifier().fit(*images)
    assert monitored.history_ == expected.history_
    np.testing.assert_array_equal(
        monitored.predict_proba(images[0]), expected.predict_proba(images[0])
    )
    assert set(vars(monitored)) - set(vars(expected)) == {"_skl_callbacks"}


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_monitor_scores_over_grid_fold_and_epoch(make_classifier, images, n_jobs):
    monitor = sklearn_callback.ScoringMonitor(scoring="accuracy")
    pipeline = make_pipeline(ImageNormalizer(), make_classifier().set_callbacks(monitor))
    grid = {"mobilenetv2classifier__epochs": [1, 3]}
    GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs, error_score="raise").fit(*images)
    rows = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"]
    parents = [row["parent_task_id_path"] for row in rows]
    # Path: search, candidates, fit of a candidate on a fold, step of the pipeline.
    epochs_of_folds = [parents.count((0, 0, fold, 1)) for fold in range(4)]
    assert epochs_of_folds == [1, 1, 3, 3]
    assert len(rows) > 8  # and those of the refit
    assert all(0 <= row["accuracy"] <= 1 for row in rows)


def test_progress_bar_shows_grid_fold_and_fit(make_classifier, images, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")
    search = GridSearchCV(
        make_pipeline(ImageNormalizer(), make_classifier()),
        {"mobilenetv2classifier__epochs": [1, 2]},
        cv=2,
        error_score="raise",
    )
    search.set_callbacks(sklearn_callback.ProgressBar(max_propagation_depth=None)).fit(*images)
    printed = capsys.readouterr().out
    assert printed.count("MobileNetV2Classifier - fit") == 5  # four folds and the refit
    assert printed.count("ImageNormalizer - fit") == 5
    assert printed.count("100%") == len(printed.splitlines())


def test_callback_can_stop_training(make_classifier, images):
    classifier = make_classifier(epochs=10).set_callbacks(Recorder(stop_after=2)).fit(*images)
    assert classifier.n_iter_ == 2


def test_a_keras_callback_does_not_undo_what_another_asks_for(make_classifier, images):
    classifier = make_classifier(epochs=10, callbacks=[StopAfter(5)])
    assert classifier.set_callbacks(Recorder(stop_after=2)).fit(*images).n_iter_ == 2


class Follower:
    """Keeps what an estimator that is fitted so far knows of its epochs."""

    max_propagation_depth = None

    def __init__(self):
        self.histories = []

    def setup(self, estimator, context):
        pass

    teardown = on_fit_task_begin = setup

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        if context.task_name == "epoch":
            assert fitted_estimator.n_iter_ == len(fitted_estimator.history_["loss"])
            self.histories.append(fitted_estimator.history_)


def test_what_is_fitted_so_far_knows_its_epochs(make_classifier, images):
    follower = Follower()
    options = {"epochs": 2, "fine_tune_epochs": 2, "fine_tune_blocks": 0}
    classifier = make_classifier(**options).set_callbacks(follower).fit(*images)
    expected = [
        {name: values[:n] for name, values in classifier.history_.items()} for n in (1, 2, 3, 4)
    ]
    assert follower.histories == expected


@pytest.mark.parametrize("hook", ["setup", "begin", "end"])
def test_callback_that_fails_is_torn_down_and_nothing_changes(make_classifier, images, hook):
    recorder = Recorder(fail_at=hook)
    classifier = make_classifier().set_callbacks(recorder)
    before = dict(vars(classifier))
    with pytest.raises(RuntimeError, match=f"fails at {hook}"):
        classifier.fit(*images)
    assert recorder.calls[-1] == ("teardown", "fit")
    assert vars(classifier) == before


def test_bad_images_tear_callbacks_down_and_change_nothing(make_classifier, make_features, images):
    for estimator in (make_classifier(), make_features(), ImageNormalizer()):
        recorder = Recorder()
        before = dict(vars(estimator.set_callbacks(recorder)))
        with pytest.raises(ValueError, match="X has shape"):
            estimator.fit(images[0][..., 0], images[1])
        assert recorder.calls[-1] == ("teardown", "fit")
        assert vars(estimator) == before


def test_scikit_learn_without_callbacks_is_not_noticed():
    code = (
        "import sys, sklearn.callback, sklearn.utils.estimator_checks\n"
        "module = sys.modules['sklearn.callback']\n"
        "sys.modules['sklearn.callback'] = None\n"  # as below 1.9: importing from it fails
        "import skcifar\n"
        "sys.modules['sklearn.callback'] = module\n"
        "from skcifar.datasets import make_images\n"
        "X, y = make_images(12, image_shape=(16, 16, 3), random_state=0)\n"
        "small = {'weights': None, 'input_size': 32, 'alpha': 0.35}\n"
        "classifier = skcifar.MobileNetV2Classifier(**small, epochs=2).fit(X, y)\n"
        "classifier.partial_fit(X, y).predict(X)\n"
        "skcifar.MobileNetV2Features(**small).fit_transform(X)\n"
        "skcifar.ImageNormalizer().fit_transform(X)\n"
        "print(classifier.n_iter_, hasattr(classifier, 'set_callbacks'))"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("3 False\n", "")


# --- save leaves them out -----------------------------------------------------------------------


def test_save_leaves_callbacks_out_with_a_warning(make_classifier, images, tmp_path):
    classifier = make_classifier(epochs=1).set_callbacks(Recorder()).fit(*images)
    with pytest.warns(UserWarning, match=r"callbacks of MobileNetV2Classifier .* set_callbacks"):
        save(classifier, tmp_path / "saved")
    same = load(tmp_path / "saved")
    assert not [name for name in vars(same) if "callback" in name and name != "callbacks"][1:]
    np.testing.assert_array_equal(
        same.predict_proba(images[0]), classifier.predict_proba(images[0])
    )
    assert isinstance(classifier._skl_callbacks[0], Recorder)  # still there


@pytest.mark.parametrize("at", ["pipeline", "normalizer", "scikit-learn's step"])
def test_save_leaves_callbacks_of_a_pipeline_and_its_steps_out(images, tmp_path, at):
    pipeline = make_pipeline(ImageNormalizer(), StandardScaler())
    pipeline.fit(images[0].reshape(len(images[0]), -1))
    owner = {"pipeline": pipeline, "normalizer": pipeline[0]}.get(at, pipeline[1])
    if not hasattr(owner, "set_callbacks"):
        owner._skl_callbacks = [Recorder()]
    else:
        owner.set_callbacks(Recorder())
    with pytest.warns(UserWarning, match=f"The callbacks of {type(owner).__name__} cannot"):
        save(pipeline, tmp_path / "saved")
    load(tmp_path / "saved")


def test_best_estimator_of_a_search_with_callbacks_can_be_saved(make_classifier, images, tmp_path):
    search = GridSearchCV(make_classifier(), {"epochs": [1]}, cv=2).set_callbacks(Recorder())
    save(search.fit(*images).best_estimator_, tmp_path / "saved")
    load(tmp_path / "saved").predict(images[0])
