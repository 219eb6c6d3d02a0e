"""What the rest of the package asks of a network; `mobilenet_v2.MobileNetV2` is one.

A network is a row of *units*, numbered from 0. Unit 0 is the stem, the last unit a convolution
whose map is averaged over the pixels; the units between are *blocks*. Any run of units can be
built as a model of its own, so that the frozen lower part and the trained upper part of one
network share one table; and with any object that offers the operations of
`_keras.layers.KerasLayers`.
"""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol

STEM = 0

# What the head may see of a network, each map averaged over the pixels: the last unit, the outputs
# of all blocks, both, or what the depthwise convolutions within the blocks put out.
FEATURE_LAYERS = ("last", "blocks", "all", "depthwise")


class FeatureLayer(NamedTuple):
    """A map whose averages over the pixels are features."""

    name: str
    unit: int
    width: int
    n_arrays: int  # of weights, from the stem up to it


class Network(Protocol):
    """The shape of one network: a frozen dataclass whose `repr` tells it from others.

    Its fields stand in saved files, and its `repr` in the keys of feature caches.
    """

    name: ClassVar[str]
    n_blocks: ClassVar[int]
    # What its weights were trained on.
    pixel_range: ClassVar[tuple[float, float]]
    min_input_size: ClassVar[int]

    input_size: int
    alpha: float

    @property
    def last_unit(self) -> int:
        """Number of the last unit."""

    def cropped(self, share: float) -> "Network":
        """Return the same network for crops, about this share of the side; equal if too small."""

    def input_shape(self, unit: int) -> tuple[int, int, int]:
        """Return the (height, width, channels) that enters `unit`."""

    def n_arrays(self, last: int) -> int:
        """Return how many arrays of weights hold the units 0 to `last`."""

    def first_unfrozen(self, blocks: int | str) -> int:
        """Return the lowest unit that is trained when so many top blocks, or "all", are."""

    @classmethod
    def nearest_size(cls, image_shape: tuple[int, int, int]) -> int:
        """Return the input size for images of `image_shape`."""

    def features(self, feature_layers: str) -> tuple[FeatureLayer, ...]:
        """Return the maps that one of `FEATURE_LAYERS` stands for, from the stem up."""

    def apply(
        self,
        layers: Any,
        x: Any,
        first: int,
        last: int,
        tap: Callable[[str, Any], None] | None = None,
    ) -> Any:
        """Apply the units `first` to `last` to `x`, with the operations of `layers`.

        `tap` is called with (name, map) for each map that any of `FEATURE_LAYERS` stands for.
        """
