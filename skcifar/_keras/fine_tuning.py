"""Trains the top blocks of the network with the head; the blocks below run once an image.

Imports TensorFlow and Keras at the top: import this module inside functions.
"""

import math
from dataclasses import replace

import keras

from .._model.network import STEM
from .._system.interrupts import ctrl_c_waits
from .faster_parts import FusedBatchNormalization
from .folded_layers import FoldedLayers
from .heads import build_raw_head
from .layers import KerasLayers, build_features
from .memory import forget_compiled_steps
from .planned_model import PlannedModel, make_loss, make_optimizer
from .sizes import WholeOrCropped

# Rows of the validation set at a time, and the most bytes of them.
_EVALUATION_BATCH, _EVALUATION_BYTES = 256, 2**27

# Batch normalisation keeps its stored statistics. Statistics of a batch of other images, or at
# another size, differ so much that the head trained on the frozen network's features starts from
# another function: on the digits the loss jumps from 0.04 to 8 (stored: to 0.17). And they end
# lower: on 10,000 of CIFAR-10's training images, four epochs of the top 4 blocks at 96 px and
# 5e-4, 0.865 of 3,000 other training images against 0.878. That is what
# `benchmarks/fine_tuning.py --choices` compares; nothing else sets it, nor what follows. Crops
# do not work with it: two sizes share their layers in `FoldedLayers` alone.
BATCH_STATISTICS = False
# Its scale and shift stay as they are, too: training them takes 7 % of a step and is worth nothing.
# 5,000 training images, four epochs at 96 px and 5e-4, 3,000 others, bfloat16, three seeds: top 4
# blocks 0.823, with scale and shift trained 0.825; top 11 blocks 0.863 and (two seeds) 0.858.
NORMALIZATION_IS_TRAINED = False


def fine_tune(
    frozen, head, settings, first_unfrozen, inputs_by_epoch, phase, precision, *, cropped=None
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
        From the number of an epoch to what the network below `first_unfrozen` puts out, or to
        images for the whole network: views of rows, to be indexed as `Schedule` numbers them.
    phase : Phase
        If `best` saw no better weights than those of `head`, all stays as it is.
    precision : {"float32", "bfloat16"}
        That of the products of 1 x 1 convolutions.
    cropped : FrozenNetwork, default=None
        `frozen` for crops, if some epochs have these.

    Returns
    -------
    frozen : FrozenNetwork
    head : Head
    history : dict of list of float
    """
    forget_compiled_steps()  # of fits before this one, whose models are gone by now
    model = _build_top(frozen, head, settings, first_unfrozen, precision, cropped)
    history = model.fit(None, phase.labels, phase=phase, inputs_by_epoch=inputs_by_epoch).history
    n_epochs = phase.schedule.first_epoch + len(history["loss"])
    if phase.best is not None:
        if phase.best.weights is None:
            return frozen, replace(head, n_epochs=n_epochs), history
        model.set_weights(phase.best.weights)
    # The optimizer of this phase ends here: its state belongs to other variables than the head's.
    head = head.trained(model.head.get_weights(), [], n_epochs)
    return tuned_network(frozen, first_unfrozen, model), head, history


def tuned_network(frozen, first_unfrozen, model):
    """Return `frozen` with the weights that `model` has from the unit `first_unfrozen` up."""
    weights, n_tuned = model.units.get_weights(), frozen.n_arrays_from(first_unfrozen)
    return frozen.tuned(first_unfrozen, weights[len(weights) - n_tuned :])


@ctrl_c_waits()
def _build_top(frozen, head, settings, first_unfrozen, precision, cropped):
    """Return the model that is trained, with the weights of `frozen` and `head`."""
    layers = FoldedLayers(precision, NORMALIZATION_IS_TRAINED)
    if BATCH_STATISTICS:
        layers = KerasLayers(batch_normalization=FusedBatchNormalization)
    units = _build_units(frozen, first_unfrozen, layers)
    if cropped is not None:
        units = WholeOrCropped(units, _build_units(cropped, first_unfrozen, layers))
    row_bytes = 4 * math.prod(units.input_shape[1:])
    model = PlannedModel(
        build_raw_head(head, settings),
        units,
        batch_statistics=BATCH_STATISTICS,
        evaluation_batch=min(_EVALUATION_BATCH, max(1, _EVALUATION_BYTES // row_bytes)),
    )
    model.compile(
        make_optimizer(settings.optimizer, settings.weight_decay),
        make_loss(settings.label_smoothing),
    )
    model.optimizer.build(model.trainable_variables)  # else the step is traced twice
    return model


def _build_units(frozen, first_unfrozen, layers):
    """Return the units that are trained: from the maps that enter them, or from images."""
    units = build_features(frozen, first_unfrozen, layers)
    needed = frozen.needed_weights
    units.set_weights(needed[len(needed) - len(units.weights) :])
    if first_unfrozen != STEM:
        return units
    images = keras.Input(frozen.image_shape, dtype="float32")
    pixels = KerasLayers().preprocess(images, frozen.image_shape, frozen.preprocessing)
    return keras.Model(images, units(pixels))
