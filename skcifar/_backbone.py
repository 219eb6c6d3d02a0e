"""Which frozen network and what to run it the parameters of an estimator stand for."""

import os

from ._extraction.engines import ENGINES, PRECISIONS, check_precision, resolve_engine
from ._extraction.extractor import Extractor
from ._extraction.feature_cache import open_store
from ._model.frozen import FrozenNetwork
from ._model.network import FEATURE_LAYERS
from ._validation.images import IMAGE_CONSTRAINTS, ImageInputMixin
from ._validation.parameters import check_parameters, instance, integer, option, real
from ._validation.pixel_range import resolve_pixel_range
from ._weights.loading import load_backbone, weight_names

_PATH = instance("a path", str, os.PathLike)


def backbone_constraints(network_type):
    """Return the constraints of the parameters that choose a network of `network_type`."""
    return {
        "weights": option(*weight_names(network_type), None) | _PATH,
        "alpha": option(None) | real(0, low_open=True),
        "input_size": option("auto") | integer(network_type.min_input_size),
        **IMAGE_CONSTRAINTS,
        "feature_layers": option(*FEATURE_LAYERS),
    }


ENGINE_CONSTRAINTS = {
    "feature_cache": option("memory", None) | _PATH,
    "engine": option("auto", *ENGINES),
    "precision": option(*PRECISIONS),
}


class BackboneMixin(ImageInputMixin):
    """Builds the frozen network and what runs it from the parameters of an estimator.

    An estimator names the type of its network in `_network_type`.
    """

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
