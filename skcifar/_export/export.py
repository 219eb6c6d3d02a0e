"""export: a fitted classifier for runtimes that know nothing of Python."""

import contextlib
import importlib.util
import io
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from .._classifier import MobileNetV2Classifier
from .._model.graph_layers import ChannelsFirstLayers
from .._model.mobilenet_v2 import LAST_CONVOLUTION, STEM, apply_units
from .._normalizer import ImageNormalizer
from .._system.atomic_file import replaced_file
from .._system.libraries import import_keras, import_openvino

_FORMATS = ("onnx", "litert", "openvino")


def export(estimator, path, format="onnx"):
    """Write a fitted classifier as one model for another runtime.

    The model takes float32 images (n, height, width, channels), with pixels as `fit` saw them,
    and returns the probabilities (n, n_classes) in the order of ``classes_``. Resizing,
    mirroring and the steps of a Pipeline are in it.

    Parameters
    ----------
    estimator : MobileNetV2Classifier or Pipeline
        A Pipeline may hold `ImageNormalizer` steps before the classifier.
    path : str or path-like
        Used as it stands. With ``"openvino"`` the weights stand in a second file, of the same
        name but for the suffix ``.bin``.
    format : {"onnx", "litert", "openvino"}, default="onnx"
        For ONNX Runtime, for LiteRT (formerly TensorFlow Lite), or for OpenVINO.

    Raises
    ------
    ImportError
        If the package that writes the format is not installed.
    OSError
        If the file cannot be written. What was there is untouched.
    TypeError
        If `estimator` is no classifier of images.
    ValueError
        If `format` is none of these.
    sklearn.exceptions.NotFittedError
        If `estimator` is not fitted.

    See Also
    --------
    save : Keep all of an estimator, to go on with it in Python.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from skcifar import MobileNetV2Classifier, export
    >>> from skcifar.datasets import make_images
    >>> X, y = make_images(n_samples=60, random_state=0)
    >>> classifier = MobileNetV2Classifier(weights=None, input_size=32, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export(classifier, Path(folder) / "classifier.onnx")
    ...     print(*(path.name for path in Path(folder).iterdir()))
    classifier.onnx
    """
    if format not in _FORMATS:
        raise ValueError(f"format must be one of {', '.join(map(repr, _FORMATS))}. Got {format!r}.")
    classifier, normalizers = _parts(estimator)
    check_is_fitted(classifier)
    write = {"onnx": _write_onnx, "litert": _write_litert, "openvino": _write_openvino}[format]
    write(classifier, normalizers, Path(path))


def _parts(estimator):
    """Return the classifier, and the normalizers before it."""
    steps = [step for _, step in estimator.steps] if type(estimator) is Pipeline else [estimator]
    *normalizers, classifier = steps
    wanted = [isinstance(step, ImageNormalizer) for step in normalizers]
    if not all(wanted) or not isinstance(classifier, MobileNetV2Classifier):
        names = " and ".join(type(step).__name__ for step in steps)
        raise TypeError(
            "export takes a MobileNetV2Classifier, or a Pipeline of ImageNormalizer steps and one. "
            f"Got {names}. Use save for other estimators."
        )
    return classifier, normalizers


def _require(module, format):
    if importlib.util.find_spec(module) is None:
        raise ImportError(
            f'format="{format}" needs {module}, which is not installed. '
            f'Run `pip install "skcifar[{format}]"`.'
        )


# --- ONNX and OpenVINO: built from the table of the network, without a converter --------------


def _write_onnx(classifier, normalizers, path):
    _require("onnx", "onnx")
    from .to_onnx import OnnxOperations

    ops = OnnxOperations()
    outputs = _probabilities(ops, "images", classifier, normalizers)
    model = ops.model(outputs, classifier.image_shape_, (classifier.n_classes_,))
    with replaced_file(path) as file:
        file.write(model.SerializeToString())


def _write_openvino(classifier, normalizers, path):
    _require("openvino", "openvino")
    openvino = import_openvino()
    from openvino import opset13 as ops

    if path.suffix == ".bin":
        raise ValueError(f"{path} is where the weights go. Pass a path that ends in .xml.")
    images = ops.parameter((-1, *classifier.image_shape_), np.float32, name="images")
    outputs = _probabilities(ops, images, classifier, normalizers)
    outputs.output(0).get_tensor().set_names({"probabilities"})
    model = openvino.Model([outputs], [images], "mobilenetv2_classifier")
    graph, weights = _openvino_files(openvino, model)
    # The weights first: without the graph they are of no use, and do no harm.
    for target, content in ((path.with_suffix(".bin"), weights), (path, graph)):
        with replaced_file(target) as file:
            file.write(content)


def _openvino_files(openvino, model):
    """Return the bytes of the two files of `model`; OpenVINO writes to paths only."""
    with tempfile.TemporaryDirectory() as folder:
        graph, weights = Path(folder, "model.xml"), Path(folder, "model.bin")
        try:
            openvino.save_model(model, graph, compress_to_fp16=False)
            openvino.Core().read_model(graph)  # it does not tell of a disk that filled up
        except RuntimeError as error:
            raise OSError(
                f"OpenVINO could not write to {folder}: {error}. Free some space there, or set "
                "the environment variable TMPDIR to another folder."
            ) from error
        return graph.read_bytes(), weights.read_bytes()


def _probabilities(ops, images, classifier, normalizers):
    """Return the output of the whole, pixels to probabilities, from the functions `ops`."""
    for normalizer in normalizers:
        images = _affine(ops, images, normalizer.scale_, normalizer.offset_)
    frozen, head = classifier._frozen, classifier._head
    layers = ChannelsFirstLayers(ops, frozen.weights)
    views = [frozen]
    if classifier.test_time_augmentation:
        views.append(replace(frozen, mirrored=True))
    x = [layers.preprocess(images, view.image_shape, view.preprocessing) for view in views]
    # The views run as one batch, so that the weights stand in the file once.
    x = ops.concat(x, 0) if len(views) > 1 else x[0]
    x = layers.pool(apply_units(layers, x, frozen.network, STEM, LAST_CONVOLUTION))
    x = ops.softmax(_logits(ops, x, head), 1)
    x = ops.reshape(x, ops.constant(np.array([len(views), -1, head.n_classes])), False)
    return ops.reduce_mean(x, ops.constant(np.array([0])), False)


def _logits(ops, features, head):
    mean, scale = head.standardization.mean, head.standardization.scale
    x = ops.multiply(ops.subtract(features, ops.constant(mean)), ops.constant(1 / scale))
    *hidden, kernel, bias = head.weights
    for hidden_kernel, hidden_bias in zip(hidden[::2], hidden[1::2], strict=True):
        x = ops.relu(_dense(ops, x, hidden_kernel, hidden_bias))
    return _dense(ops, x, kernel, bias)


def _dense(ops, x, kernel, bias):
    return ops.add(ops.matmul(x, ops.constant(kernel), False, False), ops.constant(bias))


def _affine(ops, x, scale, offset):
    x = ops.multiply(x, ops.constant(np.asarray(scale, np.float32)))
    return ops.add(x, ops.constant(np.asarray(offset, np.float32)))


# --- LiteRT: TensorFlow's own converter ------------------------------------------------------


def _write_litert(classifier, normalizers, path):
    keras = import_keras()
    import tensorflow as tf

    inputs = x = keras.Input(classifier.image_shape_, name="images", dtype="float32")
    for normalizer in normalizers:
        scale, offset = normalizer.scale_.tolist(), normalizer.offset_.tolist()
        x = keras.layers.Rescaling(scale, offset, dtype="float32")(x)
    model = keras.Model(inputs, classifier.model_(x))
    with contextlib.redirect_stdout(io.StringIO()):  # it lists every variable
        content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
    with replaced_file(path) as file:
        file.write(content)
