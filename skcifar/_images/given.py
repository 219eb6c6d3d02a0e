"""What is given as `X`: pictures in files, or numbers."""

import os

import numpy as np
from scipy.sparse import issparse

from .decoding import size_of
from .image_files import ImageFiles, checked_pictures
from .sources import is_pil_image

_TEXT_OR_OBJECTS = "OSUT"  # kinds of dtypes that pictures can be in
_N_LOOKED_AT = 64


def pictures_in(X, name="X"):
    """Return the pictures that `X` holds, an array or `ImageFiles`; None if it is something else.

    Parameters
    ----------
    X : object
        Pictures are an `ImageFiles`, or paths, ``bytes`` or PIL images in a list, an array of one
        dimension, a Series, or one column of an array or a frame.
    name : str, default="X"
        What messages call it.

    Raises
    ------
    ValueError
        If it is one picture, or a folder.
    TypeError
        If it holds pictures and other things.
    """
    if isinstance(X, ImageFiles):
        return X
    if _is_picture(X):
        raise ValueError(_not_a_list(X, name))
    values = X if isinstance(X, (list, tuple)) else _column(X)
    if values is None or not any(map(_is_picture, values)):
        return None
    return checked_pictures(values, name)


def _is_picture(value):
    return isinstance(value, (str, bytes, os.PathLike)) or is_pil_image(value)


def _not_a_list(X, name):
    """Return the message about one picture, or about the folder that holds pictures."""
    if isinstance(X, (str, os.PathLike)) and os.path.isdir(os.path.expanduser(X)):
        return (
            f"{name} is the path of a folder. Pass a list of the pictures in it; "
            f"skcifar.datasets.load_image_folder reads a folder with one folder per class."
        )
    return f"{name} is one picture, a {type(X).__name__}. Pass a list of pictures: [{name}]."


def _column(X):
    """Return the texts or objects of an array, a Series or a frame of one column, or None."""
    shape = getattr(X, "shape", ())
    if issparse(X) or len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] != 1):
        return None
    array = np.asarray(X)
    return array.ravel() if array.dtype.kind in _TEXT_OR_OBJECTS else None


def largest_side(pictures):
    """Return the greatest height or width in pixels of some of `pictures`, or None.

    Up to 64 are looked at, evenly spread, and only at their headers; None if none is readable.
    """
    spread = pictures[:: -(-len(pictures) // _N_LOOKED_AT)]
    sizes = [size for size in map(size_of, spread) if size is not None]
    return max(map(max, sizes), default=None)
