"""Which images and weights the examples get, wherever they run."""

import pickle

import numpy as np
import pytest

from skcifar.datasets import fetch_cifar10, fetch_example_data, load_photo_patches, make_images


@pytest.fixture(autouse=True)
def nothing_is_there(tmp_path, monkeypatch):
    """Point to empty folders, and allow no download."""
    monkeypatch.setenv("SKCIFAR_OFFLINE", "1")
    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))


@pytest.fixture
def imagenet(monkeypatch):
    monkeypatch.setattr("skcifar.datasets._example.imagenet_weights_path", lambda alpha: "there")


@pytest.fixture
def cifar10(tmp_path):
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    for seed, name in enumerate([*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]):
        X, y = make_images(n_samples=40, n_classes=10, random_state=seed)
        batch = {"data": X.transpose(0, 3, 1, 2).reshape(40, -1), "labels": y.tolist()}
        (folder / name).write_bytes(pickle.dumps(batch, protocol=2))


def as_rows(images):
    return {image.tobytes() for image in images}


def test_nothing_there_means_photo_patches_and_the_shipped_weights_and_says_so():
    data = fetch_example_data()
    assert (data.name, data.weights) == ("photo patches", "cifar10")
    np.testing.assert_array_equal(data.X_train, load_photo_patches().images)
    np.testing.assert_array_equal(data.X_test, load_photo_patches(subset="test").images)
    assert data.DESCR == (
        "Photo patches: 800 images to train on, 400 to test with. Weights: cifar10. "
        "Not available here: CIFAR-10 and ImageNet's weights."
    )


def test_both_there_are_taken(imagenet, cifar10):
    data = fetch_example_data()
    assert (data.name, data.weights) == ("CIFAR-10", "imagenet")
    np.testing.assert_array_equal(data.X_train, fetch_cifar10(subset="train").images)
    np.testing.assert_array_equal(data.X_test, fetch_cifar10(subset="test").images)
    assert data.DESCR == "CIFAR-10: 200 images to train on, 40 to test with. Weights: imagenet."


def test_photo_patches_are_seen_with_imagenet_weights_if_these_are_there(imagenet):
    data = fetch_example_data()
    assert (data.name, data.weights) == ("photo patches", "imagenet")
    assert data.DESCR.endswith("Weights: imagenet. Not available here: CIFAR-10.")


def test_shipped_weights_are_never_given_the_images_they_were_trained_on(cifar10):
    data = fetch_example_data()
    assert (data.name, data.weights) == ("CIFAR-10", "cifar10")
    taken = as_rows(data.X_train) | as_rows(data.X_test)
    assert taken == as_rows(fetch_cifar10(subset="test").images)


def test_as_many_images_as_asked_for_class_by_class_the_same_ones_each_time():
    data, again = (fetch_example_data(n_train=100, n_test=50) for _ in range(2))
    assert (len(data.X_train), len(data.X_test)) == (100, 50)
    assert set(np.bincount(data.y_train)) <= {9, 10, 11}
    np.testing.assert_array_equal(data.X_train, again.X_train)
    np.testing.assert_array_equal(data.X_test, again.X_test)


def test_fewer_images_where_there_are_fewer():
    assert len(fetch_example_data(n_train=3000, n_test=500).X_test) == 400
