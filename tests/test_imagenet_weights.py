import os
import re
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest

from skcifar import MobileNetV2Features
from skcifar._model.mobilenet_v2 import IMAGENET_ALPHAS, MobileNetV2
from skcifar._weights import imagenet
from skcifar._weights.imagenet import imagenet_weights_path
from skcifar._weights.loading import _build
from skcifar.datasets import fetch_cifar10, fetch_example_data


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Keras' folder of weights, made in a home that the test owns."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    (tmp_path / "models").mkdir()
    return tmp_path / "models"


@pytest.fixture
def downloads(monkeypatch):
    """Record downloads instead of doing them."""
    calls = []
    monkeypatch.setattr(
        imagenet,
        "download",
        lambda url, path, **options: calls.append((url, path, options)) or path,
    )
    return calls


@pytest.mark.parametrize("alpha", IMAGENET_ALPHAS)
def test_name_and_address_are_those_of_keras(alpha, models, downloads):
    path = imagenet_weights_path(alpha)
    name = f"mobilenet_v2_weights_tf_dim_ordering_tf_kernels_{alpha}_224_no_top.h5"
    assert path == models / name
    ((url, where, _),) = downloads
    assert url.startswith("https://")
    assert url.endswith(f"/keras-applications/mobilenet_v2/{name}")
    assert where == path


def test_address_is_where_keras_looks():
    keras = find_spec("keras")  # not imported: that takes seconds
    if keras is None:
        pytest.skip("needs Keras")
    source = Path(keras.origin).parent / "src" / "applications" / "mobilenet_v2.py"
    assert f'"{imagenet._BASE_URL}"' in source.read_text()


def test_file_that_is_there_is_used(models, downloads):
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    (models / name).write_bytes(b"weights")
    assert imagenet_weights_path(1) == models / name
    assert downloads == []


def test_folder_is_below_home_without_keras_home(tmp_path, monkeypatch, downloads):
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert imagenet_weights_path(1.0).parent == tmp_path / ".keras" / "models"


def test_what_comes_must_be_hdf5(models, downloads):
    imagenet_weights_path(0.35)
    assert downloads[0][2]["signature"] == b"\x89HDF\r\n\x1a\n"


@pytest.mark.parametrize("alpha", [0.6, None, "1.0", 2])
def test_other_widths_are_an_error_that_lists_them(alpha, models, downloads):
    message = f"(0.35, 0.5, 0.75, 1.0, 1.3, 1.4); got alpha={alpha!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        imagenet_weights_path(alpha)
    assert downloads == []


def test_failure_says_what_else_would_do(models, monkeypatch):
    monkeypatch.setattr(imagenet, "_BASE_URL", "https://127.0.0.1:1/")
    monkeypatch.setattr("skcifar._system.downloads._PAUSE", 0)
    with pytest.raises(OSError, match=r"1\.0_224_no_top\.h5 is not in the folder") as caught:
        imagenet_weights_path(1.0)
    advice = ("weights='cifar10'", "weights=None", "weights=<path")
    for part in (str(models), "Download it from https://127.0.0.1:1/mobilenet_v2_", *advice):
        assert part in str(caught.value)
    assert list(models.iterdir()) == []


@pytest.fixture
def no_home(monkeypatch):
    """Be a user that the machine does not know, as with ``docker run --user 12345``."""
    for name in ("HOME", "USERPROFILE", "KERAS_HOME", "SCIKIT_LEARN_DATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)


def test_no_home_folder_is_the_documented_error(no_home, downloads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OSError, match=r"no home folder .* Set the environment variable KERAS_HOME"):
        imagenet_weights_path(1.0)
    with pytest.raises(OSError, match=r"no home folder .* Pass a folder as data_home"):
        fetch_cifar10()
    assert list(tmp_path.iterdir()) == []  # no folder called "~"


def test_examples_run_without_a_home_folder(no_home):
    data = fetch_example_data(n_train=20, n_test=20)
    assert (data.name, data.weights) == ("photo patches", "cifar10")
    assert data.DESCR.endswith("Not available here: CIFAR-10 and ImageNet's weights.")


@pytest.mark.parametrize("name", ["CIFAR10", "Cifar10"])
def test_name_of_weights_may_have_capitals(images, name):
    found = MobileNetV2Features(weights=name).fit(images[0])._frozen.fingerprint
    assert found == MobileNetV2Features(weights="cifar10").fit(images[0])._frozen.fingerprint


def test_misspelt_name_of_weights_is_put_right(images):
    with pytest.raises(FileNotFoundError, match=r'Did you mean "imagenet"\?'):
        MobileNetV2Features(weights="ImageNt").fit(images[0])


def test_file_that_replaced_another_of_the_same_time_is_read(images, tmp_path, monkeypatch):
    def write(path, value):
        model = _build(MobileNetV2, 0.35)
        model.set_weights([array + value for array in model.get_weights()])
        with warnings.catch_warnings():
            # Keras 3.15 converts its variables in a way that NumPy 2 means to forbid.
            warnings.simplefilter("ignore", DeprecationWarning)
            model.save_weights(path)
        os.utime(path, (1, 1))

    monkeypatch.setenv("HOME", str(tmp_path))
    features = MobileNetV2Features(weights="~/a.weights.h5", alpha=0.35, input_size=32)
    fingerprints = []
    for value in (0, 0.5):
        write(tmp_path / "a.weights.h5", value)
        fingerprints.append(features.fit(images[0])._frozen.fingerprint)
    assert fingerprints[0] != fingerprints[1]
