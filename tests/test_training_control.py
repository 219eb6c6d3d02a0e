"""Early stopping, partial_fit, warm_start and Keras callbacks."""

import copy
import gc
import pickle
import threading
import weakref

import keras
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV

from skcifar._keras import head_training, planned_model
from skcifar.plotting import TrainingHistoryDisplay


@pytest.fixture
def noise(images):
    """Return the images with labels that they say nothing about: only overfitting is possible."""
    X, y = images
    return X, np.random.default_rng(0).permutation(y)


@pytest.fixture
def trained(monkeypatch):
    """Return a list that grows by (labels, labels held out) at each training of a head."""
    calls, train_head = [], head_training.train_head

    def spying(head, settings, features, phase, **options):
        calls.append((phase.labels, phase.validation and phase.validation[1]))
        return train_head(head, settings, features, phase, **options)

    monkeypatch.setattr(head_training, "train_head", spying)
    return calls


# --- Early stopping ------------------------------------------------------------------------


def test_hold_out_of_sorted_labels_is_stratified(make_classifier, images, trained):
    X, y = images
    order = np.argsort(y)
    make_classifier(early_stopping=True, validation_fraction=0.25).fit(X[order], y[order])
    ((kept, held_out),) = trained
    counts = np.bincount(held_out)
    assert (len(kept), len(held_out)) == (48, 16)
    assert counts.max() - counts.min() <= 1


def test_hold_out_is_shuffled_by_the_seed(make_classifier, images):
    X, y = images
    losses = [
        make_classifier(early_stopping=True, epochs=1, random_state=seed).fit(X, y).history_
        for seed in (0, 1, 0)
    ]
    assert losses[0] == losses[2]
    assert losses[0]["val_loss"] != losses[1]["val_loss"]


def test_training_stops_when_the_validation_loss_has_not_improved(make_classifier, noise):
    classifier = make_classifier(early_stopping=True, n_iter_no_change=3, epochs=200).fit(*noise)
    best = int(np.argmin(classifier.history_["val_loss"]))
    assert classifier.n_iter_ == len(classifier.history_["loss"]) == best + 1 + 3


def test_weights_of_the_best_epoch_are_restored(make_classifier, images, noise):
    X, y = noise
    classifier = make_classifier(
        early_stopping=True, n_iter_no_change=3, epochs=200, label_smoothing=0.0
    )
    classifier.fit(X, y, X_val=X[::-1], y_val=y)
    losses = classifier.history_["val_loss"]
    assert losses[-1] > 1.01 * min(losses)
    found = log_loss(y, classifier.predict_proba(X[::-1]))
    np.testing.assert_allclose(found, min(losses), rtol=1e-4)


def test_held_out_images_have_the_weights_of_their_classes(make_classifier, images):
    X, y = images
    classifier = make_classifier(
        class_weight={2: 0}, early_stopping=True, n_iter_no_change=3, epochs=40
    ).fit(X, y)
    # A third of those held out would be of class 2, which nobody learns.
    assert classifier.history_["val_accuracy"][-1] > 0.9
    others = y != 2
    assert classifier.score(X[others], y[others]) > 0.9


def test_every_epoch_runs_without_early_stopping(make_classifier, noise):
    X, y = noise
    classifier = make_classifier(epochs=12, n_iter_no_change=1).fit(X, y, X_val=X, y_val=y[::-1])
    assert classifier.n_iter_ == 12


# --- partial_fit ---------------------------------------------------------------------------


def test_partial_fit_learns_batch_by_batch(make_classifier, images, new_images):
    X, y = images
    classifier = make_classifier(batch_size=8)
    for _ in range(4):
        for batch in np.array_split(np.arange(len(X)), 4):
            classifier.partial_fit(X[batch], y[batch], classes=[0, 1, 2])
    assert classifier.n_iter_ == 16
    assert classifier.score(*new_images) > 0.9


def test_partial_fit_takes_batches_that_hold_one_class(make_classifier, images, new_images):
    X, y = images
    classifier = make_classifier(batch_size=4)
    for _ in range(4):
        for label in range(3):
            classifier.partial_fit(X[y == label], y[y == label], classes=[0, 1, 2])
    assert classifier.predict_proba(new_images[0]).shape == (30, 3)


def test_partial_fit_without_classes_goes_on(make_classifier, images):
    X, y = images
    classifier = make_classifier().partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    assert classifier.n_iter_ == len(classifier.history_["loss"]) == 2
    assert classifier.history_["loss"][1] < classifier.history_["loss"][0]


@pytest.mark.parametrize("n_first", [1, 2, 5])
def test_partial_fit_learns_after_a_first_batch_of_a_few_images(
    make_classifier, images, new_images, n_first
):
    X, y = images
    classifier = make_classifier(label_smoothing=0.0)
    classifier.partial_fit(X[:n_first], y[:n_first], classes=[0, 1, 2])
    for _ in range(6):
        classifier.partial_fit(X, y)
    assert classifier.history_["loss"][-1] < 0.5
    assert classifier.score(*new_images) > 0.9


def test_partial_fit_knows_that_nothing_was_fine_tuned(make_classifier, images):
    X, y = images
    assert make_classifier().partial_fit(X, y, classes=[0, 1, 2]).fine_tune_start_ is None


def test_partial_fit_after_fit_goes_on(make_classifier, images):
    X, y = images
    classifier = make_classifier(epochs=3).fit(X, y)
    losses = classifier.history_["loss"]
    classifier.partial_fit(X, y)
    assert classifier.history_["loss"][:3] == losses
    assert classifier.n_iter_ == 4


def test_partial_fit_keeps_the_standardisation_of_the_first_call(make_classifier, images):
    X, y = images
    classifier = make_classifier().partial_fit(X[:20], y[:20], classes=[0, 1, 2])
    first = classifier._head.standardization
    classifier.partial_fit(X[20:], y[20:])
    assert classifier._head.standardization is first


def test_partial_fit_at_constant_rate_is_one_epoch_of_an_undecayed_fit(make_classifier, images):
    X, y = images
    # With one batch an epoch, the cosine decay of a fit begins at the peak: its first step is one
    # at the peak, and so is that of partial_fit.
    fitted = make_classifier(epochs=1, batch_size=64).fit(X, y)
    passed = make_classifier().partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_allclose(passed.predict_proba(X), fitted.predict_proba(X), atol=1e-6)


# --- warm_start ----------------------------------------------------------------------------


def test_warm_start_goes_on_for_as_many_epochs_more(make_classifier, images):
    classifier = make_classifier(epochs=3, warm_start=True).fit(*images)
    first = copy.deepcopy(classifier.history_)
    classifier.set_params(epochs=2).fit(*images)
    assert classifier.n_iter_ == len(classifier.history_["loss"]) == 5
    assert classifier.history_["loss"][:3] == first["loss"]
    assert classifier.history_["loss"][4] < first["loss"][0]


def test_fit_without_warm_start_begins_anew(make_classifier, images):
    classifier = make_classifier(epochs=3).fit(*images)
    first = classifier.history_
    assert classifier.fit(*images).history_ == first


def test_warm_start_on_an_unfitted_classifier_is_a_fit(make_classifier, images):
    warm, cold = make_classifier(warm_start=True).fit(*images), make_classifier().fit(*images)
    np.testing.assert_array_equal(warm.predict_proba(images[0]), cold.predict_proba(images[0]))


def test_warm_start_stops_early_by_its_own_epochs(make_classifier, noise):
    classifier = make_classifier(
        early_stopping=True, n_iter_no_change=2, epochs=100, warm_start=True
    )
    first = classifier.fit(*noise).n_iter_
    assert 2 <= classifier.fit(*noise).n_iter_ - first < 100


# The state of Adadelta has the shapes of Adam's, and that of Adagrad those of Lion's.
@pytest.mark.parametrize(
    ("first", "second"), [("adam", "sgd"), ("adam", "adadelta"), ("lion", "adagrad")]
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_another_optimizer_starts_afresh(make_classifier, images, method, first, second):
    classifier = make_classifier(warm_start=True, optimizer=first, learning_rate=1e-4)
    loss = classifier.fit(*images).history_["loss"][-1]
    getattr(classifier.set_params(optimizer=second), method)(*images)
    assert classifier.n_iter_ > 4
    assert classifier.history_["loss"][4] < 2 * loss + 0.1


def test_history_has_an_entry_an_epoch_whatever_was_measured(make_classifier, images, new_images):
    classifier = make_classifier(epochs=2, warm_start=True).fit(*images)
    validation = {"X_val": new_images[0], "y_val": new_images[1]}
    history = classifier.fit(*images, **validation).partial_fit(*images).history_
    assert {len(values) for values in history.values()} == {classifier.n_iter_} == {5}
    is_known = [False, False, True, True, False]
    np.testing.assert_array_equal(np.isfinite(history["val_loss"]), is_known)
    TrainingHistoryDisplay.from_estimator(classifier)


def test_where_fine_tuning_began_is_told_as_long_as_its_epochs_are(make_classifier, images):
    tuned = make_classifier(epochs=2, fine_tune_epochs=1, fine_tune_blocks=1, warm_start=True)
    assert tuned.fit(*images).fine_tune_start_ == 2
    assert tuned.set_params(fine_tune_epochs=0).fit(*images).fine_tune_start_ == 2
    assert tuned.set_params(warm_start=False).fit(*images).fine_tune_start_ is None


CHANGES = {
    "weights": "cifar10-32px",
    "alpha": 0.5,
    "input_size": 64,
    "image_shape": (8, 32, 3),
    "pixel_range": (-1000, 1000),
    "feature_layers": "all",
    "hidden_units": (8, 8),
}


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_going_on_with_a_parameter_that_cannot_change_is_an_error(
    make_classifier, images, method, name
):
    X, y = images[0].reshape(64, -1), images[1]  # rows, which could be of either shape
    classifier = make_classifier(warm_start=True, epochs=1).fit(X, y)
    before = dict(vars(classifier.set_params(**{name: CHANGES[name]})))
    with pytest.raises(
        ValueError, match=rf"other parameters: {name}=.* \(was .*\)\. Set them back"
    ):
        getattr(classifier, method)(X, y)
    assert vars(classifier) == before


def test_an_error_names_every_parameter_that_changed(make_classifier, images):
    classifier = make_classifier(warm_start=True, epochs=1).fit(*images)
    with pytest.raises(ValueError, match=r"weights='cifar10-32px' .*, hidden_units=\(8, 8\) "):
        classifier.set_params(weights="cifar10-32px", hidden_units=(8, 8)).fit(*images)


def test_what_a_parameter_stood_for_is_no_change(make_classifier, images):
    classifier = make_classifier(warm_start=True, epochs=1, input_size="auto").fit(*images)
    same = {"input_size": np.int64(96), "image_shape": [16, 16, 3], "pixel_range": (0, 255)}
    classifier.set_params(**same, hidden_units=[np.int64(16)]).fit(*images)
    classifier.set_params(pixel_range=np.array([0.0, 255.0])).fit(*images)
    assert classifier.n_iter_ == 3


def test_a_range_in_an_array_is_the_same_in_an_equal_one(make_classifier, images):
    classifier = make_classifier(warm_start=True, epochs=1, pixel_range=np.array([0.0, 255.0]))
    classifier.fit(*images).set_params(pixel_range=np.array([0.0, 255.0])).fit(*images)
    assert classifier.n_iter_ == 2


def test_warm_start_heeds_the_parameters_of_training(make_classifier, images):
    classifier = make_classifier(warm_start=True, epochs=1).fit(*images)
    training = {"epochs": 2, "learning_rate": 1e-4, "dropout": 0.1, "batch_size": 8}
    assert classifier.set_params(**training, augmentation="flip").fit(*images).n_iter_ == 3


# --- Keras callbacks -----------------------------------------------------------------------


class Recorder(keras.callbacks.Callback):
    """Keeps what it hears of."""

    def __init__(self):
        super().__init__()
        self.epochs, self.losses = [], []

    def on_epoch_end(self, epoch, logs=None):
        self.epochs.append(epoch)
        self.losses.append(logs["loss"])


class BatchRecorder(Recorder):
    def __init__(self):
        super().__init__()
        self.batches = 0

    def on_train_batch_end(self, batch, logs=None):
        self.batches += 1


class Stopper(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch == 1


def test_callbacks_hear_of_every_epoch(make_classifier, images):
    classifier = make_classifier(callbacks=[Recorder()]).fit(*images)
    (recorder,) = classifier.callbacks_
    assert recorder.epochs == [0, 1, 2, 3]
    assert recorder.losses == classifier.history_["loss"]


def test_copy_of_the_callback_runs_and_the_original_stays_as_it_was(make_classifier, images):
    recorder = Recorder()
    classifier = make_classifier(callbacks=[recorder]).fit(*images)
    assert classifier.callbacks[0] is recorder
    assert (recorder.epochs, recorder.model) == ([], None)


def test_callbacks_survive_clone(make_classifier, images):
    classifier = make_classifier(callbacks=[Recorder()]).fit(*images)
    copied = clone(classifier).fit(*images)
    assert copied.callbacks_[0].losses == classifier.callbacks_[0].losses
    assert copied.callbacks_[0] is not classifier.callbacks_[0]


def test_callbacks_run_in_every_fold_of_a_search(make_classifier, images):
    search = GridSearchCV(
        make_classifier(callbacks=[Recorder()]), {"epochs": [1, 2]}, cv=2, error_score="raise"
    ).fit(*images)
    assert len(search.best_estimator_.callbacks_[0].epochs) == search.best_params_["epochs"]


def test_callback_can_stop_training(make_classifier, images):
    assert make_classifier(epochs=10, callbacks=[Stopper()]).fit(*images).n_iter_ == 2


class BatchStopper(keras.callbacks.Callback):
    def on_train_batch_end(self, batch, logs=None):
        self.logs = logs
        self.model.stop_training = batch == 1


@pytest.mark.parametrize("n_tuned", [0, 3])
def test_callback_can_stop_training_within_an_epoch(make_classifier, images, n_tuned):
    recorder = BatchRecorder()
    classifier = make_classifier(batch_size=16, callbacks=[BatchStopper(), recorder])
    if n_tuned:
        classifier.set_params(fine_tune_epochs=n_tuned, fine_tune_blocks=1)
    classifier.fit(*images)
    n_phases = 2 if n_tuned else 1
    assert classifier.callbacks_[1].batches == 2 * n_phases
    assert classifier.n_iter_ == n_phases
    assert classifier.history_["loss"][0] < 2.5  # a mean of the batches that were seen


class NeverStarter(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        self.model.stop_training = True


def test_callback_can_stop_training_before_it_begins(make_classifier, images):
    X, y = images
    callbacks = [NeverStarter()]
    classifier = make_classifier(callbacks=callbacks, fine_tune_epochs=1).fit(X, y)
    assert (classifier.n_iter_, classifier.history_["loss"]) == (0, [])
    np.testing.assert_allclose(classifier.predict_proba(X), 1 / classifier.n_classes_, rtol=1e-6)
    classifier.set_params(callbacks=None, warm_start=True, fine_tune_epochs=0).fit(X, y)
    classifier.set_params(callbacks=callbacks, epochs=2)
    expected = classifier.history_
    assert classifier.fit(X, y).history_ == expected


class Reader(keras.callbacks.Callback):
    def set_model(self, model):
        super().set_model(model)
        self.n_weights = len(model.weights)


def test_callback_may_read_the_model_when_it_is_given_one(make_classifier, images):
    (reader,) = make_classifier(callbacks=[Reader()]).fit(*images).callbacks_
    assert (reader.n_weights > 0, reader.model) == (True, None)


def test_callback_that_cannot_be_copied_is_named_before_any_work(make_classifier, images):
    reader = Reader()
    reader.lock = threading.Lock()
    with pytest.raises(TypeError, match=r"The callback Reader cannot be copied.*on_train_begin"):
        make_classifier(callbacks=[reader], weights="not read").fit(*images)


def test_callback_that_listens_to_batches_hears_of_them_and_changes_nothing(
    make_classifier, images
):
    recorder = BatchRecorder()
    found = make_classifier(batch_size=16, callbacks=[recorder]).fit(*images)
    expected = make_classifier(batch_size=16).fit(*images)
    assert found.callbacks_[0].batches == 4 * 4
    np.testing.assert_allclose(
        found.predict_proba(images[0]), expected.predict_proba(images[0]), atol=1e-5
    )


def test_hooks_for_batches_on_an_instance_are_called_in_both_phases(make_classifier, images):
    heard = []
    callback = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: heard.append(batch)
    )
    options = {"epochs": 2, "fine_tune_epochs": 1, "fine_tune_blocks": 0, "batch_size": 32}
    make_classifier(callbacks=[callback], **options).fit(*images)
    assert heard == [0, 1] * 3


def test_callbacks_that_listen_to_epochs_alone_leave_them_compiled(make_classifier, images):
    callback = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: None)
    callbacks = keras.callbacks.CallbackList([callback, Recorder()])
    assert not planned_model._listens_to_batches(callbacks)


class TestRecorder(keras.callbacks.Callback):
    __test__ = False

    def __init__(self):
        super().__init__()
        self.heard = []

    def on_test_begin(self, logs=None):
        self.heard.append("begin")

    def on_test_batch_end(self, batch, logs=None):
        self.heard.append(batch)

    def on_test_end(self, logs=None):
        self.heard.append(logs)


def test_callbacks_hear_of_validation_in_both_phases(make_classifier, images):
    X, y = images
    options = {"epochs": 1, "fine_tune_epochs": 1, "fine_tune_blocks": 0}
    classifier = make_classifier(callbacks=[TestRecorder()], **options)
    classifier.fit(X, y, X_val=X, y_val=y)
    history = classifier.history_
    figures = zip(history["val_loss"], history["val_accuracy"], strict=True)
    ends = [{"loss": loss, "accuracy": accuracy} for loss, accuracy in figures]
    heard = classifier.callbacks_[0].heard
    assert heard == ["begin", 0, ends[0], "begin", 0, ends[1]]


def test_callbacks_hear_of_no_validation_where_there_is_none(make_classifier, images):
    classifier = make_classifier(callbacks=[TestRecorder()], epochs=1).fit(*images)
    assert classifier.callbacks_[0].heard == []


def test_log_of_keras_holds_both_phases(make_classifier, images, tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    options = {"epochs": 2, "fine_tune_epochs": 1, "fine_tune_blocks": 0}
    for _ in range(2):  # another fit begins it anew
        make_classifier(callbacks=[log], **options).fit(*images)
    rows = (tmp_path / "log.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["epoch", "0", "1", "2"]


# Keras converts variables in a way that NumPy 2 has a warning for.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_backups_of_keras_change_nothing_and_are_advised_against(make_classifier, images, tmp_path):
    options = {"epochs": 2, "fine_tune_epochs": 1, "fine_tune_blocks": 0}
    backup = keras.callbacks.BackupAndRestore(tmp_path)
    with pytest.warns(UserWarning, match="Pass checkpoint_dir=... instead of it"):
        classifier = make_classifier(callbacks=[backup], **options).fit(*images)
    without = make_classifier(**options).fit(*images)
    np.testing.assert_array_equal(
        classifier.predict_proba(images[0]), without.predict_proba(images[0])
    )


# --- Divergence ----------------------------------------------------------------------------

DIVERGING = {
    "head": {"optimizer": "sgd", "learning_rate": 1e30},
    "fine-tuning": {
        "optimizer": "sgd",
        "fine_tune_learning_rate": 1e30,
        "fine_tune_epochs": 2,
        "fine_tune_blocks": 0,
    },
}


@pytest.mark.parametrize("phase", DIVERGING)
def test_a_fit_that_diverges_raises_what_to_turn_down(make_classifier, images, phase):
    name = "learning_rate" if phase == "head" else "fine_tune_learning_rate"
    classifier = make_classifier(epochs=2).fit(*images)
    before, history = classifier.predict_proba(images[0]), classifier.history_
    classifier.set_params(**DIVERGING[phase])
    with pytest.raises(ValueError, match=rf"diverged in epoch \d+ .* Lower {name}=1e\+30\."):
        classifier.fit(*images)
    np.testing.assert_array_equal(classifier.predict_proba(images[0]), before)
    assert classifier.history_ is history


def test_a_pass_that_diverges_raises_and_leaves_the_classifier_as_it_was(make_classifier, images):
    X, y = images
    classifier = make_classifier(optimizer="sgd", batch_size=8)
    before = classifier.partial_fit(X, y, classes=[0, 1, 2]).predict_proba(X)
    classifier.set_params(learning_rate=1e30)
    with pytest.raises(ValueError, match=r"Lower learning_rate=1e\+30\."):
        classifier.partial_fit(X, y)
    np.testing.assert_array_equal(classifier.predict_proba(X), before)


def test_the_best_epoch_of_a_fit_that_diverged_later_is_kept_with_a_warning(
    make_classifier, images
):
    class Explode(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                weights = [np.full_like(array, np.nan) for array in self.model.get_weights()]
                self.model.set_weights(weights)

    classifier = make_classifier(epochs=9, early_stopping=True, callbacks=[Explode()])
    with pytest.warns(UserWarning, match="diverged in epoch 3 .* of an earlier epoch are kept"):
        classifier.fit(*images)
    assert classifier.n_iter_ == 3
    assert np.isfinite(classifier.predict_proba(images[0])).all()
    classifier.set_params(callbacks=None).partial_fit(*images)
    assert np.isfinite(classifier.predict_proba(images[0])).all()


def test_callbacks_keep_no_model_alive(make_classifier, images):
    seen = []

    class Watcher(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            seen.append(weakref.ref(self.model))

    settings = {"hidden_units": (9,), "fine_tune_epochs": 1, "fine_tune_blocks": 0}
    classifier = make_classifier(**settings, callbacks=[Watcher()]).fit(*images)
    head_training._idle_models.clear()
    gc.collect()
    assert [model() for model in seen] == [None, None]
    assert classifier.callbacks_[0].model is None


def test_classifier_with_callbacks_is_pickled_after_both_phases(make_classifier, images):
    classifier = make_classifier(
        callbacks=[Recorder()], fine_tune_epochs=1, fine_tune_blocks=0
    ).fit(*images)
    copied = pickle.loads(pickle.dumps(classifier))
    assert copied.callbacks_[0].epochs == [0, 1, 2, 3, 4]


def test_early_stopping_of_keras_works_as_well(make_classifier, noise):
    X, y = noise
    stop = keras.callbacks.EarlyStopping("val_loss", patience=3, restore_best_weights=True)
    classifier = make_classifier(epochs=200, callbacks=[stop], label_smoothing=0.0)
    classifier.fit(X, y, X_val=X[::-1], y_val=y)
    losses = classifier.history_["val_loss"]
    assert len(losses) == np.argmin(losses) + 1 + 3
    found = log_loss(y, classifier.predict_proba(X[::-1]))
    np.testing.assert_allclose(found, min(losses), rtol=1e-4)


# Keras converts variables in a way that NumPy 2 has a warning for.
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword")
def test_callbacks_of_keras_itself_work(make_classifier, images, tmp_path):
    callbacks = [
        keras.callbacks.CSVLogger(tmp_path / "log.csv"),
        keras.callbacks.ModelCheckpoint(tmp_path / "head.weights.h5", save_weights_only=True),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.ProgbarLogger(),
    ]
    make_classifier(callbacks=callbacks).fit(*images)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,accuracy,loss")
    assert len(lines) == 1 + 4
    assert (tmp_path / "head.weights.h5").exists()
