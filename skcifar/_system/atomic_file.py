"""Writes a file so that a crash leaves what was there before, or the new file: never half."""

import contextlib
import os
import secrets
import time
from pathlib import Path

_PART_PATTERN = ".skcifar-{}.part"
_ABANDONED_AFTER = 3600  # seconds: no save takes an hour from one write to the next


@contextlib.contextmanager
def replaced_file(path):
    """Yield a new binary file that takes the place of `path` when the block ends well.

    Parameters
    ----------
    path : str or path-like
        Where the file will be; a link is followed.

    Raises
    ------
    OSError
        If the system refuses, of the type of its refusal. What was there is untouched.
    """
    path = Path(path)
    try:
        target = Path(os.path.realpath(path))
        _check_may_be_replaced(target)
        _remove_abandoned_parts(target.parent)
        part = target.with_name(_PART_PATTERN.format(secrets.token_hex(8)))
        try:
            with open(part, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} could not be written: {error.strerror or error}. What was there is "
            "untouched. Free some space, mend the folder, or pass another path.",
        ) from error


def _check_may_be_replaced(path):
    if path.exists() and not path.is_file():
        raise OSError("there is something that is no file")


def _remove_abandoned_parts(folder):
    """Remove what killed saves left."""
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
