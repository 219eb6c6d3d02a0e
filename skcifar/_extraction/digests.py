"""What tells images apart."""

import hashlib

import numpy as np

_DIGEST_BYTES = 16


def image_digests(images):
    """Return one digest an image, of its dtype, shape and bytes.

    Parameters
    ----------
    images : ndarray of shape (n, ...)

    Returns
    -------
    list of bytes
    """
    prefix = hashlib.blake2b(digest_size=_DIGEST_BYTES)
    prefix.update(f"{images.dtype.str}{images.shape[1:]}".encode())
    digests = []
    for image in images:
        digest = prefix.copy()
        digest.update(np.ascontiguousarray(image))
        digests.append(digest.digest())
    return digests
