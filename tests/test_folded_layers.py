"""Layers of fine-tuning against the Keras layers that they stand for."""

import gc
import weakref

import numpy as np
import pytest

from skcifar._keras.folded_layers import FoldedLayers
from skcifar._keras.layers import build_units
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._model.network import STEM

NETWORK = MobileNetV2(32, 0.35)
FIRST = 16  # two blocks, one with a residual connection, and the last convolution


def built(first=FIRST, **options):
    """Return units of a network, the same weights in each call: none is 0, 1 or negligible."""
    units = build_units(NETWORK, first, pooled=True, **options)
    rng = np.random.default_rng(0)
    for weight in units.weights:
        scale = 1 / np.sqrt(np.prod(weight.shape[:3])) if len(weight.shape) > 1 else 0.1
        weight.assign(weight + rng.normal(0.0, scale, weight.shape))
    return units


def inputs_of(first, n_images=6):
    shape = (n_images, *NETWORK.input_shape(first))
    return np.random.default_rng(1).normal(0.0, 1.0, shape).astype(np.float32)


def features_and_gradients(units, inputs):
    import tensorflow as tf

    directions = np.random.default_rng(2).normal(size=(len(inputs), units.output_shape[-1]))
    weights = [w.value for w in units.weights if not w.name.startswith("moving")]
    with tf.GradientTape() as tape:
        tape.watch(weights)
        features = units(inputs, training=False)
        loss = tf.reduce_sum(features * directions.astype(np.float32))
    gradients = tape.gradient(loss, weights)
    return np.asarray(features), [np.asarray(gradient) for gradient in gradients]


def relative_error(actual, expected):
    return np.linalg.norm(actual - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module")
def expected():
    """Features and gradients of Keras' own layers, in float32."""
    return features_and_gradients(built(), inputs_of(FIRST))


@pytest.mark.parametrize("is_trained", [False, True])
def test_weights_have_the_order_and_names_that_they_have_in_keras(is_trained):
    layers = FoldedLayers(normalization_is_trained=is_trained)
    units, plain = built(layers=layers), built()
    for weight, other in zip(units.weights, plain.weights, strict=True):
        assert (weight.name, weight.shape) == (other.name, other.shape)
        assert weight.trainable == (other.trainable and (is_trained or "kernel" in weight.name))
        assert weight.dtype == "float32"


def test_folding_changes_neither_features_nor_gradients(expected):
    features, gradients = features_and_gradients(built(layers=FoldedLayers()), inputs_of(FIRST))
    # The order of multiplication, in float32.
    assert relative_error(features, expected[0]) < 1e-5
    for gradient, other in zip(gradients, expected[1], strict=True):
        assert relative_error(gradient, other) < 1e-4


def test_bfloat16_comes_within_its_rounding_of_float32(expected):
    units = built(layers=FoldedLayers("bfloat16"))
    features, gradients = features_and_gradients(units, inputs_of(FIRST))
    # A number of bfloat16 is off by up to 2**-9; each of nine layers rounds its inputs, its
    # weights and what it puts out.
    assert 1e-4 < relative_error(features, expected[0]) < 9 * 3 * 2**-9 / np.sqrt(9)
    for gradient, other in zip(gradients, expected[1], strict=True):
        assert gradient.dtype == np.float32
        assert relative_error(gradient, other) < 0.15


def test_stem_is_folded_too():
    shape = inputs_of(STEM)
    features, _ = features_and_gradients(built(STEM, layers=FoldedLayers()), shape)
    plain, _ = features_and_gradients(built(STEM), shape)
    assert relative_error(features, plain) < 1e-4


def test_nothing_keeps_the_graph_of_a_step_that_is_over():
    """As `tf.custom_gradient` would: TensorFlow keeps every graph that has one."""
    import tensorflow as tf

    units = built(layers=FoldedLayers("bfloat16"))

    @tf.function
    def gradients(inputs):
        with tf.GradientTape() as tape:
            features = units(inputs, training=False)
        return tape.gradient(features, [v.value for v in units.trainable_variables])

    inputs = tf.constant(inputs_of(FIRST))
    graph = weakref.ref(gradients.get_concrete_function(inputs).graph)
    assert graph() is not None
    del gradients
    gc.collect()
    assert graph() is None
