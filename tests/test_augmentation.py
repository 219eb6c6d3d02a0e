import keras
import numpy as np
import pytest

from skcifar import MobileNetV2Classifier, load, save
from skcifar._extraction import engines
from skcifar._training import augmentation
from skcifar._training.checkpoint import open_checkpoint
from skcifar.datasets import make_images

SMALL = {"weights": None, "alpha": 0.35, "input_size": 32, "epochs": 2, "random_state": 0}
DRAWS_ANEW = "ignore:augmentation=.* draws new images in every epoch:UserWarning"


@pytest.fixture(scope="module")
def data():
    return make_images(n_samples=24, random_state=0)


def layer(angle=0.1):
    return keras.Sequential(
        [keras.layers.RandomFlip("horizontal"), keras.layers.RandomRotation(angle)]
    )


def test_images_are_mirrored_and_shifted():
    images = np.arange(4 * 8 * 8, dtype=np.float32).reshape(4, 8, 8, 1)
    mirrored = np.array([False, True, False, True])
    shifts = np.array([[0, 0], [0, 0], [1, 0], [0, -1]])
    shifted = augmentation.ShiftedImages(images, mirrored, shifts)[np.arange(4)]
    np.testing.assert_array_equal(shifted[0], images[0])
    np.testing.assert_array_equal(shifted[1], images[1][:, ::-1])
    np.testing.assert_array_equal(shifted[2][:-1], images[2][1:])
    np.testing.assert_array_equal(shifted[3][:, :-1], images[3][:, ::-1][:, 1:])


def test_a_layer_draws_other_images_in_every_epoch_and_the_same_in_the_next_fit(data):
    images = data[0]
    drawn = [
        [augmentation.images_by_epoch(images, layer(), seed=7)(epoch)[:] for epoch in (0, 1)]
        for _ in range(2)
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0][0] != drawn[0][1]).any()
    assert drawn[0][0].dtype == np.float32


@pytest.mark.filterwarnings(DRAWS_ANEW)
@pytest.mark.parametrize("blocks", [None, 2, "all"])
def test_a_fit_with_a_layer_is_reproducible_and_leaves_the_layer_alone(data, blocks):
    options = {} if blocks is None else {"fine_tune_epochs": 1, "fine_tune_blocks": blocks}
    augmentation = layer()
    state = [v.numpy() for v in augmentation.variables]
    first, again = (
        MobileNetV2Classifier(**SMALL, **options, augmentation=augmentation).fit(*data)
        for _ in range(2)
    )
    assert first.history_ == again.history_
    np.testing.assert_array_equal(state, [v.numpy() for v in augmentation.variables])


def test_a_layer_makes_the_network_run_every_epoch_and_the_fit_says_so(data, monkeypatch):
    run, n_images = engines.run_network, []

    def counting(frozen, images, *rest):
        n_images.append(len(images))
        return run(frozen, images, *rest)

    monkeypatch.setattr(engines, "run_network", counting)
    classifier = MobileNetV2Classifier(**SMALL, augmentation=layer(), pixel_range=(0, 301))
    message = "Sequential draws new images in every epoch: the network runs over 24 images in each"
    with pytest.warns(UserWarning, match=message):
        classifier.fit(*data)
    assert sum(n_images) == 24 + 2 * 24  # once for the standardisation, and in two epochs


@pytest.mark.filterwarnings(DRAWS_ANEW)
def test_a_pass_that_goes_on_runs_the_network_over_drawn_images_alone(data, monkeypatch):
    classifier = MobileNetV2Classifier(**SMALL, augmentation=layer())
    classifier.partial_fit(*data, classes=np.unique(data[1]))
    run, n_images = engines.run_network, []

    def counting(frozen, images, *rest):
        n_images.append(len(images))
        return run(frozen, images, *rest)

    monkeypatch.setattr(engines, "run_network", counting)
    classifier.set_params(feature_cache=None).partial_fit(*data)
    assert n_images == [24]


@pytest.mark.filterwarnings(DRAWS_ANEW)
def test_a_layer_that_changes_the_shape_is_an_error(data):
    classifier = MobileNetV2Classifier(**SMALL, augmentation=keras.layers.CenterCrop(8, 8))
    with pytest.raises(ValueError, match="must keep the shape of the images"):
        classifier.fit(*data)
    assert not classifier.__sklearn_is_fitted__()


class Brighter(keras.layers.Layer):
    """A layer without `get_config`."""

    def __init__(self, by):
        super().__init__()
        self.by = by

    def call(self, images):
        return images + self.by


class Copyable(Brighter):
    def get_config(self):
        return {"by": self.by}

    @classmethod
    def from_config(cls, config):
        return cls(**config)


UNUSABLE = {
    "AugMix": (keras.layers.AugMix, "global random numbers"),
    "MixUp": (keras.layers.MixUp, "mixes images of different classes"),
    "CutMix within others": (
        lambda: keras.Sequential([keras.layers.RandomFlip(), keras.layers.CutMix()]),
        "Sequential cannot be used: CutMix mixes images of different classes",
    ),
    "no get_config": (lambda: Brighter(3.0), "Brighter cannot be copied"),
    "RandomShear": (lambda: keras.layers.RandomShear(0.1, 0.1), "RandomShear cannot be copied"),
}


@pytest.mark.parametrize("name", UNUSABLE)
def test_a_layer_that_cannot_be_used_is_refused_before_any_work(data, name):
    make_layer, message = UNUSABLE[name]
    options = {**SMALL, "weights": "no such file"}  # which would be the next error
    with pytest.raises(ValueError, match=message):
        MobileNetV2Classifier(**options, augmentation=make_layer()).fit(*data)


@pytest.mark.filterwarnings(DRAWS_ANEW)
@pytest.mark.parametrize("make_layer", [lambda: Copyable(3.0), keras.layers.RandAugment])
def test_a_layer_that_can_be_copied_repeats_a_fit(data, make_layer):
    options = {**SMALL, "epochs": 1}
    first, again = (
        MobileNetV2Classifier(**options, augmentation=make_layer()).fit(*data).history_
        for _ in range(2)
    )
    assert first == again


def test_checkpoints_tell_layers_apart_by_what_they_do(tmp_path):
    paths = [
        open_checkpoint(tmp_path, {"augmentation": layer(angle)}, seed=0)._path
        for angle in (0.1, 0.1, 0.2)
    ]
    assert paths[0] == paths[1] != paths[2]


@pytest.mark.filterwarnings(DRAWS_ANEW)
def test_a_layer_is_left_out_of_a_saved_classifier_which_says_so(data, tmp_path):
    classifier = MobileNetV2Classifier(**SMALL, augmentation=layer()).fit(*data)
    with pytest.warns(UserWarning, match="augmentation"):
        save(classifier, tmp_path / "classifier")
    loaded = load(tmp_path / "classifier")
    np.testing.assert_array_equal(loaded.predict_proba(data[0]), classifier.predict_proba(data[0]))
