"""What `augmentation` stands for: stored views of the images, or images drawn anew every epoch.

Views are networks that mirror or shift the image first: each is run once an image, and every
epoch draws one of them. A Keras layer draws images that nobody has seen before, so the network
has to run over them in every epoch.
"""

import copy
import warnings
from dataclasses import replace

import numpy as np
from sklearn.utils import gen_batches

from .._extraction.shifting import furthest_shift, shifted
from .._system.interrupts import ctrl_c_waits
from .._validation.parameters import option, satisfying
from .schedule import AUGMENTATION_STREAM

# Images that a Keras layer changes at a time.
_BATCH_SIZE = 256


def _is_keras_layer(value):
    """Whether `value` is one; Keras is not imported for it."""
    return any(
        cls.__name__ == "Layer" and cls.__module__.partition(".")[0] == "keras"
        for cls in type(value).__mro__
    )


AUGMENTATION_CONSTRAINT = option(None, "flip", "flip_translate", "flip_crop") | satisfying(
    "a Keras layer", _is_keras_layer
)


def is_drawn_anew(augmentation):
    """Whether every epoch shows images that no epoch showed before."""
    return augmentation is not None and not isinstance(augmentation, str)


def is_cropped(augmentation):
    """Whether fine-tuning shows parts of the images."""
    return isinstance(augmentation, str) and augmentation == "flip_crop"


def stored_views(frozen, augmentation):
    """Return the networks whose outputs are kept: one a view of the image, itself first."""
    if augmentation is None or is_drawn_anew(augmentation):
        return [frozen]
    views = [frozen, frozen.mirror_image]
    if augmentation == "flip_translate":
        views += [replace(view, translation=number) for number, view in enumerate(views, start=1)]
    return views


def warn_of_repeated_work(augmentation, n_images, n_epochs):
    """Say that the network runs in every epoch, if it does."""
    if is_drawn_anew(augmentation):
        warnings.warn(
            f"augmentation={type(augmentation).__name__} draws new images in every epoch: the "
            f"network runs over {n_images} images in each of {n_epochs} epochs, not once. "
            'The views of "flip", "flip_translate" and "flip_crop" are computed once.',
            UserWarning,
            stacklevel=5,
        )


_UNSUITABLE = {
    "AugMix": "draws from Python's global random numbers, which random_state does not decide",
    "CutMix": "mixes images of different classes, while each keeps its label",
    "MixUp": "mixes images of different classes, while each keeps its label",
}


def check_augmentation(augmentation):
    """Raise before any work if a Keras layer cannot be used.

    Raises
    ------
    ValueError
        If it cannot be copied, or does what a fit cannot follow.
    """
    if not is_drawn_anew(augmentation):
        return
    names = [type(layer).__name__ for layer in augmentation._flatten_layers()]
    for name in filter(_UNSUITABLE.get, names):
        raise ValueError(
            f"augmentation={type(augmentation).__name__} cannot be used: {name} "
            f"{_UNSUITABLE[name]}. Pass another layer, such as keras.layers.RandAugment."
        )
    try:
        _copy(augmentation)
    except Exception as error:  # of any type: it is the layer's own code
        raise ValueError(
            f"augmentation={type(augmentation).__name__} cannot be copied, which each fit does "
            f"({type(error).__name__}). Pass a layer that Keras can make again from what its "
            "get_config returns: most of its own (not RandomShear), and a class of yours with "
            "get_config and @keras.saving.register_keras_serializable()."
        ) from error


def images_by_epoch(images, augmentation, seed):
    """Return a function from the number of an epoch to its images, changed as they are read.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    augmentation : {None, "flip", "flip_translate", "flip_crop"} or keras.layers.Layer
    seed : int
    """
    if augmentation is None:
        return same_every_epoch(images)
    if is_drawn_anew(augmentation):
        layer = _copy(augmentation)
        return lambda epoch: LayerImages(images, layer, [seed, epoch])

    def of_epoch(epoch):
        rng = np.random.default_rng([seed, AUGMENTATION_STREAM, epoch])
        shifts_too = augmentation == "flip_translate"
        furthest = furthest_shift(images.shape[1:3]).astype(int) * shifts_too
        shifts = rng.integers(-furthest, furthest, size=(len(images), 2), endpoint=True)
        return ShiftedImages(images, rng.random(len(images)) < 0.5, shifts)

    return of_epoch


def _copy(layer):
    # Keras warns of weights that might be missing when it copies a model that has none yet.
    return copy.deepcopy(layer) if layer.built else type(layer).from_config(layer.get_config())


def same_every_epoch(inputs):
    """Return a function from the number of any epoch to `inputs`."""
    return lambda epoch: inputs


class ShiftedImages:
    """Images that are mirrored and shifted when rows are asked for.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    mirrored : ndarray of shape (n,), bool
    shifts : ndarray of shape (n, 2), int
        Pixels by which rows and columns are shifted; edge pixels fill the gap.
    """

    def __init__(self, images, mirrored, shifts):
        self._images, self._mirrored, self._shifts = images, mirrored, shifts

    def __getitem__(self, numbers):
        return shifted(self._images[numbers], self._shifts[numbers], self._mirrored[numbers])


class LayerImages:
    """Images that go through a Keras layer when rows are asked for, in order.

    Parameters
    ----------
    images : ndarray of shape (n, height, width, channels)
    layer : keras.layers.Layer
        Called with float32 pixels in the range of `images`, and ``training=True``.
    seed : list of two ints
        What the random numbers of the layer derive from.

    Raises
    ------
    ValueError
        If the layer changes the shape of the images.
    """

    def __init__(self, images, layer, seed):
        self._images, self._layer = images, layer
        generators = [v for v in layer.variables if v.name == "seed_generator_state"]
        for number, state in enumerate(generators):
            state.assign([seed[0], seed[1] * len(generators) + number])

    dtype = np.dtype(np.float32)

    def __len__(self):
        return len(self._images)

    def __getitem__(self, numbers):
        images = self._images[numbers]
        changed = np.empty(images.shape, np.float32)
        for part in gen_batches(len(images), _BATCH_SIZE) if len(images) else ():
            batch = images[part].astype(np.float32)
            with ctrl_c_waits():
                outputs = np.asarray(self._layer(batch, training=True))
            if outputs.shape != batch.shape:
                raise ValueError(
                    "The layer given as augmentation must keep the shape of the images. It made "
                    f"{outputs.shape[1:]} of {batch.shape[1:]}."
                )
            changed[part] = outputs
        return changed
