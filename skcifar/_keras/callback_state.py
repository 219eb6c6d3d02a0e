"""What callbacks keep in mind, as JSON and arrays: nothing in it is code.

Imports Keras at the top: import this module inside functions.
"""

import keras
import numpy as np

_ARRAY, _FUNCTION = "array", "function"
# With these Keras' callbacks tell whether a figure is better than another.
_COMPARISONS = {name: getattr(keras.ops, name) for name in ("less", "greater")}


class CallbackStates:
    """What `callbacks` changed of their attributes since this was made.

    Parameters
    ----------
    callbacks : list of keras.callbacks.Callback
        Attributes are kept that are numbers, strings or arrays, or lists and dicts of these.
    """

    def __init__(self, callbacks):
        self._callbacks = callbacks
        self._begin = [_plain_attributes(callback) for callback in callbacks]

    def encode(self):
        """Return what was changed: what JSON can express, and the arrays in it."""
        arrays, states = [], []
        for callback, begin in zip(self._callbacks, self._begin, strict=True):
            changed = {
                name: _encode(value, arrays)
                for name, value in _plain_attributes(callback).items()
                if name not in begin or not _same(begin[name], value)
            }
            states.append([type(callback).__name__, changed])
        return states, arrays

    def decode(self, states, arrays):
        """Return what `put_back` takes; raise for anything that `encode` does not return."""
        return [
            (str(name), {str(key): _decode(value, arrays) for key, value in changed.items()})
            for name, changed in states
        ]

    def put_back(self, decoded):
        """Give callbacks the attributes of those of the same type, in their order."""
        waiting = list(self._callbacks)
        for name, attributes in decoded:
            callback = next((c for c in waiting if type(c).__name__ == name), None)
            if callback is not None:
                waiting.remove(callback)
                vars(callback).update(attributes)


def _plain_attributes(callback):
    """Return copies of the attributes that can be encoded."""
    plain = {}
    for name, value in vars(callback).items():
        arrays = []
        try:
            plain[name] = _decode(_encode(value, arrays), [np.copy(array) for array in arrays])
        except TypeError:
            continue
    return plain


def _encode(value, arrays):
    if value is None or type(value) in (bool, int, float, str):
        return value
    if type(value) is list:
        return [_encode(part, arrays) for part in value]
    if type(value) is dict and all(type(key) is str for key in value):
        return {"dict": {key: _encode(part, arrays) for key, part in value.items()}}
    if isinstance(value, (np.ndarray, np.generic)) and not value.dtype.hasobject:
        arrays.append(np.asarray(value))
        return {_ARRAY: len(arrays) - 1}
    for name, function in _COMPARISONS.items():
        if value is function:
            return {_FUNCTION: name}
    raise TypeError(type(value).__name__)


def _decode(value, arrays):
    if isinstance(value, list):
        return [_decode(part, arrays) for part in value]
    if not isinstance(value, dict):
        return value
    ((kind, part),) = value.items()
    if kind == _ARRAY:
        return arrays[part][()]  # a scalar where it was one
    if kind == _FUNCTION:
        return _COMPARISONS[part]
    return {key: _decode(item, arrays) for key, item in part.items()}


def _same(a, b):
    """Whether two values are equal, arrays in them too."""
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same, a, b))
    if isinstance(a, dict):
        return list(a) == list(b) and all(map(_same, a.values(), b.values()))
    if isinstance(a, np.ndarray):
        return a.dtype == b.dtype and np.array_equal(a, b)
    return a == b
