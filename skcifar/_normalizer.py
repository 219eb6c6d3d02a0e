"""ImageNormalizer."""

from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_is_fitted

from ._dask import block_by_block, is_dask_array
from ._images.given import pictures_in
from ._model.preprocessing import affine_map
from ._sklearn_callbacks import CallbackSupportMixin, as_one_task
from ._system.rounding import underflow_is_zero
from ._validation.frames import frames_where
from ._validation.images import IMAGE_CONSTRAINTS, ImageInputMixin
from ._validation.parameter_names import suggesting_names
from ._validation.parameters import check_parameters, option
from ._validation.pixel_range import resolve_pixel_range, warn_outside_range
from ._validation.rollback import unchanged_on_error
from ._validation.types import Array, ImageShape, PixelRange

_CONSTRAINTS = {
    "method": option("unit", "symmetric", "standardize"),
    "pixel_range": IMAGE_CONSTRAINTS["pixel_range"],
    "image_shape": IMAGE_CONSTRAINTS["image_shape"],
}
_TARGET_RANGES = {"unit": (0.0, 1.0), "symmetric": (-1.0, 1.0)}
_IMAGES_PER_PASS = 4096


def _same_shape(self, X):
    return X.shape[1:], np.float32


def _is_rows(X):
    return _n_dimensions(X) == 2 and not is_dask_array(X)


@frames_where(_is_rows)
class ImageNormalizer(
    OneToOneFeatureMixin, TransformerMixin, CallbackSupportMixin, ImageInputMixin, BaseEstimator
):
    """Map the pixels of images to a common range.

    Read more in the :ref:`User Guide <normalizer>`.

    Parameters
    ----------
    method : {"unit", "symmetric", "standardize"}, default="unit"
        ``"unit"`` maps `pixel_range` to [0, 1]; ``"symmetric"`` to [-1, 1], which is what the
        ImageNet weights were trained on; ``"standardize"`` subtracts the mean of each colour
        channel over the images of `fit` and divides by its standard deviation.
    pixel_range : "auto" or tuple of (low, high), default="auto"
        Range of the pixels given. ``"auto"`` detects it: [0, 255] for integers within it, [0,
        65535] for larger unsigned 16-bit integers, [0, 1] for bools, the first of [0, 1], [-1, 1]
        and [0, 255] that holds floats, and for anything else, with a warning, (min, max) of `X`. It
        warns where the guess is uncertain.
    image_shape : tuple of (height, width, channels), default=None
        Shape of the images when `X` is 2-D, with the pixels in this order; None infers square RGB
        images.

    Attributes
    ----------
    scale_ : ndarray of shape (channels,)
    offset_ : ndarray of shape (channels,)
        Images come out as ``X * scale_ + offset_``.
    pixel_range_ : tuple of two floats
        The range that was used.
    image_shape_ : tuple of three ints
    n_features_in_ : int
        ``height * width * channels``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of `X`, where it was a frame of rows.
    n_samples_seen_ : int
        Number of images that `fit` was given.

    Examples
    --------
    >>> from skcifar import ImageNormalizer
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=10, random_state=0)
    >>> unit = ImageNormalizer().fit_transform(X)
    >>> unit.shape, str(unit.dtype), bool(unit.max() <= 1)
    ((10, 32, 32, 3), 'float32', True)
    """

    @suggesting_names
    def __init__(
        self,
        method: Literal["unit", "symmetric", "standardize"] = "unit",
        *,
        pixel_range: PixelRange = "auto",
        image_shape: ImageShape | None = None,
    ) -> None:
        self.method = method
        self.pixel_range = pixel_range
        self.image_shape = image_shape

    @as_one_task
    @underflow_is_zero()
    def fit(self, X: ArrayLike, y: object = None) -> Self:
        """Learn the range, or the mean and deviation, of the pixels of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)
            Images with 1 or 3 channels, or 2-D rows of their pixels.
        y : None
            Ignored.

        Returns
        -------
        self : ImageNormalizer

        Raises
        ------
        ValueError
            If `X` holds no images, or pixels more than 1 % outside an explicit `pixel_range`.
        """
        with unchanged_on_error(self):
            check_parameters(self, _CONSTRAINTS)
            images = self._validate_images(X, reset=True)
            self.pixel_range_ = resolve_pixel_range(images, self.pixel_range)
            self.scale_, self.offset_ = self._affine_map(images)
            self.n_samples_seen_ = len(images)
        return self

    def _validate_images(self, X, y="no_validation", *, reset):
        if pictures_in(X) is not None:
            raise TypeError(
                "ImageNormalizer scales pixels in memory, and X holds pictures in files. Leave it "
                "out: MobileNetV2Classifier and MobileNetV2Features scale what they read. Or pass "
                "numpy.asarray(ImageFiles(files, image_size=96))."
            )
        return super()._validate_images(X, y, reset=reset)

    def _affine_map(self, images):
        n_channels = images.shape[3]
        if self.method == "standardize":
            mean, deviation = _channel_statistics(images)
            return 1 / deviation, -mean / deviation
        scale, offset = affine_map(self.pixel_range_, _TARGET_RANGES[self.method])
        return np.full(n_channels, scale), np.full(n_channels, offset)

    @block_by_block(_same_shape)
    @underflow_is_zero()
    def transform(self, X: ArrayLike) -> Array:
        """Return the normalised images.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)

        Returns
        -------
        ndarray or Dask array of the shape of `X`, float32
            Rows are returned as a frame if `set_output` asks for one; images stay arrays.
        """
        check_is_fitted(self)
        images = self._validate_images(X, reset=False)
        warn_outside_range(images, self.pixel_range_)
        images = images.astype(np.float32)
        images *= self.scale_.astype(np.float32)
        images += self.offset_.astype(np.float32)
        return _like_input(images, X)

    @block_by_block(_same_shape)
    @underflow_is_zero()
    def inverse_transform(self, X: ArrayLike) -> Array:
        """Return images in the range that `fit` saw.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels)
            Normalised images.

        Returns
        -------
        ndarray or Dask array of the shape of `X`, float32
        """
        check_is_fitted(self)
        images = self._validate_images(X, reset=False)
        images = images.astype(np.float32)
        images -= self.offset_.astype(np.float32)
        images /= self.scale_.astype(np.float32)
        return _like_input(images, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags


def _like_input(images, X):
    """Return `images` in the shape of `X`: rows stay rows."""
    return images if _n_dimensions(X) == 4 else images.reshape(len(images), -1)


def _n_dimensions(X):
    """Return those of `X`; of a list, which may be ragged, as its first image tells them."""
    if isinstance(X, (list, tuple)):
        return 1 + (_n_dimensions(X[0]) if X else 0)
    return X.ndim if hasattr(X, "ndim") else np.asarray(X).ndim


def _channel_statistics(images):
    """Return the mean and the deviation of each channel; a constant channel has deviation 1.

    Constant is what differs by less than float32 can tell: the rounding of the mean, mostly.
    """
    count = images[..., 0].size
    mean = _channel_sum(images, lambda pixels: pixels) / count
    deviation = np.sqrt(_channel_sum(images, lambda pixels: (pixels - mean) ** 2) / count)
    float32 = np.finfo(np.float32)
    return mean, np.where(deviation > float32.tiny + float32.eps * abs(mean), deviation, 1.0)


def _channel_sum(images, function):
    return sum(
        function(images[part].astype(np.float64)).sum(axis=(0, 1, 2))
        for part in gen_batches(len(images), _IMAGES_PER_PASS)
    )
