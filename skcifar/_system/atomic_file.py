"""Writes a file so that a crash leaves what was there before, or the new file: never half."""

import contextlib
import errno
import os
import secrets
import time
from pathlib import Path

_PART_PATTERN = ".skcifar-{}.part"
# Seconds. No save takes an hour from one write to the next, and a download that gets nothing for
# 20 s is given up.
_ABANDONED_AFTER = 3600


@contextlib.contextmanager
def whole_file(path):
    """Yield a new file, to write and read, that gets the name `path` when the block ends well.

    It is written beside `path`, synced and renamed. Errors are those of the system: what they
    mean to the user is for the caller to say.

    Parameters
    ----------
    path : Path
        A link is replaced.
    """
    _remove_abandoned_parts(path.parent)
    part = path.with_name(_PART_PATTERN.format(secrets.token_hex(8)))
    try:
        with open(part, "x+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    _sync_folder(path.parent)


@contextlib.contextmanager
def replaced_file(path):
    """Yield a new binary file that takes the place of `path` when the block ends well.

    Parameters
    ----------
    path : str or path-like
        Where the file will be, as the user gave it; a link is followed.

    Raises
    ------
    OSError
        If the system refuses, of the type of its refusal. What was there is untouched.
    """
    try:
        target = Path(os.path.realpath(path))
        _check_may_be_replaced(target)
        with whole_file(target) as file:
            yield file
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written: {error.strerror or error}. What was there is "
            "untouched. Free some space, check the folder, or pass another path.",
        ) from error


def _check_may_be_replaced(path):
    if path.exists() and not path.is_file():
        raise OSError(errno.EEXIST, "something that is not a file is there")


def _remove_abandoned_parts(folder):
    """Remove what killed processes left."""
    for part in folder.glob(_PART_PATTERN.format("*")):
        with contextlib.suppress(OSError):  # finished meanwhile, or somebody else's
            if time.time() - part.stat().st_mtime > _ABANDONED_AFTER:
                part.unlink()


def _sync_folder(folder):
    """Put the new name itself on the disk, where the system has a way to."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
