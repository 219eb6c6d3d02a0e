"""What listens to the epochs of a fit.

Imports Keras at the top: import this module inside functions.
"""

import copy
import warnings

import keras
import numpy as np


class BestWeights(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the least validation loss; stops when it is past.

    One instance watches both phases of a fit: `weights` are those of the running phase, None as
    long as none of its epochs was better than all before.

    Parameters
    ----------
    patience : int
        Epochs without a lower loss before training stops.

    Attributes
    ----------
    patient_until : int
        Epochs before this one do not count.
    """

    def __init__(self, patience):
        super().__init__()
        self.patience, self.patient_until = patience, 0
        self.loss, self.waited, self.weights = np.inf, 0, None

    def on_train_begin(self, logs=None):
        self.waited, self.weights = 0, None

    def on_epoch_end(self, epoch, logs=None):
        self.waited += epoch >= self.patient_until
        if logs["val_loss"] < self.loss:
            self.loss, self.waited = logs["val_loss"], 0
            self.weights = self.model.get_weights()
        self.model.stop_training |= self.waited >= self.patience


class AverageWeights(keras.callbacks.Callback):
    """Puts the average of weights at the ends of epochs in their place, where a schedule finishes.

    At a constant step size weights walk around a minimum that their average is closer to.

    Parameters
    ----------
    schedule : Schedule

    References
    ----------
    Izmailov et al., "Averaging Weights Leads to Wider Optima and Better Generalization", UAI 2018.
    """

    def __init__(self, schedule):
        super().__init__()
        self._first, self._finish = schedule.first_averaged, schedule.finish
        self._n_averaged, self._means = 0, []

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == self._finish:
            self._put_in_place()

    def on_epoch_end(self, epoch, logs=None):
        if not self._first <= epoch < self._finish:
            return
        weights = [variable.numpy() for variable in self.model.trainable_variables]
        self._means = self._means or weights
        self._n_averaged += 1
        for mean, weight in zip(self._means, weights, strict=True):
            mean += (weight - mean) / self._n_averaged

    def on_train_end(self, logs=None):
        self._put_in_place()  # where training was stopped before

    def _put_in_place(self):
        if self._means:
            for variable, mean in zip(self.model.trainable_variables, self._means, strict=True):
                variable.assign(mean)
        self._n_averaged, self._means = 0, []


class EpochProgress(keras.callbacks.Callback):
    """Tells a `Progress` of each epoch.

    Parameters
    ----------
    progress : Progress
    first_epoch : int
        Number of the first epoch of the phase; epochs before the one that begins first were run by
        a fit that was interrupted.
    """

    def __init__(self, progress, first_epoch):
        super().__init__()
        self._progress, self._next_epoch = progress, first_epoch

    def on_epoch_begin(self, epoch, logs=None):
        if epoch > self._next_epoch:
            self._progress.skip((epoch - self._next_epoch) * self._steps_an_epoch())
        self._next_epoch = epoch + 1

    def on_epoch_end(self, epoch, logs=None):
        self._progress.advance(note=_note(logs))

    def _steps_an_epoch(self):
        return 1


class BatchProgress(EpochProgress):
    """Tells a `Progress` of each batch, with the figures of the last epoch."""

    _note = ""

    def on_train_batch_end(self, batch, logs=None):
        self._progress.advance(note=self._note)

    def on_epoch_end(self, epoch, logs=None):
        self._note = _note(logs)
        self._progress.advance(0, note=self._note)

    def _steps_an_epoch(self):
        return self.params["steps"]


class EpochTasks(keras.callbacks.Callback):
    """Tells a `FitTask` of each epoch.

    It comes before the callbacks of a user, which may change the weights at the end of an epoch;
    `stop` comes after them, as some say whether training is to stop whatever others said.

    Parameters
    ----------
    task : FitTask
    fitted : callable
        From the model to the attributes of an estimator that is fitted so far.

    Attributes
    ----------
    stop : keras.callbacks.Callback
        Stops training after an epoch at whose end a callback of the task wanted that.
    """

    def __init__(self, task, fitted):
        super().__init__()
        self._task, self._fitted = task, fitted
        self.stop = _Stop()

    def on_epoch_begin(self, epoch, logs=None):
        self._task.begin_epoch(lambda: self._fitted(self.model))

    def on_epoch_end(self, epoch, logs=None):
        self.stop.is_wanted = self._task.end_epoch(lambda: self._fitted(self.model))


class _Stop(keras.callbacks.Callback):
    is_wanted = False

    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training |= self.is_wanted


def _note(logs):
    """Return the figures that matter, short enough for a bar of 80 columns."""
    prefix = "val_" if "val_loss" in logs else ""
    figures = ((prefix + name, logs[prefix + name]) for name in ("loss", "accuracy"))
    return " ".join(f"{name} {value:#.3g}" for name, value in figures)


def check_callbacks(callbacks):
    """Raise if one of the `callbacks` that a user passed cannot be used.

    Raises
    ------
    TypeError
        If it is no Keras callback, or cannot be copied.

    Warns
    -----
    UserWarning
        If one does by half what `checkpoint_dir` does.
    """
    for callback in callbacks or ():
        if not isinstance(callback, keras.callbacks.Callback):
            raise TypeError(
                f"callbacks must hold instances of keras.callbacks.Callback. Got {callback!r}."
            )
        try:
            copy.deepcopy(callback)
        except Exception as error:  # of any type: it is the callback's own code
            raise TypeError(
                f"The callback {type(callback).__name__} cannot be copied, which each fit does "
                f"({type(error).__name__}: {error}). Open files, locks and connections in its "
                "on_train_begin, or give it a __deepcopy__ method."
            ) from error
        if isinstance(callback, keras.callbacks.BackupAndRestore):
            warnings.warn(
                "BackupAndRestore brings back weights, but neither the epoch nor the phase of an "
                "interrupted fit. Pass checkpoint_dir=... instead of it.",
                UserWarning,
                stacklevel=4,
            )


def forget_model(callbacks):
    """Let callbacks forget the model: a user keeps them, and others use the model."""
    for callback in callbacks:
        keras.callbacks.Callback.set_model(callback, None)  # one of its own may look at the model


def keep_logs(callbacks):
    """Let the callbacks that write a log add to it, where Keras would begin it anew."""
    for callback in callbacks:
        if isinstance(callback, keras.callbacks.CSVLogger):
            callback.append = True
