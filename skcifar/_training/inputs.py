"""What training sees of the images: what the network, or its lower part, puts out for them.

Views are computed once and kept; what a Keras layer draws is computed anew in every epoch.
"""

import errno
import math
import os
import tempfile
from dataclasses import replace
from functools import partial

import ml_dtypes
import numpy as np

from .._images.image_files import ImageFiles, decode_into
from .._model.network import STEM
from .augmentation import (
    images_by_epoch,
    is_cropped,
    is_drawn_anew,
    same_every_epoch,
    stored_views,
)
from .crops import CROP_SHARE, crops_by_epoch


class TrainingInputs:
    """Runs the network over the images of one fit.

    Parameters
    ----------
    extractor : Extractor
    augmentation : {None, "flip", "flip_translate", "flip_crop"} or keras.layers.Layer
    seed : int
        What drawn images derive from.
    progress : Progress
    """

    def __init__(self, extractor, augmentation, seed, progress):
        self._extractor = extractor
        self._augmentation = augmentation
        self._seed = seed
        self._progress = progress
        self._decoded = {}  # pixels of files, by the `id` of an `ImageFiles` that the fit keeps
        self._maps = None

    def features(self, frozen, images, first_unfrozen=None):
        """Return the features of each view, of shape (n, n_views, n_features).

        With `first_unfrozen`, `maps_by_epoch` of this unit is to follow: what it needs is kept on
        the way, where one pass over the images serves both.
        """
        views = stored_views(frozen, self._augmentation)
        features = np.empty((len(images), len(views), *frozen.feature_shape), np.float32)
        advance = self._progress.advance
        self._progress.phase("features", len(images) * len(views))
        if first_unfrozen in (None, STEM) or is_drawn_anew(self._augmentation):
            for rows, parts in self._extractor.iterate_views(views, images, advance):
                for number, part in enumerate(parts):
                    features[rows, number] = part
            return features
        shape = frozen.below(first_unfrozen).feature_shape
        # Training the head takes the features twice.
        maps = _store_maps((len(images), len(views), *shape), beside=2 * features.nbytes)
        pairs_by_view = self._extractor.iterate_with_maps(views, first_unfrozen, images, advance)
        for rows, pairs in pairs_by_view:
            for number, pair in enumerate(pairs):
                features[rows, number], maps[rows, number] = pair
        self._maps = maps.reshape(-1, *shape)
        return features

    def drawn_features(self, frozen, images):
        """Return a function from an epoch to features (n, n_features); None if views are kept."""
        if not is_drawn_anew(self._augmentation):
            return None
        return self._drawn(frozen, images, partial(np.empty, dtype=np.float32))

    def held_out_features(self, frozen, images):
        """Return the features of images as they are, of shape (n, n_features)."""
        self._progress.phase("features", len(images))
        return self._extractor.extract(frozen, images, progress=self._progress.advance)

    def cropped_network(self, frozen, first_unfrozen):
        """Return `frozen` for the crops that `maps_by_epoch` has; None if it has none."""
        if not is_cropped(self._augmentation):
            return None
        cropped = frozen.cropped(CROP_SHARE)
        cuts = cropped.map_shape(first_unfrozen) != frozen.map_shape(first_unfrozen)
        return cropped if cuts else None  # a map of few pixels stays whole

    def maps_by_epoch(self, frozen, first_unfrozen, images, schedule):
        """Return a function from an epoch of `schedule` to what enters the unit `first_unfrozen`.

        Views are those that `features` kept, which was told the unit; they are handed over once.
        Of shape (n * n_views, height, width, channels), or images that are changed as they are
        read if that unit is the first. Some epochs may have crops of these.
        """
        inputs_by_epoch = self._whole_maps_by_epoch(frozen, first_unfrozen, images)
        cropped = self.cropped_network(frozen, first_unfrozen)
        if cropped is None:
            return inputs_by_epoch
        shapes = (network.map_shape(first_unfrozen) for network in (frozen, cropped))
        return crops_by_epoch(inputs_by_epoch, len(images) * schedule.n_views, *shapes, schedule)

    def _whole_maps_by_epoch(self, frozen, first_unfrozen, images):
        if first_unfrozen == STEM:
            return images_by_epoch(self._pixels(images), self._augmentation, self._seed)
        if is_drawn_anew(self._augmentation):
            return self._drawn(frozen.below(first_unfrozen), images, _store_maps)
        maps, self._maps = self._maps, None
        return same_every_epoch(maps)

    def held_out_maps(self, frozen, first_unfrozen, images):
        """Return what enters the unit `first_unfrozen` of images as they are."""
        if first_unfrozen == STEM:
            return self._pixels(images)
        lower = frozen.below(first_unfrozen)
        maps = _store_maps((len(images), *lower.feature_shape))
        # Not in the store: they are larger than features, and would push these out.
        extractor = replace(self._extractor, store=None)
        self._progress.phase("features", len(images))
        for rows, part in extractor.iterate(lower, images, self._progress.advance):
            maps[rows] = part
        return maps

    def _pixels(self, images):
        """Return images that every epoch looks at anew: of files, decoded once a fit."""
        if not isinstance(images, ImageFiles):
            return images
        if id(images) not in self._decoded:
            pixels = _store("The decoded pictures", images.shape, images.dtype)
            self._progress.phase("pictures", len(images))
            decode_into(pixels, images, self._progress.advance)
            self._decoded[id(images)] = pixels
        return self._decoded[id(images)]

    def _drawn(self, frozen, images, make_array):
        # Not looked up and not kept: nobody sees these images again.
        extractor = replace(self._extractor, store=None)
        drawn = images_by_epoch(self._pixels(images), self._augmentation, self._seed)

        def of_epoch(epoch):
            outputs = make_array((len(images), *frozen.feature_shape))
            for rows, part in extractor.iterate(frozen, drawn(epoch)):
                outputs[rows] = part
            return outputs

        return of_epoch


# Half precision: at 96 px the input of block 13 is 7 kB a view then. Not float16: the maps of a
# random network are of the order of 1e-12.
_STORED_DTYPE = np.dtype(ml_dtypes.bfloat16)
_MAPS = "The outputs of the frozen blocks, one for each image and view,"
# Bytes that are kept in memory; more goes to a temporary file.
_MEMORY_BOUND = 4 * 2**30


def _store_maps(shape, beside=0):
    return _store(_MAPS, shape, _STORED_DTYPE, beside)


def _store(what, shape, dtype, beside=0):
    """Return an empty array: in memory, if it has room `beside` so many bytes, or in a file."""
    if math.prod(shape) * dtype.itemsize + beside <= _MEMORY_BOUND:
        return np.empty(shape, dtype)
    with tempfile.TemporaryFile(prefix="skcifar-maps-") as file:  # lives as long as the map
        _reserve(file, math.prod(shape) * dtype.itemsize, what)
        return np.memmap(file, dtype, shape=shape)


def _reserve(file, n_bytes, what):
    """Take the room of a temporary file now: a map that finds none later kills the process."""
    if not hasattr(os, "posix_fallocate"):
        return
    try:
        os.posix_fallocate(file.fileno(), 0, n_bytes)
    except OSError as error:
        if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # a file system without this call
            return
        raise OSError(
            error.errno,
            f"{what} need {n_bytes / 2**30:.1f} GiB, and there is no room for them in "
            f"{tempfile.gettempdir()}. Set the environment variable TMPDIR to a folder with more "
            f"room, or reduce {'input_size' if what == _MAPS else 'image_size'} or the number of "
            "images.",
        ) from error
