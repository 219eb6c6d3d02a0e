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


def _to_array(value):
    if isinstance(value, _Array):
        return value.array
    if isinstance(value, np.ndarray):
        return value
    # A list of one list, ten times over, ten times over and so on is larger than any memory.
    if not (isinstance(value, list) and all(map(_is_number, value))):
        raise pickle.UnpicklingError("it holds something other than an array or a list of numbers")
    return np.array(value)


def _is_number(value):
    return isinstance(value, (int, float)) or (isinstance(value, np.ndarray) and value.ndim == 0)


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
            raise pickle.UnpicklingError(f"it holds {module}.{name}, which is no array")
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
