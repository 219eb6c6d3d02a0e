"""LearningRateDisplay: the loss over growing learning rates."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from sklearn.utils import Bunch, check_consistent_length, column_or_1d

from .._validation.types import OneAxes, Style
from ._drawing import colors_and_markers, merge_style, single_axes


class LearningRateDisplay:
    """Loss of a short run over growing learning rates, with the suggested one marked.

    Read more in the :ref:`User Guide <displays>`.

    Parameters
    ----------
    learning_rates : array-like of shape (n_steps,)
        Step sizes, positive and growing.
    losses : array-like of shape (n_steps,)
        Training loss at each; values that are not finite leave a gap.
    suggestion : float, default=None
        The learning rate to mark.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Axes with the curve; the learning rates are on a logarithmic scale.
    figure_ : matplotlib Figure
        Figure that contains it.
    line_ : matplotlib Line2D
        The curve.
    suggestion_line_ : matplotlib Line2D or None
        The vertical line at the suggestion.

    See Also
    --------
    skcifar.model_selection.find_learning_rate : Does the run that is drawn here.

    References
    ----------
    Smith, "Cyclical Learning Rates for Training Neural Networks", WACV 2017.

    Examples
    --------
    >>> from skcifar.plotting import LearningRateDisplay
    >>> rates, losses = [1e-5, 1e-4, 1e-3, 1e-2, 1e-1], [2.3, 2.1, 1.2, 1.0, 4.0]
    >>> display = LearningRateDisplay(rates, losses, suggestion=1e-3).plot()
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(
        self, learning_rates: ArrayLike, losses: ArrayLike, suggestion: float | None = None
    ) -> None:
        self.learning_rates = learning_rates
        self.losses = losses
        self.suggestion = suggestion

    @classmethod
    def from_bunch(cls, result: Bunch, **plot_keywords: Any) -> Self:
        """Draw what `skcifar.model_selection.find_learning_rate` returned.

        Parameters
        ----------
        result : Bunch
            With ``learning_rates``, ``losses`` and ``suggestion``.
        **plot_keywords : dict
            Keywords of `plot`.

        Returns
        -------
        LearningRateDisplay
        """
        return cls(result.learning_rates, result.losses, result.suggestion).plot(**plot_keywords)

    def plot(self, ax: OneAxes = None, *, line_kw: Style = None) -> Self:
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a new figure.
        line_kw : dict, default=None
            Keywords of ``Axes.plot`` for the curve.

        Returns
        -------
        LearningRateDisplay
            The display itself.

        Raises
        ------
        ValueError
            If the lengths differ, or a learning rate is not positive.
        """
        rates, losses = self._checked_curve()
        self.ax_ = ax = single_axes(ax, figsize=(6, 4))
        self.figure_ = ax.figure
        self._plot_curve(rates, losses, line_kw)
        self._mark_suggestion(rates, losses)
        ax.set(xscale="log", xlabel="learning rate (log scale)", ylabel="training loss")
        _limit_divergence(ax, losses)
        return self

    def _checked_curve(self):
        rates = column_or_1d(self.learning_rates, dtype=np.float64)
        losses = column_or_1d(self.losses, dtype=np.float64)
        check_consistent_length(rates, losses)
        if not (rates > 0).all():
            raise ValueError(
                f"learning_rates holds {rates.min():g}; a logarithmic axis shows positive ones "
                "only. Pass, for example, np.geomspace(1e-6, 1, 100)."
            )
        return rates, losses

    def _plot_curve(self, rates, losses, line_kw):
        from matplotlib.lines import Line2D

        (color, *_), _ = colors_and_markers(1)
        style = merge_style(Line2D, {"color": color, "linewidth": 2}, line_kw)
        (self.line_,) = self.ax_.plot(rates, np.where(np.isfinite(losses), losses, np.nan), **style)

    def _mark_suggestion(self, rates, losses):
        self.suggestion_line_ = None
        if self.suggestion is None:
            return
        loss = np.interp(np.log(self.suggestion), np.log(rates), losses)
        color = colors_and_markers(4)[0][3]
        label = f"suggestion: {self.suggestion:.2g}"
        mark = {"color": color, "linestyle": "--", "linewidth": 1.5, "label": label}
        self.suggestion_line_ = self.ax_.axvline(self.suggestion, **mark)
        self.ax_.plot(self.suggestion, loss, marker="D", markersize=8, color=color)
        self.ax_.legend(handles=[self.suggestion_line_])


def _limit_divergence(ax, losses):
    """Cut the axis above the first loss, where a diverging run would flatten all the rest."""
    finite = losses[np.isfinite(losses)]
    if len(finite) and finite.max() > 3 * abs(finite[0]):
        margin = 0.1 * (finite[0] - finite.min()) or 0.1
        ax.set_ylim(finite.min() - margin, 1.5 * finite[0])
