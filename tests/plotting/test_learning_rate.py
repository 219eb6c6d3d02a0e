import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.utils import Bunch

from skcifar.plotting import LearningRateDisplay

RATES = np.geomspace(1e-5, 1, 6)
LOSSES = [2.3, 2.2, 1.5, 1.0, 1.2, 90.0]


def test_the_curve_and_the_suggestion_are_drawn():
    display = LearningRateDisplay(RATES, LOSSES, 1e-3).plot()
    np.testing.assert_allclose(display.line_.get_xdata(), RATES)
    np.testing.assert_allclose(display.line_.get_ydata(), LOSSES)
    assert display.suggestion_line_.get_xdata() == [1e-3, 1e-3]
    assert display.ax_.get_xscale() == "log"
    (label,) = display.ax_.get_legend().get_texts()
    assert label.get_text() == "suggestion: 0.001"


def test_what_find_learning_rate_returns_is_drawn():
    result = Bunch(learning_rates=RATES, losses=LOSSES, suggestion=1e-2, param_grid={})
    display = LearningRateDisplay.from_bunch(result)
    assert display.suggestion_line_.get_xdata() == [1e-2, 1e-2]


def test_a_curve_without_suggestion_has_no_legend():
    display = LearningRateDisplay(RATES, LOSSES).plot()
    assert display.suggestion_line_ is None
    assert display.ax_.get_legend() is None


def test_divergence_does_not_flatten_the_rest():
    display = LearningRateDisplay(RATES, LOSSES).plot()
    low, high = display.ax_.get_ylim()
    assert low < 1.0
    assert 2.3 < high < 4


def test_losses_that_are_not_finite_leave_a_gap():
    display = LearningRateDisplay(RATES, [*LOSSES[:4], np.inf, np.nan], 1e-3).plot()
    assert np.isnan(display.line_.get_ydata()[4:]).all()


def test_given_axes_and_style_are_used():
    _, ax = plt.subplots()
    display = LearningRateDisplay(RATES, LOSSES).plot(ax, line_kw={"lw": 5})
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert display.line_.get_linewidth() == 5


def test_rates_that_no_logarithm_has_are_an_error():
    with pytest.raises(ValueError, match="learning_rates holds 0"):
        LearningRateDisplay([0, 0.1], [1, 2]).plot()


def test_different_lengths_are_an_error():
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        LearningRateDisplay(RATES, LOSSES[:-1]).plot()
