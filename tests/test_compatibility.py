"""What version 1 wrote: saved files load to the bit, and caches on disk are read.

The manifests are those of skcifar before its files were laid out in rooms, written out by hand;
the digests were computed by that code.
"""

import hashlib
import io
import json
import sqlite3
import zipfile
import zlib
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from scipy.special import softmax

from skcifar import MobileNetV2Features, export, load, load_pretrained
from skcifar._extraction import engines
from skcifar._extraction.digests import image_digests
from skcifar._model.frozen import FrozenNetwork
from skcifar._model.mobilenet_v2 import MobileNetV2
from skcifar._weights.shipped import shipped_weights
from skcifar.datasets import make_images

LIBRARIES = {
    "skcifar": "0.1.0",
    "numpy": "2.4.6",
    "scikit-learn": "1.9.1",
    "skops": "0.16.0",
    "keras": "3.15.1",
    "tensorflow": "2.21.0",
}
PARAMETERS = {
    "alpha": None,
    "augmentation": None,
    "batch_size": 64,
    "callbacks": None,
    "checkpoint_dir": None,
    "class_weight": None,
    "dropout": 0.3,
    "early_stopping": False,
    "engine": "auto",
    "epochs": 3,
    "feature_cache": "memory",
    "fine_tune_blocks": 4,
    "fine_tune_epochs": 0,
    "fine_tune_learning_rate": 0.0001,
    "hidden_units": {"tuple": []},
    "image_shape": None,
    "input_size": "auto",
    "label_smoothing": 0.0,
    "learning_rate": 0.001,
    "n_iter_no_change": 5,
    "optimizer": "adam",
    "pixel_range": "auto",
    "precision": "float32",
    "random_state": 0,
    "test_time_augmentation": False,
    "validation_fraction": 0.1,
    "verbose": 0,
    "warm_start": False,
    "weight_decay": 0.0,
    "weights": "cifar10",
}

# The features that there were.
OldFeatures = partial(MobileNetV2Features, feature_layers="last")


class OldFile:
    """A file as version 1 wrote it."""

    def __init__(self):
        self._members = {}

    def array(self, values):
        stream = io.BytesIO()
        np.save(stream, values)
        name = f"arrays/{len(self._members)}.npy"
        self._members[name] = stream.getvalue()
        return {"array": name}

    def arrays(self, arrays):
        return [self.array(array) for array in arrays]

    def write(self, path, content):
        index = {
            name: {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
            for name, data in self._members.items()
        }
        head = {"format": "skcifar estimator", "version": 1, "libraries": LIBRARIES}
        with zipfile.ZipFile(path, "w") as archive:
            for name, data in self._members.items():
                archive.writestr(name, data)
            archive.writestr(
                "manifest.json", json.dumps({**head, "content": content, "members": index})
            )

    def network(self, pixel_range):
        """Return the shipped network, as the manifest holds it."""
        fields = [["input_size", 32], ["alpha", 0.5], ["variant", "cifar10"]]
        return {
            "FrozenNetwork": [
                ["network", {"MobileNetV2": fields}],
                ["weights", {"tuple": self.arrays(shipped_weights("cifar10-32px")[0])}],
                ["image_shape", {"tuple": [32, 32, 3]}],
                ["pixel_range", {"tuple": pixel_range}],
                ["mirrored", False],
                ["translation", 0],
                ["last", 18],
            ]
        }

    def head(self, weights, mean, scale, optimizer_state=(), n_epochs=0):
        standardization = [["mean", self.array(mean)], ["scale", self.array(scale)]]
        return {
            "Head": [
                ["weights", self.arrays(weights)],
                ["standardization", {"Standardization": standardization}],
                ["optimizer_state", list(optimizer_state)],
                ["n_epochs", n_epochs],
            ]
        }

    def classifier(self, parameters, classes, pixel_range, head, **state):
        return {
            "estimator": "MobileNetV2Classifier",
            "parameters": {**PARAMETERS, **parameters},
            "state": {
                "n_features_in_": 3072,
                "image_shape_": {"tuple": [32, 32, 3]},
                "classes_": self.array(classes),
                "n_classes_": len(classes),
                "_frozen": self.network(pixel_range),
                "pixel_range_": {"tuple": pixel_range},
                "_seed": 209652396,
                "_head": head,
                "engine_": "openvino",
                "callbacks_": [],
                "_models": {"dict": []},
                "fine_tune_start_": None,
                **state,
            },
            "requests": {},
        }


@pytest.fixture(scope="module")
def pictures():
    return make_images(n_samples=20, random_state=0)[0]


def test_a_file_of_version_1_predicts_the_same_to_the_bit(pictures, tmp_path):
    file = OldFile()
    ones, zeros = np.ones(1280, np.float32), np.zeros(1280, np.float32)
    content = file.classifier(
        {"test_time_augmentation": True},
        classes=np.arange(10),
        pixel_range=[0.0, 255.0],
        head=file.head(shipped_weights("cifar10-32px")[1].weights, mean=zeros, scale=ones),
        n_samples_seen_=50_000,
        history_={"dict": [["loss", []], ["accuracy", []]]},
        n_iter_=0,
    )
    file.write(tmp_path / "old", content)
    expected = load_pretrained("cifar10-32px").predict_proba(pictures)
    loaded = load(tmp_path / "old")
    np.testing.assert_array_equal(loaded.predict_proba(pictures), expected)
    assert loaded.weights == "cifar10-32px"


@pytest.fixture
def trained_head():
    rng = np.random.default_rng(0)
    shapes = ((1280, 4), (4,), (4, 2), (2,))
    return [rng.normal(0, 0.1, size=shape).astype(np.float32) for shape in shapes]


@pytest.fixture
def old_pipeline(trained_head, tmp_path):
    """Return the path of a Pipeline of a normalizer and of a classifier with a trained head."""
    file, path = OldFile(), tmp_path / "old"
    normalizer = {
        "estimator": "ImageNormalizer",
        "parameters": {"image_shape": None, "method": "unit", "pixel_range": "auto"},
        "state": {
            "n_features_in_": 3072,
            "image_shape_": {"tuple": [32, 32, 3]},
            "pixel_range_": {"tuple": [0.0, 255.0]},
            "scale_": file.array(np.full(3, 1 / 255)),
            "offset_": file.array(np.zeros(3)),
            "n_samples_seen_": 80,
        },
        "requests": {},
    }
    moments = [np.zeros_like(array) for array in trained_head for _ in range(2)]
    step, rate = ({"scalar": [file.array(value)]} for value in (np.int64(6), np.float32(1e-3)))
    head = file.head(
        trained_head,
        mean=np.full(1280, 0.25, np.float32),
        scale=np.full(1280, 0.5, np.float32),
        optimizer_state=[step, rate, *file.arrays(moments)],
        n_epochs=3,
    )
    classifier = file.classifier(
        {"hidden_units": {"tuple": [4]}, "warm_start": True, "epochs": 1},
        classes=np.array(["cat", "dog"]),
        pixel_range=[0.0, 1.0],
        head=head,
        n_samples_seen_=80,
        history_={"dict": [["loss", [1.5, 1.25, 1.0]], ["accuracy", [0.25, 0.5, 0.75]]]},
        n_iter_=3,
    )
    steps = [["imagenormalizer", normalizer], ["mobilenetv2classifier", classifier]]
    file.write(path, {"pipeline": steps, "transform_input": None, "verbose": False})
    return path


def test_a_pipeline_of_version_1_predicts_what_its_arrays_say(old_pipeline, trained_head, pictures):
    features = OldFeatures(weights="cifar10-32px").fit_transform(pictures)
    kernel, bias, last_kernel, last_bias = trained_head
    hidden = np.maximum((features - 0.25) / 0.5 @ kernel + bias, 0)
    expected = softmax(hidden @ last_kernel + last_bias, axis=1)
    # Pixels in [0, 1] and in [0, 255] are rounded apart: by 6e-8.
    np.testing.assert_allclose(load(old_pipeline).predict_proba(pictures), expected, atol=1e-6)


def test_a_fit_of_version_1_goes_on(old_pipeline, pictures):
    labels = np.array(["cat", "dog"] * 10)
    classifier = load(old_pipeline).fit(pictures, labels)[-1]
    assert classifier.history_["loss"][:3] == [1.5, 1.25, 1.0]
    assert classifier.n_iter_ == 4
    assert classifier.n_samples_seen_ == 100
    assert classifier._head.optimizer_state[0] == 7


def test_a_classifier_of_version_1_is_exported(old_pipeline, pictures, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pipeline = load(old_pipeline)
    export(pipeline, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    (found,) = session.run(None, {"images": pictures.astype(np.float32)})
    np.testing.assert_allclose(found, pipeline.predict_proba(pictures), atol=1e-3)
    assert pipeline[-1].resize_ is None


SMALL = FrozenNetwork(
    MobileNetV2(32, 0.35),
    tuple(np.arange(np.prod(s), dtype=np.float32).reshape(s) for s in ((2, 3, 4), (4,), (1,))),
    image_shape=(8, 10, 1),
    pixel_range=(0.0, 1.0),
)


@pytest.mark.parametrize(
    ("changes", "fingerprint"),
    [
        ({}, "39b0bb7b4a69b511041ac01d1171cb93"),
        ({"mirrored": True}, "f4c517d31430bd76273221b173ee0749"),
        ({"mirrored": True, "translation": 2}, "af75200beba411d096e1e3077588c274"),
        ({"last": 13}, "cccb3d1365e9c428527ca0af57a49706"),
        ({"network": MobileNetV2(32, 0.5, "cifar10")}, "51f84dbb8fed74260f06b5c0a109cab9"),
    ],
)
def test_networks_have_the_fingerprints_of_version_1(changes, fingerprint):
    assert replace(SMALL, **changes).fingerprint.hex() == fingerprint


def test_images_have_the_digests_of_version_1():
    image = np.ones((2, 2, 1), np.float32)
    assert image_digests(image[None])[0].hex() == "adda36b67c6efd43a98456309a428117"


def test_rows_of_a_cache_of_version_1_are_found(tmp_path, monkeypatch):
    """A row of numbers that no network computes: it can come from the cache alone."""
    image = np.arange(32 * 32 * 3).reshape(1, 32, 32, 3).astype(np.uint8)
    row = np.arange(1280, dtype=np.float32)
    network = bytes.fromhex("ed1f1559ef29e9fb340ba31b3968b97d")  # by TensorFlow 2025.0.0
    digest = bytes.fromhex("cac51d3a16371d1b7df4df0f98a379e1")
    write_old_cache(tmp_path, [(network, digest, 0, zlib.crc32(row), row.tobytes())])
    monkeypatch.setattr(engines, "installed_version", lambda package: "2025.0.0")
    monkeypatch.setattr(engines, "run_network", None)
    features = OldFeatures(weights="cifar10-32px", engine="tensorflow", feature_cache=tmp_path)
    np.testing.assert_array_equal(features.fit_transform(image), [row])


def write_old_cache(folder, rows):
    with sqlite3.connect(folder / "skcifar-features-v1.sqlite3") as database:
        database.execute(
            "CREATE TABLE rows (network BLOB, image BLOB, used INTEGER, checksum INTEGER, "
            "features BLOB, PRIMARY KEY (network, image))"
        )
        database.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", rows)
    database.close()
