"""A fit that was interrupted goes on from its last finished epoch, and ends the same."""

import functools
import subprocess
import sys

import keras
import numpy as np
import pytest

from skcifar import MobileNetV2Classifier
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
@pytest.mark.parametrize("options", [{}, {"early_stopping": True, "augmentation": "flip"}])
def test_goes_on_and_ends_as_if_it_had_not_been_interrupted(data, tmp_path, epoch, options):
    whole = uninterrupted(**options)
    interrupt(data, tmp_path, epoch, **options)
    assert len(entries(tmp_path)) == 1
    resumed = MobileNetV2Classifier(**OPTIONS, **options, checkpoint_dir=tmp_path)
    heard = []
    resumed.callbacks = [
        keras.callbacks.LambdaCallback(on_epoch_begin=lambda e, _: heard.append(e))
    ]
    resumed.fit(*data)
    assert resumed.history_ == whole.history_
    np.testing.assert_array_equal(resumed.predict_proba(data[0]), whole.predict_proba(data[0]))
    assert entries(tmp_path) == []


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


def test_folder_that_cannot_be_written_warns_and_the_fit_goes_on(data, tmp_path):
    no_folder = tmp_path / "file"
    no_folder.write_text("in the way")
    options = {**OPTIONS, "fine_tune_epochs": 0, "epochs": 1}
    with pytest.warns(UserWarning, match="could not be left in checkpoint_dir"):
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
