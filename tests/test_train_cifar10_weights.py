"""The training script of the shipped weights, on a few random images of two epochs."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import MobileNetV2

_SCRIPT = Path(__file__).parents[1] / "benchmarks" / "train_cifar10_weights.py"
_OPTIONS = {"alpha": 0.35, "batch_size": 16, "n_validation": 8}


@pytest.fixture(scope="module")
def script():
    if not _SCRIPT.exists():
        pytest.skip("the benchmarks are not part of this installation")
    spec = importlib.util.spec_from_file_location("train_cifar10_weights", _SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


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


def test_the_weights_written_fit_the_network_of_the_package(script, data, tmp_path):
    trained, path = script.build_classifier(alpha=0.35), tmp_path / "weights.npz"
    script.write_weights(trained, alpha=0.35, temperature=2.0, path=path)
    with np.load(path, allow_pickle=False) as archive:
        assert {archive[name].dtype for name in archive.files if name != "alpha"} == {
            np.dtype(np.float16)
        }
    alpha, backbone_weights, (kernel, bias) = script.read_weights(path)
    backbone = build_units(MobileNetV2(32, alpha, "cifar10"), pooled=True)
    backbone.set_weights(backbone_weights)
    pixels = data[0][:8].astype(np.float32)
    logits = backbone(pixels / 127.5 - 1, training=False).numpy() @ kernel + bias
    expected = trained(pixels, training=False)["head"].numpy() / 2.0
    # Half precision has 11 bits.
    np.testing.assert_allclose(logits, expected, atol=0.01 * np.abs(expected).max())


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


def test_temperature_is_the_factor_that_the_logits_were_multiplied_by(script):
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 10))
    cumulated = script.softmax(logits).cumsum(axis=1)
    target = (rng.random((20_000, 1)) > cumulated).sum(axis=1).clip(0, 9)
    # The grid of temperatures has steps of 1.6 %.
    assert script.temperature_of(3 * logits, target) == pytest.approx(3.0, rel=0.05)
    assert script.calibration_error(script.softmax(logits), target) < 0.02
    assert script.calibration_error(script.softmax(3 * logits), target) > 0.2
