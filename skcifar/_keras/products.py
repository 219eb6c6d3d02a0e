"""Matrix products in float32 or bfloat16, of numbers that are float32 outside.

Imports TensorFlow and Keras at the top: import this module inside functions.
"""

import keras
import tensorflow as tf


def product(rows, columns, precision):
    """Return the product of two float32 matrices, computed in `precision`, as float32.

    Sums are in float32. What follows is computed in float32 as well: the gradients of ReLU6 and of
    a bias take half the time there.
    """
    return tf.cast(tf.matmul(tf.cast(rows, precision), tf.cast(columns, precision)), tf.float32)


class RoundedDense(keras.layers.Dense):
    """`keras.layers.Dense` with its products in bfloat16; weights stay in float32."""

    def call(self, inputs, training=None):
        outputs = product(inputs, self.kernel.value, "bfloat16")
        return self.activation(tf.nn.bias_add(outputs, self.bias.value))
