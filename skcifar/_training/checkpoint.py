"""Leaves the state of a long fit after each epoch, so that one that was killed can go on.

A fit has an entry of its own, named by a digest of its parameters, data and seed: the entry of
another fit is neither used nor harmed. Each phase of the fit is one file in it.
"""

import hashlib
import json
import shutil
import time
import warnings
from contextlib import suppress
from functools import cached_property

import numpy as np

from .._extraction.digests import image_digests
from .._system.atomic_file import replaced_file
from .._system.paths import user_path

_ENTRY_PREFIX = "skcifar-fit-"
_VERSION = "v2-"  # entries of another one are never read
_ABANDONED_AFTER = 30 * 24 * 3600  # seconds: nobody goes on with a fit that long after its end
# What a fit computes does not depend on these; `random_state` is in the seed.
_IRRELEVANT_PARAMETERS = (
    "callbacks",
    "checkpoint_dir",
    "feature_cache",
    "random_state",
    "test_time_augmentation",
    "verbose",
)


def open_checkpoint(folder, parameters, seed, *states):
    """Return the `FitCheckpoint` of one fit in `folder`, or None if `folder` is None.

    Other entries that nothing was written to for 30 days are removed: those of fits that were
    given up, or started again with other parameters.

    Parameters
    ----------
    folder : str, path-like or None
    parameters : dict
        Of the estimator.
    seed : int
    *states : ndarray or ImageFiles
        All else that decides the fit: images, labels, weights, what it goes on from.
    """
    if folder is None:
        return None
    folder = user_path(folder)
    digest = hashlib.blake2b(digest_size=16)
    relevant = {k: _described(v) for k, v in parameters.items() if k not in _IRRELEVANT_PARAMETERS}
    digest.update(repr((sorted(relevant.items()), seed)).encode())
    for state in states:
        digest.update(b"".join(image_digests(state)) if state.ndim > 1 else state.tobytes())
    entry = folder / f"{_ENTRY_PREFIX}{_VERSION}{digest.hexdigest()}"
    _remove_abandoned_entries(folder, entry)
    return FitCheckpoint(entry)


def _remove_abandoned_entries(folder, wanted):
    for entry in folder.glob(f"{_ENTRY_PREFIX}*"):
        if entry == wanted:
            continue
        with suppress(OSError):  # removed meanwhile, or somebody else's
            last_write = max(path.stat().st_mtime for path in (entry, *entry.iterdir()))
            if time.time() - last_write > _ABANDONED_AFTER:
                shutil.rmtree(entry)


def _described(value):
    """Return `value` in a way whose `repr` is the same in each process.

    Of a Keras layer that is what it does. Its name does not count, nor a seed, which many layers
    draw anew when they are made: its copies draw from `random_state`.
    """
    if isinstance(value, np.generic):
        return value.item()
    if not hasattr(value, "get_config"):
        return value
    import keras

    return _without_names(keras.saving.serialize_keras_object(value))


def _without_names(config):
    if isinstance(config, dict):
        return {k: _without_names(v) for k, v in config.items() if k not in ("name", "seed")}
    return [_without_names(v) for v in config] if isinstance(config, list) else config


class FitCheckpoint:
    """The entry of one fit.

    Parameters
    ----------
    path : Path
        Folder of the entry; made when the first epoch ends.
    """

    def __init__(self, path):
        self._path = path

    def phase(self, name, best, callbacks):
        """Return the `PhaseCheckpoint` called `name`.

        Parameters
        ----------
        name : str
        best : BestWeights or None
        callbacks : list of keras.callbacks.Callback
            Whose state is kept, too.
        """
        return PhaseCheckpoint(self._path / f"{name}.npz", best, callbacks)

    @property
    def exists(self):
        return self._path.exists()

    def remove(self):
        shutil.rmtree(self._path, ignore_errors=True)


class PhaseCheckpoint:
    """State of one phase: weights, optimizer, history, and what callbacks have seen.

    Parameters
    ----------
    path : Path
    best : BestWeights or None
    callbacks : list of keras.callbacks.Callback, default=()
    """

    def __init__(self, path, best, callbacks=()):
        self._path, self._best, self._callbacks = path, best, callbacks

    @cached_property
    def _states(self):
        """What callbacks change of themselves from now on: asked for when training begins."""
        from .._keras.callback_state import CallbackStates

        return CallbackStates(self._callbacks)

    def save(self, model, history):
        """Write the state after an epoch; warn, and go on, if that cannot be done."""
        arrays = {"weights": model.get_weights()}
        arrays["optimizer"] = [v.numpy() for v in model.optimizer.variables]
        state = {"history": history, "stopped": bool(model.stop_training)}
        state["callbacks"], arrays["callback"] = self._states.encode()
        if self._best is not None:
            state["best"] = {"loss": float(self._best.loss), "waited": self._best.waited}
            arrays["best"] = self._best.weights or []
        named = {f"{k}{i}": a for k, group in arrays.items() for i, a in enumerate(group)}
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with replaced_file(self._path) as file:
                np.savez(file, state=json.dumps(state), **named)
        except OSError as error:
            warnings.warn(
                f"The state of the fit could not be saved in checkpoint_dir ({error}).",
                UserWarning,
                stacklevel=2,
            )

    def restore(self, model):
        """Put `model` back to where it was; return the history and whether it had stopped.

        Called once, when the callbacks have heard of the begin of training.
        """
        of_callbacks = self._states
        if not self._path.exists():
            return {}, False
        try:
            state, arrays = self._read()
            self._check(model, arrays, state)
            states = of_callbacks.decode(state["callbacks"], arrays["callback"])
        # Damaged bytes make zipfile, NumPy and json raise errors of any type.
        except Exception as error:
            warnings.warn(
                f"{self._path} is damaged ({error}): this phase of the fit starts over.",
                UserWarning,
                stacklevel=2,
            )
            return {}, False
        self._assign(model, arrays, state)
        of_callbacks.put_back(states)
        return state["history"], state["stopped"]

    def _read(self):
        with open(self._path, "rb") as file, np.load(file, allow_pickle=False) as stored:
            state = json.loads(str(stored["state"]))
            arrays = {name: stored[name] for name in stored.files if name != "state"}
        return state, {
            group: [arrays[f"{group}{i}"] for i in range(_count(arrays, group))]
            for group in ("weights", "optimizer", "best", "callback")
        }

    def _check(self, model, arrays, state):
        """Raise unless all parts are there and fit `model`, so that nothing is put back by half."""
        if {"history", "stopped"} - set(state) or (self._best is not None and "best" not in state):
            raise ValueError("a part of it is missing")
        for name, variables in (
            ("weights", model.weights),
            ("optimizer", model.optimizer.variables),
        ):
            if [tuple(variable.shape) for variable in variables] != [a.shape for a in arrays[name]]:
                raise ValueError("its arrays are of other shapes")

    def _assign(self, model, arrays, state):
        model.set_weights(arrays["weights"])
        for variable, array in zip(model.optimizer.variables, arrays["optimizer"], strict=True):
            variable.assign(array)
        if self._best is not None:
            self._best.loss, self._best.waited = state["best"]["loss"], state["best"]["waited"]
            self._best.weights = arrays["best"] or None


def _count(arrays, group):
    return sum(name.removeprefix(group).isdigit() for name in arrays if name.startswith(group))
