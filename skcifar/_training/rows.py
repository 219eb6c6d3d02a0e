"""The rows of a fit: images with their labels and weights."""

from typing import NamedTuple

import numpy as np
from sklearn.model_selection import train_test_split

from .._images.image_files import ImageFiles
from .._validation.selected_rows import SelectedRows


def split_hold_out(labels, fraction, seed):
    """Return the row numbers that training keeps and those held out, stratified and shuffled.

    Raises
    ------
    ValueError
        If a class has too few rows to stand in both parts.
    """
    try:
        kept, held_out = train_test_split(
            np.arange(len(labels)), test_size=fraction, stratify=labels, random_state=seed
        )
    except ValueError as error:
        raise ValueError(
            f"validation_fraction={fraction} of {len(labels)} rows leaves no part with rows of "
            f"every class ({error}). Pass another validation_fraction, or X_val and y_val."
        ) from error
    return np.sort(kept), np.sort(held_out)


class Rows(NamedTuple):
    """Images with their labels (indices of classes) and weights."""

    images: np.ndarray | SelectedRows | ImageFiles
    labels: np.ndarray
    weights: np.ndarray

    def take(self, rows):
        """Return some rows; their images are read when they are asked for."""
        is_lazy = isinstance(self.images, ImageFiles)
        images = self.images[rows] if is_lazy else SelectedRows(self.images, rows)
        return Rows(images, self.labels[rows], self.weights[rows])

    def without_zero_weights(self):
        return self if self.weights.all() else self.take(self.weights > 0)
