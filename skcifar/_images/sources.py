"""What a picture can be given as, and its bytes: whole, bounded, without waiting."""

import os
import stat
import sys
from contextlib import contextmanager

from .unreadable import UnreadableError, printable

_MAX_BYTES = 2**30
_CHUNK_BYTES = 2**20

_KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFSOCK: "a socket",
}


def is_pil_image(value):
    """Whether `value` is a PIL image; if Pillow is not imported there can be none."""
    pillow = sys.modules.get("PIL.Image")
    return pillow is not None and isinstance(value, pillow.Image)


def check_picture(value, name):
    """Return `value` as what the rest knows: a str (path), bytes, or a PIL image.

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, (bytearray, memoryview)):
        return bytes(value)
    if is_pil_image(value):
        return value
    hint = " Pass file.read()." if hasattr(value, "read") else ""
    raise TypeError(
        f"{name} is of type {type(value).__name__}; expected the path of a picture, the bytes of "
        f"its file, or a PIL image.{hint}"
    )


def name_of(picture):
    """Return how messages call a picture that `check_picture` returned."""
    if isinstance(picture, str):
        return printable(picture)
    if isinstance(picture, bytes):
        return f"A picture given as {len(picture):,} bytes"
    return f"A PIL image of mode {picture.mode} and size {picture.size}"


def read_stream(stream):
    """Return the bytes of an open file, from its beginning where it can go back there.

    Raises
    ------
    UnreadableError
        If there are too many.
    TypeError
        If it was opened as text.
    """
    if hasattr(stream, "seekable") and stream.seekable():
        stream.seek(0)
    parts, n_bytes = [], 0
    while chunk := stream.read(_CHUNK_BYTES):
        if not isinstance(chunk, bytes):
            raise TypeError('The file is opened as text. Open it with open(path, "rb").')
        n_bytes += len(chunk)
        _check_length(n_bytes)
        parts.append(chunk)
    return b"".join(parts)


def read_file(path):
    """Return the bytes of the file `path`; ``~`` is the home folder.

    Raises
    ------
    UnreadableError
        If it is no regular file, is not there, may not be read, or is larger than 1 GiB.
    """
    with open_file(path) as (stream, n_bytes):
        content = stream.read(n_bytes + 1)
    if len(content) != n_bytes:
        raise UnreadableError(
            "it changed while it was being read", "Wait until it is complete, and load it again."
        )
    return content


@contextmanager
def open_file(path):
    """Open a picture's file, yielding (stream, number of bytes); raises as `read_file` does."""
    try:
        with open(os.path.expanduser(path), "rb", opener=_open_without_waiting) as stream:
            yield stream, _check_status(os.fstat(stream.fileno()))
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        raise _why_not(error, path) from error


def _open_without_waiting(path, flags):
    # A named pipe that nobody writes to would make `open` wait for ever.
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check_status(status):
    """Return the size of a file that is a regular one and not too large."""
    kind = _KINDS.get(stat.S_IFMT(status.st_mode))
    if kind is not None:
        raise UnreadableError(f"it is {kind}, not a file", "Remove it.")
    _check_length(status.st_size)
    return status.st_size


def _check_length(n_bytes):
    if n_bytes > _MAX_BYTES:
        raise UnreadableError(
            f"the file is larger than {_MAX_BYTES // 2**30} GiB",
            "Save a smaller version of it, or only the first page.",
        )


def _why_not(error, path):
    """Return what an error of the operating system says about a file."""
    if isinstance(error, FileNotFoundError) and os.path.islink(os.path.expanduser(path)):
        return UnreadableError("it is a link that leads nowhere", "Remove it.", FileNotFoundError)
    if isinstance(error, FileNotFoundError):
        return UnreadableError(
            "there is no such file", "Check the path, or whether it was moved.", FileNotFoundError
        )
    if isinstance(error, IsADirectoryError):
        advice = "Give the path of a picture; load_image_folder reads folders."
        return UnreadableError("it is a folder, not a file", advice, IsADirectoryError)
    if isinstance(error, PermissionError):
        advice = "Change its permissions."
        return UnreadableError("you have no permission to read it", advice, PermissionError)
    if isinstance(error, OSError):
        return UnreadableError(
            error.strerror or str(error), "Check the path and the disk.", OSError
        )
    return UnreadableError(f"its name cannot be that of a file ({error})", "Check the path.")
