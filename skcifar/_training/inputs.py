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
from .augmentation import images_by_epoch, is_drawn_anew, same_every_epoch, stored_views


class TrainingInputs:
    """Runs the network over the images of one fit.

    Parameters
    ----------
    extractor : Extractor
    augmentation : {None, "flip", "flip_translate"} or keras.layers.Layer
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

    def features(self, frozen, images):
        """Return the features of each view, of shape (n, n_views, n_features)."""
        views = stored_views(frozen, self._augmentation)
        features = np.empty((len(images), len(views), *frozen.feature_shape), np.float32)
        return self._run(self._extractor, views, images, features)

    def drawn_features(self, frozen, images):
        """Return a function from an epoch to features (n, n_features); None if views are kept."""
        if not is_drawn_anew(self._augmentation):
            return None
        return self._drawn(frozen, images, partial(np.empty, dtype=np.float32))

    def held_out_features(self, frozen, images):
        """Return the features of images as they are, of shape (n, n_features)."""
        self._progress.phase("features", len(images))
        return self._extractor.extract(frozen, images, progress=self._progress.advance)

    def maps_by_epoch(self, frozen, first_unfrozen, images):
        """Return a function from an epoch to what enters the unit `first_unfrozen`.

        Of shape (n * n_views, height, width, channels), or images that are changed as they are
        read if that unit is the first.
        """
        if first_unfrozen == STEM:
            return images_by_epoch(self._pixels(images), self._augmentation, self._seed)
        lower = frozen.below(first_unfrozen)
        if is_drawn_anew(self._augmentation):
            return self._drawn(lower, images, _store_maps)
        return same_every_epoch(self._maps(stored_views(lower, self._augmentation), images))

    def held_out_maps(self, frozen, first_unfrozen, images):
        """Return what enters the unit `first_unfrozen` of images as they are."""
        if first_unfrozen == STEM:
            return self._pixels(images)
        return self._maps([frozen.below(first_unfrozen)], images)

    def _maps(self, views, images):
        shape = views[0].feature_shape
        maps = _store_maps((len(images), len(views), *shape))
        # Not in the store: they are larger than features, and would push these out.
        self._run(replace(self._extractor, store=None), views, images, maps)
        return maps.reshape(-1, *shape)

    def _run(self, extractor, views, images, out):
        self._progress.phase("features", len(images) * len(views))
        for rows, parts in extractor.iterate_views(views, images, self._progress.advance):
            for number, part in enumerate(parts):
                out[rows, number] = part
        return out

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


def _store_maps(shape):
    return _store(_MAPS, shape, _STORED_DTYPE)


def _store(what, shape, dtype):
    """Return an empty array, in memory or in a file."""
    if math.prod(shape) * dtype.itemsize <= _MEMORY_BOUND:
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
