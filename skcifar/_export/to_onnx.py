"""Writes an ONNX model, with the functions that `ChannelsFirstLayers` calls on OpenVINO."""

import json

import numpy as np

from .._system.atomic_file import replaced_file
from .._system.libraries import require
from .graph import metadata, model_name, probabilities

# Read by ONNX Runtime 1.14 and later.
_OPSET, _IR_VERSION = 18, 8


def write(classifier, normalizers, path):
    """Write an ONNX model to `path`, without a converter."""
    require("onnx", "onnx")
    ops = OnnxOperations()
    outputs = probabilities(ops, "images", classifier, normalizers)
    name = model_name(classifier)
    model = ops.model(name, outputs, classifier.image_shape_, (classifier.n_classes_,))
    described = metadata(classifier, normalizers)
    ops.describe(model, {key: json.dumps(value) for key, value in described.items()})
    with replaced_file(path) as file:
        file.write(model.SerializeToString())


class OnnxOperations:
    """The operations of an OpenVINO opset that the network needs, as nodes of an ONNX graph.

    Values are names of node outputs, or arrays, which become initializers of the graph.
    """

    def __init__(self):
        from onnx import helper, numpy_helper

        self._helper, self._numpy_helper = helper, numpy_helper
        self._nodes, self._initializers = [], []

    def constant(self, array):
        return array

    def multiply(self, a, b):
        return self._node("Mul", a, b)

    def add(self, a, b):
        return self._node("Add", a, b)

    def subtract(self, a, b):
        return self._node("Sub", a, b)

    def clamp(self, x, low, high):
        return self._node("Clip", x, np.float32(low), np.float32(high))

    def relu(self, x):
        return self._node("Relu", x)

    def softmax(self, x, axis):
        return self._node("Softmax", x, axis=axis)

    def matmul(self, a, b, transpose_a, transpose_b):
        return self._node("MatMul", a, b)

    def reshape(self, x, shape, zero_copies):
        return self._node("Reshape", x, shape)

    def transpose(self, x, axes):
        return self._node("Transpose", x, perm=axes.tolist())

    def reduce_mean(self, x, axes, keep_dims):
        return self._node("ReduceMean", x, axes, keepdims=int(keep_dims))

    def concat(self, parts, axis):
        return self._node("Concat", *parts, axis=axis)

    def convolution(self, x, kernel, strides, *_, auto_pad, groups=1):
        options = {"strides": strides, "group": groups, "auto_pad": auto_pad.upper()}
        return self._node("Conv", x, kernel, **options)

    def group_convolution(self, x, kernel, *args, **options):
        """Convolve with a kernel (groups, out, in, height, width): ONNX has no groups axis."""
        merged = kernel.reshape(-1, *kernel.shape[2:])
        return self.convolution(x, merged, *args, groups=len(kernel), **options)

    def model(self, name, outputs, input_shape, output_shape):
        """Return the ``onnx.ModelProto`` that computes `outputs` from the input "images"."""
        self._nodes.append(self._helper.make_node("Identity", [outputs], ["probabilities"]))
        graph = self._helper.make_graph(
            self._nodes,
            name,
            [self._value("images", input_shape)],
            [self._value("probabilities", output_shape)],
            self._initializers,
        )
        opsets = [self._helper.make_opsetid("", _OPSET)]
        return self._helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)

    def describe(self, model, texts):
        """Write a dict of texts into a model: what runtimes show as its custom metadata."""
        self._helper.set_model_props(model, texts)

    def _value(self, name, shape):
        from onnx import TensorProto

        return self._helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape])

    def _node(self, operation, *inputs, **options):
        name = f"{operation}_{len(self._nodes)}"
        names = [self._name(value, name) for value in inputs]
        self._nodes.append(self._helper.make_node(operation, names, [name], name, **options))
        return name

    def _name(self, value, consumer):
        """Return the name of `value`; an array is added to the initializers first."""
        if isinstance(value, str):
            return value
        name = f"{consumer}_constant_{len(self._initializers)}"
        array = np.ascontiguousarray(value)
        array = array.reshape(np.shape(value))  # scalars stay scalars
        self._initializers.append(self._numpy_helper.from_array(array, name))
        return name
