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
    """`keras.layers.Dense` with its products in bfloat16; weights stay in float32.

    A step of the default head takes 1.45 ms instead of 1.75. Accuracy with products in float32 and
    in bfloat16, on 5,000 of CIFAR-10's training images, features in bfloat16, three seeds: 0.742
    and 0.742 (fitted to 500 others), 0.845 and 0.845 (5,000), 0.896 and 0.894 (45,000).
    """

    def call(self, inputs, training=None):
        outputs = product(inputs, self.kernel.value, "bfloat16")
        return self.activation(tf.nn.bias_add(outputs, self.bias.value))
