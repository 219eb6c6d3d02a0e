"""Turns values into what JSON and plain arrays can hold, and back.

Only the types of one list are known, so that nothing in a file can name code to run. None,
bools, ints, finite floats, strings and lists stand for themselves; any other value is an object
of one pair: its kind, and the list of parts it is made of.
"""

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from .._model.frozen import FrozenNetwork
from .._model.head import Head, Standardization

_ARRAY = "array"


class _Kind(NamedTuple):
    """A type that can be saved: into the list of its parts, and from it."""

    name: str
    type: type
    to_parts: Callable[[Any], list]
    from_parts: Callable[[list], Any]


def _dataclass_kind(cls):
    names = [field.name for field in dataclasses.fields(cls)]
    return _Kind(
        cls.__name__,
        cls,
        lambda value: [[name, getattr(value, name)] for name in names],
        lambda parts: cls(**dict(parts)),
    )


def _random_state(parts):
    random_state = np.random.RandomState()
    random_state.set_state(tuple(parts))
    return random_state


def _object_array(parts):
    shape, items = parts
    array = np.empty(len(items), object)
    array[:] = items
    return array.reshape(shape)


_KINDS = [
    _Kind("float", float, lambda value: [repr(value)], lambda parts: float(*parts)),
    _Kind("tuple", tuple, list, tuple),
    _Kind("dict", dict, lambda value: [list(item) for item in value.items()], dict),
    _Kind("path", Path, lambda value: [str(value)], lambda parts: Path(*parts)),
    _Kind("scalar", np.generic, lambda value: [np.asarray(value)], lambda parts: parts[0][()]),
    _Kind(
        "objects",
        np.ndarray,
        lambda value: [list(value.shape), value.ravel().tolist()],
        _object_array,
    ),
    _Kind(
        "RandomState",
        np.random.RandomState,
        lambda value: list(value.get_state(legacy=True)),
        _random_state,
    ),
    *map(_dataclass_kind, (FrozenNetwork, Standardization, Head)),
]


def register_dataclass(cls):
    """Let values hold instances of `cls`, a dataclass."""
    if not any(kind.type is cls for kind in _KINDS):
        _KINDS.append(_dataclass_kind(cls))


def encode(value, members):
    """Return `value` as what JSON can express.

    Parameters
    ----------
    value : object
    members : dict of str to ndarray
        Arrays in `value` are added to it; only their names stand in what is returned.

    Raises
    ------
    TypeError
        If a part of `value` is of a type that is not known here. It names the type.
    """
    if value is None or type(value) in (bool, int, str):
        return value
    if type(value) is float and math.isfinite(value):
        return value
    if type(value) is list:
        return [encode(part, members) for part in value]
    if isinstance(value, np.ndarray) and not value.dtype.hasobject:
        return {_ARRAY: _add_member(value, members)}
    kind = _kind_of(value)
    return {kind.name: [encode(part, members) for part in kind.to_parts(value)]}


def _add_member(array, members):
    name = f"arrays/{len(members)}.npy"
    members[name] = np.asarray(array)
    return name


def _kind_of(value):
    for kind in _KINDS:
        if type(value) is kind.type or (kind.type in _OPEN and isinstance(value, kind.type)):
            return kind
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__}")


# Types whose instances are always of a subclass.
_OPEN = (Path, np.generic)


def decode(value, read_array):
    """Return what `encode` was given.

    Parameters
    ----------
    value : object
        What it returned.
    read_array : callable
        From the name of a member to the array in it.
    """
    if isinstance(value, list):
        return [decode(part, read_array) for part in value]
    if not isinstance(value, dict):
        return value
    ((name, parts),) = value.items()
    if name == _ARRAY:
        return read_array(parts)
    kinds = {kind.name: kind for kind in _KINDS}
    return kinds[name].from_parts(decode(parts, read_array))
