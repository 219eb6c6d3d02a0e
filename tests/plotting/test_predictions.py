import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skcifar.plotting import PredictionsDisplay

IMAGES = np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), dtype=np.uint8)
Y_TRUE, Y_PRED = np.array([0, 1, 2, 0, 1, 2]), np.array([0, 2, 2, 1, 0, 2])
Y_PROBA = np.array([0.9, 0.6, 0.5, 0.8, 0.7, 0.4])


def titles(display):
    return [ax.get_title() for ax in display.axes_]


def draw(**keywords):
    return PredictionsDisplay.from_predictions(IMAGES, Y_TRUE, Y_PRED, y_proba=Y_PROBA, **keywords)


def test_titles_tell_true_and_predicted_class_and_probability():
    display = draw(class_names=["ant", "bee", "cat"])
    assert titles(display)[:2] == [
        "true: ant\npredicted: ant 0.90",
        "true: bee\npredicted: cat 0.60",
    ]


def test_images_are_drawn_as_they_are():
    display = draw()
    for ax, image in zip(display.axes_, IMAGES, strict=True):
        np.testing.assert_array_equal(ax.images[0].get_array(), image)


def test_wrong_predictions_are_marked_by_frame_word_and_weight():
    display = draw()
    for ax, wrong in zip(display.axes_, Y_TRUE != Y_PRED, strict=True):
        assert [text.get_text() for text in ax.texts] == (["wrong"] if wrong else [])
        assert (ax.spines["left"].get_linestyle() != "solid") == wrong
        assert (ax.title.get_fontweight() == "bold") == wrong


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("first", [0, 1, 2, 3, 4, 5]),
        ("confident_errors", [3, 4, 1]),
        ("least_sure", [5, 2, 1, 4, 3, 0]),
    ],
)
def test_order_chooses_the_images(order, expected):
    assert draw(order=order).indices_.tolist() == expected
    assert draw(order=order, n_images=2).indices_.tolist() == expected[:2]


def test_probabilities_of_all_classes_are_read_at_the_predicted_one():
    y_proba = np.random.default_rng(0).random((6, 3))
    display = PredictionsDisplay.from_predictions(IMAGES, Y_TRUE, Y_PRED, y_proba=y_proba)
    np.testing.assert_array_equal(display.y_proba, y_proba[np.arange(6), Y_PRED])
    names = np.array(["ant", "bee", "cat"])
    by_name = PredictionsDisplay.from_predictions(
        IMAGES, names[Y_TRUE], names[Y_PRED], y_proba=y_proba
    )
    np.testing.assert_array_equal(by_name.y_proba, display.y_proba)


def test_classes_that_do_not_occur_may_have_a_column():
    y_proba = np.random.default_rng(0).random((6, 10))
    display = PredictionsDisplay.from_predictions(IMAGES, Y_TRUE, Y_PRED, y_proba=y_proba)
    np.testing.assert_array_equal(display.y_proba, y_proba[np.arange(6), Y_PRED])


def test_columns_that_cannot_be_told_apart_are_an_error():
    with pytest.raises(ValueError, match="y_proba has 4 columns"):
        PredictionsDisplay.from_predictions(IMAGES, Y_TRUE + 9, Y_PRED + 9, y_proba=np.ones((6, 4)))


def test_an_estimator_predicts(color_classifier, colored_images):
    X, y = colored_images
    color_classifier.fit(X[:-2], y[:-2])
    display = PredictionsDisplay.from_estimator(
        color_classifier, X, y, class_names=["red", "green", "blue"], order="confident_errors"
    )
    assert sorted(display.indices_) == [28, 29]
    assert {title.split(" 0.")[0] for title in titles(display)} == {
        "true: red\npredicted: green",
        "true: red\npredicted: blue",
    }
    probability = color_classifier.predict_proba(X).max(axis=1)
    np.testing.assert_array_equal(display.y_proba, probability)


def test_rows_grey_images_and_pipelines_are_drawn(color_classifier, color_features):
    X = np.random.default_rng(0).random((6, 6, 4, 1))
    color_classifier.fit(X, Y_TRUE)
    display = PredictionsDisplay.from_estimator(color_classifier, X.reshape(6, -1), Y_TRUE)
    assert display.images.shape == (6, 6, 4, 3)
    pipeline = make_pipeline(_Reversed(), color_classifier)
    display = PredictionsDisplay.from_estimator(pipeline, X, Y_TRUE)
    np.testing.assert_array_equal(display.y_pred, color_classifier.predict(X[:, ::-1]))
    np.testing.assert_array_equal(display.images[..., :1], np.round(255 * X))


class _Reversed:
    def transform(self, X):
        return X[:, ::-1]

    def fit(self, X, y=None):
        return self


def test_a_classifier_without_probabilities_has_no_number_in_the_titles(
    color_classifier, colored_images
):
    X, y = colored_images

    class Decided(type(color_classifier)):
        predict_proba = property()

        def predict(self, X):
            return np.zeros(len(X), dtype=int)

    display = PredictionsDisplay.from_estimator(Decided().fit(X, y), X, y, n_images=1)
    assert titles(display) == ["true: 0\npredicted: 0"]
    with pytest.raises(ValueError, match="needs the probability"):
        display.plot(order="least_sure")


def test_no_error_is_said():
    display = PredictionsDisplay.from_predictions(
        IMAGES, Y_TRUE, Y_TRUE, y_proba=Y_PROBA, order="confident_errors"
    )
    assert display.axes_[0].texts[0].get_text() == "no error in 6 predictions"


@pytest.mark.parametrize("n_classes", [3, 10, 100])
@pytest.mark.parametrize("size", [None, (5, 4)])
def test_titles_do_not_overlap(n_classes, size, text_overlaps):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, n_classes, (2, 20))
    names = [f"class with a long name {i}" for i in range(n_classes)]
    ax = None if size is None else plt.subplots(figsize=size)[1]
    display = PredictionsDisplay.from_predictions(
        np.zeros((20, 8, 8, 3)), y_true, y_pred, class_names=names, y_proba=rng.random(20), ax=ax
    )
    assert len(display.axes_) == 20
    assert not text_overlaps([axes.title for axes in display.axes_])


def test_given_axes_are_used():
    _, axes = plt.subplots(2, 3)
    assert list(draw(ax=axes).axes_) == list(axes.ravel())
    with pytest.raises(ValueError, match="ax holds 5 axes, 6 are drawn"):
        draw(ax=axes.ravel()[:5])


def test_wrong_input_is_an_error(color_classifier):
    with pytest.raises(ValueError, match="order is 'last'"):
        draw(order="last")
    with pytest.raises(ValueError, match="n_images == 0"):
        draw(n_images=0)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        PredictionsDisplay.from_predictions(IMAGES, Y_TRUE[:-1], Y_PRED)
    with pytest.raises(NotFittedError):
        PredictionsDisplay.from_estimator(color_classifier, IMAGES, Y_TRUE)
