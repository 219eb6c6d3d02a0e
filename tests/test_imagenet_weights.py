import re
from importlib.util import find_spec
from pathlib import Path

import pytest

from skcifar._model.mobilenet_v2 import IMAGENET_ALPHAS
from skcifar._weights import imagenet
from skcifar._weights.imagenet import imagenet_weights_path


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
    for part in (str(models), "weights='cifar10'", "weights=None", "weights=<path"):
        assert part in str(caught.value)
    assert list(models.iterdir()) == []
