"""Computes features in chunks: looked up, run through the network, kept."""

import functools
import hashlib
import math
import mmap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from .._images.unreadable import error_about
from .._validation.selected_rows import SelectedRows
from . import engines
from .chunks import looked_at

# Images whose features are looked up, computed and kept at a time: bounds memory, and what a
# killed run loses.
_CHUNK_SIZE = 4096
_CHUNK_BYTES = 2**26  # of images, or of features; no more images than that, but at least one


@dataclass(frozen=True)
class Extractor:
    """Computes the features of images, running a network once over each.

    Parameters
    ----------
    engine : {"tensorflow", "openvino"}
    precision : {"float32", "bfloat16"}
    store : MemoryStore, DiskStore or None, default=None
        Where features are looked up and kept.
    """

    engine: str
    precision: str = "float32"
    store: object = None

    def may_warn_again(self):
        """Let the store warn: it does so once after each call of this, however often it fails."""
        if self.store is not None:
            self.store.may_warn_again()

    def extract(self, frozen, images, *, progress=None):
        """Return the features of all `images`.

        Parameters
        ----------
        frozen : FrozenNetwork
        images : ndarray of shape (n, height, width, channels), SelectedRows or ImageFiles
            Read in chunks; never converted as a whole.
        progress : callable, default=None
            Called with the number of images done since the last call.

        Returns
        -------
        ndarray of shape (n, *frozen.feature_shape), float32
        """
        features = np.empty((len(images), *frozen.feature_shape), np.float32)
        for rows, part in self.iterate(frozen, images, progress):
            features[rows] = part
        return features

    def iterate(self, frozen, images, progress=None):
        """Yield (slice of rows, features of these rows), for any number of images."""
        for rows, (part,) in self.iterate_views([frozen], images, progress):
            yield rows, part

    def iterate_views(self, views, images, progress=None):
        """Yield (slice of rows, list of their features by each of several networks).

        Pictures in files are decoded once for all networks. If some cannot be read, the rest is
        only read, too, and one error names them all.

        More features than the store holds are looked up there but not kept, so that a long
        `predict` pushes nothing out.

        Parameters
        ----------
        views : list of FrozenNetwork
            That put out arrays of one shape.
        images : ndarray of shape (n, height, width, channels), SelectedRows or ImageFiles
        progress : callable, default=None
            Called with the number of features done since the last call: one an image and view.
        """
        complete = functools.partial(self._complete, self._keeps(views, images))
        look_up = functools.partial(self._look_up, views)
        return self._iterate(views, look_up, complete, images, progress or _tell_nobody)

    def iterate_with_maps(self, views, unit, images, progress):
        """Yield (slice of rows, list of pairs, one of each of several whole networks).

        A pair is the features, as `iterate_views` has them, and what the network below `unit` puts
        out. An image whose features are not known yet goes through each network once for both.
        """
        with_maps = {view: view.with_map_below(unit) for view in views}
        keeps = self._keeps(views, images)
        complete = functools.partial(self._complete_with_maps, with_maps, keeps)
        look_up = functools.partial(self._look_up, views, sees_all=True)
        return self._iterate([*with_maps.values()], look_up, complete, images, progress)

    def _keeps(self, views, images):
        return self.store is not None and _row_bytes(views) * len(images) <= self.store.limit

    def _iterate(self, networks, look_up, complete, images, progress):
        """Yield (slice of rows, list of what `complete` makes of them): outputs of `networks`."""
        image_bytes = images.dtype.itemsize * math.prod(networks[0].image_shape)
        size = _chunk_size(max(_row_bytes(networks), image_bytes))
        start, faults = 0, []
        for chunk in looked_at(look_up, images, size):
            rows = slice(start, start + chunk.n_images)
            start = rows.stop
            faults += chunk.faults
            if not faults:
                yield rows, [complete(features, chunk, progress) for features in chunk.by_view]
            release_mapped_pages(images)
        if faults:
            raise error_about(faults) from faults[0][1].__cause__

    def _look_up(self, views, images, sees_all=False):
        """Return the `_Chunk` of some images: what is known, and pixels to compute the rest of."""
        # Without a store no two images are known to be the same.
        digests = range(len(images)) if self.store is None else images.digests()
        by_view = [self._known_features(view, digests) for view in views]
        new = {row for features in by_view for row in features.new}
        seen = range(len(images)) if sees_all else sorted(new)
        return _Chunk(by_view, seen, images.pixels(seen), images.faults)

    def _known_features(self, view, digests):
        values = np.empty((len(digests), *view.feature_shape), np.float32)
        missing = digests
        if self.store is not None:
            missing = self.store.read(self._store_key(view), digests, values)
        return _Features(view, values, digests, missing)

    def _complete(self, keeps, features, chunk, progress):
        """Return all of `features`, those computed that were missing, and kept if wanted."""
        new = features.new
        progress(chunk.n_images - len(new))
        if new:
            images = chunk.pixels_of(new)
            computed = engines.run_network(
                features.view, images, self.engine, self.precision, progress
            )
            features.fill(computed)
            self._keep(features, new, keeps)
        return features.values

    def _complete_with_maps(self, with_maps, keeps, features, chunk, progress):
        """Return `_complete` and what the network below some unit puts out for all images."""
        network = with_maps[features.view]
        options = self.engine, self.precision, progress
        if not features.are_unknown:
            lower = network.below(network.map_below)
            maps = engines.run_network(lower, chunk.pixels, *options)
            return self._complete(keeps, features, chunk, _tell_nobody), maps
        rows = engines.run_network(network, chunk.pixels, *options)
        features.values[:], maps = network.split(rows)
        self._keep(features, features.new, keeps)
        return features.values, maps

    def _keep(self, features, rows, keeps):
        """Write the features of these rows to the store, if wanted."""
        if keeps:
            key, digests = self._store_key(features.view), features.digests
            self.store.write(key, [digests[row] for row in rows], features.values[rows])

    def _store_key(self, frozen):
        suffix = engines.described(self.engine, self.precision).encode()
        return hashlib.blake2b(frozen.fingerprint + suffix, digest_size=16).digest()


class _Features:
    """Features of some images by one network, as far as they are known.

    Parameters
    ----------
    view : FrozenNetwork
    values : ndarray of shape (n, ...), float32
    digests : sequence
        Equal for equal images.
    missing : sequence of int
        Rows of `values` that are still to be filled.
    """

    def __init__(self, view, values, digests, missing):
        self.view, self.values, self.digests, self._missing = view, values, digests, missing
        self._first = {digests[row]: row for row in reversed(missing)}

    @property
    def new(self):
        """Rows to compute: of equal images one."""
        return sorted(self._first.values())

    @property
    def are_unknown(self):
        """Whether those of no image are known."""
        return len(self._missing) == len(self.values)

    def fill(self, computed):
        """Take over the rows `new`, and copy them to those of equal images."""
        self.values[self.new] = computed
        copies = self._missing if len(self._first) < len(self._missing) else ()
        for row in copies:
            self.values[row] = self.values[self._first[self.digests[row]]]


class _Chunk(NamedTuple):
    """What there is to know and to compute about some images.

    Parameters
    ----------
    by_view : list of _Features
    seen : list of int
        Rows that some network has to see.
    pixels : ndarray of shape (len(seen), height, width, channels), or SelectedRows
    faults : sequence of (str, UnreadableError)
        Files that cannot be read.
    """

    by_view: list
    seen: list
    pixels: np.ndarray | SelectedRows
    faults: Sequence

    @property
    def n_images(self):
        return len(self.by_view[0].values)

    def pixels_of(self, rows):
        if len(rows) == len(self.seen):
            return self.pixels
        return SelectedRows(self.pixels, np.searchsorted(self.seen, rows))


def _tell_nobody(n_done):
    """Take what progress there is, where no bar is shown."""


def _row_bytes(networks):
    return 4 * sum(math.prod(network.feature_shape) for network in networks)


def _chunk_size(row_bytes):
    return min(max(1, _CHUNK_BYTES // row_bytes), _CHUNK_SIZE)


def release_mapped_pages(array):
    """Give back the memory of what was read of the file that `array` is mapped to, if it is.

    The pages stay in the system's cache; but as long as they are mapped they count as memory of
    this process, and a file of a million images would look like 3 GB.
    """
    while isinstance(getattr(array, "base", None), np.ndarray):
        array = array.base
    # A copy-on-write map (mode "c") may hold changes that are nowhere else.
    is_shared = isinstance(array, np.memmap) and array.mode in ("r", "r+")
    if is_shared and hasattr(mmap, "MADV_DONTNEED"):
        array.base.madvise(mmap.MADV_DONTNEED)
