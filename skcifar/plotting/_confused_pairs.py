"""ConfusedPairsDisplay: which classes are taken for which, with images."""

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_consistent_length, check_scalar, column_or_1d

from .._validation.types import ClassNames, Images, OneAxes, Style
from ..metrics import most_confused
from ._drawing import (
    colors_and_markers,
    merge_style,
    say_nothing_to_draw,
    shrink_to_fit,
    single_axes,
)
from ._reading import drawn_name, name_classes, to_pictures

_ROW_HEIGHT, _PICTURE_ROW_HEIGHT = 0.28, 0.62  # inches
_LEAST_ROWS = 3  # that there is room for: fewer bars would be as thick as the whole figure


class ConfusedPairsDisplay:
    """Bars of the most confused pairs of classes, with images of each beside them.

    It is recommended to use `from_estimator` or `from_predictions`.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    pairs : list of (true, predicted, count)
        The bars from top to bottom, as `skcifar.metrics.most_confused` returns them.
    examples : list of array-like of shape (n_examples, height, width, 3), default=None
        For each pair, images of it as matplotlib shows them: ``uint8``, or floats in [0, 1].
    class_names : dict, default=None
        The name drawn for each class; None draws the class itself.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the bars.
    figure_ : matplotlib Figure
        Figure that contains them.
    bars_ : matplotlib BarContainer
        The bars.
    pictures_ : list of list of AnnotationBbox
        For each pair the images beside its bar.

    See Also
    --------
    skcifar.metrics.most_confused : The pairs with counts.
    sklearn.metrics.ConfusionMatrixDisplay : All pairs, as a matrix.

    Examples
    --------
    >>> from skcifar.plotting import ConfusedPairsDisplay
    >>> y_true, y_pred = ["cat", "cat", "dog", "dog"], ["dog", "dog", "cat", "dog"]
    >>> display = ConfusedPairsDisplay.from_predictions(y_true, y_pred)
    >>> display.pairs
    [('cat', 'dog', 2), ('dog', 'cat', 1)]
    """

    def __init__(
        self,
        pairs: Sequence[tuple[Any, Any, int]],
        *,
        examples: Sequence[ArrayLike] | None = None,
        class_names: ClassNames = None,
    ) -> None:
        self.pairs = pairs
        self.examples = examples
        self.class_names = class_names

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator,
        X: Images,
        y: ArrayLike,
        *,
        class_names: ClassNames = None,
        **keywords: Any,
    ) -> Self:
        """Predict the classes of images and draw the pairs that get confused.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier, or a Pipeline that ends in one.
        X : array-like of shape (n_samples, height, width, channels) or (n_samples, n_pixels)
            Images, or files, as `estimator` takes them.
        y : array-like of shape (n_samples,)
            True classes.
        class_names : array-like of str, or dict, default=None
            Names to draw: by position for integer classes 0, 1, ..., else in sorted order of the
            classes, or by class.
        **keywords : dict
            ``n_pairs`` and ``n_examples`` of `from_predictions`, and keywords of `plot`.

        Returns
        -------
        ConfusedPairsDisplay
        """
        images = to_pictures(X, source=estimator)
        names = name_classes(column_or_1d(y), estimator.classes_, class_names=class_names)
        y_pred = estimator.predict(X)
        return cls.from_predictions(y, y_pred, images=images, class_names=names, **keywords)

    @classmethod
    def from_predictions(
        cls,
        y_true: ArrayLike,
        y_pred: ArrayLike,
        *,
        images: Images | None = None,
        class_names: ClassNames = None,
        n_pairs: int = 10,
        n_examples: int = 5,
        **plot_keywords: Any,
    ) -> Self:
        """Draw the pairs that are confused in existing predictions.

        Parameters
        ----------
        y_true, y_pred : array-like of shape (n_samples,)
            True and predicted classes.
        images : array-like of shape (n_samples, height, width, channels) or \
                (n_samples, n_pixels), default=None
            The images, grey or RGB, of any range, or files; None draws bars only.
        class_names : array-like of str, or dict, default=None
            As in `from_estimator`.
        n_pairs, n_examples : int, default=10, 5
            How many pairs, and images of each, at most.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        ConfusedPairsDisplay
        """
        check_scalar(n_pairs, "n_pairs", Integral, min_val=1)
        check_scalar(n_examples, "n_examples", Integral, min_val=1)
        y_true, y_pred = column_or_1d(y_true), column_or_1d(y_pred)
        check_consistent_length(y_true, y_pred, images)
        names = name_classes(y_true, y_pred, class_names=class_names)
        pairs, examples = most_confused(y_true, y_pred)[:n_pairs], None
        if images is not None:
            pictures = to_pictures(images)
            examples = [
                pictures[np.flatnonzero((y_true == true) & (y_pred == predicted))[:n_examples]]
                for true, predicted, _ in pairs
            ]
        return cls(pairs, examples=examples, class_names=names).plot(**plot_keywords)

    def plot(self, ax: OneAxes = None, *, bar_kw: Style = None) -> Self:
        """Draw bars and images.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw the bars, with the images to the right of them; None makes a new figure.
        bar_kw : dict, default=None
            Keywords of ``Axes.barh``.

        Returns
        -------
        ConfusedPairsDisplay
            The display itself.
        """
        self.ax_ = ax = single_axes(ax, figsize=self._figure_size())
        self.figure_ = ax.figure
        self.bars_, self.pictures_ = None, []
        if not len(self.pairs):
            say_nothing_to_draw(ax, "no class was mistaken for another")
            return self
        self._plot_bars(bar_kw)
        row_height = self._fit_labels()
        for row, pictures in enumerate(self.examples or []):
            self.pictures_.append(self._plot_pictures(row, pictures, row_height))
        return self

    @property
    def _n_rows(self):
        return max(_LEAST_ROWS, len(self.pairs))

    def _figure_size(self):
        row_height = _ROW_HEIGHT if self.examples is None else _PICTURE_ROW_HEIGHT
        n_examples = max(map(len, self.examples or []), default=0)
        return 6 + n_examples * _PICTURE_ROW_HEIGHT, 0.8 + row_height * self._n_rows

    def _plot_bars(self, bar_kw):
        from matplotlib.patches import Rectangle

        ax, rows = self.ax_, np.arange(len(self.pairs))
        style = merge_style(Rectangle, {"color": colors_and_markers(1)[0][0]}, bar_kw)
        counts = [count for *_, count in self.pairs]
        self.bars_ = ax.barh(rows, counts, **{"height": 0.7, **style})
        ax.set_yticks(rows, [self._label(true, predicted) for true, predicted, _ in self.pairs])
        # Counts stand behind the bars; the axes leave room for them.
        first = (len(rows) - self._n_rows - 1) / 2  # few bars stand in the middle
        ax.set(xlim=(0, 1.15 * max(counts)), ylim=(first + self._n_rows, first))
        ax.set(xlabel="images", ylabel="true → predicted")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.spines[["top", "right"]].set_visible(False)

    def _label(self, *labels):
        return " → ".join(drawn_name(label, self.class_names) for label in labels)

    def _fit_labels(self):
        """Write the counts, fit all labels into rows; return the height of a row in points."""
        counts = self.ax_.bar_label(self.bars_, padding=3)
        figure = self.ax_.get_figure(root=True)
        figure.draw_without_rendering()
        row_height = self.ax_.get_window_extent().height / self._n_rows
        for texts in (counts, self.ax_.get_yticklabels()):
            shrink_to_fit(texts, max_height=0.9 * row_height)
        return row_height * 72 / figure.dpi

    def _plot_pictures(self, row, pictures, row_height):
        side = 0.9 * row_height
        return [
            _picture_beside(self.ax_, picture, row, left=8 + i * (side + 3), side=side)
            for i, picture in enumerate(pictures)
        ]


def _picture_beside(ax, picture, row, *, left, side):
    """Draw `picture` to the right of `ax` at `row`; `left` and `side` are in points."""
    from matplotlib.offsetbox import AnnotationBbox, OffsetImage

    zoom = side / max(np.shape(picture)[:2])
    box = AnnotationBbox(
        OffsetImage(picture, zoom=zoom, interpolation="nearest"),
        (1, row),
        xycoords=("axes fraction", "data"),
        xybox=(left, 0),
        boxcoords="offset points",
        box_alignment=(0, 0.5),
        frameon=False,
        pad=0,
        annotation_clip=False,
    )
    return ax.add_artist(box)
