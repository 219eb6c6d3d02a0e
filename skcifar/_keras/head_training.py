"""Trains the head: compiled heads are kept, and lent to one fit at a time.

Imports TensorFlow, Keras and scikeras at the top: import this module inside functions.
"""

import threading
from collections import OrderedDict
from contextlib import contextmanager

from .._system.interrupts import ctrl_c_waits
from .heads import build_trainable_head
from .memory import forget_compiled_steps
from .scikeras_head import make_head_estimator


def train_head(head, settings, features, phase, *, features_by_epoch=None):
    """Train `head` on standardised features.

    Parameters
    ----------
    head : Head
        Where training starts; left as it is.
    settings : HeadSettings
    features : ndarray of shape (n, n_views, n_features), float32
        None will do with `features_by_epoch`.
    phase : Phase
    features_by_epoch : callable, default=None
        From the number of an epoch to standardised features for it, of shape (n, n_features),
        instead of `features`.

    Returns
    -------
    head : Head
    history : dict of list of float
    """
    with _borrowed_model(settings) as borrowed:
        borrowed.reset(head)
        estimator = make_head_estimator(borrowed.model, settings.n_classes)
        if features is None:
            features = phase.labels[:, None]  # scikeras wants as many rows
        estimator.fit(features, phase.labels, phase=phase, inputs_by_epoch=features_by_epoch)
        history = dict(estimator.history_)
        n_epochs = phase.schedule.first_epoch + len(history["loss"])
        weights, optimizer_state = borrowed.arrays()
        if phase.best is not None and phase.best.weights is not None:
            weights = phase.best.weights[: len(weights)]
        return head.trained(weights, optimizer_state, n_epochs), history


class _ReusableModel:
    """A compiled head that is reset before each fit, so that nothing is left of the last one."""

    @ctrl_c_waits()
    def __init__(self, settings):
        self.model = build_trainable_head(settings)
        self._fresh_state = [v.numpy() for v in self.model.optimizer.variables]

    @ctrl_c_waits()
    def reset(self, head):
        self.model.set_weights(head.weights + self.model.get_weights()[len(head.weights) :])
        state = head.optimizer_state
        if [array.shape for array in state] != [array.shape for array in self._fresh_state]:
            state = self._fresh_state  # none yet, or that of another optimizer
        for variable, value in zip(self.model.optimizer.variables, state, strict=True):
            variable.assign(value)

    @ctrl_c_waits()
    def arrays(self):
        """Return copies of the weights and of the optimizer's variables."""
        weights = [v.numpy() for v in self.model.trainable_variables]
        return weights, [v.numpy() for v in self.model.optimizer.variables]


_idle_models: OrderedDict[tuple, list] = OrderedDict()
_idle_models_lock = threading.Lock()
# 11 MB each. A search tries one setting in all folds before the next.
_MAX_IDLE_MODELS = 3


@contextmanager
def _borrowed_model(settings):
    """Lend a compiled head to one fit at a time; threads that fit at once get one each."""
    with _idle_models_lock:
        idle = _idle_models.get(settings, [])
        borrowed = idle.pop() if idle else None
    borrowed = borrowed or _ReusableModel(settings)
    try:
        yield borrowed
    finally:
        with _idle_models_lock:
            _idle_models.setdefault(settings, []).append(borrowed)
            _idle_models.move_to_end(settings)
            is_full = _drop_least_recently_used()
        if is_full:
            forget_compiled_steps()


def _drop_least_recently_used():
    """Keep to the bound; return whether a model had to go."""
    n_excess = sum(map(len, _idle_models.values())) - _MAX_IDLE_MODELS
    for _ in range(n_excess):
        settings = next(settings for settings, idle in _idle_models.items() if idle)
        _idle_models[settings].pop()
    for settings in [settings for settings, idle in _idle_models.items() if not idle]:
        del _idle_models[settings]
    return n_excess > 0
