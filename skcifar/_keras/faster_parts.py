"""Keras' batch normalisation through TensorFlow's fused kernel, for training.

Keras 3 computes it with half a dozen operations; the kernel makes a training step of this
network 1.75 times as fast on a CPU. Imports TensorFlow and Keras at the top: import this module
inside functions.
"""

import keras
import tensorflow as tf


class FusedBatchNormalization(keras.layers.BatchNormalization):
    """`keras.layers.BatchNormalization` of 4-D maps, computed by one operation.

    Outputs are the same. The moving variance takes in the unbiased estimate (divided by n - 1,
    not n), which is what the kernel returns.
    """

    def call(self, inputs, training=False, mask=None):
        options = {"epsilon": self.epsilon, "is_training": bool(training)}
        if not training:
            options |= {"mean": self.moving_mean, "variance": self.moving_variance}
        outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            inputs, self.gamma, self.beta, **options
        )
        if training:
            for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
                moving.assign(moving * self.momentum + batch * (1 - self.momentum))
        return outputs
