"""Reads pickles of plain values and arrays of numbers, and runs nothing that they name."""

import pickle
import re

import numpy as np

_MODULES = ("numpy", "numpy.core.multiarray", "numpy.core.numeric", "_codecs")
_NUMBERS = re.compile("[biufc][0-9]{1,2}")


def load_arrays(file, keys):
    """Load a pickled dict from a file that need not be trusted, and return arrays from it.

    Parameters
    ----------
    file : binary file
        A pickle written by any version of Python and NumPy.
    keys : sequence of str
        What to return of the dict.

    Returns
    -------
    list of ndarray
        One for each key.

    Raises
    ------
    Exception
        If the pickle is damaged or holds anything but arrays of numbers and str, bytes, int,
        float, list, tuple, dict, set, bool, None: nearly any exception, as of `pickle.load`.
    """
    content = _Unpickler(file, encoding="latin1").load()
    return [_to_array(content[key]) for key in keys]


# A batch of CIFAR-10 has 3e7 pixels.
_MOST_CHARACTERS = 2**26


def _to_array(value):
    if isinstance(value, _Array):
        return value.array
    # A list of one list, ten times over, ten times over and so on is larger than any memory.
    n_items, longest = _measure(value, {})
    if n_items * longest > _MOST_CHARACTERS:
        raise pickle.UnpicklingError("it holds lists of lists that are too large")
    return np.asarray(value)


def _measure(value, known):
    """Return how many items nested lists have, and the length of the longest string in them."""
    if isinstance(value, (str, bytes)):
        return 1, max(1, len(value))
    if isinstance(value, np.ndarray):
        return max(1, value.size), 1
    if not isinstance(value, (list, tuple)):
        return 1, 1
    if id(value) not in known:
        parts = [_measure(item, known) for item in value]
        known[id(value)] = sum(n for n, _ in parts), max((m for _, m in parts), default=1)
    return known[id(value)]


# The one in C takes 16 times as much memory as the greatest number in a few bytes says (its memo
# is an array); on a batch of CIFAR-10, which is a few objects, this one is as fast.
class _Unpickler(pickle._Unpickler):
    """Knows the names that arrays are pickled with, and gives them a meaning of its own.

    NumPy's own would not do: ``numpy.ndarray((1,), object, b"AAAAAAAA")`` takes the bytes for
    the address of an object, and `numpy.dtype.__setstate__` believes a file that denies objects.
    """

    def find_class(self, module, name):
        # New functions each time: a pickle can set attributes of what it is handed.
        known = {
            "_reconstruct": lambda *args: _Array(),
            "_frombuffer": lambda *args: _from_bytes(*args),
            "scalar": lambda dtype, data: _from_bytes(data, dtype, ()),
            "ndarray": None,  # only ever an argument of _reconstruct
            "dtype": _DType,
            "encode": str.encode,  # how Python 3 writes bytes for Python 2
        }
        if module.replace("._core", ".core") not in _MODULES or name not in known:
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is not an array")
        return known[name]


class _DType:
    """Stands for `numpy.dtype`."""

    def __init__(self, code, *args):
        if not _NUMBERS.fullmatch(code):
            raise pickle.UnpicklingError(f"it holds an array of {code!r}, not of numbers")
        self.numpy = np.dtype(code)

    def __setstate__(self, state):
        self.numpy = self.numpy.newbyteorder(state[1])


class _Array:
    """Stands for `numpy.ndarray`, which is pickled empty first and gets its content then."""

    def __setstate__(self, state):
        _, shape, dtype, is_fortran, data = state
        data = data.encode("latin1") if isinstance(data, str) else data
        self.array = _from_bytes(data, dtype, shape, "F" if is_fortran else "C")


def _from_bytes(data, dtype, shape, order="C"):
    return np.frombuffer(data, dtype.numpy).reshape(shape, order=order)
