"""The operations of a network for fine-tuning: normalisation is part of the convolution.

With kept statistics, batch normalisation multiplies each channel and adds to it. Multiplied into
the weights of the convolution before it, it costs nothing on the maps; what is left, a product, a
bias and ReLU6, TensorFlow computes as one operation.

Imports TensorFlow and Keras at the top: import this module inside functions.
"""

import keras
import tensorflow as tf

from .layers import KerasLayers
from .products import product


class FoldedLayers(KerasLayers):
    """The operations of `KerasLayers`, for training with kept statistics.

    Applied again, to inputs of another size, a convolution is the same layer.

    Parameters
    ----------
    precision : {"float32", "bfloat16"}, default="float32"
        That of the products of 1 x 1 convolutions.
    normalization_is_trained : bool, default=False
        Whether scale and shift are.
    """

    def __init__(self, precision="float32", normalization_is_trained=False):
        super().__init__()
        self._precision = precision
        self._normalization_is_trained = normalization_is_trained
        self._made = {}

    def convolution(self, x, filters, kernel_size, strides, name):
        return x, self.make_convolution(filters, kernel_size, strides, name)

    def depthwise(self, x, strides, name):
        return x, self.make_depthwise(strides, name)

    def batch_norm(self, x, epsilon, name):
        inputs, convolution = x
        if name not in self._made:
            normalization = self.make_batch_norm(epsilon, name)
            normalization.trainable = self._normalization_is_trained
            self._made[name] = FoldedConvolution(convolution, normalization, self._precision)
        self._last = self._made[name]
        return self._last(inputs)

    def relu6(self, x, name):
        self._last.relu6 = True
        return x


class FoldedConvolution(keras.layers.Layer):
    """A convolution and the batch normalisation after it, with its kept statistics, as one.

    The weights are those of the two layers, in their order, in float32. So are maps.

    Parameters
    ----------
    convolution : keras.layers.Conv2D or keras.layers.DepthwiseConv2D
        Without a bias, with the padding "same".
    normalization : keras.layers.BatchNormalization
    precision : {"float32", "bfloat16"}
        That of the products of 1 x 1 convolutions; sums are in float32.

    Attributes
    ----------
    relu6 : bool
        Whether ReLU6 follows.
    """

    def __init__(self, convolution, normalization, precision):
        super().__init__(name=f"{convolution.name}_folded", dtype="float32")
        self._convolution, self._normalization = convolution, normalization
        self._precision = precision
        self.relu6 = False

    def build(self, input_shape):
        self._convolution.build(input_shape)
        self._normalization.build(self.compute_output_shape(input_shape))

    def compute_output_shape(self, input_shape):
        return self._convolution.compute_output_shape(input_shape)

    def call(self, inputs):
        layer = self._normalization
        scale = layer.gamma * tf.math.rsqrt(layer.moving_variance + layer.epsilon)
        shift = layer.beta - layer.moving_mean * scale
        kernel, strides = self._convolution.kernel, self._convolution.strides
        if isinstance(self._convolution, keras.layers.DepthwiseConv2D):
            strides = [1, *strides, 1]
            x = tf.nn.depthwise_conv2d(inputs, kernel * scale[:, None], strides, "SAME")
        elif self._convolution.kernel_size == (1, 1):
            # In float32 as well: with `conv2d` a step of the top 4 blocks takes 7 % more, of the
            # top 11 7 % less (96 px, 64 images). oneDNN's mode that rounds to bfloat16 within
            # `conv2d` (TF_SET_ONEDNN_FPMATH_MODE) saves another 8 %, and rounds for all else, too.
            x = product(_as_matrix(inputs), _as_matrix(kernel * scale), self._precision)
        else:
            x = tf.nn.conv2d(inputs, kernel * scale, strides, "SAME")
        x = tf.nn.bias_add(x, shift)
        x = tf.nn.relu6(x) if self.relu6 else x
        return tf.reshape(x, [-1, *self.compute_output_shape(inputs.shape)[1:]])


def _as_matrix(maps):
    """Return a row for each pixel."""
    return tf.reshape(maps, [-1, maps.shape[-1]])
