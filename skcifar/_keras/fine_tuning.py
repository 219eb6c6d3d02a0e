"""Trains the top blocks of the network with the head; the blocks below run once an image.

Imports TensorFlow and Keras at the top: import this module inside functions.
"""

import math
import tempfile
from dataclasses import replace

import keras
import ml_dtypes
import numpy as np

from .._model.mobilenet_v2 import LAST_CONVOLUTION, STEM, KerasLayers, build_units, n_arrays
from .faster_parts import FusedBatchNormalization
from .head_training import dense_layers
from .planned_model import PlannedModel, make_loss, make_optimizer

# Half precision: at 96 px the input of block 13 is 7 kB a view then. Not float16: the maps of a
# random network are of the order of 1e-12.
_STORED_DTYPE = np.dtype(ml_dtypes.bfloat16)
# Bytes of stored maps that are kept in memory; more goes to a temporary file.
_MEMORY_BOUND = 4 * 2**30
_EVALUATION_BATCH = 256

# Batch normalisation keeps its stored statistics; its scale and shift are trained. Statistics of
# a batch of other images, or at another size, differ so much that the head trained on the frozen
# network's features starts from another function: on the digits the loss jumps from 0.04 to 8
# (stored: to 0.17). And they end lower: on 10,000 of CIFAR-10's training images, four epochs of
# the top 4 blocks at 96 px and 5e-4, 0.854 of 3,000 other training images against 0.869.
BATCH_STATISTICS = False


def lower_network(frozen, first_unfrozen):
    """Return the part of `frozen` below the unit `first_unfrozen`, as a `FrozenNetwork`."""
    last = first_unfrozen - 1
    return replace(frozen, last=last, weights=frozen.weights[: n_arrays(frozen.network, last)])


def store_maps(shape):
    """Return an empty array for the maps of the lower network, in memory or in a file."""
    if math.prod(shape) * _STORED_DTYPE.itemsize <= _MEMORY_BOUND:
        return np.empty(shape, _STORED_DTYPE)
    with tempfile.TemporaryFile(prefix="skcifar-maps-") as file:  # lives as long as the map
        return np.memmap(file, _STORED_DTYPE, shape=shape)


def fine_tune(
    frozen,
    head,
    settings,
    first_unfrozen,
    inputs_by_epoch,
    labels,
    weights,
    schedule,
    *,
    validation_data=None,
    best=None,
    callbacks=(),
    checkpoint=None,
):
    """Train the units from `first_unfrozen` up, and the head.

    Parameters
    ----------
    frozen : FrozenNetwork
        The whole network as it is; left as it is.
    head : Head
    settings : HeadSettings
    first_unfrozen : int
    inputs_by_epoch : callable
        From the number of an epoch to what `lower_network` puts out, or to images for the whole
        network: views of rows, to be indexed as `Schedule` numbers them.
    labels, weights : ndarray of shape (n,)
    schedule : Schedule
    validation_data : (inputs, labels, weights), default=None
        Inputs without views.
    best : BestWeights, default=None
        Whose weights are taken in the end, if it saw better ones than those of `head`.
    callbacks : sequence of keras.callbacks.Callback
    checkpoint : PhaseCheckpoint, default=None

    Returns
    -------
    frozen : FrozenNetwork
    head : Head
    history : dict of list of float
    """
    model = _build_top(frozen, head, settings, first_unfrozen)
    history = model.fit(
        None,
        labels,
        row_weights=weights,
        schedule=schedule,
        inputs_by_epoch=inputs_by_epoch,
        validation_data=validation_data,
        epochs=schedule.first_epoch + schedule.n_epochs,
        initial_epoch=schedule.first_epoch,
        callbacks=[*callbacks] if best is None else [*callbacks, best],
        checkpoint=checkpoint,
    ).history
    n_epochs = schedule.first_epoch + len(history["loss"])
    if best is not None:
        if best.weights is None:
            return frozen, replace(head, n_epochs=n_epochs), history
        model.set_weights(best.weights)
    # The optimizer of this phase ends here: its state belongs to other variables than the head's.
    head = head.trained(model.head.get_weights(), [], n_epochs)
    return tuned_network(frozen, first_unfrozen, model), head, history


def tuned_network(frozen, first_unfrozen, model):
    """Return `frozen` with the weights that `model` has from the unit `first_unfrozen` up."""
    n_tuned = len(frozen.weights) - n_arrays(frozen.network, first_unfrozen - 1)
    tuned = tuple(model.units.get_weights()[-n_tuned:])
    return replace(frozen, weights=frozen.weights[:-n_tuned] + tuned)


def _build_top(frozen, head, settings, first_unfrozen):
    """Return the model that is trained, with the weights of `frozen` and `head`."""
    units = build_units(
        frozen.network,
        first_unfrozen,
        LAST_CONVOLUTION,
        pooled=True,
        batch_normalization=FusedBatchNormalization,
    )
    units.set_weights(frozen.weights[len(frozen.weights) - len(units.weights) :])
    if first_unfrozen == STEM:
        images = keras.Input(frozen.image_shape, dtype="float32")
        pixels = KerasLayers().preprocess(images, frozen.image_shape, frozen.preprocessing)
        units = keras.Model(images, units(pixels))
    model = PlannedModel(
        _build_raw_head(head, settings),
        units,
        batch_statistics=BATCH_STATISTICS,
        evaluation_batch=_EVALUATION_BATCH,
    )
    model.compile(
        make_optimizer(settings.optimizer, settings.weight_decay),
        make_loss(settings.label_smoothing),
    )
    return model


def _build_raw_head(head, settings):
    """Return a trainable head with the standardisation in front."""
    inputs = keras.Input((settings.n_features,), dtype="float32")
    scale = 1 / head.standardization.scale
    offset = -head.standardization.mean * scale
    x = keras.layers.Rescaling(scale, offset, dtype="float32")(inputs)
    model = keras.Model(inputs, dense_layers(x, settings))
    model.set_weights(head.weights)
    return model
