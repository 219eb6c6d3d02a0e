"""FeatureMapDisplay: features of images in two dimensions."""

from typing import Any, Literal, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.utils import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import check_is_fitted

from .._validation.types import ClassNames, Images, OneAxes, RandomState, Style
from ._drawing import BESIDE, colors_and_markers, merge_style, place_labels, single_axes
from ._reading import name_classes, shorten

_METHODS = ("pca", "tsne")
# More classes are named in the map itself: nobody looks 20 signs up in a legend.
_MAX_LEGEND_CLASSES = 20
# t-SNE reads distances between 50 principal components, as its authors do (section 4.2).
_TSNE_COMPONENTS, _TSNE_PERPLEXITY = 50, 30


class FeatureMapDisplay:
    """Scatter plot of features in two dimensions, a colour and a marker for each class.

    In a new figure, up to 20 classes have a legend beside the map. Otherwise they are named inside
    it, at the median of their points or close to it, with a line that leads there.

    It is recommended to use `from_estimator`.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    embedding : array-like of shape (n_samples, 2)
        Where the points are drawn.
    y : array-like of shape (n_samples,)
        Their classes.
    class_names : dict, default=None
        The name drawn for each class; None draws the class itself.
    axis_names : tuple of two str, default=("dimension 1", "dimension 2")
        Labels of the axes.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the map.
    figure_ : matplotlib Figure
        Figure that contains it.
    labels_ : list of matplotlib Annotation
        The names inside the map; empty where there is a legend.

    References
    ----------
    van der Maaten and Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skcifar.plotting import FeatureMapDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> display = FeatureMapDisplay.from_estimator(StandardScaler().fit(X), X, y)
    >>> display.embedding.shape
    (1797, 2)
    """

    def __init__(
        self,
        embedding: ArrayLike,
        y: ArrayLike,
        *,
        class_names: ClassNames = None,
        axis_names: tuple[str, str] = ("dimension 1", "dimension 2"),
    ) -> None:
        self.embedding = embedding
        self.y = y
        self.class_names = class_names
        self.axis_names = axis_names

    @classmethod
    def from_estimator(
        cls,
        features: BaseEstimator,
        X: Images,
        y: ArrayLike,
        *,
        method: Literal["pca", "tsne"] = "pca",
        random_state: RandomState = None,
        class_names: ClassNames = None,
        **plot_keywords: Any,
    ) -> Self:
        """Compute features of images, project them and draw the map.

        Parameters
        ----------
        features : transformer
            Fitted, such as `MobileNetV2Features`, or a Pipeline of transformers.
        X : array-like of shape (n_samples, height, width, channels) or (n_samples, n_pixels)
            Images, or files, as `features` takes them.
        y : array-like of shape (n_samples,)
            True classes.
        method : {"pca", "tsne"}, default="pca"
            The first two principal components, or t-SNE (slow above some 10,000 images).
        random_state : int, RandomState or None, default=None
            Seed of the projection.
        class_names : array-like of str, or dict, default=None
            Names to draw: by position for integer classes 0, 1, ..., else in sorted order of the
            classes, or by class.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        FeatureMapDisplay

        Raises
        ------
        ValueError
            If `method` is not one of these, or `features` does not transform.
        """
        if method not in _METHODS:
            raise ValueError(f"method is {method!r}; pass {' or '.join(map(repr, _METHODS))}.")
        check_consistent_length(X, y)
        y = column_or_1d(y)
        rows = _transform(features, X)
        project = _pca if method == "pca" else _tsne
        embedding, axis_names = project(rows, random_state)
        names = name_classes(y, class_names=class_names)
        return cls(embedding, y, class_names=names, axis_names=axis_names).plot(**plot_keywords)

    def plot(self, ax: OneAxes = None, *, scatter_kw: Style = None) -> Self:
        """Draw the map.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        scatter_kw : dict, default=None
            Keywords of ``seaborn.scatterplot``, such as ``s``, the size of the points.

        Returns
        -------
        FeatureMapDisplay
            The display itself.
        """
        labels = column_or_1d(self.y)
        names = name_classes(labels, class_names=self.class_names)
        with_legend = ax is None and len(names) <= _MAX_LEGEND_CLASSES
        self.ax_ = ax = single_axes(ax, figsize=(7, 5) if with_legend else (9, 8))
        self.figure_ = ax.figure
        points, positions = np.asarray(self.embedding), {label: i for i, label in enumerate(names)}
        check_consistent_length(points, labels)
        codes = [positions[label] for label in labels.tolist()]
        # Names stand out above pale points.
        _plot_points(ax, points, codes, {"alpha": 1 if with_legend else 0.5, **(scatter_kw or {})})
        ax.set(xlabel=self.axis_names[0], ylabel=self.axis_names[1], xticks=[], yticks=[])
        self.labels_ = []
        if with_legend:
            _put_legend_beside(ax, names.values())
        else:
            medians = [np.median(points[labels == label], axis=0) for label in names]
            self.labels_ = place_labels(ax, [shorten(name) for name in names.values()], medians)
        return self


def _plot_points(ax, points, codes, scatter_kw):
    """Draw the points; `codes` are the positions of their classes, as names may occur twice."""
    import seaborn as sns
    from matplotlib.collections import PathCollection

    order = list(range(max(codes) + 1))
    colors, markers = colors_and_markers(len(order))
    defaults = {"s": _point_size(len(points)), "linewidth": 0.3, "edgecolor": "0.2"}
    sns.scatterplot(
        x=points[:, 0],
        y=points[:, 1],
        hue=codes,
        hue_order=order,
        palette=colors,
        style=codes,
        style_order=order,
        markers=markers,
        legend="full",
        ax=ax,
        **merge_style(PathCollection, defaults, scatter_kw),
    )
    ax.get_legend().remove()


def _point_size(n_points):
    """Return the area of a point in square points: 40 for a hundred, 8 for ten thousand."""
    return float(np.clip(200 / n_points**0.35, 8, 40))


def _put_legend_beside(ax, names):
    handles, _ = ax.get_legend_handles_labels()
    names = [shorten(name) for name in names]
    ax.legend(handles, names, frameon=False, markerscale=1.3, **BESIDE)


def _transform(features, X):
    """Return the features as rows of float64."""
    if not hasattr(features, "transform"):
        raise ValueError(
            f"{type(features).__name__} has no transform; FeatureMapDisplay draws the features of "
            "a transformer. Pass MobileNetV2Features().fit(X), or pipeline[:-1] to leave the "
            "classifier of a Pipeline out."
        )
    check_is_fitted(features)
    rows = np.asarray(features.transform(X))
    return check_array(rows.reshape(len(rows), -1), dtype=np.float64, input_name="The features")


def _pca(rows, random_state):
    pca = PCA(n_components=2, random_state=random_state).fit(rows)
    shares = pca.explained_variance_ratio_
    names = [f"component {i} ({share:.0%} of variance)" for i, share in enumerate(shares, start=1)]
    return pca.transform(rows), tuple(names)


def _tsne(rows, random_state):
    n_components = min(_TSNE_COMPONENTS, *rows.shape)
    rows = PCA(n_components=n_components, random_state=random_state).fit_transform(rows)
    # Features of a random network are of the order of 1e-12, too close for the search of t-SNE.
    rows /= rows.std() or 1
    perplexity = min(_TSNE_PERPLEXITY, (len(rows) - 1) / 3)
    tsne = TSNE(n_components=2, perplexity=perplexity, init="pca", random_state=random_state)
    return tsne.fit_transform(rows), ("t-SNE 1", "t-SNE 2")
