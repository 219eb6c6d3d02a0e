"""What ``set_output`` makes frames of."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from .types import Images


def frames_where(wanted: Callable[[Any], bool]) -> Callable[[type], type]:
    """Make a transformer return frames, where ``set_output`` asks for them, for some `X` alone.

    Parameters
    ----------
    wanted : callable
        From `X` to whether what is made of it may become a frame.
    """

    def decorate(cls: Any) -> Any:
        in_frames, as_it_is = cls.transform, cls.transform.__wrapped__

        @wraps(as_it_is)
        def transform(self, X):
            return (in_frames if wanted(X) else as_it_is)(self, X)

        def fit_transform(self: Any, X: Images, y: object = None) -> Any:
            """Fit to `X`, and return what `transform` makes of it.

            Parameters
            ----------
            X : array-like of shape (n_samples, height, width, channels)
                Images, as `fit` takes them.
            y : None
                Ignored.

            Returns
            -------
            ndarray, Dask array or frame
                That of `transform`.
            """
            return self.fit(X, y).transform(X)

        cls.transform, cls.fit_transform = transform, fit_transform
        return cls

    return decorate
