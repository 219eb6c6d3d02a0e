"""Grad-CAM: pixels and a Keras model in, arrays out."""

from contextlib import contextmanager

import numpy as np
from sklearn.utils import gen_batches

_BATCH_SIZE = 32


def grad_cam(model, pixels, columns=None):
    """Return (column explained, its probability, heat map in [0, 1]) of each image."""
    batches = gen_batches(len(pixels), _BATCH_SIZE)
    parts = [_explain(model, pixels[b], None if columns is None else columns[b]) for b in batches]
    return tuple(np.concatenate(part) for part in zip(*parts, strict=True))


def _explain(model, pixels, columns):
    import tensorflow as tf

    path, softmax = _last_feature_map(model), _softmax_layer(model)
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        with _recorded([*path, softmax], tape, watched=path[-1]) as calls:
            probabilities = model(tf.constant(pixels), training=False)
        if columns is None:
            columns = np.argmax(probabilities, axis=1)
        scores = _scores(softmax, calls.get(softmax), probabilities)
        score = tf.reduce_sum(tf.gather(scores, columns, batch_dims=1))
    maps = [output for _, output in calls[path[-1]]]
    heat = _heat(maps, tape.gradient(score, maps), _mirrored(path, calls, pixels))
    probability = np.take_along_axis(np.asarray(probabilities), columns[:, None], axis=1)[:, 0]
    return columns, probability, _normalize(tf.image.resize(heat[..., None], pixels.shape[1:3]))


def _last_feature_map(model):
    """Return the layer whose map is read, after the nested models that it lies in."""
    paths = list(_paths_from_the_end(model))
    if not any(_is_convolution(path[-1]) for path in paths):
        raise ValueError(
            f"The Keras model {model.name!r} has no convolution; Grad-CAM reads its last feature "
            "map. Pass a classifier with a convolutional network, such as MobileNetV2Classifier."
        )
    return next(path for path in paths if _is_map(path[-1]))


def _paths_from_the_end(model):
    for layer in reversed(model.layers):
        if hasattr(layer, "layers"):
            yield from ([layer, *path] for path in _paths_from_the_end(layer))
        else:
            yield [layer]


def _is_convolution(layer):
    from keras.layers import Conv2D, DepthwiseConv2D, SeparableConv2D

    return isinstance(layer, Conv2D | DepthwiseConv2D | SeparableConv2D)


def _is_map(layer):
    """Tell whether a layer puts out images of more than one cell."""
    shape = getattr(getattr(layer, "output", None), "shape", ())
    return len(shape) == 4 and shape[1:3] != (1, 1)


def _softmax_layer(model):
    """Return the last layer that makes probabilities of scores, or None."""
    from keras.activations import softmax
    from keras.layers import Softmax

    layers = (path[-1] for path in _paths_from_the_end(model))
    return next(
        (
            layer
            for layer in layers
            if isinstance(layer, Softmax) or getattr(layer, "activation", None) is softmax
        ),
        None,
    )


@contextmanager
def _recorded(layers, tape, watched):
    """Record (input, output) of each call of `layers`, and watch the outputs of one of them.

    The layers of a nested model cannot be reached from the outer one. A model that runs eagerly
    calls each of them, however it is nested and shared, so that it is enough to listen.
    """
    calls = {layer: [] for layer in layers if layer is not None}
    try:
        for layer, record in calls.items():
            layer.call = _listen(layer.call, record, tape if layer is watched else None)
        yield calls
    finally:
        for layer in calls:
            vars(layer).pop("call", None)


def _listen(call, record, tape):
    def recording_call(inputs, *args, **kwargs):
        output = call(inputs, *args, **kwargs)
        if tape is not None:
            tape.watch(output)
        record.append((inputs, output))
        return output

    return recording_call


def _scores(softmax, calls, probabilities):
    """Return the scores before softmax, averaged over the branches of a mirrored model."""
    import tensorflow as tf
    from keras.layers import Dense

    if softmax is None:
        return tf.math.log(tf.maximum(probabilities, 1e-12))
    inputs = tf.reduce_mean([inputs for inputs, _ in calls], axis=0)
    if not isinstance(softmax, Dense):
        return inputs
    return inputs @ softmax.kernel + (softmax.bias if softmax.use_bias else 0)


def _mirrored(path, calls, pixels):
    """Tell for each call of the network whether it saw the images mirrored.

    The model that was called as often as the layer got the images, or their mirror images: if
    bright sides have changed, they are mirrored. Those of other calls may be moved as well, by
    so little that they are nearer to the first ones than to their mirror images, or else further.
    """
    n_calls = len(calls[path[-1]])
    if n_calls == 1:
        return [False]
    seen = next(calls[layer] for layer in path if len(calls[layer]) == n_calls)
    views = [np.asarray(inputs, dtype=np.float64) for inputs, _ in seen]
    is_first_mirrored = np.sum(_tilt(views[0]) * _tilt(pixels)) < 0
    return [is_first_mirrored ^ _is_nearer_to_mirror_image(view, views[0]) for view in views]


def _is_nearer_to_mirror_image(images, others):
    return np.abs(images - others[:, :, ::-1]).sum() < np.abs(images - others).sum()


def _tilt(images):
    """Return by how much the right half of each image is brighter than the left half."""
    images = np.asarray(images, dtype=np.float64)
    half = images.shape[2] // 2
    return images[:, :, -half:].mean(axis=(1, 2, 3)) - images[:, :, :half].mean(axis=(1, 2, 3))


def _heat(maps, gradients, mirrored):
    """Return the mean over the calls of the Grad-CAM (equations 1 and 2 of the paper)."""
    parts = []
    for feature_map, gradient, is_mirrored in zip(maps, gradients, mirrored, strict=True):
        weights = np.asarray(gradient).mean(axis=(1, 2), keepdims=True)
        heat = np.maximum((weights * np.asarray(feature_map)).sum(axis=-1), 0)
        parts.append(heat[:, :, ::-1] if is_mirrored else heat)
    return np.mean(parts, axis=0)


def _normalize(heat):
    heat = np.asarray(heat)[..., 0]
    peaks = heat.max(axis=(1, 2), keepdims=True)
    return heat / np.where(peaks > 0, peaks, 1)
