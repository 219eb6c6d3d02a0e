"""Trains the head; the only file that imports scikeras.

Imports TensorFlow, Keras and scikeras at the top: import this module inside functions.
"""

import threading
from collections import OrderedDict
from contextlib import contextmanager
from dataclasses import replace
from typing import NamedTuple

import keras
import numpy as np
from scikeras.utils.transformers import ClassifierLabelEncoder
from scikeras.wrappers import KerasClassifier

from .._model.mobilenet_v2 import KerasLayers, build_units
from .planned_model import FastDropout, PlannedModel, make_loss, make_optimizer


class HeadSettings(NamedTuple):
    """All that decides the compiled head: fits with equal settings share it."""

    n_features: int
    hidden_units: tuple
    n_classes: int
    dropout: float
    optimizer: str
    label_smoothing: float
    weight_decay: float


def train_head(
    head,
    settings,
    features,
    labels,
    weights,
    schedule,
    *,
    features_by_epoch=None,
    validation_data=None,
    best=None,
    callbacks=(),
    checkpoint=None,
):
    """Train `head` on standardised features for the epochs of `schedule`.

    Parameters
    ----------
    head : Head
        Where training starts; left as it is.
    settings : HeadSettings
    features : ndarray of shape (n, n_views, n_features), float32
    labels : ndarray of shape (n,)
        Indices of classes.
    weights : ndarray of shape (n,)
    schedule : Schedule
    features_by_epoch : callable, default=None
        From the number of an epoch to standardised features for it, of shape (n, n_features),
        instead of `features`.
    validation_data : (features, labels, weights), default=None
    best : BestWeights, default=None
        Whose weights are taken in the end.
    callbacks : sequence of keras.callbacks.Callback
    checkpoint : PhaseCheckpoint, default=None

    Returns
    -------
    head : Head
    history : dict of list of float
    """
    with _borrowed_model(settings) as borrowed:
        borrowed.reset(head)
        callbacks = [*callbacks] if best is None else [*callbacks, best]
        estimator = make_head_estimator(borrowed.model, settings.n_classes, callbacks)
        estimator.fit(
            features,
            labels,
            epochs=schedule.n_epochs,
            initial_epoch=schedule.first_epoch,
            row_weights=weights,
            schedule=schedule,
            inputs_by_epoch=features_by_epoch,
            validation_data=validation_data,
            checkpoint=checkpoint,
        )
        history = dict(estimator.history_)
        n_epochs = schedule.first_epoch + len(history["loss"])
        weights, optimizer_state = borrowed.arrays()
        if best is not None and best.weights is not None:
            weights = best.weights[: len(weights)]
        return head.trained(weights, optimizer_state, n_epochs), history


def make_head_estimator(model, n_classes, callbacks=()):
    """Return the scikeras estimator that owns `model`.

    The one place to change on the day scikeras breaks: what `train_head` needs is ``fit`` and
    ``history_``, which a class of ten lines around `keras.Model.fit` has as well.
    """
    return _HeadClassifier(model=model, n_classes=n_classes, callbacks=list(callbacks), verbose=0)


def fitted_head_estimator(head, dropout):
    """Return a fitted scikeras estimator of `head`: raw features in, probabilities out."""
    model = build_head(head, dropout)
    model.compile(loss="sparse_categorical_crossentropy", optimizer="sgd")
    estimator = make_head_estimator(model, head.n_classes)
    n_features = len(head.standardization.mean)
    rows = np.zeros((head.n_classes, n_features), np.float32)
    return estimator.initialize(rows, np.arange(head.n_classes))


class _HeadClassifier(KerasClassifier):
    """Takes indices of classes as they are, also where a batch does not hold them all."""

    def __init__(self, *args, n_classes=2, **kwargs):
        super().__init__(*args, **kwargs)
        self.n_classes = n_classes

    @property
    def target_encoder(self):
        return ClassifierLabelEncoder(categories=[np.arange(self.n_classes)])


def build_head(head, dropout):
    """Return `head` as a `keras.Model` from raw features to probabilities."""
    n_features = len(head.standardization.mean)
    inputs = x = keras.Input((n_features,), name="features", dtype="float32")
    for units in head.hidden_units:
        x = _dense(_dropout(x, dropout), units, "relu")
    outputs = _dense(_dropout(x, dropout), head.n_classes, "softmax")
    model = keras.Model(inputs, outputs, name="head")
    model.set_weights(head.folded_weights)
    return model


def build_model(frozen, head, mirrored_too):
    """Return one `keras.Model` from images to probabilities.

    Parameters
    ----------
    frozen : FrozenNetwork
    head : Head
    mirrored_too : bool
        Whether to average the probabilities of the image and of its mirror image.
    """
    backbone = build_units(frozen.network, pooled=True)
    backbone.set_weights(frozen.weights)
    # In Keras a nested network that may be trained normalises by batch statistics when called.
    backbone.trainable = False
    classify = build_head(head, dropout=0.0)
    inputs = keras.Input(frozen.image_shape, name="images", dtype="float32")
    views = [frozen, replace(frozen, mirrored=True)] if mirrored_too else [frozen]
    outputs = [_view(inputs, view, backbone, classify) for view in views]
    if mirrored_too:
        outputs = [keras.layers.Average(dtype="float32")(outputs)]
    return keras.Model(inputs, outputs[0], name="mobilenetv2_classifier")


def _view(inputs, frozen, backbone, classify):
    x = KerasLayers().preprocess(inputs, frozen.image_shape, frozen.preprocessing)
    return classify(backbone(x, training=False))


def _build_trainable_head(settings):
    inputs = keras.Input((settings.n_features,), dtype="float32")
    model = PlannedModel(keras.Model(inputs, dense_layers(inputs, settings)))
    model.compile(
        make_optimizer(settings.optimizer, settings.weight_decay),
        make_loss(settings.label_smoothing),
    )
    model.optimizer.build(model.trainable_variables)
    return model


def dense_layers(x, settings):
    """Apply the layers of a head to standardised features; return its logits."""
    for units in settings.hidden_units:
        x = _dense(_fast_dropout(x, settings.dropout), units, "relu")
    return _dense(_fast_dropout(x, settings.dropout), settings.n_classes, None)


def _dropout(x, rate):
    return keras.layers.Dropout(rate, seed=0, dtype="float32")(x)


def _fast_dropout(x, rate):
    return FastDropout(rate, seed=0, dtype="float32")(x)


def _dense(x, units, activation):
    # Zeros, as weights are set later: an initialiser without a seed draws one from Python's
    # global random state.
    options = {"kernel_initializer": "zeros", "dtype": "float32"}
    return keras.layers.Dense(units, activation, **options)(x)


class _ReusableModel:
    """A compiled head that is reset before each fit, so that nothing is left of the last one."""

    def __init__(self, settings):
        self.model = _build_trainable_head(settings)
        self._fresh_state = [v.numpy() for v in self.model.optimizer.variables]

    def reset(self, head):
        self.model.set_weights(head.weights + self.model.get_weights()[len(head.weights) :])
        state = head.optimizer_state
        if [array.shape for array in state] != [array.shape for array in self._fresh_state]:
            state = self._fresh_state  # none yet, or that of another optimizer
        for variable, value in zip(self.model.optimizer.variables, state, strict=True):
            variable.assign(value)

    def arrays(self):
        """Return copies of the weights and of the optimizer's variables."""
        weights = [v.numpy() for v in self.model.trainable_variables]
        return weights, [v.numpy() for v in self.model.optimizer.variables]


_idle_models = OrderedDict()
_idle_models_lock = threading.Lock()
_MAX_IDLE_MODELS = 8


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
            while sum(map(len, _idle_models.values())) > _MAX_IDLE_MODELS:
                _idle_models.popitem(last=False)
