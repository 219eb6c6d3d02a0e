"""Work in threads, in order, never far ahead: for what computes without Python's lock."""

from collections import deque
from concurrent.futures import ThreadPoolExecutor

from .processors import n_processors

# Numbers a task at most: handing one over takes 30 us, decoding a small picture 100 us.
_BLOCK = 8
_TASKS_A_THREAD = 4  # at least, where there are few pictures, so that none waits long for another


def n_threads(n_jobs):
    """Return the number of threads that `n_jobs` stands for; None and -1 are all processors."""
    if n_jobs is None:
        return n_processors()
    return n_jobs if n_jobs > 0 else max(n_processors() + 1 + n_jobs, 1)


def check_n_jobs(n_jobs):
    """Raise unless `n_jobs` is None or an integer other than 0.

    Raises
    ------
    ValueError
    """
    if n_jobs is not None and (isinstance(n_jobs, bool) or not _is_integer(n_jobs) or n_jobs == 0):
        raise ValueError(
            f"n_jobs must be a number of threads, -1 or None for one per processor; got {n_jobs!r}."
        )


def _is_integer(value):
    return hasattr(value, "__index__")


def in_blocks(function, n, n_jobs):
    """Yield ``function(range)`` for the ranges of a few numbers that make up ``range(n)``.

    The ranges come in order; as many threads as `n_jobs` stands for work on them.
    """
    workers = n_threads(n_jobs)
    size = max(1, min(_BLOCK, n // (_TASKS_A_THREAD * workers)))
    blocks = (range(start, min(start + size, n)) for start in range(0, n, size))
    workers = min(workers, -(-n // size))
    if workers <= 1:
        return map(function, blocks)
    return _computed_ahead(function, blocks, workers, 4 * workers)


def one_ahead(function, items):
    """Yield ``function(item)`` for each item; the next is computed while the caller uses one.

    Parameters
    ----------
    function : callable
        Called in another thread, one item at a time.
    items : iterable
    """
    return _computed_ahead(function, items, 1, 1)


def _computed_ahead(function, items, workers, n_ahead):
    """Yield results in order, `n_ahead` more under way; none is begun once the caller stops."""
    with ThreadPoolExecutor(workers, "skcifar") as pool:
        pending = deque()
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > n_ahead:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
