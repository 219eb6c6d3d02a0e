import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skcifar.plotting import TrainingHistoryDisplay


@pytest.fixture
def fitted(color_classifier, colored_images):
    """Return a function that makes fitted classifiers with a history."""

    def fit(n_epochs=4, *, start=None, validation=True, level=0.0):
        classifier = type(color_classifier)().fit(*colored_images)
        history = {"loss": np.linspace(2, 1, n_epochs), "accuracy": np.linspace(0, 0.8, n_epochs)}
        if validation:
            history |= {f"val_{key}": values + 0.1 for key, values in history.items()}
        classifier.history_ = {key: list(values + level) for key, values in history.items()}
        classifier.fine_tune_start_ = start
        return classifier

    return fit


def legend_labels(display):
    return [text.get_text() for text in display.axes_[1].get_legend().get_texts()]


def test_training_and_validation_are_drawn_over_the_epochs(fitted):
    classifier = fitted()
    display = TrainingHistoryDisplay.from_estimator(classifier)
    assert [ax.get_ylabel() for ax in display.axes_] == ["loss", "accuracy"]
    for (_, key), line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        np.testing.assert_array_equal(line.get_ydata(), classifier.history_[key])
    assert len(display.lines_) == 4
    assert legend_labels(display) == ["training", "validation"]


def test_the_splits_differ_in_more_than_colour(fitted):
    lines = TrainingHistoryDisplay.from_estimator(fitted()).lines_.values()
    assert len({(line.get_linestyle(), line.get_marker()) for line in lines}) == 2


def test_without_validation_only_training_is_drawn(fitted):
    display = TrainingHistoryDisplay.from_estimator(fitted(validation=False))
    assert len(display.lines_) == 2
    assert legend_labels(display) == ["training"]


def test_the_start_of_fine_tuning_is_a_labelled_line_between_two_epochs(fitted):
    display = TrainingHistoryDisplay.from_estimator(fitted(start=2))
    assert [line.get_xdata()[0] for line in display.fine_tune_lines_] == [2.5, 2.5]
    assert [ax.texts[0].get_text() for ax in display.axes_] == ["fine-tuning →"] * 2


def test_without_fine_tuning_nothing_is_marked(fitted):
    display = TrainingHistoryDisplay.from_estimator(fitted())
    assert display.fine_tune_lines_ == []
    assert not display.axes_[0].texts


def test_folds_are_drawn_with_their_mean_up_to_the_shortest(fitted):
    folds = [fitted(4, level=0.0), fitted(4, level=0.3), fitted(3)]
    display = TrainingHistoryDisplay.from_estimator(folds)
    expected = np.mean([fold.history_["loss"][:3] for fold in folds], axis=0)
    np.testing.assert_allclose(display.lines_["mean", "loss"].get_ydata(), expected)
    assert legend_labels(display) == [
        "fit 1", "fit 2", "fit 3", "training, mean", "validation, mean",
    ]  # fmt: skip


def test_many_folds_share_one_entry_of_the_legend(fitted):
    display = TrainingHistoryDisplay.from_estimator([fitted()] * 30)
    assert len(display.lines_) == 31 * 4
    assert legend_labels(display)[0] == "each of 30 fits"


def test_named_fits_are_in_the_legend_and_have_no_mean(fitted):
    display = TrainingHistoryDisplay.from_estimator({"slow": fitted(start=2), "fast": fitted()})
    assert legend_labels(display) == ["slow", "fast", "training", "validation"]
    assert not any(name == "mean" for name, _ in display.lines_)
    markers = {line.get_marker() for line in display.lines_.values()}
    assert len(markers) == 2


def test_fits_that_fine_tune_at_different_epochs_have_a_line_each(fitted):
    fits = {"a": fitted(start=1), "b": fitted(start=2), "c": fitted(start=2)}
    display = TrainingHistoryDisplay.from_estimator(fits)
    assert sorted({line.get_xdata()[0] for line in display.fine_tune_lines_}) == [1.5, 2.5]


def test_pipelines_are_opened(fitted, color_features):
    color_features.n_features_out_ = 6
    pipeline = make_pipeline(color_features, fitted())
    assert len(TrainingHistoryDisplay.from_estimator(pipeline).lines_) == 4


def test_no_texts_overlap(fitted, text_overlaps):
    fits = {f"learning rate {i}": fitted(20, start=3 + i) for i in range(10)}
    display = TrainingHistoryDisplay.from_estimator(fits)
    for ax in display.axes_:
        assert not text_overlaps([*ax.get_xticklabels(), ax.xaxis.label])
        assert not text_overlaps([*ax.get_yticklabels(), ax.yaxis.label])
    assert not text_overlaps(display.axes_[1].get_legend().get_texts())


def test_one_axes_is_divided_and_two_are_used(fitted):
    _, ax = plt.subplots()
    display = TrainingHistoryDisplay.from_estimator(fitted(), ax=ax, line_kw={"lw": 7})
    assert set(ax.child_axes) == set(display.axes_)
    assert {line.get_linewidth() for line in display.lines_.values()} == {7}
    _, axes = plt.subplots(2)
    assert list(display.plot(axes).axes_) == list(axes)


def test_one_epoch_has_one_tick(fitted):
    display = TrainingHistoryDisplay.from_estimator(fitted(1))
    low, high = display.axes_[0].get_xlim()
    assert [tick for tick in display.axes_[0].get_xticks() if low < tick < high] == [1]


def test_too_few_axes_are_an_error(fitted):
    _, ax = plt.subplots(1, 1, squeeze=False)
    with pytest.raises(ValueError, match="ax holds 1 axes, 2 are drawn"):
        TrainingHistoryDisplay.from_estimator(fitted(), ax=ax)


def test_a_classifier_without_history_is_an_error(fitted):
    classifier = fitted()
    del classifier.history_
    with pytest.raises(ValueError, match="has no history_"):
        TrainingHistoryDisplay.from_estimator(classifier)


def test_a_classifier_that_is_not_fitted_is_an_error(color_classifier):
    with pytest.raises(NotFittedError):
        TrainingHistoryDisplay.from_estimator(color_classifier)


@pytest.mark.parametrize(
    ("histories", "message"),
    [
        ({}, "no history to draw"),
        ({"a": {"loss": [1]}}, r"has the keys \['loss'\]"),
        ({"a": {"loss": [1, 2], "accuracy": [0]}}, "differ in length"),
    ],
)
def test_incomplete_histories_are_an_error(histories, message):
    with pytest.raises(ValueError, match=message):
        TrainingHistoryDisplay(histories).plot()
