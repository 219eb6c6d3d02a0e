"""Writes an OpenVINO model, without a converter."""

import tempfile
from pathlib import Path

import numpy as np

from .._system.atomic_file import replaced_file
from .._system.libraries import import_openvino, require
from .graph import model_name, probabilities


def write(classifier, normalizers, path):
    """Write an OpenVINO model to `path`, and its weights beside it."""
    require("openvino", "openvino")
    openvino = import_openvino()
    from openvino import opset13 as ops

    if path.suffix == ".bin":
        raise ValueError(f"{path} is where the weights go. Pass a path that ends in .xml.")
    images = ops.parameter((-1, *classifier.image_shape_), np.float32, name="images")
    outputs = probabilities(ops, images, classifier, normalizers)
    outputs.output(0).get_tensor().set_names({"probabilities"})
    model = openvino.Model([outputs], [images], model_name(classifier))
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
