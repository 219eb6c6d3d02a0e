"""Displays of pictures in files: what is drawn is decoded, and nothing else."""

import numpy as np
import pytest
from picture_folder import encoded, photograph

from skcifar import ImageFiles, load_image
from skcifar._images import pieces, reading
from skcifar.plotting import (
    ConfusedPairsDisplay,
    FeatureMapDisplay,
    GradCAMDisplay,
    PredictionsDisplay,
)

N, SIDE = 12, 32
Y = np.arange(N) % 2
CONTAINERS = {
    "paths": lambda paths: paths,
    "array": np.array,
    "bytes": lambda paths: [path.read_bytes() for path in paths],
    "ImageFiles": lambda paths: ImageFiles(paths, image_size=SIDE),
    "frame": lambda paths: pytest.importorskip("pandas").DataFrame({"path": paths}),
}


@pytest.fixture(scope="module")
def paths(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pictures")
    paths = [folder / f"{number}.png" for number in range(N)]
    for number, path in enumerate(paths):
        path.write_bytes(encoded(photograph(number), "PNG"))
    return paths


@pytest.fixture(scope="module")
def classifier(make_classifier, paths):
    return make_classifier().fit(paths, Y)


@pytest.fixture
def decoded(classifier, paths, monkeypatch):
    """What is decoded from now on; the features of all pictures are known."""
    classifier.predict(paths)
    decode, contents = reading.decode, []

    def counting(content, sizing):
        contents.append(content)
        return decode(content, sizing)

    for module in (reading, pieces):
        monkeypatch.setattr(module, "decode", counting)
    return contents


def seen(path):
    return load_image(path, image_size=SIDE)


@pytest.mark.parametrize("container", CONTAINERS)
def test_predictions_decode_what_is_drawn(classifier, paths, decoded, container):
    X = CONTAINERS[container](paths)
    display = PredictionsDisplay.from_estimator(classifier, X, Y, n_images=3)
    assert len(decoded) == 3
    for path, ax in zip(paths, display.axes_, strict=False):
        np.testing.assert_array_equal(ax.images[0].get_array(), seen(path))


def test_confused_pairs_decode_what_is_drawn(classifier, paths, decoded):
    y = 1 - classifier.predict(paths)  # all wrong
    display = ConfusedPairsDisplay.from_estimator(classifier, paths, y, n_examples=2)
    n_drawn = sum(map(len, display.pictures_))
    assert 1 <= n_drawn <= 4
    assert len(decoded) == n_drawn


@pytest.mark.parametrize("container", CONTAINERS)
def test_grad_cam_explains_what_is_drawn(classifier, paths, container):
    display = GradCAMDisplay.from_estimator(classifier, CONTAINERS[container](paths), n_images=2)
    expected = GradCAMDisplay.from_estimator(
        classifier, np.stack([seen(path) for path in paths[:2]])
    )
    assert len(display.axes_) == 2
    np.testing.assert_array_equal(display.heatmaps, expected.heatmaps)
    np.testing.assert_array_equal(display.axes_[1].images[0].get_array(), seen(paths[1]))


def test_feature_map_takes_files(make_features, paths):
    features = make_features().fit(paths)
    files, array = (
        FeatureMapDisplay.from_estimator(features, X, Y, random_state=0).embedding
        for X in (paths, np.stack([seen(path) for path in paths]))
    )
    np.testing.assert_array_equal(files, array)


def test_files_without_an_estimator_are_drawn_whole(paths):
    display = PredictionsDisplay.from_predictions(paths[:2], [0, 1], [0, 0])
    picture = display.axes_[0].images[0].get_array()
    np.testing.assert_array_equal(picture, load_image(paths[0], image_size=160, resize="pad"))
    pairs = ConfusedPairsDisplay.from_predictions([0, 1], [0, 0], images=paths[:2])
    assert list(map(len, pairs.pictures_)) == [1]


def test_pictures_are_drawn_as_the_estimator_sees_them(make_classifier, paths):
    files = ImageFiles(paths, image_size=SIDE, resize="pad")
    classifier = make_classifier().fit(files, Y)
    display = PredictionsDisplay.from_estimator(classifier, paths, Y, n_images=1)
    np.testing.assert_array_equal(display.axes_[0].images[0].get_array(), files[0])
