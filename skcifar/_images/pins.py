"""What pictures were when they were first read."""

import numpy as np

from .decoding import DIGEST_BYTES
from .unreadable import UnreadableError


class Pins:
    """A digest of each picture as it was first read, shared by all parts of a list of pictures.

    Parameters
    ----------
    digests : ndarray of shape (n_in_all, 16), uint8
        Zeros for pictures that were not read yet.
    rows : ndarray of int
        Which of them are pinned here.
    """

    def __init__(self, digests, rows):
        self._digests, self._rows = digests, rows

    @classmethod
    def of(cls, n_pictures):
        """Return pins of pictures of which none was read."""
        return cls(np.zeros((n_pictures, DIGEST_BYTES), np.uint8), np.arange(n_pictures))

    def __getstate__(self):
        """Leave out the pictures of other parts."""
        return {"_digests": self._digests[self._rows], "_rows": np.arange(len(self._rows))}

    def __getitem__(self, key):
        """Return the pins of some of the pictures: a slice, an array of integers, or a mask."""
        return Pins(self._digests, self._rows[key])

    def digests(self):
        return [digest.tobytes() for digest in self._digests[self._rows]]

    def check(self, index, found):
        """Note the digest of a picture, or raise if it is not the one noted before.

        Raises
        ------
        UnreadableError
        """
        noted = self._digests[self._rows[index]]
        if not noted.any():
            noted[:] = np.frombuffer(found, np.uint8)
        elif noted.tobytes() != found:
            raise UnreadableError(
                "it has changed since it was first read",
                "Start again, with the pictures as they are now.",
            )
