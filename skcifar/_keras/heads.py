"""The head as Keras models: to be trained, and to be looked at.

Imports Keras at the top: import this module inside functions.
"""

import keras

from .faster_parts import FastDropout
from .planned_model import PlannedModel, make_loss, make_optimizer
from .products import RoundedDense


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


def build_trainable_head(settings):
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
    hidden = RoundedDense if settings.precision == "bfloat16" else keras.layers.Dense
    for units in settings.hidden_units:
        x = _dense(_fast_dropout(x, settings.dropout), units, "relu", hidden)
    return _dense(_fast_dropout(x, settings.dropout), settings.n_classes, None)


def _dropout(x, rate):
    return keras.layers.Dropout(rate, seed=0, dtype="float32")(x)


def _fast_dropout(x, rate):
    return FastDropout(rate, seed=0, dtype="float32")(x)


def _dense(x, units, activation, layer=keras.layers.Dense):
    # Zeros, as weights are set later: an initialiser without a seed draws one from Python's
    # global random state.
    options = {"kernel_initializer": "zeros", "dtype": "float32"}
    return layer(units, activation, **options)(x)


def build_raw_head(head, settings):
    """Return a trainable head with the standardisation in front."""
    inputs = keras.Input((settings.n_features,), dtype="float32")
    scale = 1 / head.standardization.scale
    offset = -head.standardization.mean * scale
    model = keras.Model(inputs, dense_layers(_Scaling(scale, offset)(inputs), settings))
    model.set_weights(head.weights)
    return model


class _Scaling(keras.layers.Layer):
    """Keras' `Rescaling`, which takes features for channels where these globally come first."""

    def __init__(self, scale, offset):
        super().__init__(dtype="float32")
        self._scale, self._offset = scale, offset

    def call(self, inputs):
        return inputs * self._scale + self._offset
