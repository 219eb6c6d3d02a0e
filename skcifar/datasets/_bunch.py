"""What every data set of this package is returned as."""

import numpy as np
from sklearn.utils import Bunch


def image_bunch(images, target, target_names, descr, **more):
    """Return a `Bunch` of images, the same pixels as flat rows, labels and their names."""
    return Bunch(
        images=images,
        data=images.reshape(len(images), -1),
        target=target,
        target_names=np.asarray(target_names),
        DESCR=descr,
        **more,
    )
