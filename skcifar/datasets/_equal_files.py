"""Finds pictures that are in two classes: the same bytes under two labels."""

import hashlib
import os
import warnings
from contextlib import suppress

from .._images.sources import read_file
from .._images.unreadable import UnreadableError, printable

_MAX_SHOWN = 10


def warn_of_equal_files(paths, target):
    """Warn the caller's caller, once, if files of different classes have the same content.

    Only files of equal length are read, and those that are links to one file once.

    Parameters
    ----------
    paths : sequence of str
    target : sequence of int
        The class of each.
    """
    groups = [
        same
        for equal_length in _in_two_classes(paths, target, _lengths(paths))
        for same in _in_two_classes(*zip(*equal_length, strict=True), _contents(equal_length))
    ]
    if not groups:
        return
    shown = sorted(" = ".join(_one_a_class(group)) for group in groups)
    more = f"\n    and {len(shown) - _MAX_SHOWN:,} more" if len(shown) > _MAX_SHOWN else ""
    warnings.warn(
        "Identical files are in more than one class, so at least one of their labels is wrong. "
        "Remove all but one of each:"
        + "".join(f"\n    {line}" for line in shown[:_MAX_SHOWN])
        + more,
        UserWarning,
        stacklevel=3,
    )


def _in_two_classes(paths, target, keys):
    """Return lists of (path, class) that share a key and are not of one class."""
    groups = {}
    for path, label, key in zip(paths, target, keys, strict=True):
        if key is not None:
            groups.setdefault(key, []).append((path, label))
    return [group for group in groups.values() if len({label for _, label in group}) > 1]


def _lengths(paths):
    for path in paths:
        try:
            yield os.stat(path).st_size
        except OSError:
            yield None


def _contents(group):
    """Yield a digest of each file, or None where it cannot be read any more."""
    known = {}
    for path, _ in group:
        found = None
        with suppress(OSError, UnreadableError):
            status = os.stat(path)
            inode = (status.st_dev, status.st_ino)
            if inode not in known:
                known[inode] = hashlib.blake2b(read_file(path), digest_size=16).digest()
            found = known[inode]
        yield found


def _one_a_class(group):
    first = {}
    for path, label in sorted(group):
        first.setdefault(label, printable(path))
    return sorted(first.values())
