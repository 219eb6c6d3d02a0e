"""A network that is not trained, and what is done to the images before it."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .network import STEM, Network
from .preprocessing import preprocessing_arrays

# A new number whenever a row means something else: a store of another version is never read.
FORMAT_VERSION = 1


@dataclass(frozen=True, eq=False)
class FrozenNetwork:
    """A network that is not trained, and what is done to the images before it.

    Parameters
    ----------
    network : Network
        Shape of the whole network.
    weights : tuple of ndarray
        Arrays of the units up to `last`, in the order of ``build_units(...).get_weights()``.
    image_shape : tuple of int
        (height, width, channels) of the images.
    pixel_range : tuple of float
        (low, high) of their pixels.
    mirrored : bool, default=False
        Whether images are mirrored left to right.
    translation : int, default=0
        Above 0, each image is shifted, by up to an eighth of its sides, by an amount that derives
        from this number and from the image.
    last : int, default=None
        Last unit that is run; None is that of the network, whose map is averaged over the pixels.
    """

    network: Network
    weights: tuple = field(repr=False)
    image_shape: tuple
    pixel_range: tuple
    mirrored: bool = False
    translation: int = 0
    last: int | None = None

    def __post_init__(self):
        if self.last is None:  # a number, as it stands in files and in keys of caches
            object.__setattr__(self, "last", self.network.last_unit)

    @property
    def pooled(self):
        return self.last == self.network.last_unit

    @property
    def feature_shape(self):
        """Shape of what comes out for one image."""
        if self.pooled:
            return (self.network.n_features,)
        return self.network.input_shape(self.last + 1)

    @cached_property
    def preprocessing(self):
        return preprocessing_arrays(
            self.network, self.image_shape, self.pixel_range, mirrored=self.mirrored
        )

    @cached_property
    def fingerprint(self):
        """Digest of all that decides the features, the content of the weights included."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((FORMAT_VERSION, self)).encode())
        for array in self.weights:
            digest.update(np.ascontiguousarray(array))
        return digest.digest()

    def below(self, unit):
        """Return the part below `unit`, as a network of its own."""
        return replace(self, last=unit - 1, weights=self.weights[: self.network.n_arrays(unit - 1)])

    def tuned(self, first_unfrozen, arrays):
        """Return the network with other weights from the unit `first_unfrozen` up."""
        kept = self.weights[: self.network.n_arrays(first_unfrozen - 1)]
        return replace(self, weights=(*kept, *arrays))


def apply_frozen(layers, x, frozen):
    """Apply what `frozen` does to images `x`, with the operations of `layers`."""
    x = layers.preprocess(x, frozen.image_shape, frozen.preprocessing)
    x = frozen.network.apply(layers, x, STEM, frozen.last)
    return layers.pool(x) if frozen.pooled else layers.to_channels_last(x)
