"""Which embedded store for the feature cache on disk: SQLite against LMDB.

Rows of 1280 float32 numbers under random keys, written in chunks as transactions, and read back
in another connection. `pip install lmdb` to compare.
"""

import importlib.util
import os
import sqlite3
import tempfile
import time
from pathlib import Path

import numpy as np
from common import parse_arguments, print_machine, print_table

CHUNK, ROWS_PER_QUERY = 4096, 500


def measure(store, keys, rows):
    """Return seconds to write, seconds to read, and megabytes on disk."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        for first in range(0, len(keys), CHUNK):
            store.write(folder, keys[first : first + CHUNK], rows[first : first + CHUNK])
        written = time.perf_counter()
        out = np.empty_like(rows)
        store.read(folder, keys, out)
        read = time.perf_counter()
        assert (out == rows).all()
        size = sum(file.stat().st_size for file in Path(folder).iterdir())
    return written - start, read - written, size / 1e6


class Sqlite:
    """One table with a blob a row.

    Parameters
    ----------
    page_size : int
        In bytes.
    journal_mode : str
    """

    def __init__(self, page_size, journal_mode):
        self.page_size, self.journal_mode = page_size, journal_mode
        self.name = f"SQLite, pages of {page_size}, journal {journal_mode}"

    def _connect(self, folder):
        database = sqlite3.connect(Path(folder) / "rows.sqlite3")
        database.execute(f"PRAGMA page_size = {self.page_size}")
        database.execute(f"PRAGMA journal_mode = {self.journal_mode}")
        database.execute("CREATE TABLE IF NOT EXISTS rows (key BLOB PRIMARY KEY, row BLOB)")
        return database

    def write(self, folder, keys, rows):
        database = self._connect(folder)
        with database:
            records = ((key, row.data) for key, row in zip(keys, rows, strict=True))
            database.executemany("INSERT OR REPLACE INTO rows VALUES (?, ?)", records)
        database.close()

    def read(self, folder, keys, out):
        database = self._connect(folder)
        places = {key: place for place, key in enumerate(keys)}
        for first in range(0, len(keys), ROWS_PER_QUERY):
            part = keys[first : first + ROWS_PER_QUERY]
            marks = ",".join("?" * len(part))
            query = f"SELECT key, row FROM rows WHERE key IN ({marks})"
            for key, row in database.execute(query, part):
                out[places[key]] = np.frombuffer(row, out.dtype)
        database.close()


class Lmdb:
    """One memory-mapped file; its greatest size is set beforehand."""

    name = "LMDB"

    def _open(self, folder):
        import lmdb

        return lmdb.open(folder, map_size=10 * 2**30)

    def write(self, folder, keys, rows):
        with self._open(folder) as environment, environment.begin(write=True) as transaction:
            for key, row in zip(keys, rows, strict=True):
                transaction.put(key, row.tobytes())

    def read(self, folder, keys, out):
        with self._open(folder) as environment, environment.begin(buffers=True) as transaction:
            for place, key in enumerate(keys):
                out[place] = np.frombuffer(transaction.get(key), out.dtype)


def main():
    arguments = parse_arguments(__doc__, n_rows=(20_000, 50_000))
    print_machine()
    rows = np.random.default_rng(0).standard_normal((arguments.n_rows, 1280), dtype=np.float32)
    keys = [os.urandom(16) for _ in rows]
    stores = [Sqlite(size, mode) for mode in ("DELETE", "WAL") for size in (4096, 16384)]
    if importlib.util.find_spec("lmdb"):
        stores.append(Lmdb())
    table = [(s.name, *(f"{figure:.2f}" for figure in measure(s, keys, rows))) for s in stores]
    print_table((f"{arguments.n_rows} rows", "write, s", "read, s", "MB"), table)


if __name__ == "__main__":
    main()
