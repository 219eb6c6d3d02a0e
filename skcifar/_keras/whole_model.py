"""The whole classifier as one Keras model: images in, probabilities out.

Imports Keras at the top: import this module inside functions.
"""

import keras

from .heads import build_head
from .layers import KerasLayers, build_features


def build_model(views, head):
    """Return one `keras.Model` from images to probabilities.

    Parameters
    ----------
    views : sequence of FrozenNetwork
        One network, for images as they are and moved or mirrored: probabilities are averaged.
    head : Head
    """
    frozen = views[0]
    backbone = build_features(frozen)
    backbone.set_weights(frozen.needed_weights)
    # In Keras a nested network that may be trained normalises by batch statistics when called.
    backbone.trainable = False
    classify = build_head(head, dropout=0.0)
    inputs = keras.Input(frozen.image_shape, name="images", dtype="float32")
    outputs = [_view(inputs, view, backbone, classify) for view in views]
    if len(views) > 1:
        outputs = [keras.layers.Average(dtype="float32")(outputs)]
    return keras.Model(inputs, outputs[0], name=f"{frozen.network.name}_classifier")


def _view(inputs, frozen, backbone, classify):
    x = KerasLayers().preprocess(inputs, frozen.image_shape, frozen.preprocessing)
    return classify(backbone(x, training=False))
