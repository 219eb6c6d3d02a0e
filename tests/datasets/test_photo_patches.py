"""Patches of scikit-learn's photographs: what they are, and that test patches are new."""

from collections import defaultdict

import numpy as np
import pytest
from sklearn.datasets import load_sample_image
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.model_selection import StratifiedGroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skcifar import MobileNetV2Features
from skcifar.datasets import load_photo_patches


@pytest.fixture(scope="module")
def train():
    return load_photo_patches(subset="train")


@pytest.fixture(scope="module")
def test():
    return load_photo_patches(subset="test")


@pytest.fixture(scope="module")
def places():
    """Return where a run of 40 pixels begins in the photographs: (number, row, column)."""
    found = defaultdict(list)
    for number, name in enumerate(("china.jpg", "flower.jpg")):
        photograph = load_sample_image(name)
        for row, column in np.ndindex(photograph.shape[0] - 39, photograph.shape[1] - 39):
            run = photograph[row, column : column + 40].tobytes()
            found[run].append((number, row, column))
    return found


def pixels_of(patches, places):
    """Return the pixels of the photographs that lie on any of the patches."""
    masks = np.zeros((2, 427, 640), bool)
    for patch in patches:
        for number, top, left in places[patch[0].tobytes()]:
            masks[number, top : top + 40, left : left + 40] = True
    return masks


def test_every_kind_has_as_many_patches(train, test):
    assert train.images.shape == (800, 40, 40, 3)
    assert test.images.shape == (400, 40, 40, 3)
    assert train.images.dtype == np.uint8
    assert np.bincount(train.target).tolist() == [80] * 10
    assert np.bincount(test.target).tolist() == [40] * 10
    assert len(train.target_names) == 10


def test_data_are_the_images_as_rows(train):
    np.testing.assert_array_equal(train.data, train.images.reshape(800, -1))


def test_training_and_test_patches_share_no_pixel_of_the_photographs(train, test, places):
    seen, new = (pixels_of(subset.images, places) for subset in (train, test))
    assert seen.sum() > 50_000
    assert new.sum() > 50_000
    assert not (seen & new).any()


def test_all_are_the_training_patches_and_then_the_test_patches(train, test):
    both = load_photo_patches(subset="all")
    for name in ("images", "target", "groups"):
        np.testing.assert_array_equal(both[name], np.concatenate([train[name], test[name]]))


def test_patches_come_in_mixed_order(train):
    assert len(set(train.target[:20])) > 5


def test_groups_keep_the_parts_of_a_kind_apart_in_cross_validation(train):
    for fit_on, score_on in StratifiedGroupKFold(2).split(train.data, train.target, train.groups):
        assert not set(train.groups[fit_on]) & set(train.groups[score_on])
        assert set(train.target[fit_on]) == set(train.target[score_on]) == set(range(10))


def test_parts_of_a_kind_share_no_pixel(train, places):
    for kind in range(10):
        first, second = np.unique(train.groups[train.target == kind])
        parts = [train.images[train.groups == group] for group in (first, second)]
        assert not np.logical_and(*(pixels_of(part, places) for part in parts)).any()


def test_features_of_the_shipped_network_tell_kinds_apart_that_pixels_do_not(train, test):
    def accuracy(classifier, X, X_test):
        scaled = make_pipeline(StandardScaler(), classifier)
        return scaled.fit(X, train.target).score(X_test, test.target)

    network = MobileNetV2Features(weights="cifar10-32px").fit(train.images)
    features = network.transform(train.images), network.transform(test.images)
    of_features = accuracy(RidgeClassifier(alpha=1000), *features)
    for classifier in (RidgeClassifier(alpha=1000), RandomForestClassifier(50, random_state=0)):
        assert of_features > accuracy(classifier, train.data, test.data) + 0.05


def test_images_and_target_alone(train):
    X, y = load_photo_patches(return_X_y=True)
    np.testing.assert_array_equal(X, train.images)
    np.testing.assert_array_equal(y, train.target)


def test_description_credits_the_photographer(train):
    assert "creativecommons.org/licenses/by/2.0" in train.DESCR
    assert "danielbuechele" in train.DESCR


def test_unknown_subset_is_named():
    with pytest.raises(ValueError, match="must be 'train', 'test' or 'all'; got 'validation'"):
        load_photo_patches(subset="validation")
