"""PredictionsDisplay: images with the class they have and the class they were taken for."""

from numbers import Integral
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_scalar, column_or_1d
from sklearn.utils.multiclass import unique_labels

from .._validation.types import ClassNames, Images, SeveralAxes
from ._drawing import fit_titles, picture_grid, say_nothing_to_draw, show_picture
from ._reading import drawn_name, name_classes, predict_with_probability, to_pictures

_ORDERS = ("first", "confident_errors", "least_sure")


class PredictionsDisplay:
    """Grid of images with true class, predicted class and probability.

    Wrong predictions have a thick dashed frame, the word "wrong" and a bold title.

    It is recommended to use `from_estimator` or `from_predictions`.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3)
        Pictures as matplotlib shows them: ``uint8``, or floats in [0, 1].
    y_true, y_pred : ndarray of shape (n_samples,)
        True and predicted classes.
    y_proba : ndarray of shape (n_samples,), default=None
        Probability of the predicted class.
    class_names : dict, default=None
        The name drawn for each class; None draws the class itself.

    Attributes
    ----------
    axes_ : ndarray of Axes, of shape (n_shown,)
        One for each image drawn.
    figure_ : matplotlib Figure
        Figure that contains them.
    indices_ : ndarray of shape (n_shown,)
        Which of the samples are drawn, in this order.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from skcifar.plotting import PredictionsDisplay
    >>> digits = load_digits()
    >>> images, y_true = digits.images[:4, ..., None], digits.target[:4]
    >>> display = PredictionsDisplay.from_predictions(images, y_true, [0, 1, 2, 8])
    >>> print(display.axes_[3].get_title())
    true: 3
    predicted: 8
    """

    def __init__(
        self,
        images: np.ndarray,
        y_true: np.ndarray,
        y_pred: np.ndarray,
        *,
        y_proba: np.ndarray | None = None,
        class_names: ClassNames = None,
    ) -> None:
        self.images = images
        self.y_true = y_true
        self.y_pred = y_pred
        self.y_proba = y_proba
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Images,
        y: ArrayLike,
        *,
        class_names: ClassNames = None,
        **plot_keywords: Any,
    ) -> Self:
        """Predict the classes of images and draw them.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier, or a Pipeline that ends in one; ``predict_proba`` is used where
            it has it.
        X : array-like of shape (n_samples, height, width, channels) or (n_samples, n_pixels)
            Images, or files, as `estimator` takes them.
        y : array-like of shape (n_samples,)
            True classes.
        class_names : array-like of str, or dict, default=None
            Names to draw: by position for integer classes 0, 1, ..., else in sorted order of the
            classes, or by class.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        PredictionsDisplay
        """
        images = to_pictures(X, source=estimator)
        check_consistent_length(images, y)
        y_true = column_or_1d(y)
        y_pred, y_proba = predict_with_probability(estimator, X)
        names = name_classes(y_true, estimator.classes_, class_names=class_names)
        display = cls(images, y_true, y_pred, y_proba=y_proba, class_names=names)
        return display.plot(**plot_keywords)

    @classmethod
    def from_predictions(
        cls,
        images: Images,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        y_proba: ArrayLike | None = None,
        class_names: ClassNames = None,
        **plot_keywords: Any,
    ) -> Self:
        """Draw images with existing predictions.

        Parameters
        ----------
        images : array-like of shape (n_samples, height, width, channels) or (n_samples, n_pixels)
            Grey or RGB images of any range, or rows of square RGB images; or files.
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted classes.
        y_proba : array-like of shape (n_samples,) or (n_samples, n_classes), default=None
            Probability of each prediction, or of each class in sorted order.
        class_names : array-like of str, or dict, default=None
            As in `from_estimator`.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        PredictionsDisplay

        Raises
        ------
        ValueError
            If the lengths differ, or the columns of `y_proba` do not fit the classes.
        """
        pictures, true, predicted = to_pictures(images), column_or_1d(y_true), column_or_1d(y_pred)
        check_consistent_length(pictures, true, predicted, y_proba)
        names = name_classes(true, predicted, class_names=class_names)
        probability = None
        if y_proba is not None:
            labels = unique_labels(true, predicted)
            probability = _probability_of(predicted, np.asarray(y_proba), labels)
        display = cls(pictures, true, predicted, y_proba=probability, class_names=names)
        return display.plot(**plot_keywords)

    def plot(
        self,
        ax: SeveralAxes = None,
        *,
        order: Literal["first", "confident_errors", "least_sure"] = "first",
        n_images: int = 20,
    ) -> Self:
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, or array-like of Axes, default=None
            Where to draw; a single one is divided, None makes a new figure.
        order : {"first", "confident_errors", "least_sure"}, default="first"
            Which images: the first ones; the wrong predictions, most probable first; or the
            predictions of the least probability.
        n_images : int, default=20
            How many, at most.

        Returns
        -------
        PredictionsDisplay
            The display itself.

        Raises
        ------
        ValueError
            If `order` is not one of these, or needs probabilities that are not there.
        """
        check_scalar(n_images, "n_images", Integral, min_val=1)
        self.indices_ = self._ranking(order)[:n_images]
        self.axes_ = picture_grid(ax, max(1, len(self.indices_)), aspect=self._aspect())
        self.figure_ = self.axes_[0].figure
        for cell, i in zip(self.axes_, self.indices_, strict=False):
            self._plot_image(cell, i)
        if len(self.indices_):
            fit_titles(self.axes_)
        else:
            say_nothing_to_draw(self.axes_[0], f"no error in {len(self.y_true)} predictions")
        return self

    def _ranking(self, order):
        if order not in _ORDERS:
            raise ValueError(f"order is {order!r}; pass one of {', '.join(map(repr, _ORDERS))}.")
        if order == "first":
            return np.arange(len(self.y_true))
        if self.y_proba is None:
            raise ValueError(
                f"order={order!r} needs the probability of each prediction, which is not there. "
                "Pass y_proba=..., an estimator with predict_proba, or order='first'."
            )
        y_proba = np.asarray(self.y_proba)
        if order == "least_sure":
            return np.argsort(y_proba, kind="stable")
        errors = np.flatnonzero(np.asarray(self.y_true) != np.asarray(self.y_pred))
        return errors[np.argsort(-y_proba[errors], kind="stable")]

    def _aspect(self):
        height, width = np.shape(self.images)[1:3]
        return height / width

    def _plot_image(self, ax, i):
        show_picture(ax, self.images[i], self._title(i))
        if self.y_true[i] == self.y_pred[i]:
            ax.spines[:].set(color="0.6", linewidth=1)
        else:
            _mark_as_wrong(ax)

    def _title(self, i):
        true = drawn_name(self.y_true[i], self.class_names)
        predicted = drawn_name(self.y_pred[i], self.class_names)
        probability = "" if self.y_proba is None else f" {self.y_proba[i]:.2f}"
        return f"true: {true}\npredicted: {predicted}{probability}"


def _probability_of(y_pred, y_proba, classes):
    """Return the probability of each prediction, from that of each class if need be."""
    if y_proba.ndim == 1:
        return y_proba
    n_columns = y_proba.shape[1]
    if len(classes) == n_columns:
        columns = np.searchsorted(classes, y_pred)
    elif classes.dtype.kind in "iu" and 0 <= classes[0] and classes[-1] < n_columns:
        columns = y_pred
    else:
        raise ValueError(
            f"y_proba has {n_columns} columns, y_true and y_pred hold {len(classes)} classes. Pass "
            "the probability of each prediction instead: y_proba=y_proba.max(axis=1)."
        )
    return y_proba[np.arange(len(y_pred)), columns]


def _mark_as_wrong(ax):
    """Say so in three ways that need no colour: the frame, a word, the weight of the title."""
    ax.spines[:].set(color="black", linewidth=3, linestyle=(0, (2, 1)), capstyle="butt")
    ax.title.set_fontweight("bold")
    box = {"facecolor": "black", "edgecolor": "none", "pad": 1.5}
    place = {"transform": ax.transAxes, "ha": "left", "va": "top"}
    ax.text(0.04, 0.96, "wrong", color="white", fontsize=8, bbox=box, **place)
