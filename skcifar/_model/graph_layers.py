"""The network for inference engines: channels first, as operations of a graph."""

import numpy as np


class ChannelsFirstLayers:
    """The operations of the network, as `KerasLayers` has them.

    Parameters
    ----------
    ops : module or object
        Functions as in an OpenVINO opset: ``convolution``, ``multiply``, ``reshape`` ...
    weights : sequence of ndarray
        In Keras' order; each operation takes the next ones.
    """

    def __init__(self, ops, weights):
        self._ops = ops
        self._weights = iter(weights)

    def convolution(self, x, filters, kernel_size, strides, name):
        kernel = next(self._weights).transpose(3, 2, 0, 1)
        return self._convolve(self._ops.convolution, x, kernel, strides)

    def depthwise(self, x, strides, name):
        kernel = next(self._weights).transpose(2, 3, 0, 1)[:, :, None]
        return self._convolve(self._ops.group_convolution, x, kernel, strides)

    def batch_norm(self, x, epsilon, name):
        gamma, beta, mean, variance = (next(self._weights) for _ in range(4))
        scale = gamma / np.sqrt(variance + epsilon)
        x = self._ops.multiply(x, self._constant(scale.reshape(1, -1, 1, 1)))
        return self._ops.add(x, self._constant((beta - mean * scale).reshape(1, -1, 1, 1)))

    def relu6(self, x, name):
        return self._ops.clamp(x, 0.0, 6.0)

    def add(self, a, b, name):
        return self._ops.add(a, b)

    def pool(self, x, name):
        return self._ops.reduce_mean(x, self._constant(np.array([2, 3])), False)

    def concatenate(self, parts):
        return self._ops.concat(parts, 1) if len(parts) > 1 else parts[0]

    def flatten(self, x):
        return self._ops.reshape(x, self._constant(np.array([0, -1])), True)

    def to_channels_last(self, x):
        return self._ops.transpose(x, self._constant(np.array([0, 2, 3, 1])))

    def from_channels_last(self, x):
        return self._ops.transpose(x, self._constant(np.array([0, 3, 1, 2])))

    def preprocess(self, x, image_shape, arrays):
        scale, offset, columns, rows = arrays
        height, width, channels = image_shape
        x = self._ops.reshape(x, self._constant(np.array([0, height, width * channels])), True)
        x = self._ops.multiply(x, self._constant(np.float32(scale)))
        x = self._ops.add(x, self._constant(np.float32(offset)))
        x = self._ops.matmul(x, self._constant(columns), False, False)
        x = self._ops.matmul(self._constant(rows.T[None]), x, False, False)
        x = self._ops.reshape(x, self._constant(np.array([0, rows.shape[1], -1, 3])), True)
        return self.from_channels_last(x)

    def _convolve(self, operation, x, kernel, strides):
        zeros, options = [0, 0], {"auto_pad": "same_upper"}
        return operation(x, self._constant(kernel), [strides] * 2, zeros, zeros, [1, 1], **options)

    def _constant(self, array):
        return self._ops.constant(np.ascontiguousarray(array))
