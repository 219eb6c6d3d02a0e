"""The scripts that make the shipped weights, on a few random images of two epochs."""

import importlib
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from skcifar import MobileNetV2Classifier, MobileNetV2Features
from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._weights import shipped
from skcifar.datasets import make_images

_FOLDER = Path(__file__).parents[1] / "benchmarks"
_OPTIONS = {"alpha": 0.35, "batch_size": 16, "n_validation": 8}
_MODULES = ("common", "shipped_file", "weights_from_scratch", "weights_from_imagenet")


@pytest.fixture(scope="module")
def scripts():
    if not _FOLDER.exists():
        pytest.skip("the benchmarks are not part of this installation")
    sys.path.insert(0, str(_FOLDER))
    yield {name: importlib.import_module(name) for name in _MODULES}
    sys.path.remove(str(_FOLDER))
    for name in _MODULES:
        del sys.modules[name]


@pytest.fixture(scope="module")
def script(scripts):
    return scripts["weights_from_scratch"]


@pytest.fixture(scope="module")
def shipped_file(scripts):
    return scripts["shipped_file"]


@pytest.fixture(scope="module")
def from_imagenet(scripts):
    return scripts["weights_from_imagenet"]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    target = np.arange(40) % 10
    return rng.integers(0, 256, (40, 32, 32, 3)).astype(np.uint8), target


@pytest.fixture
def small_network(script, monkeypatch):
    """Train two layers instead of 53, for the tests of the training loop."""
    import keras

    def build(alpha, seed):
        layers, initializer = keras.layers, keras.initializers.GlorotUniform(seed)
        inputs = keras.Input((None, None, 3))
        x = layers.Rescaling(1 / 127.5, -1.0)(inputs)
        x = layers.Conv2D(4, 3, kernel_initializer=initializer)(x)
        x = layers.GlobalAveragePooling2D()(layers.BatchNormalization()(x))
        head = layers.Dense(10, kernel_initializer=initializer, name="head")(x)
        picture = layers.Dense(192, kernel_initializer=initializer, name="picture")(x)
        return keras.Model(inputs, {"head": head, "picture": picture})

    monkeypatch.setattr(script, "build_classifier", build)
    cycles = (
        script.Cycle(((16, 1),), peak_learning_rate=0.1, label_smoothing=0.1),
        script.Cycle(((32, 1),), peak_learning_rate=0.05, picture_weight=1.0),
    )
    monkeypatch.setitem(_OPTIONS, "cycles", cycles)


@pytest.mark.usefixtures("small_network")
def test_a_run_that_was_killed_ends_like_one_that_was_not(script, data, tmp_path, monkeypatch):
    train_epoch = script.train_epoch

    def killed_in_the_second_cycle(model, training, validation, epoch, **options):
        if epoch == 1:
            raise KeyboardInterrupt
        return train_epoch(model, training, validation, epoch, **options)

    expected = script.train(*data, checkpoint_dir=tmp_path / "whole", **_OPTIONS)
    monkeypatch.setattr(script, "train_epoch", killed_in_the_second_cycle)
    with pytest.raises(KeyboardInterrupt):
        script.train(*data, checkpoint_dir=tmp_path / "killed", **_OPTIONS)
    monkeypatch.setattr(script, "train_epoch", train_epoch)
    resumed = script.train(*data, checkpoint_dir=tmp_path / "killed", **_OPTIONS)
    # Sums over threads come in any order: not equal to the bit.
    for array, other in zip(resumed.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-4, atol=1e-5)


@pytest.mark.usefixtures("small_network")
def test_the_log_has_one_line_an_epoch(script, data, tmp_path):
    script.train(*data, checkpoint_dir=tmp_path, **_OPTIONS)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,size,loss,accuracy,val_loss,val_accuracy,seconds"
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2"]


@pytest.mark.usefixtures("small_network")
def test_a_finished_run_is_not_trained_again(script, data, tmp_path, monkeypatch):
    expected = script.train(*data, checkpoint_dir=tmp_path, **_OPTIONS)
    monkeypatch.delattr(script, "train_epoch")
    again = script.train(*data, checkpoint_dir=tmp_path, **_OPTIONS)
    for array, other in zip(again.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_array_equal(array, other)


@pytest.fixture
def read_shipped(tmp_path, monkeypatch):
    """Return a function that reads a file as if it were the shipped one called `name`."""

    def read(path, name):
        monkeypatch.setattr(shipped, "files", lambda package: path.parent)
        monkeypatch.setitem(
            shipped.SHIPPED, name, replace(shipped.SHIPPED[name], file_name=path.name)
        )
        return shipped.shipped_weights.__wrapped__(name)

    return read


def test_weights_from_scratch_are_read_as_they_were_written(script, data, tmp_path, read_shipped):
    trained, path = script.build_classifier(alpha=0.35), tmp_path / "weights.npz"
    script.write_weights(trained, temperature=2.0, path=path)
    with np.load(path, allow_pickle=False) as archive:
        weights = set(archive.files) - {"mean", "scale"}
        assert {archive[name].dtype for name in weights} == {np.dtype(np.float16)}
    weights, head = read_shipped(path, "cifar10-32px")
    backbone = build_units(MobileNetV2(32, 0.35, "cifar10"), pooled=True)
    backbone.set_weights(weights)
    pixels = data[0][:8].astype(np.float32)
    logits = head.logits(backbone(pixels / 127.5 - 1, training=False).numpy())
    expected = trained(pixels, training=False)["head"].numpy() / 2.0
    # Half precision has 11 bits.
    np.testing.assert_allclose(logits, expected, atol=0.01 * np.abs(expected).max())


def test_weights_that_half_precision_cannot_hold_are_not_written(shipped_file, tmp_path):
    path = tmp_path / "weights.npz"
    with pytest.raises(ValueError, match="half precision cannot hold"):
        shipped_file.write_shipped(path, [np.full(3, 1e6)], [], np.zeros(3), np.ones(3))
    assert not path.exists()


def test_a_network_without_statistics_computes_the_same(from_imagenet):
    network = build_units(MobileNetV2(32, 0.35))
    rng = np.random.default_rng(0)
    weights = [
        array if array.ndim > 1 else rng.uniform(0.5, 1.5, array.shape)
        for array in network.get_weights()
    ]
    images = rng.uniform(-1, 1, (4, 32, 32, 3)).astype(np.float32)
    network.set_weights(weights)
    expected = network(images).numpy()
    network.set_weights(from_imagenet.without_statistics(weights))
    np.testing.assert_allclose(network(images), expected, rtol=1e-3, atol=1e-4)


@pytest.fixture
def small_recipe(from_imagenet, monkeypatch):
    small = {"epochs": 1, "fine_tune_epochs": 1, "input_size": 32, "weights": None, "alpha": 0.35}
    recipe = {**from_imagenet.RECIPE, **small, "precision": "float32"}
    monkeypatch.setattr(from_imagenet, "RECIPE", recipe)
    monkeypatch.setattr(from_imagenet, "N_HELD_OUT", 20)


@pytest.mark.usefixtures("small_recipe")
def test_fine_tuned_network_is_read_as_it_was_trained(
    from_imagenet, tmp_path, monkeypatch, read_shipped
):
    X, y = make_images(60, random_state=0)
    classifier = from_imagenet.fine_tuned(X, y, tmp_path)
    monkeypatch.setattr(MobileNetV2Classifier, "fit", None)  # a finished run is not trained again
    path = tmp_path / "weights.npz"
    from_imagenet.make_network(X, y, checkpoint_dir=tmp_path, output=path)
    weights, head = read_shipped(path, "cifar10")
    features = MobileNetV2Features(
        weights=None, alpha=0.35, input_size=32, feature_layers="all"
    ).fit(X)
    features._frozen = classifier._frozen
    expected = classifier._head.logits(features.transform(X))
    features._frozen = replace(classifier._frozen, weights=weights)
    logits = head.logits(features.transform(X))
    temperature = classifier._head.weights[0].max() / head.weights[0].max()
    # Half precision has 11 bits.
    np.testing.assert_allclose(logits * temperature, expected, atol=0.01 * np.abs(expected).max())


@pytest.mark.usefixtures("small_recipe")
def test_every_array_of_the_network_is_trained(from_imagenet, tmp_path):
    X, y = make_images(60, random_state=0)
    trained = from_imagenet.fine_tuned(X, y, tmp_path)._frozen.weights
    start = MobileNetV2Features(weights=None, alpha=0.35).fit(X)._frozen.weights
    pairs = zip(*map(from_imagenet.without_statistics, (start, trained)), strict=True)
    same = [number for number, pair in enumerate(pairs) if np.array_equal(*pair)]
    # Of each normalisation, what stands for its statistics.
    assert same == [5 * layer + part for layer in range(len(start) // 5) for part in (3, 4)]


def test_augmentation_shifts_by_up_to_an_eighth_of_the_side(script):
    image = np.zeros((1, 16, 16, 3), np.uint8)
    image[0, 8, 8] = 255
    views = script.augment(np.repeat(image, 200, axis=0), np.random.default_rng(0))
    rows, columns = np.nonzero(views[..., 0])[1:]
    assert views.shape == (200, 16, 16, 3)
    # Column 8 is column 7 in the mirror.
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (6, 10, 5, 10)


def test_the_second_cycle_asks_the_features_for_the_picture(script):
    first, second = script.CYCLES
    assert first.picture_weight == 0.0 < second.picture_weight
    assert first.sizes_by_epoch == [16] * 6 + [24] * 12 + [32] * 4
    red = np.full((1, 32, 32, 3), (255, 0, 0), np.uint8)
    picture = script.targets_of(red, np.array([3]))["picture"].reshape(8, 8, 3)
    np.testing.assert_allclose(picture[..., 0], 255 / 64 - 2)
    np.testing.assert_allclose(picture[..., 1:], -2)


def test_resizing_a_constant_image_keeps_its_colour(script):
    images = np.full((2, 32, 32, 3), (10, 128, 255), np.uint8)
    np.testing.assert_array_equal(script.resize(images, 24), images[:, :24, :24])


def test_temperature_is_the_factor_that_the_logits_were_multiplied_by(shipped_file):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 10))
    cumulated = shipped_file.softmax(logits, axis=1).cumsum(axis=1)
    target = (rng.random((20_000, 1)) > cumulated).sum(axis=1).clip(0, 9)
    # The grid of temperatures has steps of 1.6 %.
    assert shipped_file.temperature_of([3 * logits], target) == pytest.approx(3.0, rel=0.05)
    assert shipped_file.calibration_error(shipped_file.softmax(logits, axis=1), target) < 0.02
    assert shipped_file.calibration_error(shipped_file.softmax(3 * logits, axis=1), target) > 0.2
