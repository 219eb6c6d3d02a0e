"""What may not change between a fit and one that goes on from it, and what is joined."""

import os

import numpy as np

from .parameters import layer_widths

# What the network and the head are made of, when they are made.
_FIXED_PARAMETERS = (
    "weights",
    "alpha",
    "input_size",
    "image_shape",
    "pixel_range",
    "feature_layers",
    "hidden_units",
)


def fixed_parameters(classifier):
    """Return the parameters that decide what a first fit makes, as plain values."""
    values = {name: getattr(classifier, name) for name in _FIXED_PARAMETERS}
    values["hidden_units"] = layer_widths(values["hidden_units"])
    return {name: _plain(value) for name, value in values.items()}


def check_unchanged(classifier):
    """Raise if a parameter that a further fit cannot heed is not what the first fit had.

    A parameter may be set to what it stood for, such as ``input_size=96`` for "auto".

    Raises
    ------
    ValueError
        Names all that changed.
    """
    made_with = getattr(classifier, "_made_with", {})  # not in files of skcifar 0.1
    before = {name: _plain(value) for name, value in made_with.items()}
    stood_for = {
        "alpha": classifier._frozen.network.alpha,
        "input_size": classifier._frozen.network.input_size,
        "image_shape": classifier.image_shape_,
        "pixel_range": classifier.pixel_range_,
        "hidden_units": classifier._head.hidden_units,
    }
    changed = [
        f"{name}={getattr(classifier, name)!r} (was {before[name]!r})"
        for name, value in fixed_parameters(classifier).items()
        if name in before and value not in (before[name], stood_for.get(name, before[name]))
    ]
    if changed:
        raise ValueError(
            "This call continues with the network and the head of the last fit, which were made "
            f"with other parameters: {', '.join(changed)}. Set them back, or start afresh: with a "
            "clone, or with fit and warm_start=False."
        )


def extended_history(history, more):
    """Return both; what was measured in the epochs of one only is NaN in those of the other."""
    before, now = [np.nan] * n_epochs(history), [np.nan] * n_epochs(more)
    return {
        name: [*history.get(name, before), *more.get(name, now)] for name in {**history, **more}
    }


def n_epochs(history):
    return len(history.get("loss", ()))


def _plain(value):
    """Return `value` as its equals in any other type are returned, too."""
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, (tuple, list, np.ndarray)):
        return tuple(map(_plain, value))
    return value.item() if isinstance(value, np.generic) else value
