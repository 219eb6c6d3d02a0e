"""Computes features in chunks: looked up, run through the network, kept."""

import functools
import hashlib
import importlib.metadata
import math
import mmap
from dataclasses import dataclass

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
        """Let the store warn: it does so once a call of an estimator, however often it fails."""
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
        row_bytes = 4 * math.prod(views[0].feature_shape)
        image_bytes = images.dtype.itemsize * math.prod(views[0].image_shape)
        keeps = self.store is not None and row_bytes * len(images) <= self.store.limit
        look_up = functools.partial(self._look_up, views)
        start, faults = 0, []
        for chunk in looked_at(look_up, images, _chunk_size(max(row_bytes, image_bytes))):
            rows = slice(start, start + len(chunk.features[0]))
            start = rows.stop
            faults += chunk.faults
            if not faults:
                yield rows, self._completed(chunk, keeps, progress or _tell_nobody)
            release_mapped_pages(images)
        if faults:
            raise error_about(faults) from faults[0][1].__cause__

    def _look_up(self, views, images):
        """Return the `_Chunk` of some images, with the features that are known."""
        features = [np.empty((len(images), *view.feature_shape), np.float32) for view in views]
        if self.store is None:
            digests = range(len(images))  # no two are known to be the same
            missing = [digests for _ in views]
        else:
            digests = images.digests()
            missing = [
                self.store.read(self._store_key(view), digests, known)
                for view, known in zip(views, features, strict=True)
            ]
        firsts = [{digests[index]: index for index in reversed(rows)} for rows in missing]
        seen = sorted({index for first in firsts for index in first.values()})
        pixels = images.pixels(seen)
        return _Chunk(views, features, digests, missing, firsts, seen, pixels, images.faults)

    def _completed(self, chunk, keeps, progress):
        """Return all features of a chunk, those that were missing computed, and kept if wanted."""
        for view, features, missing, first in chunk.by_view():
            new = sorted(first.values())
            progress(len(features) - len(new))
            if not new:
                continue
            images = chunk.pixels_of(new)
            features[new] = engines.run_network(view, images, self.engine, self.precision, progress)
            if keeps:
                digests = [chunk.digests[index] for index in new]
                self.store.write(self._store_key(view), digests, features[new])
            for index in missing:
                features[index] = features[first[chunk.digests[index]]]
        return chunk.features

    def _store_key(self, frozen):
        version = _engine_version(self.engine)
        suffix = f"{self.engine} {version} {self.precision}".encode()
        return hashlib.blake2b(frozen.fingerprint + suffix, digest_size=16).digest()


@dataclass(frozen=True)
class _Chunk:
    """Features of some images, by several networks, as far as they are known.

    Parameters
    ----------
    views : list of FrozenNetwork
    features : list of ndarray of shape (n, ...), float32
        By each of `views`; rows that are missing are still to be filled.
    digests : sequence
        Equal for equal images.
    missing : list of sequence of int
        For each of `views` the rows that are not known.
    firsts : list of dict
        For each of `views` the first row of each digest that is missing.
    seen : list of int
        Rows that some network has to see.
    pixels : ndarray of shape (len(seen), height, width, channels), or SelectedRows
    faults : sequence of (str, UnreadableError)
        Files that cannot be read.
    """

    views: list
    features: list
    digests: object
    missing: list
    firsts: list
    seen: list
    pixels: object
    faults: object

    def by_view(self):
        return zip(self.views, self.features, self.missing, self.firsts, strict=True)

    def pixels_of(self, rows):
        everything = len(rows) == len(self.seen)
        return (
            self.pixels
            if everything
            else SelectedRows(self.pixels, np.searchsorted(self.seen, rows))
        )


def _tell_nobody(n_done):
    """Take what progress there is, where no bar is shown."""


def _chunk_size(row_bytes):
    return min(max(1, _CHUNK_BYTES // row_bytes), _CHUNK_SIZE)


@functools.cache
def _engine_version(engine):
    return importlib.metadata.version(engine)


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
