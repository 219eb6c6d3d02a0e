"""The whole classifier as one Keras model: images in, probabilities out.

Imports Keras at the top: import this module inside functions.
"""

from dataclasses import replace

import keras

from .heads import build_head
from .layers import KerasLayers, build_features


def build_model(frozen, head, mirrored_too):
    """Return one `keras.Model` from images to probabilities.

    Parameters
    ----------
    frozen : FrozenNetwork
    head : Head
    mirrored_too : bool
        Whether to average the probabilities of the image and of its mirror image.
    """
    backbone = build_features(frozen)
    backbone.set_weights(frozen.needed_weights)
    # In Keras a nested network that may be trained normalises by batch statistics when called.
    backbone.trainable = False
    classify = build_head(head, dropout=0.0)
    inputs = keras.Input(frozen.image_shape, name="images", dtype="float32")
    views = [frozen, replace(frozen, mirrored=True)] if mirrored_too else [frozen]
    outputs = [_view(inputs, view, backbone, classify) for view in views]
    if mirrored_too:
        outputs = [keras.layers.Average(dtype="float32")(outputs)]
    return keras.Model(inputs, outputs[0], name=f"{frozen.network.name}_classifier")


def _view(inputs, frozen, backbone, classify):
    x = KerasLayers().preprocess(inputs, frozen.image_shape, frozen.preprocessing)
    return classify(backbone(x, training=False))
