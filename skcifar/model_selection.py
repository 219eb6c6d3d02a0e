"""Choosing parameters: find_learning_rate."""

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline
from sklearn.utils import Bunch
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.validation import check_consistent_length

from ._images.given import pictures_in
from ._training.divergence import DivergedError
from ._training.schedule import choose_batch_size, draw_seed
from ._validation.parameters import check_values, integer, real
from ._validation.types import Images

_CONSTRAINTS = {
    "min_learning_rate": real(0, low_open=True),
    "max_learning_rate": real(0, low_open=True),
    "n_steps": integer(10),
}
# A loss this many times the least one so far has left the valley: larger steps tell no more. A
# single noisy batch may end the run; waiting for the mean, which lags, suggests 3 to 7 times as
# much, with accuracies of 0.975 instead of 0.978 on digits and no learning at all on 64 images.
_DIVERGED = 4.0
# Weight of the past in the running mean of the losses.
_SMOOTHING = 0.9
# A learning rate at which nothing is learned.
_NEXT_TO_NOTHING = 1e-12
# Around the suggestion, in the grid that is returned.
_GRID_FACTORS = (0.1, 0.3, 1.0, 3.0)


def find_learning_rate(
    estimator: BaseEstimator,
    X: Images,
    y: ArrayLike,
    *,
    min_learning_rate: float = 1e-5,
    max_learning_rate: float = 1.0,
    n_steps: int = 100,
) -> Bunch:
    """Train briefly at increasing learning rates, and suggest one.

    A clone of the estimator takes one step per mini-batch, each at a slightly higher learning rate
    than the last, until the loss diverges. The suggestion is a third of the rate at which the
    smoothed loss is lowest: there the loss is still falling.

    Read more in the :ref:`User Guide <searches>`.

    Parameters
    ----------
    estimator : MobileNetV2Classifier, or Pipeline that ends in one
        Left as it is. Its `batch_size` and `random_state` are used.
    X : array-like of shape (n_samples, height, width, channels)
        Training images, or files; used repeatedly if there are fewer than `n_steps` batches.
    y : array-like of shape (n_samples,)
    min_learning_rate, max_learning_rate : float, default=1e-5, 1.0
        First and last learning rate; they grow by the same factor from step to step.
    n_steps : int, default=100
        Steps, at least 10.

    Returns
    -------
    Bunch
        ``learning_rates`` and ``losses`` of shape (n_steps_taken,): the loss is the running mean
        before the step; ``suggestion``, a float; ``param_grid``, for `GridSearchCV` of
        `estimator`: four values around the suggestion.

    Raises
    ------
    ValueError
        If `X` and `y` do not fit together, or a parameter is out of its range.
    TypeError
        If `estimator` cannot be trained batch by batch.

    See Also
    --------
    skcifar.plotting.LearningRateDisplay : Draws what is returned.

    References
    ----------
    Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.

    Examples
    --------
    >>> from skcifar import MobileNetV2Classifier
    >>> from skcifar.datasets import make_images
    >>> from skcifar.model_selection import find_learning_rate
    >>> X, y = make_images(n_samples=60, random_state=0)
    >>> classifier = MobileNetV2Classifier(weights=None, input_size=32, random_state=0)
    >>> found = find_learning_rate(classifier, X, y, n_steps=20)
    >>> sorted(found)
    ['learning_rates', 'losses', 'param_grid', 'suggestion']
    """
    _check_range(min_learning_rate, max_learning_rate, n_steps)
    check_consistent_length(X, y)
    X, classifier, prefix = _final_step(clone(estimator), X, y)
    rates = np.geomspace(min_learning_rate, max_learning_rate, n_steps)
    losses = _smooth(_losses(classifier, X, np.asarray(y), rates))
    rates = rates[: len(losses)]
    suggestion = float(rates[np.argmin(losses)] / 3)
    grid = [float(f"{suggestion * factor:.2g}") for factor in _GRID_FACTORS]
    return Bunch(
        learning_rates=rates,
        losses=losses,
        suggestion=suggestion,
        param_grid={f"{prefix}learning_rate": grid},
    )


def _check_range(min_learning_rate, max_learning_rate, n_steps):
    values = {
        "min_learning_rate": min_learning_rate,
        "max_learning_rate": max_learning_rate,
        "n_steps": n_steps,
    }
    check_values("find_learning_rate", values, _CONSTRAINTS)
    if min_learning_rate >= max_learning_rate:
        raise ValueError(
            f"min_learning_rate={min_learning_rate} must be less than "
            f"max_learning_rate={max_learning_rate}."
        )


def _final_step(estimator, X, y):
    """Return what the last step is given, the last step, and the prefix of its parameters."""
    prefix = ""
    if isinstance(estimator, Pipeline):
        name, last = estimator.steps[-1]
        X = estimator[:-1].fit_transform(X, y) if len(estimator) > 1 else X
        estimator, prefix = last, f"{name}__"
    if not hasattr(estimator, "partial_fit") or "learning_rate" not in estimator.get_params():
        raise TypeError(
            "find_learning_rate needs an estimator with partial_fit and a learning_rate, or a "
            f"Pipeline that ends in one. Got {type(estimator).__name__}."
        )
    return X, estimator, prefix


def _losses(classifier, X, y, rates):
    """Return the loss of each step, up to where it diverges."""
    pictures = pictures_in(X)
    X = np.asarray(X) if pictures is None else pictures  # either takes an array of rows
    classes, losses = np.unique(y), []
    if getattr(classifier, "class_weight", None) == "balanced":  # of all labels, not of a batch
        weights = compute_class_weight("balanced", classes=classes, y=y)
        classifier.set_params(class_weight=dict(zip(classes.tolist(), weights, strict=True)))
    parameters = classifier.get_params()
    if "callbacks" in parameters:  # they would hear of each step as of a fit
        classifier.set_params(callbacks=None)
    # The first partial_fit fixes the standardisation: it has to see all images.
    classifier.set_params(learning_rate=_NEXT_TO_NOTHING).partial_fit(X, y, classes=classes)
    if "verbose" in parameters:
        classifier.set_params(verbose=0)
    for rate, rows in zip(rates, _batches(classifier, len(y)), strict=False):
        classifier.set_params(learning_rate=float(rate))
        try:
            classifier.partial_fit(X[rows], y[rows], classes=classes)
        except DivergedError:
            if losses:
                break
            raise
        losses.append(classifier.history_["loss"][-1])
        if not losses[-1] < _DIVERGED * min(losses):
            break
    return np.array(losses)


def _batches(classifier, n_rows):
    """Yield rows of mini-batches without end: one random order after the other."""
    rng = np.random.default_rng(draw_seed(classifier.random_state))
    size = min(choose_batch_size(classifier.batch_size, n_rows), n_rows)
    while True:
        order = rng.permutation(n_rows)
        yield from (order[start : start + size] for start in range(0, n_rows - size + 1, size))


def _smooth(losses):
    """Return the running mean of `losses`, without the bias towards its start at zero."""
    mean, smoothed = 0.0, []
    for step, loss in enumerate(losses, start=1):
        mean = _SMOOTHING * mean + (1 - _SMOOTHING) * loss
        smoothed.append(mean / (1 - _SMOOTHING**step))
    return np.array(smoothed)
