"""Another network is one file and a thin estimator: here both stand in the test alone."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnxruntime
import pytest
from sklearn.model_selection import GridSearchCV

from skcifar import MobileNetV2Classifier, MobileNetV2Features, export, load, save
from skcifar._base_classifier import BaseImageClassifier
from skcifar._model.network import STEM, FeatureLayer
from skcifar._persistence import estimators, values

_BLOCK, _LAST = 1, 2
_EPSILON = 1e-5


@dataclass(frozen=True)
class ToyNetwork:
    """A stem that halves the side, one depthwise block with a shortcut, a last convolution."""

    name: ClassVar[str] = "toy"
    n_blocks: ClassVar[int] = 1
    pixel_range: ClassVar[tuple[float, float]] = (0.0, 1.0)
    min_input_size: ClassVar[int] = 4

    input_size: int
    alpha: float = 1.0

    last_unit = _LAST

    @property
    def width(self):
        return int(8 * self.alpha)

    @property
    def last_width(self):
        return 5 * self.width

    def input_shape(self, unit):
        if unit == STEM:
            return (self.input_size, self.input_size, 3)
        return (-(-self.input_size // 2), -(-self.input_size // 2), self.width)

    def cropped(self, share):
        return ToyNetwork(round(share * self.input_size), self.alpha)

    def n_arrays(self, last):
        return 5 * (last + 1)  # of each unit a kernel and four of its normalisation

    def first_unfrozen(self, blocks):
        return STEM if blocks == "all" else _LAST - blocks

    @classmethod
    def nearest_size(cls, image_shape):
        return max(cls.min_input_size, *image_shape[:2])

    def features(self, feature_layers):
        last = FeatureLayer("last", _LAST, self.last_width, self.n_arrays(_LAST))
        block, within = (
            FeatureLayer(name, _BLOCK, self.width, self.n_arrays(_BLOCK))
            for name in ("block", "within")
        )
        layers = {"last": [last], "blocks": [block], "all": [block, last], "depthwise": [within]}
        return tuple(layers[feature_layers])

    def apply(self, layers, x, first, last, tap=None):
        units = (self._stem, self._block, self._last)
        for unit in units[first : last + 1]:
            x = unit(layers, x, tap or (lambda name, x: None))
        return x

    def _stem(self, layers, x, tap):
        x = layers.convolution(x, self.width, 3, 2, "stem")
        return layers.relu6(layers.batch_norm(x, _EPSILON, "stem_bn"), "stem_relu")

    def _block(self, layers, inputs, tap):
        x = layers.batch_norm(layers.depthwise(inputs, 1, "block"), _EPSILON, "block_bn")
        tap("within", x)
        x = layers.add(inputs, x, "block_add")
        tap("block", x)
        return x

    def _last(self, layers, x, tap):
        x = layers.convolution(x, self.last_width, 1, 1, "last")
        x = layers.relu6(layers.batch_norm(x, _EPSILON, "last_bn"), "last_relu")
        tap("last", x)
        return x


class ToyClassifier(BaseImageClassifier):
    """A head of dense layers on the features of a `ToyNetwork`."""

    _network_type = ToyNetwork
    __init__ = MobileNetV2Classifier.__init__  # the parameters, which are those of any network


class ToyFeatures(MobileNetV2Features):
    """The features of a `ToyNetwork`."""

    _network_type = ToyNetwork


@pytest.fixture
def toy(images):
    """Return a function from parameters to a classifier fitted to `images`."""

    def fit(**parameters):
        return make_toy(**parameters).fit(*images)

    return fit


def make_toy(**parameters):
    network = {"weights": None, "feature_layers": "all", "fine_tune_blocks": 1}
    training = {"hidden_units": (8,), "epochs": 8, "learning_rate": 0.01, "random_state": 0}
    return ToyClassifier(**{**network, **training, **parameters})


def test_it_learns(toy, images, new_images):
    classifier = toy()
    assert classifier.score(*new_images) > 0.9
    assert classifier._frozen.network == ToyNetwork(input_size=16)


def test_engines_agree(toy, new_images):
    classifier = toy(engine="tensorflow")
    by_tensorflow = classifier.predict_proba(new_images[0])
    by_openvino = classifier.set_params(engine="openvino").predict_proba(new_images[0])
    np.testing.assert_allclose(by_openvino, by_tensorflow, atol=1e-5)


def test_keras_model_agrees(toy, new_images):
    classifier = toy(test_time_augmentation=True)
    by_keras = classifier.model_.predict(new_images[0].astype(np.float32), verbose=0)
    np.testing.assert_allclose(by_keras, classifier.predict_proba(new_images[0]), atol=1e-5)


@pytest.mark.parametrize(("blocks", "n_kept"), [(1, 5), ("all", 0)])
def test_fine_tuning_changes_the_unfrozen_units_alone(toy, blocks, n_kept):
    before = toy()._frozen.weights
    tuned = toy(fine_tune_epochs=1, fine_tune_blocks=blocks, fine_tune_learning_rate=1e-2)
    after = tuned._frozen.weights
    # Kernels are trained, the four arrays of each normalisation stay.
    is_trained = [number >= n_kept and number % 5 == 0 for number in range(len(before))]
    changed = [not np.array_equal(a, b) for a, b in zip(before, after, strict=True)]
    assert changed == is_trained
    assert tuned.n_iter_ == 9


@pytest.mark.parametrize("blocks", [1, "all"])
def test_crops_are_trained_on(toy, new_images, blocks):
    options = {"fine_tune_epochs": 2, "fine_tune_blocks": blocks}
    flipped, cropped = (
        toy(augmentation=augmentation, **options) for augmentation in ("flip", "flip_crop")
    )
    assert cropped.history_["loss"][8] != flipped.history_["loss"][8]
    assert cropped.score(*new_images) > 0.9


def test_more_blocks_than_it_has_are_refused(images):
    with pytest.raises(ValueError, match=r"fine_tune_blocks.* must be 'all' or an int from 0 to 1"):
        make_toy(fine_tune_blocks=2).fit(*images)


def test_weights_of_other_networks_are_unknown(images):
    with pytest.raises(FileNotFoundError, match="is not a file, and not one of the names None"):
        make_toy(weights="imagenet").fit(*images)


def test_it_is_searched(images, new_images):
    grid = {"hidden_units": [(), (8,)], "alpha": [0.5, 1.0]}
    search = GridSearchCV(make_toy(), grid, cv=2).fit(*images)
    assert search.score(*new_images) > 0.9


@pytest.fixture
def registered(monkeypatch):
    """Let files hold a `ToyClassifier` for the time of a test."""
    monkeypatch.setattr(values, "_KINDS", values._KINDS.copy())
    estimators.register_estimator(ToyClassifier)
    yield
    del estimators.ESTIMATORS["ToyClassifier"]


def test_it_is_saved_and_loaded(toy, new_images, tmp_path, registered):
    classifier = toy(fine_tune_epochs=1, fine_tune_blocks=1)
    save(classifier, tmp_path / "toy.skcifar")
    loaded = load(tmp_path / "toy.skcifar")
    assert type(loaded) is ToyClassifier
    expected = classifier.predict_proba(new_images[0])
    np.testing.assert_array_equal(loaded.predict_proba(new_images[0]), expected)


def test_it_is_exported(toy, new_images, tmp_path):
    classifier = toy(test_time_augmentation=True)
    export(classifier, tmp_path / "toy.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "toy.onnx")
    (by_onnx,) = session.run(None, {"images": new_images[0].astype(np.float32)})
    np.testing.assert_allclose(by_onnx, classifier.predict_proba(new_images[0]), atol=1e-5)


@pytest.mark.parametrize(
    ("feature_layers", "n_features", "last_name"),
    [("last", 40, "toy_39"), ("blocks", 8, "toy_block_7"), ("depthwise", 8, "toy_within_7")],
)
def test_its_features_are_named_after_it(images, feature_layers, n_features, last_name):
    features = ToyFeatures(weights=None, feature_layers=feature_layers).fit(images[0])
    assert features.transform(images[0]).shape == (64, n_features)
    assert features.get_feature_names_out()[-1] == last_name
