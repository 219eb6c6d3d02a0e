"""GradCAMDisplay: where in an image the decision for a class came from."""

import math
from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_scalar, column_or_1d

from .._validation.types import Array, ClassNames, SeveralAxes, Style
from ._drawing import fit_titles, merge_style, picture_grid, show_picture
from ._grad_cam_maps import grad_cam
from ._reading import (
    drawn_name,
    fitted_steps,
    lazy_files,
    listing,
    name_classes,
    to_pictures,
    transform_before_last,
)


class GradCAMDisplay:
    """Images with a heat map of the parts that supported a class (Grad-CAM).

    The map is the positive part of the last feature maps that the head sees (by default, those of
    the last block), each weighted with the mean gradient of the class's score (before softmax) with
    respect to it. It is drawn over the image: cold regions are darkened, hot ones are bright, and a
    line surrounds what is above half of the maximum. Where the last feature map has only one cell,
    as with small images, the last one with more is used: a heat map can be no finer than its layer.

    It is recommended to use `from_estimator`.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    images : ndarray of shape (n_samples, height, width, 3)
        Pictures as matplotlib shows them: ``uint8``, or floats in [0, 1].
    heatmaps : ndarray of shape (n_samples, height, width)
        Heat in [0, 1].
    targets : array-like of shape (n_samples,)
        The class that each map is about.
    y_proba : ndarray of shape (n_samples,), default=None
        Probability of that class.
    class_names : dict, default=None
        The name drawn for each class; None draws the class itself.

    Attributes
    ----------
    axes_ : ndarray of Axes, of shape (n_samples,)
        One for each image.
    figure_ : matplotlib Figure
        Figure that contains them.
    heat_images_ : list of matplotlib AxesImage
        The heat maps drawn.

    References
    ----------
    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", ICCV 2017.

    Examples
    --------
    >>> import numpy as np
    >>> from skcifar.plotting import GradCAMDisplay
    >>> image, heat = np.zeros((32, 32, 3)), np.eye(32)
    >>> display = GradCAMDisplay([image], [heat], ["cat"], y_proba=[0.9]).plot()
    >>> display.axes_[0].get_title()
    'cat 0.90'
    """

    def __init__(
        self,
        images: Sequence[np.ndarray] | np.ndarray,
        heatmaps: Sequence[np.ndarray] | np.ndarray,
        targets: ArrayLike,
        *,
        y_proba: Sequence[float] | np.ndarray | None = None,
        class_names: ClassNames = None,
    ) -> None:
        self.images = images
        self.heatmaps = heatmaps
        self.targets = targets
        self.y_proba = y_proba
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        classifier: BaseEstimator,
        X: Array,
        *,
        target: ArrayLike | None = None,
        n_images: int = 10,
        class_names: ClassNames = None,
        **plot_keywords: Any,
    ) -> Self:
        """Compute the maps of images and draw them.

        Parameters
        ----------
        classifier : estimator
            A fitted `MobileNetV2Classifier`, or a Pipeline that ends in one; or any classifier
            whose ``model_`` is a Keras model of images, with a column for each of ``classes_``.
        X : array-like of shape (n_samples, height, width, channels) or (n_samples, n_pixels)
            Images, or files, as `classifier` takes them.
        target : class, or array-like of shape (n_samples,), default=None
            The class that the maps are about; None is the one predicted for each image.
        n_images : int, default=10
            How many of the images, from the first on.
        class_names : array-like of str, or dict, default=None
            Names to draw: by position for integer classes 0, 1, ..., else in sorted order of the
            classes, or by class.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        GradCAMDisplay

        Raises
        ------
        ValueError
            If the classifier has no Keras model or the model no convolution, or if `target` is
            not one of its classes.
        """
        check_scalar(n_images, "n_images", Integral, min_val=1)
        model = _model_of(classifier)
        columns = None
        if target is not None:
            columns = _columns_of(target, X, classifier.classes_)[:n_images]
        X = lazy_files(X[:n_images], classifier)
        pictures = to_pictures(X, source=classifier)
        pixels = np.asarray(transform_before_last(classifier, X), dtype=np.float32)
        columns, y_proba, heatmaps = grad_cam(model, _as_images(pixels, model), columns)
        names = name_classes(classifier.classes_, class_names=class_names)
        targets = classifier.classes_[columns]
        display = cls(pictures, heatmaps, targets, y_proba=y_proba, class_names=names)
        return display.plot(**plot_keywords)

    def plot(self, ax: SeveralAxes = None, *, heat_kw: Style = None) -> Self:
        """Draw the grid.

        Parameters
        ----------
        ax : matplotlib Axes, or array-like of Axes, default=None
            Where to draw; a single one is divided, None makes a new figure.
        heat_kw : dict, default=None
            Keywords of ``Axes.imshow`` for the heat maps, such as ``cmap``.

        Returns
        -------
        GradCAMDisplay
            The display itself.
        """
        height, width = np.shape(self.images[0])[:2]
        self.axes_ = picture_grid(ax, len(self.images), aspect=height / width)
        self.figure_ = self.axes_[0].figure
        self.heat_images_ = []
        for i, cell in enumerate(self.axes_):
            show_picture(cell, self.images[i], self._title(i))
            self.heat_images_.append(_show_heat(cell, self.heatmaps[i], (height, width), heat_kw))
        fit_titles(self.axes_)
        return self

    def _title(self, i):
        probability = "" if self.y_proba is None else f" {self.y_proba[i]:.2f}"
        return drawn_name(self.targets[i], self.class_names) + probability


def _show_heat(ax, heat, picture_size, heat_kw):
    """Draw a heat map over the whole of a picture of another size, perhaps."""
    from matplotlib.image import AxesImage

    height, width = picture_size
    y, x = (
        (np.arange(n_cells) + 0.5) * n_pixels / n_cells - 0.5
        for n_cells, n_pixels in zip(heat.shape, picture_size, strict=True)
    )

    # From black to bright yellow: in grey too, what is cold darkens and what is hot shines.
    defaults = {"cmap": "inferno", "vmin": 0, "vmax": 1, "alpha": 0.5, "interpolation": "bilinear"}
    defaults["extent"] = (-0.5, width - 0.5, height - 0.5, -0.5)
    if heat.min() < 0.5 < heat.max():
        for color, line_width in (("black", 2.5), ("white", 1)):
            ax.contour(x, y, heat, levels=[0.5], colors=color, linewidths=line_width)
    return ax.imshow(heat, **merge_style(AxesImage, defaults, heat_kw))


def _model_of(classifier):
    model = getattr(fitted_steps(classifier)[-1], "model_", None)
    if not hasattr(model, "layers"):
        raise ValueError(
            f"{type(classifier).__name__} has no Keras model in model_; GradCAMDisplay looks into "
            "one. Pass a fitted MobileNetV2Classifier, or a Pipeline that ends in one."
        )
    return model


def _as_images(pixels, model):
    """Return images, or rows of their pixels, as `model` takes them."""
    shape = tuple(model.input_shape[1:])
    if pixels.shape[1:] not in (shape, (math.prod(shape),)):
        raise ValueError(
            f"The classifier takes images of shape {shape}, and X holds images of shape "
            f"{pixels.shape[1:]}. Resize them as the training images were."
        )
    return pixels.reshape(-1, *shape)


def _columns_of(target, X, classes):
    """Return the column of the class of interest of each image."""
    target = np.full(len(X), target) if np.ndim(target) == 0 else column_or_1d(target)
    check_consistent_length(X, target)
    known = np.isin(target, classes)
    if not known.all():
        raise ValueError(
            f"target holds {target[~known][0]}, which is not a class of the classifier. Pass one "
            f"of {listing(classes)}, or one for each image, or None for those predicted."
        )
    return np.searchsorted(classes, target)
