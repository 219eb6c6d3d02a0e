"""The container of `skcifar.save`: a ZIP archive that is checked before anything in it is used.

Members are stored, never compressed, so that what is read is no more than the file holds.
``manifest.json`` names the format, its version, the library versions, and the size and SHA-256
of every other member. Arrays are ``.npy`` members; scikit-learn steps are ``.skops`` ones.
"""

import hashlib
import io
import json
import math
import os
import re
import zipfile

import numpy as np

from .._system.libraries import installed_version
from .._version import __version__

FORMAT = "skcifar estimator"
# A new number whenever a file means something else to those who read the old one.
# 2: estimators have `feature_layers`.
# 3: the shipped network of 32 px, weights="cifar10" before, is called "cifar10-32px".
VERSION = 3
_MANIFEST = "manifest.json"
_MEMBER_NAME = re.compile(r"(arrays/\d+\.npy|steps/\d+\.skops)")
# Of JSON, which takes many times its size once parsed. A fit of 1,000 epochs needs 0.1 MB.
_MANIFEST_LIMIT = 2**24
_LIBRARIES = ("numpy", "scikit-learn", "skops", "keras", "tensorflow")


class NewerFormatError(ValueError):
    """A file of a version that this one cannot read."""


def library_versions():
    """Return the versions of the installed libraries by name; None where one is not there."""
    return {"skcifar": __version__, **{name: installed_version(name) for name in _LIBRARIES}}


# --- Writing -------------------------------------------------------------------------------


def write_archive(file, content, members):
    """Write an archive to the binary `file`.

    Parameters
    ----------
    file : binary file, seekable
    content : object
        What JSON can express; it goes into the manifest.
    members : dict of str to ndarray or bytes
    """
    index = {}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            data = member if isinstance(member, bytes) else _npy_bytes(member)
            index[name] = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            archive.writestr(_member_info(name), data)
        manifest = {
            "format": FORMAT,
            "version": VERSION,
            "libraries": library_versions(),
            "content": content,
            "members": index,
        }
        text = json.dumps(manifest, indent=1, allow_nan=False)
        archive.writestr(_member_info(_MANIFEST), text)


def _npy_bytes(array):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, allow_pickle=False)
    return stream.getvalue()


def _member_info(name):
    info = zipfile.ZipInfo(name)  # dated 1980: equal estimators give equal files
    info.external_attr = 0o644 << 16
    return info


# --- Reading -------------------------------------------------------------------------------


class Archive:
    """An archive that was opened and whose table of contents is as it should be.

    Parameters
    ----------
    file : binary file, seekable

    Raises
    ------
    NewerFormatError
        If a newer version wrote the file.
    Exception
        Of many types, if the bytes are something else.
    """

    def __init__(self, file):
        self._zip = zipfile.ZipFile(file)
        file_size = file.seek(0, os.SEEK_END)
        manifest = _read_manifest(self._zip, file_size)
        _check_format(manifest)
        self.version = manifest["version"]
        self.content = manifest["content"]
        self.libraries = manifest["libraries"]
        self._index = manifest["members"]
        _check_names(self._index)
        check_members(self._zip, {_MANIFEST, *self._index}, file_size)

    @property
    def has_steps(self):
        """Whether it holds scikit-learn estimators."""
        return any(name.endswith(".skops") for name in self._index)

    def read_bytes(self, name):
        """Return the content of a member, having checked it against the manifest."""
        data = self._zip.read(name)
        expected = self._index[name]
        if len(data) != expected["size"] or hashlib.sha256(data).hexdigest() != expected["sha256"]:
            raise ValueError(f"the checksum of {name} is wrong")
        return data

    def read_array(self, name):
        """Return the array in a member."""
        return array_from_npy(self.read_bytes(name))


def _read_manifest(archive, file_size):
    info = archive.getinfo(_MANIFEST)
    _check_member(info)
    if info.file_size > min(_MANIFEST_LIMIT, file_size):
        raise ValueError(f"{_MANIFEST} says that it has {info.file_size} bytes")
    return json.loads(archive.read(info))


def _check_format(manifest):
    if manifest.get("format") != FORMAT:
        raise ValueError(f"its manifest is not that of a {FORMAT}")
    if manifest["version"] > VERSION:
        raise NewerFormatError(
            f"it has format version {manifest['version']}, written by skcifar "
            f"{manifest['libraries']['skcifar']}; skcifar {__version__} reads up to version "
            f"{VERSION}"
        )


def _check_names(names):
    for name in names:
        if not _MEMBER_NAME.fullmatch(name):
            raise ValueError(f"it names a member {name!r}, which skcifar never writes")


def check_members(archive, names, size):
    """Raise unless the members of a ZIP archive of `size` bytes are `names`, stored, and fit."""
    infos = archive.infolist()
    if len(infos) != len(names) or {info.filename for info in infos} != set(names):
        raise ValueError("its members are not those that it lists")
    for info in infos:
        _check_member(info)
    if sum(info.file_size for info in infos) > size:
        raise ValueError("its members are larger than the file")


def _check_member(info):
    if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
        raise ValueError(f"{info.filename} is compressed or encrypted, which skcifar never does")
    if info.header_offset < 0:
        raise ValueError(f"{info.filename} lies outside the file")


def array_from_npy(data):
    """Return the array in the bytes of a ``.npy`` file: numbers or strings, never pickled.

    Raises
    ------
    ValueError
        If they hold anything else, or not as many bytes as they announce.
    """
    stream = io.BytesIO(data)
    if np.lib.format.read_magic(stream) != (1, 0):
        raise ValueError("an array is in a version of .npy that skcifar never writes")
    shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(stream)
    start = stream.tell()
    if dtype.hasobject or math.prod(shape) * dtype.itemsize != len(data) - start:
        raise ValueError("an array holds objects, or not as many bytes as it announces")
    flat = np.frombuffer(data, dtype, offset=start)
    return flat.reshape(shape, order="F" if is_fortran else "C").copy(order="K")
