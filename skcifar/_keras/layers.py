"""The operations of a network as Keras layers.

Imports Keras inside functions: it serves other backends than TensorFlow too.
"""

import math

import numpy as np

from .._model.frozen import apply_with_features
from .._model.network import STEM

# keras.applications has 0.999: its moving statistics lag thousands of steps behind weights
# that move, and fine-tuned accuracy falls apart (0.61 after one epoch on CIFAR-10).
_BATCH_NORM_MOMENTUM = 0.98


class KerasLayers:
    """The operations of the network as Keras layers, each initialised from its own seed.

    Data format and precision are said outright, so that Keras' global settings
    (``channels_first``, mixed precision) change nothing.
    """

    def __init__(self, seed=0, dtype="float32", batch_normalization=None):
        import keras

        self._keras = keras
        self._batch_normalization = batch_normalization or keras.layers.BatchNormalization
        self._rng = np.random.default_rng(seed)
        self._options = {"dtype": dtype}
        self._convolution_options = {
            "padding": "same",
            "use_bias": False,
            "data_format": "channels_last",
            **self._options,
        }

    def convolution(self, x, filters, kernel_size, strides, name):
        return self.make_convolution(filters, kernel_size, strides, name)(x)

    def depthwise(self, x, strides, name):
        return self.make_depthwise(strides, name)(x)

    def batch_norm(self, x, epsilon, name):
        return self.make_batch_norm(epsilon, name)(x)

    def relu6(self, x, name):
        return self._keras.layers.ReLU(6.0, name=name, **self._options)(x)

    def add(self, a, b, name):
        return self._keras.layers.Add(name=name, **self._options)([a, b])

    def pool(self, x, name):
        options = {"data_format": "channels_last", "dtype": "float32"}
        return self._keras.layers.GlobalAveragePooling2D(name=f"{name}_average", **options)(x)

    def concatenate(self, parts):
        if len(parts) == 1:
            return parts[0]
        return self._keras.layers.Concatenate(name="features", dtype="float32")(parts)

    def flatten(self, x):
        return self._keras.layers.Flatten("channels_last", **self._options)(x)

    def to_channels_last(self, x):
        return x

    def from_channels_last(self, x):
        return x

    def preprocess(self, x, image_shape, arrays):
        layers = self._keras.layers
        # Zeros: an initialiser without a seed draws one from Python's global random state.
        options = {"trainable": False, "kernel_initializer": "zeros", **self._options}
        scale, offset, columns, rows = arrays
        height, width, channels = image_shape
        x = layers.Rescaling(scale, offset, **self._options)(x)
        x = layers.Reshape((height, width * channels), **self._options)(x)
        for equation, matrix, n_rows in (
            ("bhk,kw->bhw", columns, height),
            ("bhw,hr->brw", rows, rows.shape[1]),
        ):
            layer = layers.EinsumDense(equation, (n_rows, columns.shape[1]), **options)
            x = layer(x)
            layer.set_weights([matrix])
        return layers.Reshape((rows.shape[1], -1, 3), **self._options)(x)

    def make_convolution(self, filters, kernel_size, strides, name):
        """Return the layer, not yet applied; so do the other two."""
        options = {"kernel_initializer": self._initializer(), **self._convolution_options}
        return self._keras.layers.Conv2D(filters, kernel_size, strides, name=name, **options)

    def make_depthwise(self, strides, name):
        options = {"depthwise_initializer": self._initializer(), **self._convolution_options}
        return self._keras.layers.DepthwiseConv2D(3, strides, name=name, **options)

    def make_batch_norm(self, epsilon, name):
        options = {"momentum": _BATCH_NORM_MOMENTUM, "epsilon": epsilon}
        return self._batch_normalization(name=name, **options, **self._options)

    def _initializer(self):
        return self._keras.initializers.GlorotUniform(seed=int(self._rng.integers(2**31)))


def build_units(
    network,
    first=STEM,
    last=None,
    *,
    pooled=False,
    seed=0,
    dtype="float32",
    batch_normalization=None,
    layers=None,
):
    """Return a `keras.Model` of the units `first` to `last`, both included.

    Parameters
    ----------
    network : Network
        What to build.
    first, last : int
        The run of units; by default the whole network.
    pooled : bool, default=False
        Whether to append global average pooling.
    seed : int, default=0
        Seed of the random initial weights.
    dtype : str, default="float32"
        Keras dtype policy of the layers.
    batch_normalization : class, default=None
        What to use for `keras.layers.BatchNormalization`.
    layers : KerasLayers, default=None
        The operations, instead of those that `seed`, `dtype` and `batch_normalization` stand for.

    Returns
    -------
    keras.Model
        Feature maps (or, for ``first=0``, pixels in its range) to feature maps. Layers carry the
        names of ``keras.applications.MobileNetV2``, so that its weight files fit.
    """
    import keras

    layers = layers or KerasLayers(seed, dtype, batch_normalization)
    inputs = keras.Input(network.input_shape(first), dtype="float32")
    x = network.apply(layers, inputs, first, network.last_unit if last is None else last)
    return keras.Model(inputs, layers.pool(x, "map") if pooled else x, name=network.name)


def build_features(frozen, first=STEM, layers=None):
    """Return a `keras.Model` of the units of `frozen` from `first` up, to its features.

    Parameters
    ----------
    frozen : FrozenNetwork
        A whole network; its weights are not set.
    first : int, default=0
    layers : KerasLayers, default=None
        The operations.

    Returns
    -------
    keras.Model
        From what the part below `first` puts out (or, for ``first=0``, pixels in the range of the
        network) to all features.
    """
    import keras

    layers = layers or KerasLayers()
    map_shape, lower = frozen.network.input_shape(first), []
    shape = frozen.below(first).feature_shape if first else map_shape
    inputs = x = keras.Input(shape, dtype="float32")
    if shape != map_shape:  # the features of the lower part stand behind its map
        size = math.prod(map_shape)
        x = keras.layers.Reshape(map_shape, dtype="float32")(inputs[:, :size])
        lower = [inputs[:, size:]]
    _, upper = apply_with_features(layers, x, frozen, first)
    return keras.Model(inputs, layers.concatenate([*lower, *upper]), name=frozen.network.name)
