"""Which frozen network and what to run it the parameters of an estimator stand for."""

import warnings

import numpy as np

from ._extraction.engines import ENGINES, PRECISIONS, check_precision, resolve_engine
from ._extraction.extractor import Extractor
from ._extraction.feature_cache import open_store
from ._images.given import largest_side, pictures_in
from ._images.image_files import ImageFiles
from ._model.frozen import FrozenNetwork
from ._model.network import FEATURE_LAYERS
from ._validation.images import IMAGE_CONSTRAINTS, ImageInputMixin
from ._validation.parameters import PATH, check_parameters, integer, option, real
from ._validation.pixel_range import resolve_pixel_range
from ._weights.loading import load_backbone, weight_names


def backbone_constraints(network_type):
    """Return the constraints of the parameters that choose a network of `network_type`."""
    return {
        "weights": option(*weight_names(network_type), None) | PATH,
        "alpha": option(None) | real(0, low_open=True),
        "input_size": option("auto") | integer(network_type.min_input_size),
        **IMAGE_CONSTRAINTS,
        "feature_layers": option(*FEATURE_LAYERS),
    }


ENGINE_CONSTRAINTS = {
    "feature_cache": option("memory", None) | PATH,
    "engine": option("auto", *ENGINES),
    "precision": option(*PRECISIONS),
}


# The largest side in pixels that input_size="auto" brings files to. Top-1 accuracy on ImageNet as
# published with MobileNetV2, at 96, 128, 160, 192 and 224 px: 0.603, 0.653, 0.688, 0.707, 0.718;
# the last takes twice the time of 160 px.
_LARGEST_AUTO_SIDE = 160
_PIXELS_OF_FILES = (0, 255)


class BackboneMixin(ImageInputMixin):
    """Builds the frozen network and what runs it from the parameters of an estimator.

    Takes pictures in files where `ImageInputMixin` takes arrays. An estimator names the type of
    its network in `_network_type`.
    """

    def _validate_images(self, X, y="no_validation", *, reset):
        """Return `X` as `ImageInputMixin` does; of pictures in files, an `ImageFiles`.

        No file is read but for some headers, where they decide the size.
        """
        pictures = pictures_in(X)
        files = None if pictures is None else self._as_files(pictures, reset=reset)
        if reset:
            self.resize_ = None if files is None else files.resize
        if files is None:
            return super()._validate_images(X, y, reset=reset)
        # Zeros that take no memory stand for the pixels that nobody has read yet.
        stand_in = np.broadcast_to(np.uint8(0), files.shape)
        validated = super()._validate_images(stand_in, y, reset=reset)
        return (files, validated[1]) if isinstance(validated, tuple) else files

    def _learn_pixel_range(self, images):
        self.pixel_range_ = resolve_pixel_range(images, self.pixel_range)

    def _frozen_network(self):
        """Return the `FrozenNetwork` for images like those of `fit`."""
        network, weights = load_backbone(
            self._network_type, self.weights, self.alpha, self.input_size, self.image_shape_
        )
        return FrozenNetwork(
            network,
            weights,
            self.image_shape_,
            self.pixel_range_,
            feature_layers=self.feature_layers,
        )

    def _extractor(self):
        check_parameters(self, ENGINE_CONSTRAINTS)  # they may have changed since the fit
        engine = resolve_engine(self.engine)
        check_precision(engine, self.precision)
        return Extractor(engine, self.precision, open_store(self.feature_cache))

    def _as_files(self, pictures, *, reset):
        """Return `ImageFiles`, of the size to be fitted, or else of that of the fit."""
        self._check_takes_files(reset=reset)
        resize = None if reset else self.resize_
        if not isinstance(pictures, ImageFiles):
            size = self._size_for_files(pictures) if reset else self.image_shape_[:2]
            return ImageFiles(pictures, image_size=size, resize=resize or "stretch")
        if resize not in (None, pictures.resize):
            warnings.warn(
                f"X holds files that are read with resize={pictures.resize!r}, but the fit was on "
                f"files read with resize={resize!r}. Use the same, or pass the paths alone.",
                UserWarning,
                stacklevel=2,
            )
        return pictures

    def _check_takes_files(self, *, reset):
        """Raise if pixels are wanted that files do not have."""
        shape = self.image_shape if reset else self.image_shape_
        bounds = self.pixel_range if reset else self.pixel_range_
        source = "the parameters ask for" if reset else f"this {type(self).__name__} was fitted on"
        if shape is not None and shape[2] != 3:
            raise ValueError(
                f"X holds pictures in files, which are read as RGB, but {source} grey images. "
                "Pass arrays: load_image(file, image_size=...).mean(axis=-1, keepdims=True)."
            )
        if not isinstance(bounds, str) and tuple(bounds) != _PIXELS_OF_FILES:
            raise ValueError(
                "X holds pictures in files, which are read as bytes, from 0 to 255, but "
                f"{source} pixels in [{bounds[0]:g}, {bounds[1]:g}]. Fit on files, or on bytes; "
                "or read and scale them: load_image, numpy.asarray(ImageFiles(...))."
            )

    def _size_for_files(self, pictures):
        """Return what to bring files to: the stated shape, or what the network sees."""
        if self.image_shape is not None:
            return tuple(self.image_shape[:2])
        if self.input_size != "auto":
            return int(self.input_size)
        side = min(largest_side(pictures) or _LARGEST_AUTO_SIDE, _LARGEST_AUTO_SIDE)
        network, _ = load_backbone(
            self._network_type, self.weights, self.alpha, "auto", (side, side, 3)
        )
        return network.input_size
