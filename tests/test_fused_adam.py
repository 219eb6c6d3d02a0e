import keras
import numpy as np

from skcifar._keras.faster_parts import FusedAdam


def trained_by(optimizer, gradients):
    """Return two variables after a step for each pair of `gradients`, in one compiled function."""
    import tensorflow as tf

    variables = [keras.Variable(np.ones(3, np.float32)) for _ in range(2)]
    optimizer.build(variables)

    @tf.function
    def step(pair):
        optimizer.apply(tf.unstack(pair), variables)

    for pair in gradients:
        step(tf.constant(pair))
    return [variable.numpy() for variable in variables]


def test_steps_are_those_of_keras():
    gradients = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    fused = trained_by(FusedAdam(0.1), gradients)
    np.testing.assert_allclose(fused, trained_by(keras.optimizers.Adam(0.1), gradients), rtol=1e-5)
