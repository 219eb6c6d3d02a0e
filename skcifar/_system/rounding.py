"""How the package computes, whatever `numpy.seterr` says."""

from contextlib import contextmanager

import numpy as np


@contextmanager
def underflow_is_zero():
    """Let numbers that are too small for their type be zero, also where NumPy is set to raise.

    A context, and with brackets a decorator. Probabilities, features and weights may be as small.
    """
    with np.errstate(under="ignore"):
        yield
