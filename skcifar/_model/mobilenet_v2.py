"""Every fact about MobileNetV2.

Unit 0 is the stem, units 1 to 17 are the inverted residual blocks 0 to 16 (named as in
``keras.applications``), unit 18 is the last convolution.

References
----------
Sandler et al., "MobileNetV2: Inverted Residuals and Linear Bottlenecks", CVPR 2018.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar

from .network import STEM, FeatureLayer

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

_N_BLOCKS = sum(repeats for _, _, repeats, _ in _STAGES)
_LAST_CONVOLUTION = _N_BLOCKS + 1
BATCH_NORM_EPSILON = 1e-3

IMAGENET_ALPHAS = (0.35, 0.5, 0.75, 1.0, 1.3, 1.4)
_IMAGENET_SIZES = (96, 128, 160, 192, 224)


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

    name: ClassVar[str] = "mobilenetv2"
    n_blocks: ClassVar[int] = _N_BLOCKS
    pixel_range: ClassVar[tuple[float, float]] = (-1.0, 1.0)
    min_input_size: ClassVar[int] = 32

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
    def last_filters(self):
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

    @property
    def last_unit(self):
        return _LAST_CONVOLUTION

    def cropped(self, share):
        """Return the same network for crops of about this share of the side."""
        # In steps of half a pixel of the last map: most maps have even sides then.
        strides = [self.stem_stride, *(block.stride for block in self.blocks)]
        step = math.prod(strides) // 2
        return replace(self, input_size=step * max(1, round(share * self.input_size / step)))

    def input_shape(self, unit):
        """Return the (height, width, channels) that enters `unit`."""
        if unit == STEM:
            return (self.input_size, self.input_size, 3)
        below = self.blocks[: unit - 1]
        size = _ceil_divide(self.input_size, self.stem_stride)
        for block in below:
            size = _ceil_divide(size, block.stride)
        return (size, size, below[-1].filters if below else self.stem_filters)

    def n_arrays(self, last):
        """Return how many arrays hold the units 0 to `last`.

        One a convolution, four a normalisation.
        """
        expansions = sum(block.expansion > 1 for block in self.blocks[: max(last, 0)])
        n_blocks = min(max(last, 0), _N_BLOCKS)
        n_ends = (last >= STEM) + (last == _LAST_CONVOLUTION)
        return 5 * (n_ends + 2 * n_blocks + expansions)

    def first_unfrozen(self, blocks):
        """Return the lowest unit that is trained when so many top blocks, or "all", are."""
        return STEM if blocks == "all" else _LAST_CONVOLUTION - int(blocks)

    @classmethod
    def nearest_size(cls, image_shape):
        """Return the side in pixels at which images of `image_shape` are shown to the network.

        96 for images smaller than 96 px, else the published size nearest to their longer side.
        """
        side = max(image_shape[:2])
        return min(_IMAGENET_SIZES, key=lambda size: (abs(size - side), size))

    def features(self, feature_layers):
        """Return the maps that `feature_layers` stands for, as a tuple of `FeatureLayer`."""
        blocks, depthwise = [], []
        for unit, block in enumerate(self.blocks, start=1):
            n_arrays, width = self.n_arrays(unit), self._width_within(unit)
            blocks.append(FeatureLayer(block.name, unit, block.filters, n_arrays))
            # The projection, a convolution and its normalisation, comes after it.
            within = FeatureLayer(f"{block.name}_depthwise", unit, width, n_arrays - 5)
            depthwise.append(within)
        n_arrays = self.n_arrays(_LAST_CONVOLUTION)
        last = [FeatureLayer("last", _LAST_CONVOLUTION, self.last_filters, n_arrays)]
        layers = {"last": last, "blocks": blocks, "all": blocks + last, "depthwise": depthwise}
        return tuple(layers[feature_layers])

    def _width_within(self, unit):
        """Return the width of the depthwise convolution of a block."""
        return self.input_shape(unit)[-1] * self.blocks[unit - 1].expansion

    def apply(self, layers, x, first, last, tap=None):
        """Apply the units `first` to `last` to `x`, with the operations of `layers`.

        `tap` is called with the name of a `FeatureLayer` and its map, for each.
        """
        tap = tap or (lambda name, x: None)
        for unit in range(first, last + 1):
            x = self._apply_unit(layers, x, unit, tap)
        return x

    def _apply_unit(self, layers, x, unit, tap):
        if unit == STEM:
            return _convolve(
                layers,
                x,
                self.stem_filters,
                3,
                self.stem_stride,
                ("Conv1", "bn_Conv1", "Conv1_relu"),
            )
        if unit == _LAST_CONVOLUTION:
            x = _convolve(layers, x, self.last_filters, 1, 1, ("Conv_1", "Conv_1_bn", "out_relu"))
            tap("last", x)
            return x
        return _apply_block(layers, x, self._width_within(unit), self.blocks[unit - 1], tap)

    def _keeps_resolution(self, stage):
        return self.variant == "cifar10" and stage in _UNSTRIDED_FOR_CIFAR


def _ceil_divide(a, b):
    return -(-a // b)


def _make_divisible(width, divisor=8):
    """Round to a multiple of 8 that is at most 10 % narrower, as the published code does."""
    rounded = max(divisor, int(width + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * width else rounded


def _apply_block(layers, inputs, width, block, tap):
    """Apply a `Block`, which is `width` wide between its expansion and its projection."""
    x, name = inputs, block.name
    if block.expansion > 1:
        names = (f"{name}_expand", f"{name}_expand_BN", f"{name}_expand_relu")
        x = _convolve(layers, x, width, 1, 1, names)
    x = layers.depthwise(x, block.stride, f"{name}_depthwise")
    x = layers.batch_norm(x, BATCH_NORM_EPSILON, f"{name}_depthwise_BN")
    x = layers.relu6(x, f"{name}_depthwise_relu")
    tap(f"{name}_depthwise", x)
    x = layers.convolution(x, block.filters, 1, 1, f"{name}_project")
    x = layers.batch_norm(x, BATCH_NORM_EPSILON, f"{name}_project_BN")
    x = layers.add(inputs, x, f"{name}_add") if block.residual else x
    tap(name, x)
    return x


def _convolve(layers, x, filters, kernel_size, strides, names):
    """Apply a convolution, its normalisation and its activation, called `names`."""
    x = layers.convolution(x, filters, kernel_size, strides, names[0])
    return layers.relu6(layers.batch_norm(x, BATCH_NORM_EPSILON, names[1]), names[2])
