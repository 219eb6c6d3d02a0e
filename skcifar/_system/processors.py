"""How many processors this process may use."""

import os

from joblib import cpu_count


def n_processors():
    """Return how many threads may compute here: what joblib grants, in its workers too."""
    granted = os.environ.get("OMP_NUM_THREADS", "")
    return min(int(granted), cpu_count()) if granted.isdigit() and int(granted) else cpu_count()
