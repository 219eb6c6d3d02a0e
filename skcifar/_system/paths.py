"""Paths as users write them."""

import os
from pathlib import Path


def user_path(path):
    """Return `path` with a leading ``~`` replaced by the home folder, where there is one."""
    return Path(os.path.expanduser(path))  # pathlib's own raises where there is none


def check_home_folder(purpose, advice):
    """Raise if there is no home folder, as for a user of a container that it does not know.

    Raises
    ------
    OSError
    """
    if not user_path("~").is_absolute():
        raise OSError(f"There is no home folder to look for {purpose} in. {advice}")
