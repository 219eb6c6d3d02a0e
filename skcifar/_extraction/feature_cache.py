"""Keeps features that were computed, one row an image, in memory or on disk.

A row is found by two keys: the fingerprint of the network that computed it and the digest of
the image. A store may forget rows at any time and never fails: what cannot be read is
missing, what cannot be written is left out, with one warning.
"""

import functools
import math
import os
import sqlite3
import threading
import time
import warnings
import zlib
from collections import OrderedDict
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import numpy as np

from .._model.frozen import FORMAT_VERSION
from .._system.forks import call_in_child
from .._system.paths import user_path
from .._validation.types import PathLike

MEMORY_LIMIT_VARIABLE = "SKCIFAR_MEMORY_CACHE_BYTES"
DISK_LIMIT_VARIABLE = "SKCIFAR_DISK_CACHE_BYTES"
_DEFAULT_LIMITS = {MEMORY_LIMIT_VARIABLE: 2**30, DISK_LIMIT_VARIABLE: 10 * 2**30}
_FILE_PREFIX = "skcifar-features-v"
_DATABASE_NAME = f"{_FILE_PREFIX}{FORMAT_VERSION}.sqlite3"
_LOCK_TIMEOUT = 60.0  # seconds that a writer waits for another one
_ROWS_PER_QUERY = 500  # SQLite takes at least 999 variables a statement
_PAGE_SIZE = 16384  # bytes: 3 rows of 1280 features, 2 of 1504; see benchmarks/feature_stores.py
_USE_RESOLUTION = 3600  # seconds: a row used again sooner is not marked again


def clear_feature_cache(path: PathLike | None = None) -> None:
    """Forget the features that were kept.

    Read more in the :ref:`User Guide <cache>`.

    Parameters
    ----------
    path : str or path-like, default=None
        The folder that was given as ``feature_cache``; None is the store in memory of this
        process. Only what skcifar wrote there is removed.

    Examples
    --------
    >>> from skcifar import clear_feature_cache
    >>> clear_feature_cache()
    """
    if path is None:
        _MEMORY_STORE.clear()
        return
    for file in user_path(path).glob(f"{_FILE_PREFIX}*.sqlite3*"):
        file.unlink(missing_ok=True)


def holds_features(path):
    """Whether the folder `path` holds a feature cache of this version."""
    return os.path.isfile(user_path(path) / _DATABASE_NAME)  # False for names that cannot be, too


def open_store(feature_cache):
    """Return the store that the parameter `feature_cache` names, or None.

    Parameters
    ----------
    feature_cache : "memory", str or path-like, or None
    """
    if feature_cache is None:
        return None
    if feature_cache == "memory":
        return _MEMORY_STORE
    return _shared_disk_store(str(user_path(feature_cache).absolute()))


@functools.lru_cache(maxsize=64)
def _shared_disk_store(path):
    return DiskStore(path)


def _limit(variable):
    """Return the bound in bytes that the environment sets, or the default."""
    given = os.environ.get(variable)
    try:
        return _DEFAULT_LIMITS[variable] if given is None else int(float(given))
    except (ValueError, OverflowError):
        raise ValueError(f"{variable} must be a number of bytes. Got {given!r} instead.") from None


class MemoryStore:
    """Rows in this process; the least recently used leave when the bound is reached."""

    def __init__(self):
        self._rows = OrderedDict()
        self._n_bytes = 0
        self.renew_lock()

    def renew_lock(self):
        self._lock = threading.RLock()

    @property
    def limit(self):
        return _limit(MEMORY_LIMIT_VARIABLE)

    def may_warn_again(self):
        """Do nothing: there is nothing here that can fail."""

    def read(self, fingerprint, digests, out):
        """Copy the rows that are here into `out`; return the indices of those that are not."""
        missing = []
        with self._lock:
            for index, digest in enumerate(digests):
                row = self._rows.get((fingerprint, digest))
                if row is None:
                    missing.append(index)
                else:
                    self._rows.move_to_end((fingerprint, digest))
                    out[index] = row
        return missing

    def write(self, fingerprint, digests, rows):
        with self._lock:
            for digest, row in zip(digests, rows, strict=True):
                if (fingerprint, digest) not in self._rows:
                    self._rows[fingerprint, digest] = row.copy()
                    self._n_bytes += row.nbytes
            while self._n_bytes > self.limit:
                self._n_bytes -= self._rows.popitem(last=False)[1].nbytes

    def clear(self):
        with self._lock:
            self._rows.clear()
            self._n_bytes = 0


_MEMORY_STORE = MemoryStore()
call_in_child(_MEMORY_STORE.renew_lock)


class DiskStore:
    """Rows in one SQLite file, shared by processes, workers and later runs.

    Writes are transactions under a rollback journal: two writers take turns, a process killed
    in the middle leaves what was there, and a folder without write permission can be read.

    Parameters
    ----------
    path : str or path-like
        Folder of the file; made if it is not there.
    """

    def __init__(self, path):
        self._path = Path(path)
        self._warned = False

    @property
    def limit(self):
        return _limit(DISK_LIMIT_VARIABLE)

    def may_warn_again(self):
        """Let the store tell once more that it fails."""
        self._warned = False

    def read(self, fingerprint, digests, out):
        """Copy the rows that are here and whole into `out`; return the indices of the others."""
        found, stale = set(), []
        with self._never_failing("read"):
            if (self._path / _DATABASE_NAME).exists():
                # Not "ro": that could not roll back what a killed writer left. Where the file is
                # write-protected, SQLite reads all the same.
                with self._connect("rw") as database:
                    for part in _parts(range(len(digests))):
                        keys = [digests[index] for index in part]
                        rows = _select_rows(database, fingerprint, keys, out[0], stale)
                        for index in part:
                            if digests[index] in rows:
                                out[index] = rows[digests[index]]
                                found.add(index)
        self._mark_used(fingerprint, stale)
        return [index for index in range(len(digests)) if index not in found]

    def write(self, fingerprint, digests, rows):
        now = int(time.time())
        records = (
            (fingerprint, digest, now, zlib.crc32(row), row.data)
            for digest, row in zip(digests, np.ascontiguousarray(rows), strict=True)
        )
        with self._never_failing("written"):
            self._path.mkdir(parents=True, exist_ok=True)
            with self._connect("rwc") as database:
                _create_table(database)
                database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?, ?, ?, ?)", records)
                _drop_least_recently_used(database, self.limit)

    def _mark_used(self, fingerprint, digests):
        """Mark rows as used now, unless somebody writes or that cannot be written."""
        with suppress(sqlite3.Error, OSError):
            for part in _parts(digests):
                with self._connect("rw", timeout=0) as database:
                    query = f"UPDATE rows SET used = ? WHERE network = ? AND {_image_in(part)}"
                    database.execute(query, (int(time.time()), fingerprint, *part))

    @contextmanager
    def _connect(self, mode, timeout=_LOCK_TIMEOUT):
        """Open the database and run the block as one transaction."""
        uri = f"{(self._path / _DATABASE_NAME).absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(uri, uri=True, timeout=timeout)
        with closing(connection) as database, database:
            yield database

    @contextmanager
    def _never_failing(self, verb):
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            if not self._warned:
                self._warned = True
                warnings.warn(
                    f"The feature cache {str(self._path)!r} could not be {verb} ({error}); "
                    "continuing without it. Free some space, fix the permissions, empty it with "
                    "clear_feature_cache(path), or pass another feature_cache.",
                    UserWarning,
                    stacklevel=4,
                )


def _create_table(database):
    database.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
    database.execute(
        "CREATE TABLE IF NOT EXISTS rows (network BLOB, image BLOB, used INTEGER, "
        "checksum INTEGER, features BLOB, PRIMARY KEY (network, image))"
    )
    database.execute("CREATE INDEX IF NOT EXISTS by_use ON rows (used)")


def _select_rows(database, fingerprint, digests, like, stale):
    """Return the whole rows by digest; add to `stale` those not marked as used lately."""
    if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'rows'").fetchone():
        return {}  # its first writer was killed
    query = (
        "SELECT image, used < ?, checksum, features FROM rows "
        f"WHERE network = ? AND {_image_in(digests)}"
    )
    arguments = (time.time() - _USE_RESOLUTION, fingerprint, *digests)
    rows = {}
    for digest, is_stale, checksum, features in database.execute(query, arguments):
        if _is_whole(features, checksum, like):
            rows[digest] = np.frombuffer(features, like.dtype).reshape(like.shape)
            if is_stale:
                stale.append(digest)
    return rows


def _is_whole(features, checksum, like):
    """Whether a row is what was written: a damaged file may hold a value of any type."""
    is_row = isinstance(features, bytes) and len(features) == like.nbytes
    return is_row and zlib.crc32(features) == checksum


def _drop_least_recently_used(database, limit):
    pages = database.execute("PRAGMA page_count").fetchone()[0]
    free = database.execute("PRAGMA freelist_count").fetchone()[0]
    excess = (pages - free) * _PAGE_SIZE - limit
    if excess > 0:
        row_bytes = database.execute("SELECT AVG(LENGTH(features)) FROM rows").fetchone()[0]
        database.execute(
            "DELETE FROM rows WHERE rowid IN (SELECT rowid FROM rows ORDER BY used LIMIT ?)",
            (math.ceil(excess / row_bytes),),
        )


def _image_in(digests):
    return f"image IN ({','.join('?' * len(digests))})"


def _parts(sequence):
    """Yield slices of `sequence` that fit into one statement."""
    for start in range(0, len(sequence), _ROWS_PER_QUERY):
        yield sequence[start : start + _ROWS_PER_QUERY]
