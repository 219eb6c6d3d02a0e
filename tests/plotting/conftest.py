"""Draws without a screen, closes what was drawn, and measures the texts."""

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin


@pytest.fixture(autouse=True)
def close_figures():
    yield
    plt.close("all")


class ColorClassifier(ClassifierMixin, BaseEstimator):
    """Takes an image for the class of the nearest mean colour; rows need its `image_shape_`."""

    def fit(self, X, y):
        self.image_shape_ = np.shape(X)[1:]
        self.classes_, codes = np.unique(y, return_inverse=True)
        colors = self._colors(X)
        self.centers_ = np.array([colors[codes == i].mean(axis=0) for i in range(codes.max() + 1)])
        return self

    def predict_proba(self, X):
        distances = np.linalg.norm(self._colors(X)[:, None] - self.centers_, axis=2)
        weights = np.exp(-distances / 50)
        return weights / weights.sum(axis=1, keepdims=True)

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def _colors(self, X):
        return np.reshape(X, (-1, *self.image_shape_)).mean(axis=(1, 2), dtype=float)


class ColorFeatures(TransformerMixin, BaseEstimator):
    """Puts out the mean and the deviation of each channel."""

    def fit(self, X, y=None):
        self.n_features_out_ = 2 * np.shape(X)[-1]
        return self

    def transform(self, X):
        return np.hstack([np.mean(X, axis=(1, 2)), np.std(X, axis=(1, 2))])


def overlaps(texts):
    """Return the pairs of `texts` whose extents intersect, as the renderer measures them."""
    boxes = [Text.get_window_extent(text).extents for text in texts]
    return [
        (texts[i].get_text(), texts[j].get_text())
        for i in range(len(texts))
        for j in range(i)
        if (np.maximum(boxes[i][:2], boxes[j][:2]) < np.minimum(boxes[i][2:], boxes[j][2:])).all()
    ]


@pytest.fixture
def color_classifier():
    return ColorClassifier()


@pytest.fixture
def color_features():
    return ColorFeatures()


@pytest.fixture
def text_overlaps():
    """Return a function from a list of texts to the pairs of them that overlap."""

    def measure(texts):
        texts[0].get_figure(root=True).canvas.draw()
        return overlaps(texts)

    return measure


@pytest.fixture
def colored_images():
    """Return (X, y): 30 noisy images of three colours, of which the last two were mislabelled."""
    rng = np.random.default_rng(0)
    y = np.arange(30) % 3
    X = np.full((30, 8, 8, 3), 40) + 150 * np.eye(3)[y][:, None, None, :]
    X = (X + rng.normal(0, 10, X.shape)).clip(0, 255).astype(np.uint8)
    y[-2:] = 0
    return X, y
