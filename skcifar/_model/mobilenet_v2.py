"""Every fact about MobileNetV2, and pure Keras builders for its parts.

The network is a row of *units*: unit 0 is the stem, units 1 to 17 are the inverted
residual blocks 0 to 16 (named as in ``keras.applications``), unit 18 is the last
convolution. Any run of units can be built as a model of its own, so that the frozen lower
part and the trained upper part of one network share one table; and in any library that
offers the seven operations of `KerasLayers`.

References
----------
Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

# (expansion, filters, repeats, stride of the first block): table 2 of the paper.
_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
_STEM_FILTERS, _LAST_FILTERS = 32, 1280
# At 32 px the published CIFAR variant leaves these at stride 1: the last map is 4 x 4, not 1 x 1.
_UNSTRIDED_FOR_CIFAR = ("stem", 24)

N_BLOCKS = sum(repeats for _, _, repeats, _ in _STAGES)
STEM, LAST_CONVOLUTION = 0, N_BLOCKS + 1

IMAGENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
IMAGENET_SIZES = (96, 128, 160, 192, 224)
CIFAR_SIZE = 32
MIN_INPUT_SIZE = 32
# What the published weights were trained on.
NETWORK_PIXEL_RANGE = (-1.0, 1.0)

# keras.applications has 0.999: its moving statistics lag thousands of steps behind weights
# that move, and fine-tuned accuracy falls apart (0.61 after one epoch on CIFAR-10).
BATCH_NORM_MOMENTUM = 0.98
BATCH_NORM_EPSILON = 1e-3


@dataclass(frozen=True)
class Block:
    """One inverted residual block: what its layers are called and how wide they are."""

    name: str
    expansion: int
    filters: int
    stride: int
    residual: bool


@dataclass(frozen=True)
class MobileNetV2:
    """The shape of one network: enough to build any part of it.

    Parameters
    ----------
    input_size : int
        Side in pixels of the square images it sees.
    alpha : float, default=1.0
        Width multiplier.
    variant : {"imagenet", "cifar10"}, default="imagenet"
        Strides as published (the last map is 1/32 of the side), or the variant for 32 px
        images (1/8 of the side).
    """

    input_size: int
    alpha: float = 1.0
    variant: str = "imagenet"

    @cached_property
    def stem_stride(self):
        return 1 if self._keeps_resolution("stem") else 2

    @cached_property
    def stem_filters(self):
        return _make_divisible(_STEM_FILTERS * self.alpha)

    @cached_property
    def n_features(self):
        """Width of the last convolution: 1280 up to alpha 1.0."""
        return max(_LAST_FILTERS, _make_divisible(_LAST_FILTERS * self.alpha))

    @cached_property
    def blocks(self):
        """The 17 inverted residual blocks, as a tuple of `Block`."""
        blocks, width = [], self.stem_filters
        for expansion, base_filters, repeats, stride in _STAGES:
            filters = _make_divisible(base_filters * self.alpha)
            first_stride = 1 if self._keeps_resolution(base_filters) else stride
            for strides in (first_stride, *[1] * (repeats - 1)):
                name = f"block_{len(blocks)}" if blocks else "expanded_conv"
                residual = strides == 1 and filters == width
                blocks.append(Block(name, expansion, filters, strides, residual))
                width = filters
        return tuple(blocks)

    def input_shape(self, unit):
        """Return the (height, width, channels) that enters `unit`."""
        if unit == STEM:
            return (self.input_size, self.input_size, 3)
        below = self.blocks[: unit - 1]
        size = _ceil_divide(self.input_size, self.stem_stride)
        for block in below:
            size = _ceil_divide(size, block.stride)
        return (size, size, below[-1].filters if below else self.stem_filters)

    def _keeps_resolution(self, stage):
        return self.variant == "cifar10" and stage in _UNSTRIDED_FOR_CIFAR


def _ceil_divide(a, b):
    return -(-a // b)


def _make_divisible(width, divisor=8):
    """Round to a multiple of 8 that is at most 10 % narrower, as the published code does."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded


def first_unfrozen_unit(fine_tune_blocks):
    """Return the lowest unit that is trained when the top blocks are unfrozen."""
    return STEM if fine_tune_blocks == "all" else LAST_CONVOLUTION - fine_tune_blocks


def n_arrays(network, last):
    """Return how many arrays hold the units 0 to `last`: 1 a convolution, 4 a normalisation."""
    expansions = sum(block.expansion > 1 for block in network.blocks[: max(last, 0)])
    n_blocks = min(max(last, 0), N_BLOCKS)
    n_ends = (last >= STEM) + (last == LAST_CONVOLUTION)
    return 5 * (n_ends + 2 * n_blocks + expansions)


def nearest_input_size(image_shape):
    """Return the side in pixels at which images of `image_shape` are shown to the network.

    96 for images smaller than 96 px, else the published size nearest to their longer side.
    """
    side = max(image_shape[:2])
    return min(IMAGENET_SIZES, key=lambda size: (abs(size - side), size))


def resizing_matrix(n_in, n_out, *, mirrored=False):
    """Return the matrix that resamples `n_in` pixels to `n_out`.

    Bilinear with half-pixel centres, and antialiased (the triangle is as wide as an output
    pixel) when shrinking: what ``tf.image.resize(..., antialias=True)`` computes, as a matrix
    because no inference engine has that operation.

    Parameters
    ----------
    n_in, n_out : int
        Number of pixels along one axis.
    mirrored : bool, default=False
        Whether the output runs from the last pixel to the first.

    Returns
    -------
    ndarray of shape (n_in, n_out), float32
        Columns sum to 1.
    """
    step = n_in / n_out
    centres = (np.arange(n_out) + 0.5) * step - 0.5
    distances = np.abs(np.arange(n_in)[:, None] - centres) / max(step, 1.0)
    weights = np.maximum(0.0, 1.0 - distances)
    weights = (weights / weights.sum(axis=0)).astype(np.float32)
    return weights[:, ::-1] if mirrored else weights


def preprocessing_arrays(image_shape, pixel_range, input_size, *, mirrored=False):
    """Return what turns images into network input: a scale, an offset and two matrices.

    The image, seen as `height` rows of ``width * channels`` numbers, is multiplied by the
    first matrix (columns of pixels, grey repeated to RGB) and by the second (rows of pixels).

    Returns
    -------
    scale, offset : float
        Map `pixel_range` to [-1, 1].
    columns : ndarray of shape (width * channels, input_size * 3), float32
    rows : ndarray of shape (height, input_size), float32
    """
    height, width, channels = image_shape
    low, high = pixel_range
    scale = (NETWORK_PIXEL_RANGE[1] - NETWORK_PIXEL_RANGE[0]) / (high - low)
    offset = NETWORK_PIXEL_RANGE[0] - low * scale
    to_rgb = np.eye(3, dtype=np.float32) if channels == 3 else np.ones((1, 3), np.float32)
    columns = np.kron(resizing_matrix(width, input_size, mirrored=mirrored), to_rgb)
    return scale, offset, columns, resizing_matrix(height, input_size)


def apply_units(layers, x, network, first, last):
    """Apply the units `first` to `last` of `network` to `x`, with the operations of `layers`."""
    for unit in range(first, last + 1):
        x = _apply_unit(layers, x, network, unit)
    return x


def _apply_unit(layers, x, network, unit):
    if unit == STEM:
        x = layers.convolution(x, network.stem_filters, 3, network.stem_stride, "Conv1")
        return layers.relu6(layers.batch_norm(x, "bn_Conv1"), "Conv1_relu")
    if unit == LAST_CONVOLUTION:
        x = layers.convolution(x, network.n_features, 1, 1, "Conv_1")
        return layers.relu6(layers.batch_norm(x, "Conv_1_bn"), "out_relu")
    width = network.input_shape(unit)[-1]
    return _apply_block(layers, x, width, network.blocks[unit - 1])


def _apply_block(layers, inputs, width, block):
    x, name = inputs, block.name
    if block.expansion > 1:
        x = layers.convolution(x, block.expansion * width, 1, 1, f"{name}_expand")
        x = layers.relu6(layers.batch_norm(x, f"{name}_expand_BN"), f"{name}_expand_relu")
    x = layers.depthwise(x, block.stride, f"{name}_depthwise")
    x = layers.relu6(layers.batch_norm(x, f"{name}_depthwise_BN"), f"{name}_depthwise_relu")
    x = layers.convolution(x, block.filters, 1, 1, f"{name}_project")
    x = layers.batch_norm(x, f"{name}_project_BN")
    return layers.add(inputs, x, f"{name}_add") if block.residual else x


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
        options = {"kernel_initializer": self._initializer(), **self._convolution_options}
        return self._keras.layers.Conv2D(filters, kernel_size, strides, name=name, **options)(x)

    def depthwise(self, x, strides, name):
        options = {"depthwise_initializer": self._initializer(), **self._convolution_options}
        return self._keras.layers.DepthwiseConv2D(3, strides, name=name, **options)(x)

    def batch_norm(self, x, name):
        options = {"momentum": BATCH_NORM_MOMENTUM, "epsilon": BATCH_NORM_EPSILON}
        return self._batch_normalization(name=name, **options, **self._options)(x)

    def relu6(self, x, name):
        return self._keras.layers.ReLU(6.0, name=name, **self._options)(x)

    def add(self, a, b, name):
        return self._keras.layers.Add(name=name, **self._options)([a, b])

    def pool(self, x):
        options = {"data_format": "channels_last", "dtype": "float32"}
        return self._keras.layers.GlobalAveragePooling2D(name="features", **options)(x)

    def to_channels_last(self, x):
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

    def _initializer(self):
        return self._keras.initializers.GlorotUniform(seed=int(self._rng.integers(2**31)))


def build_units(
    network,
    first=STEM,
    last=LAST_CONVOLUTION,
    *,
    pooled=False,
    seed=0,
    dtype="float32",
    batch_normalization=None,
):
    """Return a `keras.Model` of the units `first` to `last`, both included.

    Parameters
    ----------
    network : MobileNetV2
        What to build.
    first, last : int
        The run of units; by default the whole backbone.
    pooled : bool, default=False
        Whether to append global average pooling.
    seed : int, default=0
        Seed of the random initial weights.
    dtype : str, default="float32"
        Keras dtype policy of the layers.
    batch_normalization : class, default=None
        What to use for `keras.layers.BatchNormalization`.

    Returns
    -------
    keras.Model
        Feature maps (or, for ``first=0``, pixels in [-1, 1]) to feature maps. Layers carry the
        names of ``keras.applications.MobileNetV2``, so that its weight files fit.
    """
    import keras

    layers = KerasLayers(seed, dtype, batch_normalization)
    inputs = keras.Input(network.input_shape(first), dtype="float32")
    x = apply_units(layers, inputs, network, first, last)
    return keras.Model(inputs, layers.pool(x) if pooled else x, name="mobilenetv2")
