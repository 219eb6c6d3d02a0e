"""A network that is not trained, and what is done to the images before it."""

import hashlib
import math
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .network import STEM, Network
from .preprocessing import preprocessing_arrays

# A new number whenever a row means something else: a store of another version is never read.
FORMAT_VERSION = 1

# How far `views` move images, as a share of their sides. After fine-tuning at 96 px with 45,000 of
# CIFAR-10's training images, accuracy and log loss on the other 5,000: mirrored 0.948, 0.234; also
# moved by a 32nd 0.952, 0.224; a 16th 0.951, 0.224; an eighth 0.951, 0.240; a 16th along the
# diagonals 0.951, 0.229. All 25 moves by up to a 16th, 0.952, 0.223, take five times as long.
_MOVE = 1 / 16


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
    moved_by : tuple of int, default=(0, 0)
        By how many pixels every image moves up and left before anything else; pixels of the edge
        fill the gap.
    last : int, default=None
        Last unit of this part; None is that of the network.
    feature_layers : {"last", "blocks", "all", "depthwise"}, default="last"
        Of a whole network, the maps that are averaged over the pixels. A lower part puts out its
        last map, and if some of these maps are below its end, flat, with their averages behind.
    map_below : int, default=None
        A unit of a whole network: what enters it is put out, too, flat, behind the features.
    """

    network: Network
    weights: tuple = field(repr=False)
    image_shape: tuple
    pixel_range: tuple
    mirrored: bool = False
    translation: int = 0
    last: int | None = None
    # Not in the `repr`, so that keys of caches are as they were before these came.
    feature_layers: str = field(default="last", repr=False)
    moved_by: tuple = field(default=(0, 0), repr=False)
    map_below: int | None = field(default=None, repr=False)

    def __post_init__(self):
        if self.last is None:  # a number, as it stands in files and in keys of caches
            object.__setattr__(self, "last", self.network.last_unit)

    @property
    def is_whole(self):
        return self.last == self.network.last_unit

    @cached_property
    def features(self):
        """The maps in this part whose averages are features, as a tuple of `FeatureLayer`."""
        layers = self.network.features(self.feature_layers)
        return tuple(layer for layer in layers if layer.unit <= self.last)

    @property
    def last_needed(self):
        """Last unit that has to be run: what no feature needs is left out."""
        return max(layer.unit for layer in self.features) if self.is_whole else self.last

    @property
    def needed_weights(self):
        """Arrays of what has to be run."""
        return self.weights[: self._n_needed_arrays]

    @property
    def _n_needed_arrays(self):
        if not self.is_whole:
            return len(self.weights)
        of_map = 0 if self.map_below is None else self.network.n_arrays(self.map_below - 1)
        return max(of_map, *(layer.n_arrays for layer in self.features))

    @property
    def n_features(self):
        return sum(layer.width for layer in self.features)

    @property
    def feature_shape(self):
        """Shape of what comes out for one image."""
        if self.map_below is not None:
            return (self.n_features + math.prod(self.network.input_shape(self.map_below)),)
        if self.is_whole:
            return (self.n_features,)
        map_shape = self.network.input_shape(self.last + 1)
        return (math.prod(map_shape) + self.n_features,) if self.features else map_shape

    @cached_property
    def preprocessing(self):
        return preprocessing_arrays(
            self.network,
            self.image_shape,
            self.pixel_range,
            mirrored=self.mirrored,
            moved_by=self.moved_by,
        )

    @cached_property
    def mirror_image(self):
        """The same network for images that are mirrored first; one object, so one fingerprint."""
        return replace(self, mirrored=True)

    @cached_property
    def moved_and_mirrored(self):
        """The same network for images that are moved in each direction or not, mirrored or not."""
        up, left = (max(1, round(side * _MOVE)) for side in self.image_shape[:2])
        moves = (up, 0), (-up, 0), (0, left), (0, -left)
        seen = self, self.mirror_image
        return (*seen, *(replace(view, moved_by=move) for view in seen for move in moves))

    def views(self, test_time_augmentation):
        """Return the networks whose probabilities are averaged, this one first."""
        if test_time_augmentation == "flip_translate":
            return self.moved_and_mirrored
        return (self, self.mirror_image) if test_time_augmentation else (self,)

    @cached_property
    def unshifted(self):
        """The same network for images that were shifted already."""
        is_shifted = self.translation or any(self.moved_by)
        return replace(self, translation=0, moved_by=(0, 0)) if is_shifted else self

    def cropped(self, share):
        """Return the same network for crops of about this share of the sides, at their scale."""
        network = self.network.cropped(share)
        share = network.input_size / self.network.input_size
        height, width, channels = self.image_shape
        shape = max(1, round(height * share)), max(1, round(width * share)), channels
        return replace(self, network=network, image_shape=shape)

    def map_shape(self, unit):
        """Return the (height, width, channels) that enters `unit`, of the images for the first."""
        return tuple(self.image_shape) if unit == STEM else self.network.input_shape(unit)

    @cached_property
    def after_resizing(self):
        """The same network for images that were mirrored, resized and scaled already."""
        network = self.network
        return replace(
            self.unshifted,
            image_shape=network.input_shape(STEM),
            pixel_range=tuple(network.pixel_range),
            mirrored=False,
        )

    @property
    def takes_images_as_they_are(self):
        """Whether there is nothing to be done to the images."""
        network = self.network
        return (
            tuple(self.image_shape) == network.input_shape(STEM)
            and tuple(self.pixel_range) == tuple(network.pixel_range)
            and not self.mirrored
            and not any(self.moved_by)
        )

    @cached_property
    def fingerprint(self):
        """Digest of all that decides the features, the content of the weights included."""
        digest = hashlib.blake2b(digest_size=16)
        digest.update(repr((FORMAT_VERSION, self)).encode())
        if self.feature_layers != "last":
            digest.update(self.feature_layers.encode())
        if any(self.moved_by):
            digest.update(repr(self.moved_by).encode())
        if self.map_below is not None:
            digest.update(f"map below {self.map_below}".encode())
        for array in self.weights:
            digest.update(np.ascontiguousarray(array))
        return digest.digest()

    def __getstate__(self):
        """Leave out what is computed when it is asked for."""
        names = self.__dataclass_fields__
        return {name: value for name, value in vars(self).items() if name in names}

    def below(self, unit):
        """Return the part below `unit`, as a network of its own."""
        weights = self.weights[: self.network.n_arrays(unit - 1)]
        return replace(self, last=unit - 1, weights=weights, map_below=None)

    def with_map_below(self, unit):
        """Return this network with what enters `unit` behind its features."""
        return replace(self, map_below=unit)

    def split(self, rows):
        """Return the features in `rows`, and what the part below `map_below` puts out."""
        features, maps = np.split(rows, [self.n_features], axis=1)
        lower = self.below(self.map_below)
        maps = np.concatenate([maps, features[:, : lower.n_features]], axis=1)
        return features, maps.reshape(-1, *lower.feature_shape)

    def tuned(self, first_unfrozen, arrays):
        """Return the network with other weights in the units from `first_unfrozen` up."""
        start = self.network.n_arrays(first_unfrozen - 1)
        kept = self.weights[:start], self.weights[start + len(arrays) :]
        return replace(self, weights=(*kept[0], *arrays, *kept[1]))

    def n_arrays_from(self, unit):
        """Return how many arrays hold what has to be run from `unit` up."""
        return max(0, self._n_needed_arrays - self.network.n_arrays(unit - 1))


def apply_frozen(layers, x, frozen):
    """Apply what `frozen` does to images `x`, with the operations of `layers`."""
    if frozen.takes_images_as_they_are:
        x = layers.from_channels_last(x)
    else:
        x = layers.preprocess(x, frozen.image_shape, frozen.preprocessing)
    if frozen.map_below is not None:
        x, lower = apply_with_features(layers, x, frozen, STEM, frozen.map_below - 1)
        _, upper = apply_with_features(layers, x, frozen, frozen.map_below)
        return layers.concatenate([*lower, *upper, _flat(layers, x)])
    x, features = apply_with_features(layers, x, frozen, STEM)
    if frozen.is_whole:
        return layers.concatenate(features)
    if features:
        return layers.concatenate([_flat(layers, x), *features])
    return layers.to_channels_last(x)


def _flat(layers, x):
    return layers.flatten(layers.to_channels_last(x))


def apply_with_features(layers, x, frozen, first, last=None):
    """Apply the units of `frozen` from `first` up; return the last map and a list of features.

    The features are the averages of its feature layers among these units.
    """
    wanted, features = {layer.name for layer in frozen.features}, []

    def tap(name, x):
        if name in wanted:
            features.append(layers.pool(x, name))

    last = frozen.last_needed if last is None else last
    x = frozen.network.apply(layers, x, first, last, tap)
    return x, features
