"""Fetches one file over HTTPS: checked before anybody opens it, complete or not there at all."""

import contextlib
import hashlib
import os
import threading
import time
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from .atomic_file import whole_file
from .progress import download_bar

# Seconds without this many new bytes after which a download is given up: errors come within
# 30 s of the last progress, and a line slower than 5 kB/s would need 9 hours for CIFAR-10.
_PATIENCE = 20.0
_LEAST_BYTES = 100_000
_CONNECT_AND_READ_SECONDS = (6.0, 10.0)
_ATTEMPTS = 3
_PAUSE = 1.0
_CHUNK_BYTES = 1 << 16
# Nothing is downloaded where this is set: for machines that must not, and for the documentation.
OFFLINE_VARIABLE = "SKCIFAR_OFFLINE"
_OFF = ("", "0", "false", "no", "off")


def download(url, path, *, sha256=None, signature=b"", advice=""):
    """Download a file, or leave nothing and say what else would do.

    Parameters
    ----------
    url : str
        Where it is; ``https://`` only, redirects included.
    path : str or path-like
        Where to put it. Folders are made as needed. The file appears under this name only
        when it is complete and its checksum is right.
    sha256 : str, default=None
        Expected SHA-256 as hexadecimal digits. `None` checks only that as many bytes came
        as the server announced.
    signature : bytes, default=b""
        What the file must begin with: tells a file without a published checksum from the
        page of a proxy that says no.
    advice : str, default=""
        What the user can do instead: the end of the error message.

    Returns
    -------
    pathlib.Path
        `path`.

    Raises
    ------
    ValueError
        If `url` is not an ``https://`` one.
    OSError
        If the file could not be had, for whatever reason, at most 30 s after the last progress.
    """
    path = Path(path)
    if urlsplit(url).scheme != "https":
        raise ValueError(f"url must start with https://; got {url!r}.")
    if os.environ.get(OFFLINE_VARIABLE, "").lower() not in _OFF:
        raise OSError(
            f"{path.name} is not in the folder {path.parent}, and the environment variable "
            f"{OFFLINE_VARIABLE} forbids downloading it. {advice}".rstrip()
        )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as file:
            _receive(url, file, path.name)
            file.flush()
            _check_sha256(file, sha256)
            _check_signature(file, signature)
        return path
    # Whatever a server, a proxy or a disk does is the same to the user: the file is not there.
    except Exception as error:
        reason = _reason(error, urlsplit(url).hostname)
    # Out here it has no context: a hundred lines of libraries that say no more than the reason,
    # and hold locks, so that a worker of Dask could not send the error back.
    raise OSError(
        f"{path.name} is not in the folder {path.parent}, and downloading it failed: "
        f"{reason}. {advice}".rstrip()
    )


def _check_sha256(file, expected):
    file.seek(0)
    found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected not in (None, found):
        raise OSError(f"a different file was received: its SHA-256 is {found}, expected {expected}")


def _check_signature(file, expected):
    file.seek(0)
    found = file.read(len(expected))
    if found != expected:
        raise OSError(
            f"a different file was received: it begins with {found!r}, expected {expected!r}"
        )


def _receive(url, file, name):
    """Fill `file` from `url`, showing progress, and give up when nothing more comes."""
    transfer = _Transfer(url, file)
    transfer.start()
    try:
        with download_bar() as bar:
            task = bar.add_task(f"Downloading {name}", total=None)
            for received, expected in _watch(transfer):
                bar.update(task, completed=received, total=expected)
    finally:
        transfer.abandoned = True
    if transfer.error is not None:
        raise transfer.error


def _watch(transfer):
    mark, give_up = 0, time.monotonic() + _PATIENCE
    while transfer.is_alive():
        transfer.join(0.1)
        if transfer.received - mark >= _LEAST_BYTES:
            mark, give_up = transfer.received, time.monotonic() + _PATIENCE
        if time.monotonic() > give_up:
            host = urlsplit(transfer.url).hostname
            raise TimeoutError(f"almost nothing was received from {host} for {_PATIENCE:g} s")
        yield transfer.received, transfer.expected


class _Transfer(threading.Thread):
    """Downloads in the background, so that the caller can give up on it at any time.

    No socket time-out covers a name server that is silent, several addresses tried one after
    the other, or a server that sends a byte now and then.
    """

    def __init__(self, url, file):
        super().__init__(daemon=True)
        self.url, self.file = url, file
        self.received, self.expected = 0, None  # bytes, over all attempts
        self.error = None
        self.abandoned = False

    def run(self):
        for left in reversed(range(_ATTEMPTS)):
            try:
                self._fetch()
                self.error = None
                return
            except Exception as error:  # raised again in the thread that waits
                self.error = error
            if self.abandoned or not left or not _may_pass(self.error):
                return
            time.sleep(_PAUSE)

    def _fetch(self):
        import pooch
        import requests

        self.file.seek(0)
        self.file.truncate()
        fetch = pooch.HTTPDownloader(
            chunk_size=_CHUNK_BYTES,
            timeout=_CONNECT_AND_READ_SECONDS,
            headers={"Accept-Encoding": "identity"},
            hooks={"response": self._look_at},
        )
        with contextlib.ExitStack() as self._responses:  # pooch leaves them open on errors
            fetch(self.url, self, None)
        if self.expected not in (None, self.received):
            raise requests.ConnectionError("the connection broke off")

    def _look_at(self, response, **kwargs):
        self._responses.callback(response.close)
        if response.is_redirect:
            target = urljoin(response.url, response.headers["location"])
            if urlsplit(target).scheme != "https":
                raise OSError(f"it leads on to {target}, which is not https://")
        # Some servers declare a .tar.gz as a .tar in transport coding: it is wanted as stored.
        response.raw.headers.discard("content-encoding")
        length = response.headers.get("content-length")
        self.expected = self.received + int(length) if length else None

    def write(self, chunk):
        """Take what pooch received: it writes to this object as to a file."""
        if self.abandoned:
            raise OSError("abandoned")
        self.file.write(chunk)
        self.received += len(chunk)

    def flush(self):
        """Do nothing: the file is flushed once, at the end."""


def _may_pass(error):
    """Whether trying again makes sense: network trouble, but not "404 Not Found"."""
    import requests

    status = getattr(getattr(error, "response", None), "status_code", 500)
    return isinstance(error, requests.RequestException) and status >= 500


def _reason(error, host):
    import requests

    if isinstance(error, requests.HTTPError):
        return f"{host} answered {error.response.status_code} {error.response.reason}"
    if isinstance(error, requests.exceptions.SSLError):
        return f"the certificate of {host} could not be verified"
    if isinstance(error, requests.Timeout):
        return f"{host} did not answer in time"
    if isinstance(error, (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        return f"there is no connection to {host}, or it broke off"
    return str(error) or type(error).__name__
