"""Crops of what enters the trained blocks: `augmentation="flip_crop"`."""

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

from skcifar import MobileNetV2Classifier
from skcifar._keras.folded_layers import FoldedLayers
from skcifar._keras.layers import build_features
from skcifar._keras.sizes import WholeOrCropped
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._training.crops import CROP_SHARE, crops_by_epoch, cut_out
from skcifar._training.schedule import Schedule
from skcifar.datasets import make_images

# A network of 64 px sees crops of 48; what enters its top five blocks is 4 x 4 pixels, or 3 x 3.
SMALL = {
    "weights": None,
    "alpha": 0.35,
    "input_size": 64,
    "epochs": 2,
    "fine_tune_epochs": 2,
    "fine_tune_blocks": 5,
    "random_state": 0,
    "augmentation": "flip_crop",
}
UNIT = 13


@pytest.fixture(scope="module")
def data():
    return make_images(n_samples=24, image_shape=(40, 30, 3), random_state=0)


@pytest.fixture(scope="module")
def tuned(data):
    return MobileNetV2Classifier(**SMALL).fit(*data)


def numbered_maps(n_maps, n_features=0):
    """Return flat rows of 6 x 5 maps with two channels, each number another, and features."""
    maps = np.arange(n_maps * 60, dtype=np.float32).reshape(n_maps, 60)
    return np.hstack([maps, -np.ones((n_maps, n_features), np.float32)])


def schedule(n_epochs):
    return Schedule(seed=0, batch_size=4, learning_rate=1.0, first_epoch=3, n_epochs=n_epochs)


def test_a_part_is_cut_out():
    maps = numbered_maps(2).reshape(2, 6, 5, 2)
    crops = cut_out(maps, np.array([[0, 0], [2, 1]]), (4, 3))
    np.testing.assert_array_equal(crops[0], maps[0, :4, :3])
    np.testing.assert_array_equal(crops[1], maps[1, 2:6, 1:4])


@pytest.mark.parametrize(("n_epochs", "n_whole"), [(1, 1), (2, 1), (6, 1), (12, 2), (16, 3)])
def test_the_last_sixth_of_the_epochs_is_whole(n_epochs, n_whole):
    maps = numbered_maps(4, n_features=3)
    of_epoch = crops_by_epoch(lambda epoch: maps, 4, (6, 5, 2), (4, 4, 2), schedule(n_epochs))
    widths = [of_epoch(epoch)[np.arange(4)].shape[1] for epoch in range(3, 3 + n_epochs)]
    assert widths == [4 * 4 * 2 + 3] * (n_epochs - n_whole) + [63] * n_whole


def test_each_epoch_draws_other_crops_and_the_features_behind_them_stay():
    maps = numbered_maps(200, n_features=3)
    of_epoch = crops_by_epoch(lambda epoch: maps, 200, (6, 5, 2), (4, 4, 2), schedule(8))
    first, again, other = (of_epoch(epoch)[np.arange(200)] for epoch in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).mean() > 0.5
    np.testing.assert_array_equal(first[:, -3:], -1)
    corners = {divmod(int(row[0]) % 60 // 2, 5) for row in first}
    assert corners == {(row, column) for row in range(3) for column in range(2)}


def test_rows_may_be_maps():
    maps = numbered_maps(4).reshape(4, 6, 5, 2)
    of_epoch = crops_by_epoch(lambda epoch: maps, 4, (6, 5, 2), (4, 4, 2), schedule(2))
    assert of_epoch(3)[np.array([3, 0])].shape == (2, 4, 4, 2)


@pytest.mark.parametrize(
    ("variant", "size", "cropped"),
    [
        *(("imagenet", 32, 32), ("imagenet", 64, 48), ("imagenet", 96, 80)),
        *(("imagenet", 128, 96), ("imagenet", 160, 128), ("imagenet", 192, 160)),
        ("cifar10", 32, 24),
    ],
)
def test_crops_are_about_four_fifths_of_the_side(variant, size, cropped):
    network = MobileNetV2(size, variant=variant)
    assert network.cropped(CROP_SHARE) == MobileNetV2(cropped, variant=variant)


def test_crops_of_images_have_their_shape_and_scale(tuned):
    assert tuned._frozen.image_shape == (40, 30, 3)
    cropped = tuned._frozen.cropped(CROP_SHARE)
    assert cropped.image_shape == (30, 22, 3)
    assert cropped.network.input_size == 48
    assert tuned._frozen.map_shape(UNIT) == (4, 4, 32)
    assert cropped.map_shape(UNIT) == (3, 3, 32)


def test_both_sizes_have_the_same_layers(tuned):
    frozen, layers = tuned._frozen, FoldedLayers()
    cropped = frozen.cropped(CROP_SHARE)
    whole, small = (build_features(part, UNIT, layers) for part in (frozen, cropped))
    units = WholeOrCropped(whole, small)
    assert len(units.trainable_variables) == len(whole.trainable_variables)
    needed = frozen.needed_weights
    units.whole.set_weights(needed[len(needed) - len(whole.weights) :])
    # On a crop, what a network of that size makes of it.
    alone = build_features(cropped, UNIT)
    alone.set_weights(units.get_weights())
    x = np.random.default_rng(0).random((2, *small.input_shape[1:])).astype(np.float32)
    np.testing.assert_allclose(units(x), alone(x), rtol=1e-4, atol=1e-5)


def test_an_epoch_on_crops_learns_something_else(data, tuned):
    flipped = clone(tuned).set_params(augmentation="flip").fit(*data)
    cropped, whole = tuned.history_["loss"], flipped.history_["loss"]
    assert cropped[:2] == whole[:2]
    assert cropped[2] != whole[2]


def test_a_single_epoch_is_that_of_flip(data, tuned):
    first, second = (
        clone(tuned).set_params(fine_tune_epochs=1, augmentation=augmentation).fit(*data)
        for augmentation in ("flip", "flip_crop")
    )
    assert first.history_ == second.history_


@pytest.mark.parametrize(("blocks", "feature_layers"), [(0, "depthwise"), ("all", "last")])
def test_any_part_of_the_network_can_be_trained(data, tuned, blocks, feature_layers):
    options = {"fine_tune_blocks": blocks, "feature_layers": feature_layers}
    classifier = clone(tuned).set_params(**options).fit(*data)
    probabilities = classifier.predict_proba(data[0])
    model = classifier.model_.predict(data[0].astype(np.float32), verbose=0)
    np.testing.assert_allclose(model, probabilities, atol=1e-4)


def test_validation_images_are_whole(data, tuned):
    X, y = data
    options = {"fine_tune_epochs": 3, "label_smoothing": 0.0}
    classifier = clone(tuned).set_params(**options).fit(X, y, X_val=X, y_val=y)
    expected = log_loss(y, classifier.predict_proba(X))
    assert classifier.history_["val_loss"][-1] == pytest.approx(expected, abs=1e-4)


def test_early_stopping_waits_for_whole_images(data, tuned):
    """However little the epochs on crops are worth."""
    options = {"fine_tune_epochs": 6, "fine_tune_learning_rate": 10.0, "n_iter_no_change": 1}
    classifier = clone(tuned).set_params(**options, early_stopping=True)
    losses = classifier.fit(*data).history_["val_loss"]
    assert min(losses[2:]) > min(losses[:2])
    assert len(losses) == 2 + 6


def test_maps_of_few_pixels_stay_whole(data, tuned):
    flipped, cropped = (
        clone(tuned).set_params(augmentation=augmentation, fine_tune_blocks=1).fit(*data)
        for augmentation in ("flip", "flip_crop")
    )
    assert cropped.history_ == flipped.history_


def test_warm_starts_go_on(data, tuned):
    classifier = clone(tuned).set_params(warm_start=True).fit(*data)
    assert classifier.fit(*data).n_iter_ == 8
