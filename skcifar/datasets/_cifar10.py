"""CIFAR-10: found in scikit-learn's data home, or downloaded, and read without trusting it."""

import hashlib
import os
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from sklearn.datasets import get_data_home

from .._system.downloads import download
from .._system.paths import check_home_folder
from .._validation.types import PathLike
from ._bunch import image_bunch
from ._unpickler import load_arrays

_URL = "https://www.cs.toronto.edu/~kriz/cifar-10-python.tar.gz"
_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
_ARCHIVE, _FOLDER = "cifar-10-python.tar.gz", "cifar-10-batches-py"
_TRAIN = tuple(f"data_batch_{number}" for number in range(1, 6))
_TEST = ("test_batch",)
_BATCHES = {"train": _TRAIN, "test": _TEST, "all": _TRAIN + _TEST}

_NAMES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
_CHANNELS, _SIDE = 3, 32
_ROW = _CHANNELS * _SIDE * _SIDE

_INSTEAD = "load_digits_rgb() needs no download."
_DESCR = """CIFAR-10
========

60,000 colour photographs of 32 x 32 pixels in 10 classes (airplane, automobile, bird, cat, deer,
dog, frog, horse, ship, truck), 6,000 of each: 50,000 to train on and 10,000 to test with. Nothing
is both an automobile and a truck. Collected by Alex Krizhevsky, Vinod Nair and Geoffrey Hinton.

About 0.5 % of the test labels are wrong, and about 3 % of the test images have a near-duplicate
among the training images.

A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report,
University of Toronto, 2009.
"""


def fetch_cifar10(
    *,
    subset: Literal["train", "test", "all"] = "train",
    data_home: PathLike | None = None,
    download_if_missing: bool = True,
    return_X_y: bool = False,
) -> Any:
    """Load CIFAR-10, downloading it if necessary.

    It is looked for in scikit-learn's data home: the folder ``cifar-10-batches-py``, then
    the archive ``cifar-10-python.tar.gz``. If neither exists, the archive is downloaded (170 MB).

    =================   ================
    Classes                           10
    Samples                60,000 in all
    Image shape              (32, 32, 3)
    Pixels               uint8, 0 to 255
    =================   ================

    Parameters
    ----------
    subset : {"train", "test", "all"}, default="train"
        The 50,000 training images, the 10,000 test images, or the former followed by the latter.
    data_home : str or path-like, default=None
        Folder to look in and to download to. `None` is scikit-learn's: ``SCIKIT_LEARN_DATA``,
        or ``~/scikit_learn_data``.
    download_if_missing : bool, default=True
        Whether to download what is missing; if False, an `OSError` is raised instead.
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        images : ndarray of shape (n_samples, 32, 32, 3), uint8
            RGB images, channels last.
        data : ndarray of shape (n_samples, 3072), uint8
            The same images, each as one row.
        target : ndarray of shape (n_samples,)
            Classes, 0 to 9.
        target_names : ndarray of shape (10,)
            Their names.
        DESCR : str
            What CIFAR-10 is.
    (images, target) : tuple if ``return_X_y=True``
        Two of these fields.

    Raises
    ------
    ValueError
        If `subset` is not one of the three.
    OSError
        If CIFAR-10 is missing and cannot or must not be downloaded, or if its files are
        damaged, are something else, or cannot be read. No half-written file is left behind.

    Notes
    -----
    The archive must have the published content (its SHA-256 is checked each time). A folder
    may hold fewer images, as long as its files have the same structure. Its files are Python
    pickles; they are read in a way that runs no code that they may contain.

    References
    ----------
    A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", technical report,
    University of Toronto, 2009.

    Examples
    --------
    >>> from skcifar.datasets import fetch_cifar10
    >>> X, y = fetch_cifar10(subset="test", return_X_y=True)  # doctest: +SKIP
    >>> X.shape, y.shape  # doctest: +SKIP
    ((10000, 32, 32, 3), (10000,))
    """
    if subset not in _BATCHES:
        raise ValueError(f"subset must be 'train', 'test' or 'all'; got {subset!r}.")
    batches = _read_batches(data_home, _BATCHES[subset], download_if_missing)
    images, target = (np.concatenate(part) for part in zip(*batches, strict=True))
    return (images, target) if return_X_y else image_bunch(images, target, _NAMES, _DESCR)


def _read_batches(data_home, names, download_if_missing):
    """Return the pairs of images and labels of the batches `names`, in that order."""
    try:
        if data_home is None and "SCIKIT_LEARN_DATA" not in os.environ:
            check_home_folder("CIFAR-10", f"Pass a folder as data_home=...; {_INSTEAD}")
        home = Path(get_data_home(data_home))
        folder, archive = home / _FOLDER, home / _ARCHIVE
        if folder.is_dir():
            return [_read_file(folder / name) for name in names]
        if not archive.is_file():
            _fill(archive, download_if_missing)
        return _read_archive(archive, names)
    except OSError as error:
        if error.errno is None:  # worded here, not by the operating system
            raise
        raise OSError(
            f"The data home cannot be used: {error}. Give yourself permission to read and "
            f"write there, or pass another folder as data_home=...; {_INSTEAD}"
        ) from error


def _fill(archive, download_if_missing):
    if not download_if_missing:
        raise OSError(
            f"CIFAR-10 is not in {archive.parent}: there is neither a folder {_FOLDER} nor a "
            f"file {_ARCHIVE}, and download_if_missing is False. Allow the download, or pass "
            f"the folder that holds either as data_home=...; {_INSTEAD}"
        )
    advice = (
        f"Download it from {_URL} and put it there by hand, or pass another folder as "
        f"data_home=...; {_INSTEAD}"
    )
    download(_URL, archive, sha256=_SHA256, advice=advice)


def _read_file(path):
    try:
        with open(path, "rb") as file:
            return _read_batch(file, path)
    except (FileNotFoundError, IsADirectoryError) as error:
        raise _damaged(path, "the file is missing", path.parent) from error


def _read_archive(path, names):
    """Read the batches straight from the archive, in one pass.

    Not unpacked: nothing can stay half-written, and a read-only data home will do. It takes
    about a second more than a folder, which anybody may unpack by hand.
    """
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != _SHA256:
            size = path.stat().st_size
            raise _damaged(path, f"its {size:,} bytes have SHA-256 {found}, not {_SHA256}", path)
        file.seek(0)
        with tarfile.open(fileobj=file, mode="r|gz") as members:
            batches = {
                name: _read_batch(members.extractfile(member), path / name)
                for member in members
                if (name := PurePosixPath(member.name).name) in names
            }
    return [batches[name] for name in names]


def _read_batch(file, path):
    """Return images (m, 32, 32, 3) and labels (m,) from one batch file."""
    try:
        rows, labels = load_arrays(file, ("data", "labels"))
    except OSError:
        raise
    # Damaged pickles raise nearly anything, from EOFError to MemoryError.
    except Exception as error:
        raise _damaged(path, f"it does not hold a batch ({error!r})", path.parent) from error
    problem = _problem(rows, labels)
    if problem:
        raise _damaged(path, problem, path.parent)
    images = rows.reshape(-1, _CHANNELS, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels.astype(np.int64)


def _problem(rows, labels):
    """Return what keeps these from being a batch, or None."""
    if rows.dtype != np.uint8 or rows.shape[1:] != (_ROW,) or not len(rows):
        return f"its data are {rows.dtype} of shape {rows.shape}, not uint8 of shape (m, {_ROW})"
    if labels.shape != (len(rows),) or labels.dtype.kind not in "iu":
        return f"its labels are {labels.dtype} of shape {labels.shape}, not {len(rows)} ints"
    if labels.min() < 0 or labels.max() >= len(_NAMES):
        return f"its labels are {labels.min()} to {labels.max()}, not 0 to {len(_NAMES) - 1}"
    return None


def _damaged(path, found, culprit):
    return OSError(
        f"{path} is not a file of CIFAR-10: {found}. Remove {culprit}, and fetch_cifar10() "
        f"downloads {_ARCHIVE} afresh; or pass another folder as data_home=...; {_INSTEAD}"
    )
