"""Tells of training that ended in numbers that are not finite."""

import warnings

import numpy as np


class DivergedError(ValueError):
    """What was trained is not finite."""


def has_diverged(losses, arrays, parameter, value):
    """Return whether training diverged, although all that it gave is finite.

    Parameters
    ----------
    losses : list of float
        Of all epochs; none if a callback stopped training before the first.
    arrays : list of ndarray
        Weights that were trained.
    parameter, value : str, float
        The step size to turn down.

    Raises
    ------
    DivergedError
        If `arrays` are not finite.

    Warns
    -----
    UserWarning
        If the last loss is not finite: `arrays` are those of an epoch before it.
    """
    is_finite = all(np.isfinite(array).all() for array in arrays)
    if is_finite and np.isfinite(losses[-1:]).all():
        return False
    what = f"Training diverged in epoch {len(losses)} (loss {losses[-1]:g})"
    cure = f"Lower {parameter}={value:g}."
    if not is_finite:
        raise DivergedError(f"{what}. {cure}")
    warnings.warn(
        f"{what}; the weights of an earlier epoch are kept. {cure}", UserWarning, stacklevel=6
    )
    return True
