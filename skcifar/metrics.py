"""Measures of a classifier beyond scikit-learn's own."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.metrics import confusion_matrix
from sklearn.utils import check_consistent_length
from sklearn.utils.multiclass import unique_labels


def most_confused(y_true: ArrayLike, y_pred: ArrayLike) -> list[tuple[Any, Any, int]]:
    """Count how often each class is predicted as each other class.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    y_true : array-like of shape (n_samples,)
        True classes.
    y_pred : array-like of shape (n_samples,)
        Predicted classes.

    Returns
    -------
    list of (true, predicted, count)
        Every ordered pair of different classes that occurs, the most frequent first; equally
        frequent pairs are in the order of their labels.

    Raises
    ------
    ValueError
        If the lengths differ, or if the labels are of different kinds.

    Examples
    --------
    >>> from skcifar.metrics import most_confused
    >>> y_true = ["cat", "cat", "cat", "dog", "ship"]
    >>> y_pred = ["dog", "dog", "cat", "cat", "ship"]
    >>> most_confused(y_true, y_pred)
    [('cat', 'dog', 2), ('dog', 'cat', 1)]
    """
    check_consistent_length(y_true, y_pred)
    labels = unique_labels(y_true, y_pred)
    if len(labels) < 2:  # scikit-learn warns about a matrix of one class
        return []
    counts = confusion_matrix(y_true, y_pred, labels=labels)
    np.fill_diagonal(counts, 0)
    true, predicted = np.nonzero(counts)
    columns = labels[true], labels[predicted], counts[true, predicted]
    pairs = zip(*(column.tolist() for column in columns), strict=True)
    # The pairs come in the order of their labels, and sorting keeps it among equals.
    return sorted(pairs, key=lambda pair: -pair[2])
