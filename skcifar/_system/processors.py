"""How many processors this process may use."""

import functools
import os

from joblib import cpu_count


def n_processors():
    """Return how many threads may compute here: what joblib grants, in its workers too."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    n_there = _n_there()
    return min(int(granted), n_there) if granted.isdigit() and int(granted) else n_there


@functools.cache
def _n_there():
    return cpu_count()  # reads files of the system: 0.1 ms, as long as a head takes
