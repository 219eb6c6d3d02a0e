"""scikit-learn's handwritten digits as small RGB images."""

from typing import Any

import numpy as np

from ._bunch import image_bunch

_SIDE = 32
_DESCR = """Handwritten digits as RGB images
================================

1,797 real handwritten digits in 10 classes, the copy of the test set of "Optical Recognition of
Handwritten Digits" (E. Alpaydin and C. Kaynak, UCI Machine Learning Repository, 1998) that
scikit-learn ships. Here its 8 x 8 pixels of 17 grey levels are brought to 32 x 32 by bilinear
interpolation, to 0 to 255, and repeated for red, green and blue: images of the shape and type of
CIFAR-10 that need no download.
"""


def load_digits_rgb(*, return_X_y: bool = False) -> Any:
    """Load scikit-learn's handwritten digits as images like those of CIFAR-10.

    Real images without a download, for a first try and for when there is no network connection.

    =================   ================
    Classes                           10
    Samples                        1,797
    Image shape              (32, 32, 3)
    Pixels               uint8, 0 to 255
    =================   ================

    Parameters
    ----------
    return_X_y : bool, default=False
        Whether to return ``(images, target)`` instead of a `Bunch`.

    Returns
    -------
    data : :class:`~sklearn.utils.Bunch`
        With the fields

        images : ndarray of shape (1797, 32, 32, 3), uint8
            White digits on black.
        data : ndarray of shape (1797, 3072), uint8
            The same images, each as one row.
        target : ndarray of shape (1797,)
            The digits, 0 to 9.
        target_names : ndarray of shape (10,)
            Their names, ``"0"`` to ``"9"``.
        DESCR : str
            Where they come from.
    (images, target) : tuple if ``return_X_y=True``
        Two of these fields.

    Examples
    --------
    >>> from skcifar.datasets import load_digits_rgb
    >>> digits = load_digits_rgb()
    >>> digits.images.shape, digits.images.dtype
    ((1797, 32, 32, 3), dtype('uint8'))
    >>> X, y = load_digits_rgb(return_X_y=True)
    >>> y[:5]
    array([0, 1, 2, 3, 4])
    """
    from sklearn.datasets import load_digits

    digits = load_digits()
    grey = np.rint(digits.images * (255 / 16)).astype(np.uint8)
    images = np.repeat(np.stack([_enlarge(image) for image in grey])[..., None], 3, axis=-1)
    if return_X_y:
        return images, digits.target
    return image_bunch(images, digits.target, [str(d) for d in digits.target_names], _DESCR)


def _enlarge(image):
    from PIL import Image

    return np.asarray(Image.fromarray(image).resize((_SIDE, _SIDE), Image.Resampling.BILINEAR))
