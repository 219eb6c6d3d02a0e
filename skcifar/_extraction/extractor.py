"""Computes features in chunks: looked up, run through the network, kept."""

import functools
import hashlib
import importlib.metadata
import math
import mmap
from dataclasses import dataclass

import numpy as np

from .._validation.selected_rows import SelectedRows
from . import engines
from .digests import image_digests

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
        images : ndarray of shape (n, height, width, channels)
            Read in chunks; never converted as a whole.
        progress : callable, default=None
            Called with the number of images done since the last call.

        Returns
        -------
        ndarray of shape (n, *frozen.feature_shape), float32
        """
        features = np.empty((len(images), *frozen.feature_shape), np.float32)
        for rows, part in self.iterate(frozen, images):
            features[rows] = part
            if progress is not None:
                progress(len(part))
        return features

    def iterate(self, frozen, images):
        """Yield (slice of rows, features of these rows), for any number of images.

        More features than the store holds are looked up there but not kept, so that a long
        `predict` pushes nothing out.
        """
        row_bytes = 4 * math.prod(frozen.feature_shape)
        keeps = self.store is not None and row_bytes * len(images) <= self.store.limit
        size = _chunk_size(max(row_bytes, images.dtype.itemsize * math.prod(frozen.image_shape)))
        for start in range(0, len(images), size):
            chunk = images[start : start + size]
            yield slice(start, start + len(chunk)), self._extract_chunk(frozen, chunk, keeps)
            release_mapped_pages(images)

    def _extract_chunk(self, frozen, images, keeps):
        if self.store is None:
            return engines.run_network(frozen, images, self.engine, self.precision)
        key, digests = self._store_key(frozen), image_digests(images)
        features = np.empty((len(images), *frozen.feature_shape), np.float32)
        missing = self.store.read(key, digests, features)
        first = {digests[index]: index for index in reversed(missing)}
        new = sorted(first.values())
        if new:
            unseen = images if len(new) == len(images) else SelectedRows(images, new)
            features[new] = engines.run_network(frozen, unseen, self.engine, self.precision)
        if keeps and new:
            self.store.write(key, [digests[index] for index in new], features[new])
        for index in missing:
            features[index] = features[first[digests[index]]]
        return features

    def _store_key(self, frozen):
        version = _engine_version(self.engine)
        suffix = f"{self.engine} {version} {self.precision}".encode()
        return hashlib.blake2b(frozen.fingerprint + suffix, digest_size=16).digest()


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
