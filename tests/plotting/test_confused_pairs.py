from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skcifar.metrics import most_confused
from skcifar.plotting import ConfusedPairsDisplay

Y_TRUE = np.array([0, 0, 0, 1, 1, 2, 2])
Y_PRED = np.array([1, 1, 0, 2, 1, 2, 1])
IMAGES = np.random.default_rng(0).integers(0, 256, (7, 8, 8, 3), dtype=np.uint8)


def row_labels(display):
    return [text.get_text() for text in display.ax_.get_yticklabels()]


def test_bars_show_the_pairs_and_their_counts():
    display = ConfusedPairsDisplay.from_predictions(Y_TRUE, Y_PRED, class_names=["a", "b", "c"])
    assert display.pairs == most_confused(Y_TRUE, Y_PRED)
    assert row_labels(display) == ["a → b", "b → c", "c → b"]
    assert [bar.get_width() for bar in display.bars_] == [2, 1, 1]
    assert [text.get_text() for text in display.ax_.texts] == ["2", "1", "1"]


def test_images_of_each_pair_stand_beside_its_bar():
    display = ConfusedPairsDisplay.from_predictions(Y_TRUE, Y_PRED, images=IMAGES)
    drawn = [[box.offsetbox.get_data() for box in boxes] for boxes in display.pictures_]
    assert [len(boxes) for boxes in drawn] == [2, 1, 1]
    np.testing.assert_array_equal(drawn[0], IMAGES[:2])
    np.testing.assert_array_equal(drawn[1][0], IMAGES[3])
    np.testing.assert_array_equal(drawn[2][0], IMAGES[6])
    assert [box.xy[1] for boxes in display.pictures_ for box in boxes] == [0, 0, 1, 2]


def test_pairs_and_examples_can_be_limited():
    display = ConfusedPairsDisplay.from_predictions(
        Y_TRUE, Y_PRED, images=IMAGES, n_pairs=2, n_examples=1
    )
    assert row_labels(display) == ["0 → 1", "1 → 2"]
    assert [len(boxes) for boxes in display.pictures_] == [1, 1]


def test_an_estimator_predicts(color_classifier, colored_images):
    X, y = colored_images
    color_classifier.fit(X[:-2], y[:-2])
    display = ConfusedPairsDisplay.from_estimator(
        color_classifier, X.reshape(30, -1), y, class_names=["red", "green", "blue"]
    )
    assert row_labels(display) == ["red → green", "red → blue"]
    np.testing.assert_array_equal(display.examples[0][0], X[28])


def test_pairs_alone_can_be_drawn():
    display = ConfusedPairsDisplay([("cat", "dog", 3)]).plot()
    assert row_labels(display) == ["cat → dog"]
    assert display.pictures_ == []


def test_no_confusion_is_said():
    display = ConfusedPairsDisplay.from_predictions(Y_TRUE, Y_TRUE, images=IMAGES)
    assert display.ax_.texts[0].get_text() == "no class was mistaken for another"


@pytest.mark.parametrize("n_classes", [3, 10, 100])
@pytest.mark.parametrize("size", [None, (6, 4)])
def test_labels_and_images_do_not_overlap(n_classes, size, text_overlaps):
    rng = np.random.default_rng(0)
    y_true, y_pred = rng.integers(0, n_classes, (2, 300))
    ax = None if size is None else plt.subplots(figsize=size)[1]
    display = ConfusedPairsDisplay.from_predictions(
        y_true,
        y_pred,
        images=np.zeros((300, 8, 8, 3)),
        class_names=[f"class with a long name {i}" for i in range(n_classes)],
        n_pairs=40,
        ax=ax,
    )
    assert not text_overlaps(display.ax_.get_yticklabels())
    assert not text_overlaps(display.ax_.texts)
    boxes = [boxes[0].get_window_extent() for boxes in display.pictures_]
    assert all(above.y0 > below.y1 for above, below in pairwise(boxes))


def test_pictures_lie_right_of_the_bars_and_inside_of_the_figure():
    display = ConfusedPairsDisplay.from_predictions(Y_TRUE, Y_PRED, images=IMAGES)
    display.figure_.canvas.draw()
    extents = [box.get_window_extent() for boxes in display.pictures_ for box in boxes]
    assert min(extent.x0 for extent in extents) > display.ax_.get_window_extent().x1
    assert max(extent.x1 for extent in extents) <= display.figure_.bbox.x1


@pytest.mark.parametrize("n_pairs", [1, 2])
def test_few_pairs_have_bars_and_images_of_the_usual_size(n_pairs):
    y_true = np.zeros(10, int)
    y_pred = 1 + np.arange(10) % n_pairs
    images = np.zeros((10, 8, 8, 3))
    display = ConfusedPairsDisplay.from_predictions(y_true, y_pred, images=images)
    figure = display.figure_
    figure.canvas.draw()  # Matplotlib warns of a figure without room for its axes
    axes = display.ax_.get_window_extent()
    assert axes.width > 0.3 * figure.bbox.width
    assert display.bars_[0].get_window_extent().height < axes.height / 3
    extents = [box.get_window_extent() for boxes in display.pictures_ for box in boxes]
    assert len(extents) >= 5
    assert max(extent.x1 for extent in extents) <= figure.bbox.x1


def test_given_axes_and_style_are_used():
    _, ax = plt.subplots()
    display = ConfusedPairsDisplay.from_predictions(
        Y_TRUE, Y_PRED, ax=ax, bar_kw={"height": 0.5, "hatch": "/"}
    )
    assert display.ax_ is ax
    assert display.bars_[0].get_height() == 0.5
    assert display.bars_[0].get_hatch() == "/"


def test_wrong_input_is_an_error(color_classifier):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        ConfusedPairsDisplay.from_predictions(Y_TRUE, Y_PRED, images=IMAGES[:-1])
    with pytest.raises(ValueError, match="n_pairs == 0"):
        ConfusedPairsDisplay.from_predictions(Y_TRUE, Y_PRED, n_pairs=0)
    with pytest.raises(NotFittedError):
        ConfusedPairsDisplay.from_estimator(color_classifier, IMAGES, Y_TRUE)
