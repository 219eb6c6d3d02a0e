"""The dense layers above the network, as arrays: small, picklable, and without a framework."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from sklearn.utils import gen_batches

_ROWS_PER_PASS = 4096  # rows converted to float64 at a time
# Of the deviation that rows of equal weight would have: else a column that varies in rows of
# small weight alone is blown up, and these rows are thrown far out of all that was learned.
_LEAST_SCALE = 0.3


@dataclass(frozen=True)
class Standardization:
    """Weighted mean and deviation of each feature column.

    A random-weight network puts out features of deviation 4e-12, so no epsilon is added; a
    column that never varies is divided by 1.
    """

    mean: np.ndarray
    scale: np.ndarray

    @classmethod
    def of(cls, features, weights):
        """Return the standardisation of `features` (n, d) under row `weights` (n,)."""
        share, alike = weights / weights.sum(), np.full(len(weights), 1 / len(weights))
        mean = _weighted_sum(features, share, lambda rows: rows)
        squares = _weighted_sum(features, np.stack([share, alike]), lambda rows: (rows - mean) ** 2)
        variance = np.maximum(squares[0], _LEAST_SCALE**2 * squares[1])
        constant = features.max(axis=0) == features.min(axis=0)
        scale = np.where(constant | (variance == 0), 1.0, np.sqrt(variance))
        return cls(mean.astype(np.float32), scale.astype(np.float32))

    def apply_in_place(self, features):
        """Standardise `features`, and return them."""
        features -= self.mean
        features /= self.scale
        return features


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
        """Return an untrained head: Glorot-uniform kernels, drawn from `rng`, and zero biases."""
        widths = [len(standardization.mean), *hidden_units, n_classes]
        weights = []
        for n_in, n_out in pairwise(widths):
            limit = np.sqrt(6.0 / (n_in + n_out))
            weights.append(rng.uniform(-limit, limit, (n_in, n_out)).astype(np.float32))
            weights.append(np.zeros(n_out, np.float32))
        return cls(weights, standardization)

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

    def logits(self, features):
        """Return the scores of raw `features` (n, d) as an array (n, n_classes), float32.

        A row's scores do not depend on the rows around it: summed in float32 they would, since
        the order in which BLAS adds up a row follows its place in the array. Float64 costs
        3.5 ms for 1,000 rows, of which the network takes a second and more.
        """
        # Not by the folded weights: where features hardly vary, these are large and cancel.
        x = self.standardization.apply_in_place(features.copy()).astype(np.float64)
        *hidden, kernel, bias = (array.astype(np.float64) for array in self.weights)
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
