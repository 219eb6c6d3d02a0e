"""The last epochs of fine-tuning begin with the average of the weights of those before."""

import keras
import numpy as np
import pytest

from skcifar import MobileNetV2Classifier
from skcifar.datasets import make_images

OPTIONS = {
    "weights": None,
    "alpha": 0.35,
    "input_size": 64,
    "epochs": 2,
    "fine_tune_epochs": 7,
    "fine_tune_blocks": 5,
    "random_state": 0,
}


@pytest.fixture(scope="module")
def data():
    return make_images(n_samples=24, image_shape=(40, 30, 3), random_state=0)


class Weights(keras.callbacks.Callback):
    """Notes the weights at the begin and at the end of each epoch, and in the end."""

    def __init__(self, last_epoch=None):
        super().__init__()
        self.at_begin, self.at_end, self.last_epoch = {}, {}, last_epoch

    def on_epoch_begin(self, epoch, logs=None):
        self.at_begin[epoch] = self._now()

    def on_epoch_end(self, epoch, logs=None):
        self.at_end[epoch] = self._now()
        self.model.stop_training = epoch == self.last_epoch

    def on_train_end(self, logs=None):
        self.in_the_end = self._now()

    def _now(self):
        weights = [np.ravel(variable.numpy()) for variable in self.model.trainable_variables]
        return np.concatenate(weights)


def fit_with(callback, data, **options):
    """Return the copy of `callback` that a fit ran."""
    options = {**OPTIONS, **options, "callbacks": [callback]}
    return MobileNetV2Classifier(**options).fit(*data).callbacks_[0]


def average_of(weights, epochs):
    return np.mean([weights.at_end[epoch] for epoch in epochs], axis=0)


@pytest.mark.parametrize("augmentation", ["flip", "flip_crop"])
def test_the_last_epoch_begins_with_the_average_of_those_before(data, augmentation):
    """Of six, without the first: 30 %."""
    weights = fit_with(Weights(), data, augmentation=augmentation)
    expected = average_of(weights, range(3, 8))
    np.testing.assert_allclose(weights.at_begin[8], expected, rtol=1e-4, atol=1e-6)
    assert np.abs(weights.at_end[7] - expected).max() > 1e-4
    np.testing.assert_array_equal(weights.at_begin[7], weights.at_end[6])


def test_a_fit_that_is_stopped_before_ends_with_the_average(data):
    weights = fit_with(Weights(last_epoch=5), data)
    expected = average_of(weights, range(3, 6))
    np.testing.assert_allclose(weights.in_the_end, expected, rtol=1e-4, atol=1e-6)


def test_one_epoch_has_nothing_to_average(data):
    weights = fit_with(Weights(), data, fine_tune_epochs=1)
    np.testing.assert_array_equal(weights.in_the_end, weights.at_end[2])
