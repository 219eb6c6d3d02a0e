import keras
import numpy as np
import pytest

from skcifar._keras.faster_parts import FusedBatchNormalization


@pytest.mark.parametrize("training", [True, False])
def test_outputs_gradients_and_statistics_are_those_of_keras(training):
    import tensorflow as tf

    x = tf.constant(np.random.default_rng(0).normal(3.0, 2.0, (4, 5, 5, 6)), tf.float32)
    results = []
    for layer_class in (keras.layers.BatchNormalization, FusedBatchNormalization):
        layer = layer_class(momentum=0.5, epsilon=1e-3)
        with tf.GradientTape() as tape:
            tape.watch(x)
            outputs = layer(x, training=training)
            loss = tf.reduce_sum(outputs**3)
        gradients = tape.gradient(loss, [x, layer.gamma.value, layer.beta.value])
        results.append([outputs, *gradients, layer.moving_mean, layer.moving_variance])
    *expected, keras_variance = map(np.asarray, results[0])
    *fused, variance = map(np.asarray, results[1])
    for array, other in zip(fused, expected, strict=True):
        np.testing.assert_allclose(array, other, rtol=1e-3, atol=1e-3)
    # TensorFlow's kernel divides by n - 1 = 99, Keras by n = 100; half of the new one counts.
    unbiased = 0.5 + (keras_variance - 0.5) * 100 / 99 if training else keras_variance
    np.testing.assert_allclose(variance, unbiased, rtol=1e-4)
