"""What users may pass and what they get, for type checkers; docstrings say it for people.

Keras and scikit-learn publish no types: what is theirs is `Any`.
"""

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    import matplotlib.axes

PathLike = str | os.PathLike[str]
ImageShape = tuple[int, int, int]
PixelRange = Literal["auto"] | tuple[float, float]
FeatureLayers = Literal["last", "blocks", "all", "depthwise"]
Engine = Literal["auto", "tensorflow", "openvino"]
Precision = Literal["float32", "bfloat16"]
RandomState = int | np.random.RandomState | None
# As good as the first; not the first alone, because a Dask array gives a Dask array.
Array = np.ndarray | Any

# Images in an array; or pictures in files: paths, bytes, PIL images.
Images = ArrayLike | Sequence[Any]

ClassNames = ArrayLike | Mapping[Any, str] | None
Style = Mapping[str, Any] | None
OneAxes: TypeAlias = "matplotlib.axes.Axes | None"
SeveralAxes: TypeAlias = "matplotlib.axes.Axes | Sequence[matplotlib.axes.Axes] | np.ndarray | None"
