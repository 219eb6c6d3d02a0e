"""Folders that the system refuses to write to, also for root."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

_NOBODY = 65534


@contextlib.contextmanager
def full_disk(size):
    """Yield a folder on a disk of `size` bytes; skip the test where mounting is not allowed."""
    folder = Path(tempfile.mkdtemp())
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder]
    try:
        if not shutil.which("mount") or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("needs the right to mount a small disk")
        try:
            yield folder
        finally:
            subprocess.run(["umount", folder], check=True)
    finally:
        folder.rmdir()


@contextlib.contextmanager
def read_only_folder():
    """Yield (folder, protect): after ``protect()`` nobody writes there until the block ends.

    Root may write to any folder, so it gives up its privileges until then.
    """
    folder = Path(tempfile.mkdtemp())
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)

        def protect():
            for path in (folder, *folder.rglob("*")):
                path.chmod(0o555 if path.is_dir() else 0o444)
            stack.callback(folder.chmod, 0o755)
            if os.geteuid() == 0:
                os.seteuid(_NOBODY)
                stack.callback(os.seteuid, 0)

        yield folder, protect
