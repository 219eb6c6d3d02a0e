"""Labels, classes and weights of rows. Errors about them are worded here, or are scikit-learn's."""

from numbers import Real

import numpy as np
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d


def check_labels(y, *, minimum_classes=2, name="y"):
    """Return the classes in `y`, and `y` as indices into them.

    Raises
    ------
    ValueError
        If `y` is continuous (scikit-learn's message), or names fewer than two classes.
    """
    check_classification_targets(y)
    classes, encoded = np.unique(y, return_inverse=True)
    if len(classes) < minimum_classes:
        raise ValueError(
            f"{name} holds one class, {classes.tolist()[0]!r}; a classifier needs at least two. "
            "Check how the rows were split or sorted."
        )
    return classes, encoded


def check_all_classes(classes, known=None):
    """Return the `classes` that `partial_fit` was given, sorted.

    Parameters
    ----------
    classes : array-like of shape (n_classes,) or None
    known : ndarray of shape (n_classes,), default=None
        Those of the first call; None at the first call.

    Raises
    ------
    ValueError
        If they are missing at the first call, are not labels, or differ from `known`.
    """
    if classes is None:
        if known is None:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        return known
    # Thrice: in a list of many labels that are all different scikit-learn suspects numbers.
    classes, _ = check_labels(np.repeat(column_or_1d(classes), 3), name="classes")
    if known is not None and not np.array_equal(classes, known):
        raise ValueError(
            f"classes={classes.tolist()} is not what the first call was given: "
            f"{known.tolist()}. Fit a new estimator for other classes."
        )
    return classes


def has_validation_data(X_val, y_val, sample_weight_val):
    """Return whether `fit` was given validation data.

    Raises
    ------
    ValueError
        If it was given a part of them only.
    """
    given = [X_val is not None, y_val is not None]
    if any(given) != all(given) or (sample_weight_val is not None and not all(given)):
        raise ValueError(
            "X_val and y_val belong together, and sample_weight_val to both: pass X_val and "
            "y_val, or none of them."
        )
    return all(given)


def encode_labels(y, classes, *, name="y"):
    """Return `y` as indices into `classes`.

    Raises
    ------
    ValueError
        If a label is not in `classes`.
    """
    y = column_or_1d(y, warn=True)
    unknown = sorted(set(y.tolist()) - set(classes.tolist()), key=str)
    if unknown:
        raise ValueError(
            f"{name} holds labels that are not among the classes of this classifier: "
            f"{unknown[:5]}. Its classes are {classes.tolist()[:10]}."
        )
    return np.searchsorted(classes, y)


def check_weights(sample_weight, X, *, name="sample_weight"):
    """Return `sample_weight` as floats of shape (n,); None is a weight of 1 each.

    Raises
    ------
    ValueError
        If weights are not one a row, not finite, negative, or all zero.
    """
    n_samples = len(X)
    if sample_weight is None:
        return np.ones(n_samples)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_samples, sample_weight)
    weights = _check_floats(sample_weight, name)
    if weights.ndim != 1:
        raise ValueError(
            f"{name} has shape {weights.shape}; expected one weight per row: (n_samples,)."
        )
    check_consistent_length(X, weights)
    if weights.min() < 0:
        raise ValueError(f"{name} holds negative weights, the least is {weights.min():g}.")
    if not weights.any():
        raise ValueError(f"{name} is zero for every row: nothing is left to train on.")
    return _summable(weights)


def _summable(weights):
    """Return `weights`, on a scale on which their sum is finite."""
    with np.errstate(over="ignore"):
        return weights if np.isfinite(weights.sum()) else weights / weights.max()


def _check_floats(values, name):
    try:
        return check_array(values, ensure_2d=False, dtype=np.float64, input_name=name)
    except ValueError as error:
        if name in str(error):
            raise
        raise ValueError(f"{name} must hold one number per row. {error}") from error


def check_class_weight(class_weight, classes, labels, weights):
    """Return `weights` times the weight of the class of each row.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        ``"balanced"`` gives every class the same sum of weights.
    classes : ndarray of shape (n_classes,)
    labels : ndarray of shape (n,)
        Indices into `classes`; need not hold all of them.
    weights : ndarray of shape (n,)

    Raises
    ------
    ValueError
        If `class_weight` names other classes (scikit-learn's message), or leaves no row a weight.
    """
    if class_weight == "balanced":
        totals = np.bincount(labels, weights, len(classes))
        of_class = np.zeros(len(classes))
        np.divide(totals.sum() / np.count_nonzero(totals), totals, of_class, where=totals > 0)
    else:
        of_class = compute_class_weight(class_weight, classes=classes, y=classes)
    with np.errstate(over="ignore"):
        weighted = weights * of_class[labels]
    if not np.isfinite(weighted).all():
        weighted = weights / weights.max() * (of_class / of_class.max())[labels]
    weights = _summable(weighted)
    if not weights.any():
        raise ValueError(
            f"class_weight={class_weight!r} is zero for every row that has a weight: nothing is "
            "left to train on."
        )
    return weights
