"""MobileNetV2Features."""

import functools
from typing import Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._backbone import ENGINE_CONSTRAINTS, BackboneMixin, backbone_constraints
from ._dask import block_by_block, is_dask_array
from ._model.mobilenet_v2 import MobileNetV2
from ._sklearn_callbacks import CallbackSupportMixin, as_one_task
from ._system.progress import progress_bar
from ._system.rounding import underflow_is_zero
from ._validation.frames import frames_where
from ._validation.parameter_names import suggesting_names
from ._validation.parameters import VERBOSE, check_parameters
from ._validation.pixel_range import warn_outside_range
from ._validation.rollback import unchanged_on_error
from ._validation.types import (
    Array,
    Engine,
    FeatureLayers,
    Images,
    ImageShape,
    PathLike,
    PixelRange,
    Precision,
)


@functools.cache
def _constraints(network_type):
    """Return those of all parameters, in the order of the constructor."""
    return {
        **backbone_constraints(network_type),
        **ENGINE_CONSTRAINTS,
        "verbose": VERBOSE,
    }


@frames_where(lambda X: not is_dask_array(X))
class MobileNetV2Features(
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    CallbackSupportMixin,
    BackboneMixin,
    BaseEstimator,
):
    """Turn images, or pictures in files, into the features of a frozen MobileNetV2.

    Nothing is trained: `fit` only learns the shape of the images and the range of their pixels. The
    network runs once over each image; features are cached and shared with `MobileNetV2Classifier`.

    Read more in the :ref:`User Guide <network>`.

    Parameters
    ----------
    weights : {"imagenet", "cifar10", "cifar10-32px"}, path or None, default="imagenet"
        ``"imagenet"`` is the checkpoint for 224 px and this `alpha`, used at every input size;
        ``"cifar10"``, fine-tuned from it on CIFAR-10, and ``"cifar10-32px"``, a small network for
        32 px, ship with the package; None is a random network, always the same one. A path is
        that of a Keras weights file.
    alpha : float, default=None
        Width multiplier. None is 1.0, or the width of the shipped weights. ImageNet's weights come
        in 0.35, 0.5, 0.75, 1.0, 1.3 and 1.4.
    input_size : "auto" or int, default="auto"
        Side in pixels of what the network sees, at least 32. ``"auto"`` is 32 for
        ``weights="cifar10-32px"``, else 96 for images smaller than 96 px and the nearest of 96,
        128, 160, 192 and 224 for others; at most 160 for files, of which the largest decides (up
        to 64 are examined). Images are resized bilinearly, antialiased when shrinking; the aspect
        ratio is not kept. Files are read at this size, unless `image_shape` or `ImageFiles` state
        another.
    image_shape : tuple of (height, width, channels), default=None
        Shape of the images when `X` is 2-D, with the pixels in this order; None infers square RGB
        images. For files, the size at which they are read.
    pixel_range : "auto" or tuple of (low, high), default="auto"
        Range of the pixels given, mapped to what the network was trained on. ``"auto"`` detects it:
        [0, 255] for integers within it, [0, 65535] for larger unsigned 16-bit integers, [0, 1] for
        bools, the first of [0, 1], [-1, 1] and [0, 255] that holds floats, and for anything else,
        with a warning, (min, max) of `X`. It warns where the guess is uncertain.
    feature_layers : {"last", "blocks", "all", "depthwise"}, default="blocks"
        Which outputs of the network are the features, each map averaged over its pixels:
        ``"blocks"``, all blocks (1,504 numbers at `alpha` 1.0); ``"last"``, the last convolution
        (1,280 numbers); ``"all"``, both; ``"depthwise"``, the outputs of the depthwise convolutions
        (7,136 numbers): the most accurate with thousands of images, at five times the work of
        training on them.
    feature_cache : "memory", path or None, default="memory"
        Where features are cached: in this process (up to 1 GiB), in a folder shared by processes
        and later runs (up to 10 GiB), or nowhere.
    engine : {"auto", "tensorflow", "openvino"}, default="auto"
        What runs the network. ``"auto"`` is OpenVINO on a CPU if installed, else TensorFlow.
    precision : {"float32", "bfloat16"}, default="float32"
        ``"bfloat16"`` runs the network in about half of the time on processors that support it,
        and predicts another class for 2 to 6 % of the images.
    verbose : int, default=0
        1 shows a progress bar.

    Attributes
    ----------
    n_features_in_ : int
        ``height * width * channels``.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns of `X`, where it was a frame of rows.
    n_samples_seen_ : int
        Number of images that `fit` was given.
    image_shape_ : tuple of three ints
    resize_ : {"stretch", "crop", "pad"} or None
        How files were brought to `image_shape_`, and new ones will be: "stretch", or the `resize`
        of the `ImageFiles` that were given; None after a fit on an array.
    pixel_range_ : tuple of two floats
        The range that was used.
    engine_ : str
        The engine that runs the network.

    See Also
    --------
    MobileNetV2Classifier : Trains a head on these features.

    References
    ----------
    Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.

    Examples
    --------
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcifar import MobileNetV2Features
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=60, random_state=0)
    >>> features = MobileNetV2Features(weights=None, input_size=32)
    >>> features.fit_transform(X).shape
    (60, 1504)
    """

    _network_type = MobileNetV2

    @suggesting_names
    def __init__(
        self,
        *,
        weights: PathLike | None = "imagenet",
        alpha: float | None = None,
        input_size: int | Literal["auto"] = "auto",
        image_shape: ImageShape | None = None,
        pixel_range: PixelRange = "auto",
        feature_layers: FeatureLayers = "blocks",
        feature_cache: PathLike | None = "memory",
        engine: Engine = "auto",
        precision: Precision = "float32",
        verbose: int = 0,
    ) -> None:
        self.weights = weights
        self.alpha = alpha
        self.input_size = input_size
        self.image_shape = image_shape
        self.pixel_range = pixel_range
        self.feature_layers = feature_layers
        self.feature_cache = feature_cache
        self.engine = engine
        self.precision = precision
        self.verbose = verbose

    @as_one_task
    def fit(self, X: Images, y: object = None) -> Self:
        """Learn the shape and the range of the pixels, and load the weights.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files
            Images with 1 or 3 channels, or 2-D rows of their pixels. Or pictures in files: a list,
            an array or a column of paths, of ``bytes`` or of PIL images, or `ImageFiles`.
        y : None
            Ignored.

        Returns
        -------
        self : MobileNetV2Features

        Raises
        ------
        ValueError
            If a parameter or `X` is not what is described here.
        OSError
            If the weights are not there and cannot be downloaded.
        """
        with unchanged_on_error(self):
            check_parameters(self, _constraints(self._network_type))
            images = self._validate_images(X, reset=True)
            extractor = self._extractor()
            extractor.may_warn_again()
            self.engine_ = extractor.engine
            self._learn_pixel_range(images)
            self._frozen = self._frozen_network()
            self.n_samples_seen_ = len(images)
        return self

    @block_by_block(lambda self, X: ((self._n_features_out,), np.float32))
    @underflow_is_zero()
    def transform(self, X: Images) -> Array:
        """Return the features of `X`.

        Parameters
        ----------
        X : array-like of shape (n_samples, height, width, channels), or files
            Of a Dask array, the features are computed block by block when they are asked for.

        Returns
        -------
        ndarray or Dask array of shape (n_samples, n_features_out), float32
            As many as `feature_layers` has numbers: 1,504 by default, at `alpha` 1.0.
        """
        check_is_fitted(self)
        images = self._validate_images(X, reset=False)
        warn_outside_range(images, self.pixel_range_)
        with progress_bar(self.verbose) as progress:
            progress.phase("features", len(images))
            return self._extractor().extract(self._frozen, images, progress=progress.advance)

    def get_feature_names_out(self, input_features: ArrayLike | None = None) -> np.ndarray:
        """Return the names of the features.

        They say block and channel: ``mobilenetv2_block_3_17``; of the last convolution alone the
        channel: ``mobilenetv2_17``.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of `X`, held against those seen in `fit`; of no other use.

        Returns
        -------
        ndarray of shape (n_features_out,), str objects
        """
        if getattr(self, "resize_", None):  # the name of a column of files, which none was told
            input_features = None
        names = super().get_feature_names_out(input_features)  # checks `input_features`
        prefix = self._network_type.name
        if self._frozen.feature_layers == "last":
            names = [f"{prefix}_{index}" for index in range(len(names))]
        else:
            names = [
                f"{prefix}_{layer.name}_{channel}"
                for layer in self._frozen.features
                for channel in range(layer.width)
            ]
        return np.array(names, dtype=object)

    @property
    def _n_features_out(self):
        return self._frozen.n_features

    def __sklearn_is_fitted__(self):
        return hasattr(self, "_frozen")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = []
        return tags
