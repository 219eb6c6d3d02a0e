import json
import os
import subprocess
import sys

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from skcifar import ImageNormalizer, export
from skcifar._system import libraries
from skcifar._system.libraries import import_openvino
from skcifar.datasets import make_images

# Against predict_proba: other orders of summation in float32, on features of a random network
# whose deviation is 1e-16.
TOLERANCE = 1e-3


def run_onnx(path, X):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path)
    return session.run(["probabilities"], {"images": X.astype(np.float32)})[0]


def run_openvino(path, X):
    pytest.importorskip("openvino")
    # Said outright: OpenVINO's own default is bfloat16 where the processor has it.
    options = {"INFERENCE_PRECISION_HINT": "f32"}
    compiled = import_openvino().Core().compile_model(path, "CPU", options)
    return compiled({"images": X.astype(np.float32)})["probabilities"]


def run_litert(path, X):
    litert = pytest.importorskip("ai_edge_litert.interpreter")
    interpreter = litert.Interpreter(str(path))
    (images,), (probabilities,) = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(images["index"], X.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(images["index"], X.astype(np.float32))
    interpreter.invoke()
    return interpreter.get_tensor(probabilities["index"])


RUNTIMES = {"onnx": run_onnx, "openvino": run_openvino, "litert": run_litert}


@pytest.fixture(scope="module")
def fitted(make_classifier, images):
    return make_classifier(hidden_units=(16, 8)).fit(*images)


@pytest.fixture(scope="module")
def fitted_pipeline(make_classifier, images):
    classifier = make_classifier(hidden_units=(16, 8), test_time_augmentation=True)
    return make_pipeline(ImageNormalizer(), classifier).fit(*images)


@pytest.mark.parametrize("format", RUNTIMES)
def test_each_runtime_agrees(fitted_pipeline, new_images, tmp_path, format):
    export(fitted_pipeline, tmp_path / "model", format)
    there = RUNTIMES[format](tmp_path / "model", new_images[0])
    expected = fitted_pipeline.predict_proba(new_images[0])
    np.testing.assert_allclose(there, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("format", ["openvino", "litert"])  # ONNX: test_feature_layers.py
@pytest.mark.parametrize("feature_layers", ["last", "all", "depthwise"])
def test_all_feature_layers_are_exported(
    make_classifier, images, new_images, tmp_path, format, feature_layers
):
    classifier = make_classifier(feature_layers=feature_layers).fit(*images)
    export(classifier, tmp_path / "model", format)
    there = RUNTIMES[format](tmp_path / "model", new_images[0])
    expected = classifier.predict_proba(new_images[0])
    np.testing.assert_allclose(there, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_images_may_come_in_any_number(fitted, new_images, tmp_path, format):
    export(fitted, tmp_path / "model", format)
    expected = fitted.predict_proba(new_images[0])
    for n in (1, 7):
        there = RUNTIMES[format](tmp_path / "model", new_images[0][:n])
        np.testing.assert_allclose(there, expected[:n], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
@pytest.mark.parametrize("views", [True, "flip_translate"])
def test_views_resizing_and_grey_images_are_in_the_model(make_classifier, tmp_path, format, views):
    X, y = make_images(30, image_shape=(20, 12, 1), random_state=0)
    classifier = make_classifier(test_time_augmentation=views, hidden_units=()).fit(X, y)
    export(classifier, tmp_path / "model", format)
    there = RUNTIMES[format](tmp_path / "model", X)
    np.testing.assert_allclose(there, classifier.predict_proba(X), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("format", ["onnx", "openvino"])
def test_the_normalizers_of_a_pipeline_are_in_the_model(make_classifier, images, tmp_path, format):
    normalizers = ImageNormalizer(), ImageNormalizer("standardize")
    pipeline = make_pipeline(*normalizers, make_classifier(pixel_range=(-4, 4))).fit(*images)
    export(pipeline, tmp_path / "model", format)
    there = RUNTIMES[format](tmp_path / "model", images[0])
    np.testing.assert_allclose(there, pipeline.predict_proba(images[0]), rtol=0, atol=TOLERANCE)


def test_steps_that_a_search_left_out_are_left_out(make_classifier, images, tmp_path):
    pipeline = make_pipeline("passthrough", make_classifier()).fit(*images)
    export(pipeline, tmp_path / "model.onnx")
    there = RUNTIMES["onnx"](tmp_path / "model.onnx", images[0])
    np.testing.assert_allclose(there, pipeline.predict_proba(images[0]), rtol=0, atol=TOLERANCE)


def test_a_fine_tuned_classifier_is_exported_as_it_is(make_classifier, images, tmp_path):
    classifier = make_classifier(epochs=1, fine_tune_epochs=1, fine_tune_blocks=1).fit(*images)
    export(classifier, tmp_path / "model", "onnx")
    there = run_onnx(tmp_path / "model", images[0])
    np.testing.assert_allclose(there, classifier.predict_proba(images[0]), rtol=0, atol=TOLERANCE)


def test_the_onnx_model_passes_the_checker(fitted, tmp_path):
    onnx = pytest.importorskip("onnx")
    export(fitted, tmp_path / "model")
    onnx.checker.check_model(tmp_path / "model", full_check=True)


def test_the_path_is_used_as_it_stands(fitted, tmp_path):
    export(fitted, tmp_path / "a", "onnx")
    export(fitted, tmp_path / "b.xml", "openvino")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b.bin", "b.xml"]
    with pytest.raises(ValueError, match=r"Pass a path that ends in \.xml"):
        export(fitted, tmp_path / "c.bin", "openvino")


def test_errors_say_what_to_pass(fitted, make_classifier, make_features, tmp_path, monkeypatch):
    path = tmp_path / "model"
    with pytest.raises(ValueError, match=r"format must be one of 'onnx', .* Got 'tflite'"):
        export(fitted, path, "tflite")
    with pytest.raises(TypeError, match="Got MobileNetV2Features and LogisticRegression"):
        export(make_pipeline(make_features(), LogisticRegression()), path)
    with pytest.raises(NotFittedError):
        export(make_classifier(), path)
    with pytest.raises(NotFittedError, match="ImageNormalizer"):
        export(make_pipeline(ImageNormalizer(), fitted), path)
    with pytest.raises(TypeError, match="Got no step"):
        export(make_pipeline("passthrough"), path)
    with pytest.raises(FileNotFoundError, match="could not be written"):
        export(fitted, tmp_path / "no folder" / "model")
    monkeypatch.setattr(libraries.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r'pip install "skcifar\[onnx\]"'):
        export(fitted, path)
    assert list(tmp_path.iterdir()) == []


QUIET = """
import os, sys
CALLS = []
OUTWARD = {f"socket.{name}" for name in ("connect", "getaddrinfo", "sendto", "sendmsg")}
sys.addaudithook(lambda event, args: CALLS.append((event, args)) if event in OUTWARD else None)
import skcifar
from skcifar.datasets import make_images
X, y = make_images(30, random_state=0)
classifier = skcifar.MobileNetV2Classifier(
    weights=None, alpha=0.35, input_size=32, epochs=1, engine="openvino"
).fit(X, y)
classifier.predict(X)
folder = sys.argv[1]
skcifar.save(classifier, folder + "/saved")
skcifar.load(folder + "/saved").predict(X)
for format in ("onnx", "openvino"):
    skcifar.export(classifier, folder + "/" + format, format)
print(CALLS)
print("dask" in sys.modules)
"""


@pytest.fixture(scope="module")
def quiet(tmp_path_factory):
    """Return the home folder and the last lines of a process that went through the package."""
    tmp_path = tmp_path_factory.mktemp("quiet")
    folders = {"HOME": "home", "KERAS_HOME": "keras", "MPLCONFIGDIR": "matplotlib"}
    folders = {variable: tmp_path / name for variable, name in folders.items()}
    for folder in (*folders.values(), tmp_path / "models"):
        folder.mkdir()
    environment = {**os.environ, **{name: str(folder) for name, folder in folders.items()}}
    command = [sys.executable, "-c", QUIET, str(tmp_path / "models")]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    return tmp_path / "home", *result.stdout.splitlines()[-2:]


def test_nothing_phones_home(quiet):
    """``import openvino`` alone would call out and leave a client id in the home folder."""
    home, calls, _ = quiet
    assert calls == "[]"
    assert list(home.rglob("*")) == []


def test_dask_is_not_imported_for_other_arrays(quiet):
    pytest.importorskip("dask")
    assert quiet[-1] == "False"


@pytest.fixture
def onnx_metadata(tmp_path):
    """Return a function from an estimator to the metadata of its ONNX file, decoded."""

    def read(estimator):
        onnxruntime = pytest.importorskip("onnxruntime")
        export(estimator, tmp_path / "model.onnx")
        texts = onnxruntime.InferenceSession(tmp_path / "model.onnx").get_modelmeta()
        return {key: json.loads(text) for key, text in texts.custom_metadata_map.items()}

    return read


def test_onnx_file_names_the_classes_in_order(make_classifier, images, onnx_metadata):
    X, y = images
    names = np.array(["zebra", "ape", "élan"])[y]
    classifier = make_classifier(epochs=1).fit(X, names)
    assert onnx_metadata(classifier)["class_names"] == ["ape", "zebra", "élan"]


def test_onnx_file_tells_the_range_of_pixels(fitted, onnx_metadata):
    assert onnx_metadata(fitted) == {
        "class_names": [0, 1, 2],
        "pixel_range": [0, 255],
        "resize": None,
    }


def test_onnx_file_of_a_pipeline_tells_the_range_before_its_steps(fitted_pipeline, onnx_metadata):
    assert onnx_metadata(fitted_pipeline)["pixel_range"] == [0, 255]
