import keras
import numpy as np
import pytest
import tensorflow as tf

from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._model.network import STEM
from skcifar._model.preprocessing import resizing_matrix


@pytest.fixture
def images():
    return np.random.default_rng(0).uniform(-1, 1, (3, 64, 64, 3)).astype(np.float32)


@pytest.mark.parametrize("alpha", [0.35, 1.4])
def test_backbone_computes_what_keras_applications_does(images, alpha):
    oracle = keras.applications.MobileNetV2(
        (64, 64, 3), alpha=alpha, include_top=False, weights=None, pooling="avg"
    )
    network = MobileNetV2(64, alpha)
    model = build_units(network, pooled=True)
    model.set_weights(oracle.get_weights())
    assert network.last_filters == oracle.output_shape[-1]
    # The same operations in the same order: equal up to the last bits.
    np.testing.assert_allclose(model(images), oracle(images), rtol=1e-5, atol=1e-12)


def test_layers_carry_the_names_of_keras_applications():
    oracle = keras.applications.MobileNetV2((64, 64, 3), include_top=False, weights=None)
    names = {layer.name for layer in build_units(MobileNetV2(64)).layers if layer.weights}
    assert names == {layer.name for layer in oracle.layers if layer.weights}


@pytest.mark.parametrize("cut", [1, 14])
@pytest.mark.parametrize("variant", ["imagenet", "cifar10"])
def test_lower_and_upper_part_make_the_whole(images, cut, variant):
    network = MobileNetV2(64, 0.35, variant)
    whole = build_units(network)
    weights = whole.get_weights()
    lower = build_units(network, STEM, cut - 1)
    upper = build_units(network, cut)
    n_lower = network.n_arrays(cut - 1)
    lower.set_weights(weights[:n_lower])
    upper.set_weights(weights[n_lower:])
    np.testing.assert_array_equal(upper(lower(images)), whole(images))


def test_cifar_variant_keeps_a_map_of_four_by_four():
    assert build_units(MobileNetV2(32, 0.35, "cifar10")).output_shape == (None, 4, 4, 1280)
    assert build_units(MobileNetV2(32, 0.35, "imagenet")).output_shape == (None, 1, 1, 1280)


def test_number_of_arrays_is_that_of_the_built_model():
    network, n_arrays = MobileNetV2(32, 0.35), 0
    assert network.n_arrays(-1) == 0
    for unit in range(network.last_unit + 1):
        n_arrays += len(build_units(network, unit, unit).weights)
        assert network.n_arrays(unit) == n_arrays
    assert len(build_units(network).weights) == n_arrays


def test_global_keras_settings_change_nothing():
    def settings():
        layers = [layer for layer in build_units(MobileNetV2(32, 0.35)).layers if layer.weights]
        return [(layer.dtype_policy.name, getattr(layer, "data_format", None)) for layer in layers]

    expected = settings()
    keras.config.set_dtype_policy("mixed_float16")
    keras.config.set_image_data_format("channels_first")
    try:
        assert settings() == expected
    finally:
        keras.config.set_dtype_policy("float32")
        keras.config.set_image_data_format("channels_last")


@pytest.mark.parametrize(("n_in", "n_out"), [(32, 96), (96, 32), (50, 33), (7, 7), (5, 96)])
def test_resizing_matrix_is_antialiased_bilinear_resizing(n_in, n_out):
    rows = np.random.default_rng(0).normal(size=(1, n_in)).astype(np.float32)
    oracle = tf.image.resize(rows[:, None, :, None], (1, n_out), antialias=True)
    np.testing.assert_allclose(
        rows @ resizing_matrix(n_in, n_out), np.reshape(oracle, (1, n_out)), atol=1e-5
    )


def test_mirrored_resizing_runs_from_right_to_left():
    np.testing.assert_array_equal(
        resizing_matrix(10, 16, mirrored=True), resizing_matrix(10, 16)[:, ::-1]
    )


@pytest.mark.parametrize(
    ("side", "expected"),
    [(8, 96), (32, 96), (95, 96), (113, 128), (150, 160), (224, 224), (900, 224)],
)
def test_input_size_is_the_nearest_published_one(side, expected):
    assert MobileNetV2.nearest_size((side, side // 2 + 1, 3)) == expected


def test_unfrozen_blocks_are_counted_from_the_top():
    network = MobileNetV2(96)
    assert network.first_unfrozen(0) == network.last_unit
    assert network.first_unfrozen(4) == 14  # block 13
    assert network.first_unfrozen(17) == 1
    assert network.first_unfrozen("all") == STEM
