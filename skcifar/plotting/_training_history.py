"""TrainingHistoryDisplay: loss and accuracy over the epochs of one or several fits."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator

from .._validation.types import SeveralAxes, Style
from ._drawing import BESIDE, colors_and_markers, given_axes, is_single_axes, merge_style
from ._reading import fitted_attribute

_METRICS = ("loss", "accuracy")
_SPLITS = {"training": "", "validation": "val_"}
_LINE_STYLES = {"training": "-", "validation": "--"}
_LEGEND_ROWS = 20
_MAX_NAMED_FOLDS = 10


class TrainingHistoryDisplay:
    """Loss and accuracy over the epochs, of training and validation, for one or several fits.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    histories : dict of str to dict
        For each fit, by the name drawn in the legend, a dict of lists of one value per epoch:
        ``loss``, ``accuracy`` and, where there was a validation set, ``val_loss`` and
        ``val_accuracy``.
    fine_tune_starts : dict of str to int, default=None
        For each fit that was fine-tuned, the index in those lists of its first epoch of
        fine-tuning.
    mean : bool, default=False
        Whether the mean over the fits is drawn too, over the epochs that all of them reached.

    Attributes
    ----------
    axes_ : ndarray of shape (2,)
        Axes of the loss and of the accuracy.
    figure_ : matplotlib Figure
        Figure that contains them.
    lines_ : dict
        Line2D by (name of the fit, key of its history); that of the mean is called "mean".
    fine_tune_lines_ : list of Line2D
        The vertical lines where fine-tuning starts.

    Examples
    --------
    >>> from skcifar.plotting import TrainingHistoryDisplay
    >>> history = {"loss": [2.1, 1.4, 1.1], "accuracy": [0.3, 0.6, 0.7]}
    >>> display = TrainingHistoryDisplay({"small": history}).plot()
    >>> [ax.get_ylabel() for ax in display.axes_]
    ['loss', 'accuracy']
    """

    def __init__(
        self,
        histories: Mapping[str, Mapping[str, Sequence[float]]],
        *,
        fine_tune_starts: Mapping[str, int] | None = None,
        mean: bool = False,
    ) -> None:
        self.histories = histories
        self.fine_tune_starts = fine_tune_starts
        self.mean = mean

    @classmethod
    def from_estimator(
        cls,
        estimator: BaseEstimator | Sequence[BaseEstimator] | Mapping[str, BaseEstimator],
        *,
        mean: bool | None = None,
        **plot_keywords: Any,
    ) -> Self:
        """Draw the history of a fitted classifier, or of several.

        Parameters
        ----------
        estimator : estimator, list of estimators, or dict of str to estimator
            Fitted classifiers with a ``history_``, Pipelines that end in one, or searches over
            them. A list holds the folds of one estimator, such as
            ``cross_validate(..., return_estimator=True)["estimator"]``; a dict gives names.
        mean : bool, default=None
            Whether the mean over the fits is drawn; None draws it for a list of several.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        TrainingHistoryDisplay

        Raises
        ------
        ValueError
            If an estimator has no ``history_``.
        NotFittedError
            If an estimator is not fitted.
        """
        named = _name_estimators(estimator)
        if mean is None:
            mean = len(named) > 1 and not isinstance(estimator, Mapping)
        histories = {name: _history_of(fit) for name, fit in named.items()}
        starts = {name: fitted_attribute(fit, "fine_tune_start_") for name, fit in named.items()}
        return cls(histories, fine_tune_starts=starts, mean=mean).plot(**plot_keywords)

    def plot(self, ax: SeveralAxes = None, *, line_kw: Style = None) -> Self:
        """Draw both panels.

        Parameters
        ----------
        ax : matplotlib Axes, or array-like of 2 Axes, default=None
            Where to draw; a single one is divided, None makes a new figure.
        line_kw : dict, default=None
            Keywords of ``Axes.plot`` for each curve.

        Returns
        -------
        TrainingHistoryDisplay
            The display itself.

        Raises
        ------
        ValueError
            If there is no history, or one lacks the loss or the accuracy, or its lists differ in
            length.
        """
        _check_histories(self.histories)
        self.axes_ = _two_panels(ax)
        self.figure_ = self.axes_[0].figure
        self._plot_histories(line_kw)
        self._mark_fine_tuning()
        self._add_legend(beside=ax is None)
        return self

    def _plot_histories(self, line_kw):
        self.lines_ = {}
        for i, (name, history) in enumerate(self.histories.items()):
            self._plot_history(name, history, lambda split, i=i: self._style(i, split), line_kw)
        if self.mean:
            self._plot_history("mean", _mean_history(self.histories), _mean_style, None)
        for ax, metric in zip(self.axes_, _METRICS, strict=True):
            ax.set(xlabel="epoch", ylabel=metric)
            ax.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)

    def _plot_history(self, name, history, style_of, line_kw):
        from matplotlib.lines import Line2D

        for split, prefix in _SPLITS.items():
            style = merge_style(Line2D, style_of(split), line_kw)
            for ax, metric in zip(self.axes_, _METRICS, strict=True):
                if (key := prefix + metric) in history:
                    epochs = np.arange(1, len(history[key]) + 1)
                    (self.lines_[name, key],) = ax.plot(epochs, history[key], **style)

    @property
    def _crowded(self):
        """Whether single fits are but the background of their mean."""
        return self.mean and len(self.histories) > _MAX_NAMED_FOLDS

    def _style(self, i, split):
        """Return the look of one fit: colours tell fits apart, or, for a single one, the splits."""
        if self._crowded:
            return {"color": "0.7", "linestyle": _LINE_STYLES[split], "linewidth": 0.7}
        several = len(self.histories) > 1
        look = i if several else list(_SPLITS).index(split)
        colors, markers = colors_and_markers(look + 1)
        return {
            "color": colors[look],
            "marker": markers[look],
            "markersize": 4,
            "linestyle": _LINE_STYLES[split],
            "linewidth": 1 if self.mean else 1.5,
            "alpha": 0.6 if self.mean else 1,
        }

    def _mark_fine_tuning(self):
        """Draw where fine-tuning starts: a line for all fits, or one in the colour of each."""
        starts = self.fine_tune_starts or {}
        # Halfway between the last epoch before and the first one after, counted from 1.
        colors = {
            starts[name] + 0.5: self._style(i, "training")["color"]
            for i, name in enumerate(self.histories)
            if starts.get(name) is not None
        }
        if len(colors) == 1:
            colors = dict.fromkeys(colors, "0.35")
        self.fine_tune_lines_ = [
            ax.axvline(x, color=color, linestyle=":")
            for ax in self.axes_
            for x, color in colors.items()
        ]
        for ax in self.axes_ if colors else ():
            _label_line(ax, min(colors), "fine-tuning →")

    def _add_legend(self, beside):
        """Put the legend beside the panels of a figure of ours, where it hides no curve."""
        entries = self._legend_entries()
        layout = {"ncols": math.ceil(len(entries) / _LEGEND_ROWS), **(BESIDE if beside else {})}
        self.axes_[1].legend(entries.values(), entries.keys(), **layout)

    def _legend_entries(self):
        """Return the line to show for each label."""
        from matplotlib.lines import Line2D

        fits = {name: self.lines_[name, "accuracy"] for name in self.histories}
        if len(fits) == 1:
            return self._lines_of_splits(*fits)
        if self._crowded:
            fits = {f"each of {len(fits)} fits": next(iter(fits.values()))}
        if self.mean:
            means = self._lines_of_splits("mean")
            return fits | {f"{split}, mean": line for split, line in means.items()}
        splits = {split for name in fits for split in self._lines_of_splits(name)}
        return fits | {
            split: Line2D([], [], **_plain_style(split)) for split in _SPLITS if split in splits
        }

    def _lines_of_splits(self, name):
        keys = {split: (name, prefix + "accuracy") for split, prefix in _SPLITS.items()}
        return {split: self.lines_[key] for split, key in keys.items() if key in self.lines_}


def _name_estimators(estimator):
    if isinstance(estimator, Mapping):
        return dict(estimator)
    if isinstance(estimator, list | tuple | np.ndarray):
        return {f"fit {i}": fit for i, fit in enumerate(estimator, start=1)}
    return {type(estimator).__name__: estimator}


def _history_of(estimator):
    history = fitted_attribute(estimator, "history_")
    if history is None:
        raise ValueError(
            f"{type(estimator).__name__} has no history_; TrainingHistoryDisplay draws classifiers "
            "that keep one. Pass, for example, MobileNetV2Classifier().fit(X, y)."
        )
    return history


def _check_histories(histories):
    if not histories:
        raise ValueError("There is no history to draw. Pass at least one fitted classifier.")
    for name, history in histories.items():
        _check_history(name, history)


def _check_history(name, history):
    if not set(_METRICS) <= set(history):
        raise ValueError(
            f"The history of {name!r} has the keys {sorted(history)}; 'loss' and 'accuracy' are "
            "drawn. Pass lists of one value per epoch under both."
        )
    drawn = [prefix + metric for prefix in _SPLITS.values() for metric in _METRICS]
    lengths = {key: len(history[key]) for key in drawn if key in history}
    if len(set(lengths.values())) > 1:
        raise ValueError(
            f"The lists in the history of {name!r} differ in length: {lengths}. Pass one value per "
            "epoch in each."
        )


def _mean_history(histories):
    """Return the mean over the fits, of what all have, up to the end of the shortest."""
    n_epochs = min(len(history["loss"]) for history in histories.values())
    keys = set.intersection(*(set(history) for history in histories.values()))
    return {
        key: np.mean([history[key][:n_epochs] for history in histories.values()], axis=0)
        for key in keys
    }


def _plain_style(split):
    return {"color": "black", "linestyle": _LINE_STYLES[split]}


def _mean_style(split):
    return {**_plain_style(split), "linewidth": 2.5}


def _two_panels(ax):
    import matplotlib.pyplot as plt

    if ax is None:
        return plt.subplots(1, 2, figsize=(10, 4), layout="constrained")[1]
    if not is_single_axes(ax):
        return given_axes(ax, 2)
    ax.set_axis_off()
    # A fifth of the width is room for the tick labels between the panels.
    return np.array([ax.inset_axes((left, 0, 0.4, 1)) for left in (0, 0.6)])


def _label_line(ax, x, text):
    """Write `text` above the axes at `x`, to the right of it unless it would leave the axes."""
    low, high = ax.get_xlim()
    on_the_right = x < low + 0.7 * (high - low)
    ax.annotate(
        text,
        (x, 1),
        xycoords=("data", "axes fraction"),
        xytext=(0, 3),
        textcoords="offset points",
        ha="left" if on_the_right else "right",
        fontsize="small",
    )
