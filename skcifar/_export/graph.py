"""A classifier as a graph, pixels to probabilities: what ONNX and OpenVINO have in common."""

import numpy as np

from .._model.frozen import apply_with_features
from .._model.graph_layers import ChannelsFirstLayers
from .._model.network import STEM


def model_name(classifier):
    """Return what the model is called in its file."""
    return f"{classifier._frozen.network.name}_classifier"


def metadata(classifier, normalizers):
    """Return what a file says of its model beside the graph, as values that JSON knows."""
    first = [*normalizers, classifier][0]
    return {
        "class_names": classifier.classes_.tolist(),
        "pixel_range": [float(bound) for bound in first.pixel_range_],
        "resize": classifier.resize_,
    }


def probabilities(ops, images, classifier, normalizers):
    """Return the output of the whole, pixels to probabilities, from the functions `ops`."""
    for normalizer in normalizers:
        images = _affine(ops, images, normalizer.scale_, normalizer.offset_)
    frozen, head = classifier._frozen, classifier._head
    layers = ChannelsFirstLayers(ops, frozen.weights)
    views = classifier._views()
    x = [layers.preprocess(images, view.image_shape, view.preprocessing) for view in views]
    # The views run as one batch, so that the weights stand in the file once.
    x = ops.concat(x, 0) if len(views) > 1 else x[0]
    x = layers.concatenate(apply_with_features(layers, x, frozen, STEM)[1])
    x = ops.softmax(_logits(ops, x, head), 1)
    x = ops.reshape(x, ops.constant(np.array([len(views), -1, head.n_classes])), False)
    return ops.reduce_mean(x, ops.constant(np.array([0])), False)


def _logits(ops, features, head):
    mean, scale = head.standardization.mean, head.standardization.scale
    x = ops.multiply(ops.subtract(features, ops.constant(mean)), ops.constant(1 / scale))
    *hidden, kernel, bias = head.weights
    for hidden_kernel, hidden_bias in zip(hidden[::2], hidden[1::2], strict=True):
        x = ops.relu(_dense(ops, x, hidden_kernel, hidden_bias))
    return _dense(ops, x, kernel, bias)


def _dense(ops, x, kernel, bias):
    return ops.add(ops.matmul(x, ops.constant(kernel), False, False), ops.constant(bias))


def _affine(ops, x, scale, offset):
    x = ops.multiply(x, ops.constant(np.asarray(scale, np.float32)))
    return ops.add(x, ops.constant(np.asarray(offset, np.float32)))
