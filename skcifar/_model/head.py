"""The dense layers above the network, as arrays: small, picklable, and without a framework."""

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

_ROWS_PER_PASS = 4096  # rows converted to float64 at a time
# Of the deviation that rows of equal weight would have: else a column that varies in rows of
# small weight alone is blown up, and these rows are thrown far out of all that was learned.
_LEAST_SCALE = 0.3
# A first batch for `partial_fit` counts as much as so many images whose columns are all typical:
# by chance, a column hardly varies in a few images. On CIFAR-10's training images, first batches
# of 2, 5 and 10 ended at 0.607, 0.732 and 0.757 of 1,000 others without it (the first at a loss
# of 15), at 0.712, 0.751 and 0.747 with it (one of 100: 0.754). From `_ENOUGH_IMAGES` on the
# batch stands for itself.
_TYPICAL_IMAGES = 10
_ENOUGH_IMAGES = 60


def variance_floor(n_images):
    """Return the share of the typical variance that a column has at least in so few images."""
    at_end = _TYPICAL_IMAGES / (_ENOUGH_IMAGES + _TYPICAL_IMAGES)
    return max(0.0, _TYPICAL_IMAGES / (n_images + _TYPICAL_IMAGES) - at_end)


@dataclass(frozen=True)
class Standardization:
    """Weighted mean and deviation of each feature column.

    A random-weight network puts out features of deviation 4e-12, so no epsilon is added; a
    column that never varies is divided by 1, if there is no other to go by.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features, weights, floor=0.0, widths=None):
        """Return the standardisation of `features` (n, d) under row `weights` (n,).

        Variances are at least `floor` times what is typical of the map that a column is of; maps
        stand side by side, of `widths` columns.
        """
        share, alike = weights / weights.sum(), np.full(len(weights), 1 / len(weights))
        mean = _weighted_sum(features, share, lambda rows: rows)
        squares = _weighted_sum(features, np.stack([share, alike]), lambda rows: (rows - mean) ** 2)
        variance = np.maximum(squares[0], _LEAST_SCALE**2 * squares[1])
        variance[features.max(axis=0) == features.min(axis=0)] = 0
        if floor:
            ends = np.cumsum([len(variance)] if widths is None else widths)[:-1]
            parts = zip(np.split(variance, ends), np.split(mean, ends), strict=True)
            typical = [np.full(len(of_map), _typical(of_map, means)) for of_map, means in parts]
            variance = np.maximum(variance, floor * np.concatenate(typical))
        scale = np.where(variance == 0, 1.0, np.sqrt(variance))
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def apply_in_place(self, features):
        """Standardise `features`, and return them."""
        features -= self.mean
        features /= self.scale
        return features


def _typical(variances, means):
    """Return the typical variance of columns of one map, of which some may vary and some not."""
    known = variances[variances > 0]
    if not len(known):  # of one row, say: averages of activations are of the order of their spread
        known = means[means != 0] ** 2
    return np.median(known) if len(known) else 0.0


def _weighted_sum(features, weights, function):
    """Return the sum over rows of `weights` of shape (..., n) times `function` of each row."""
    total = 0.0
    for part in gen_batches(len(features), _ROWS_PER_PASS):
        total = total + weights[..., part] @ function(features[part].astype(np.float64))
    return total


@dataclass(frozen=True)
class Head:
    """Dense layers on standardised features, and what training needs to go on.

    Parameters
    ----------
    weights : list of ndarray
        Kernel and bias of each dense layer, the output layer last.
    standardization : Standardization
    optimizer_state : list of ndarray, default=[]
        The optimizer's variables after the last step; empty if it was not trained.
    n_epochs : int, default=0
        Epochs so far: with the seed, all that the randomness of the next epoch depends on.
    """

    weights: list
    standardization: Standardization
    optimizer_state: list = field(default_factory=list)
    n_epochs: int = 0

    @classmethod
    def initial(cls, standardization, hidden_units, n_classes, rng):
        """Return an untrained head that takes all classes for equally likely.

        Kernels are Glorot-uniform, drawn from `rng`; biases, and the kernel of the output layer,
        are zero: what a random output layer says of an image is noise that few images never
        outweigh. On 50 and 250 of CIFAR-10's training images (96 px, means of four), 5,000 others:
        0.519 and 0.708; with a Glorot-uniform output layer 0.492 and 0.689.
        """
        widths = [len(standardization.mean), *hidden_units, n_classes]
        weights = []
        for n_in, n_out in pairwise(widths):
            limit = np.sqrt(6.0 / (n_in + n_out))
            weights.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32))
            weights.append(np.zeros(n_out, np.float32))
        weights[-2] = np.zeros_like(weights[-2])
        return cls(weights, standardization)

    def __getstate__(self):
        """Leave out what is computed when it is asked for."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def hidden_units(self):
        return tuple(len(bias) for bias in self.weights[1:-1:2])

    @property
    def n_classes(self):
        return len(self.weights[-1])

    @cached_property
    def folded_weights(self):
        """The same layers for raw features: the standardisation inside the first of them."""
        kernel, bias, *rest = self.weights
        mean, scale = self.standardization.mean, self.standardization.scale
        kernel = kernel.astype(np.float64) / scale.astype(np.float64)[:, None]
        return [kernel.astype(np.float32), (bias - mean @ kernel).astype(np.float32), *rest]

    @cached_property
    def _float64_weights(self):
        return [array.astype(np.float64) for array in self.weights]

    def logits(self, features):
        """Return the scores of raw `features` (n, d) as an array (n, n_classes), float32.

        A row's scores do not depend on the rows around it: summed in float32 they would, since
        the order in which BLAS adds up a row follows its place in the array. Float64 costs
        3.5 ms for 1,000 rows.
        """
        # Not by the folded weights: where features hardly vary, these are large and cancel.
        x = self.standardization.apply_in_place(features.copy()).astype(np.float64)
        *hidden, kernel, bias = self._float64_weights
        for hidden_kernel, hidden_bias in zip(hidden[::2], hidden[1::2], strict=True):
            x = np.maximum(x @ hidden_kernel + hidden_bias, 0)
        return (x @ kernel + bias).astype(np.float32)

    def trained(self, weights, optimizer_state, n_epochs):
        """Return the head after training."""
        return replace(self, weights=weights, optimizer_state=optimizer_state, n_epochs=n_epochs)


class HeadSettings(NamedTuple):
    """All that decides the compiled head: fits with equal settings share it."""

    n_features: int
    hidden_units: tuple
    n_classes: int
    dropout: float
    optimizer: str
    label_smoothing: float
    weight_decay: float
    precision: str = "float32"  # of the products of hidden layers, in training
