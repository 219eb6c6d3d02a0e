"""A fit that was interrupted goes on from its last finished epoch, and ends the same."""

import copy
import functools
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest

from skcifar import MobileNetV2Classifier
from skcifar._system.progress import Progress
from skcifar.datasets import make_images

OPTIONS = {
    "weights": None,
    "alpha": 0.35,
    "input_size": 32,
    "hidden_units": (16,),
    "epochs": 3,
    "fine_tune_epochs": 3,
    "fine_tune_blocks": 1,
    "batch_size": 16,
    "random_state": 0,
}


class StopAt(keras.callbacks.Callback):
    """Raises what Ctrl-C raises, when an epoch begins."""

    def __init__(self, epoch):
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self.epoch:
            raise KeyboardInterrupt


@functools.cache
def make_data():
    return make_images(n_samples=40, image_shape=(16, 16, 3), random_state=0)


@pytest.fixture(scope="module")
def data():
    return make_data()


@functools.cache
def uninterrupted(**options):
    """Return a classifier whose fit nothing disturbed."""
    return MobileNetV2Classifier(**{**OPTIONS, **options}).fit(*make_data())


def entries(folder):
    return sorted(folder.glob("skcifar-fit-*"))


def interrupt(data, folder, epoch, **options):
    options = {**OPTIONS, **options, "checkpoint_dir": folder}
    with pytest.raises(KeyboardInterrupt):
        MobileNetV2Classifier(**options, callbacks=[StopAt(epoch)]).fit(*data)


@pytest.mark.parametrize("epoch", [1, 3, 5])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"early_stopping": True, "augmentation": "flip"},
        {"input_size": 64, "fine_tune_blocks": 5, "augmentation": "flip_crop"},
    ],
)
def test_goes_on_and_ends_as_if_it_had_not_been_interrupted(data, tmp_path, epoch, options):
    whole = uninterrupted(**options)
    interrupt(data, tmp_path, epoch, **options)
    assert len(entries(tmp_path)) == 1
    resumed = MobileNetV2Classifier(**{**OPTIONS, **options}, checkpoint_dir=tmp_path)
    heard = []
    resumed.callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda e, _: heard.append(e))
    ]
    resumed.fit(*data)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(resumed.predict_proba(data[0]), whole.predict_proba(data[0]))
    assert entries(tmp_path) == []


def test_the_bar_begins_where_the_fit_goes_on(data, tmp_path, monkeypatch):
    interrupt(data, tmp_path, 5)
    skipped = []
    monkeypatch.setattr(Progress, "skip", lambda progress, steps: skipped.append(steps))
    MobileNetV2Classifier(**OPTIONS, checkpoint_dir=tmp_path).fit(*data)
    assert skipped == [2 * 3]  # epochs 3 and 4, of three batches each


def test_finished_epochs_are_not_run_again(data, tmp_path):
    interrupt(data, tmp_path, 2)
    with pytest.raises(KeyboardInterrupt):  # the first epoch that begins is number 2
        MobileNetV2Classifier(**OPTIONS, checkpoint_dir=tmp_path, callbacks=[StopAt(2)]).fit(*data)
    interrupt(data, tmp_path, 4)


@pytest.mark.parametrize("other", ["parameters", "seed", "images", "labels"])
def test_entry_of_another_fit_is_neither_used_nor_harmed(data, tmp_path, other):
    X, y = data
    interrupt(data, tmp_path, 2)
    (entry,) = entries(tmp_path)
    before = (entry / "head.npz").read_bytes()
    changed = {"parameters": {"learning_rate": 0.01}, "seed": {"random_state": 1}}.get(other, {})
    X = X[::-1] if other == "images" else X
    y = y[::-1] if other == "labels" else y
    options = {**OPTIONS, **changed, "fine_tune_epochs": 0}
    alone = MobileNetV2Classifier(**options).fit(X, y)
    beside = MobileNetV2Classifier(**options, checkpoint_dir=tmp_path).fit(X, y)
    assert beside.history_ == alone.history_
    assert (entry / "head.npz").read_bytes() == before


@pytest.mark.parametrize("damage", [b"", b"no archive", "truncated"])
def test_damaged_entry_means_starting_over_with_a_warning(data, tmp_path, damage):
    whole = uninterrupted()
    interrupt(data, tmp_path, 2)
    file = entries(tmp_path)[0] / "head.npz"
    file.write_bytes(file.read_bytes()[:-500] if damage == "truncated" else damage)
    with pytest.warns(UserWarning, match="is damaged .* starts over"):
        again = MobileNetV2Classifier(**OPTIONS, checkpoint_dir=tmp_path).fit(*data)
    assert again.history_ == whole.history_


class Counter(keras.callbacks.Callback):
    """Stops after three epochs, which it counts in an attribute."""

    def __init__(self):
        super().__init__()
        self.figures = {"epochs": 0, "losses": np.zeros(0)}

    def on_epoch_end(self, epoch, logs=None):
        self.figures["epochs"] += 1
        self.figures["losses"] = np.append(self.figures["losses"], logs["loss"])
        self.model.stop_training = self.figures["epochs"] == 3


def early_stopping():
    return keras.callbacks.EarlyStopping("val_loss", patience=2, restore_best_weights=True)


@pytest.mark.parametrize("make_callback", [early_stopping, Counter])
@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_callbacks_go_on_with_what_they_kept_in_mind(data, tmp_path, make_callback, epoch):
    X, y = data
    options = {**OPTIONS, "learning_rate": 0.1, "epochs": 6, "fine_tune_epochs": 2}
    held_out = {"X_val": X[::-1], "y_val": y}

    def fit(*more, folder=None):
        classifier = MobileNetV2Classifier(
            **options, checkpoint_dir=folder, callbacks=[*more, make_callback()]
        )
        return classifier.fit(X, y, **held_out)

    whole = fit()
    with pytest.raises(KeyboardInterrupt):
        fit(StopAt(min(epoch, whole.n_iter_ - 1)), folder=tmp_path)
    resumed = fit(StopAt(None), folder=tmp_path)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(resumed.predict_proba(X), whole.predict_proba(X))
    mine, others = (vars(fitted.callbacks_[-1]) for fitted in (resumed, whole))
    assert repr(mine) == repr(others)


# Keras leaves the log of an interrupted fit open.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_log_of_keras_is_gone_on_with(data, tmp_path):
    log = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    for stop_at in (2, 4, None):
        classifier = MobileNetV2Classifier(
            **OPTIONS, checkpoint_dir=tmp_path / "state", callbacks=[log, StopAt(stop_at)]
        )
        try:
            classifier.fit(*data)
        except KeyboardInterrupt:
            assert stop_at is not None
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0].startswith("epoch,accuracy,loss")
    assert [line.split(",")[0] for line in lines[1:]] == ["0", "1", "2", "3", "4", "5"]


@pytest.mark.parametrize("random_state", [None, np.random.RandomState(0)], ids=str)
def test_a_fit_that_could_never_go_on_says_so_and_leaves_nothing(data, tmp_path, random_state):
    options = {**OPTIONS, "random_state": random_state, "checkpoint_dir": tmp_path}
    classifier = MobileNetV2Classifier(**options, callbacks=[StopAt(2)])
    with (
        pytest.warns(UserWarning, match="Pass an int as random_state"),
        pytest.raises(KeyboardInterrupt),
    ):
        classifier.fit(*data)
    assert entries(tmp_path) == []


def test_a_warm_start_goes_on_from_its_state_without_a_random_state(data, tmp_path):
    options = {**OPTIONS, "random_state": None, "warm_start": True, "fine_tune_epochs": 0}
    classifier = MobileNetV2Classifier(**options).fit(*data)
    classifier.set_params(checkpoint_dir=tmp_path, callbacks=[StopAt(5)])
    with pytest.raises(KeyboardInterrupt):
        classifier.fit(*data)
    whole = copy.deepcopy(classifier).set_params(callbacks=None, checkpoint_dir=None).fit(*data)
    assert classifier.set_params(callbacks=None).fit(*data).history_ == whole.history_
    assert entries(tmp_path) == []


@pytest.mark.filterwarnings("ignore:augmentation=.* draws new images in every epoch:UserWarning")
def test_a_layer_that_draws_its_own_seed_lets_a_fit_go_on(data, tmp_path):
    def fit(epoch):
        options = {**OPTIONS, "augmentation": keras.layers.RandomCrop(16, 16)}
        classifier = MobileNetV2Classifier(
            **options, checkpoint_dir=tmp_path, callbacks=[StopAt(epoch)]
        )
        with pytest.raises(KeyboardInterrupt):
            classifier.fit(*data)

    fit(2)
    fit(4)
    assert len(entries(tmp_path)) == 1


def test_numbers_of_numpy_name_the_same_fit(data, tmp_path):
    interrupt(data, tmp_path, 2)
    interrupt(data, tmp_path, 2, epochs=np.int64(3), random_state=np.int32(0))
    assert len(entries(tmp_path)) == 1


def test_states_of_fits_that_were_given_up_are_removed_after_30_days(data, tmp_path):
    interrupt(data, tmp_path, 2)
    interrupt(data, tmp_path, 2, learning_rate=0.01)
    given_up, recent = entries(tmp_path)
    somebody_elses = tmp_path / "notes"
    somebody_elses.mkdir()
    for path in (given_up, *given_up.iterdir(), somebody_elses):
        os.utime(path, (time.time() - 31 * 24 * 3600,) * 2)
    interrupt(data, tmp_path, 2, learning_rate=0.02)
    assert not given_up.exists()
    assert recent.exists()
    assert somebody_elses.exists()


def test_a_fit_goes_on_however_long_it_was_interrupted(data, tmp_path):
    interrupt(data, tmp_path, 2)
    (entry,) = entries(tmp_path)
    for path in (entry, *entry.iterdir()):
        os.utime(path, (time.time() - 31 * 24 * 3600,) * 2)
    # Raises if the first epoch begins.
    MobileNetV2Classifier(**OPTIONS, checkpoint_dir=tmp_path, callbacks=[StopAt(0)]).fit(*data)


def test_folder_that_cannot_be_written_warns_and_the_fit_goes_on(data, tmp_path):
    no_folder = tmp_path / "file"
    no_folder.write_text("in the way")
    options = {**OPTIONS, "fine_tune_epochs": 0, "epochs": 1}
    with pytest.warns(UserWarning, match="could not be saved in checkpoint_dir"):
        MobileNetV2Classifier(**options, checkpoint_dir=no_folder).fit(*data)


KILLED = """
import sys, time
import keras
from skcifar import MobileNetV2Classifier
from skcifar.datasets import make_images

class WaitToBeKilled(keras.callbacks.Callback):
    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            print("waiting", flush=True)
            time.sleep(600)

X, y = make_images(n_samples=40, image_shape=(16, 16, 3), random_state=0)
options = {**eval(sys.argv[1]), "callbacks": [WaitToBeKilled()]}
MobileNetV2Classifier(**options, checkpoint_dir=sys.argv[2]).fit(X, y)
"""


def test_killed_process_goes_on_in_another(data, tmp_path):
    options = {**OPTIONS, "fine_tune_epochs": 0}
    command = [sys.executable, "-c", KILLED, repr(options), tmp_path]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"waiting\n"
        process.kill()
    assert len(entries(tmp_path)) == 1
    heard = []
    listener = keras.callbacks.LambdaCallback(on_epoch_begin=lambda e, _: heard.append(e))
    resumed = MobileNetV2Classifier(**options, checkpoint_dir=tmp_path, callbacks=[listener])
    assert resumed.fit(*data).history_ == uninterrupted(fine_tune_epochs=0).history_
    assert heard == [2]
    assert entries(tmp_path) == []
